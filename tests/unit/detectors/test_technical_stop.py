"""The technical stop: swing points, levels, the walk, the true range and the refusal."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from robson.detectors.technical_stop import (
    Level,
    StopSettings,
    cluster,
    find_technical_stop,
    mean_true_range,
    percent_stop,
    swing_points,
)
from robson.domain.errors import RuleError
from robson.domain.market import Candle
from robson.domain.values import Side
from tests.unit.detectors.market import START, candle, candles_with_lows, flat_history

ENTRY = Decimal(1000)
LONG, SHORT = Side.LONG, Side.SHORT


def valleys(*lows: object) -> list[Candle]:
    """Candles at 2000 with one swing low at each of these prices."""
    return candles_with_lows(low for depth in lows for low in (2000, 2000, depth)) + candles_with_lows([2000, 2000])


def decimals(*numbers: object) -> list[Decimal]:
    return [Decimal(str(number)) for number in numbers]


def edges(level: Level) -> tuple[str, str, int]:
    return str(level.price), str(level.nearest), level.touches


def test_a_swing_low_is_strictly_below_two_candles_on_each_side() -> None:
    assert swing_points(LONG, ENTRY, candles_with_lows([900, 890, 880, 890, 900])) == [880]
    assert swing_points(LONG, ENTRY, candles_with_lows([900, 880, 880, 890, 900])) == []
    assert swing_points(LONG, ENTRY, candles_with_lows([880, 890, 880, 890, 900])) == []
    assert swing_points(LONG, ENTRY, candles_with_lows([900, 890, 880, 890, 880])) == []


def test_the_first_and_last_two_candles_cannot_be_swing_points() -> None:
    assert swing_points(LONG, ENTRY, candles_with_lows([800, 900, 950, 950, 900, 800])) == []
    assert swing_points(LONG, ENTRY, candles_with_lows([880, 890, 900, 910])) == []
    assert swing_points(LONG, ENTRY, []) == []


def test_swing_points_are_on_the_adverse_side_sorted_from_the_entry_outward() -> None:
    assert swing_points(LONG, ENTRY, valleys(950, 1000, 1001, 990, 940)) == [990, 950, 940]
    peaks = [
        candle(index, 500, high) for index, high in enumerate([1, 1, 1010, 1, 1, 1000, 1, 1, 999, 1, 1, 1005, 1, 1])
    ]
    assert swing_points(SHORT, ENTRY, peaks) == [1005, 1010]


def test_a_level_is_as_wide_as_the_tolerance_and_its_far_edge_is_the_price() -> None:
    (first, second) = cluster(LONG, decimals(990, "989.5", 989, "988.9"), Decimal(1))
    assert edges(first) == ("989", "990", 3)
    assert edges(second) == ("988.9", "988.9", 1)
    (above,) = cluster(SHORT, decimals(1010, "1010.5", 1011), Decimal(1))
    assert edges(above) == ("1011", "1010", 3)


def test_close_points_do_not_chain_into_one_endless_level() -> None:
    staircase = [Decimal(990) - Decimal(step) / 2 for step in range(20)]
    levels = cluster(LONG, staircase, Decimal(1))
    assert [level.touches for level in levels] == [3, 3, 3, 3, 3, 3, 2]
    assert all(level.nearest - level.price <= 1 for level in levels)


def test_no_tolerance_joins_only_equal_points() -> None:
    assert [level.touches for level in cluster(LONG, decimals(990, 990, 989), Decimal(0))] == [2, 1]


def test_the_second_level_is_the_stop() -> None:
    stop = find_technical_stop(LONG, ENTRY, valleys(990, 980, 979.5, 970))
    assert (stop.price, stop.method, stop.touches) == (Decimal("979.5"), "swing", 2)
    assert [level.price for level in stop.levels] == decimals(990, "979.5", 970)
    assert stop.evidence["level_chosen"] == 2
    assert stop.evidence["reason"] == "level 2 of 3"


@pytest.mark.parametrize(("level", "price"), [(1, 990), (2, 980), (3, 970)])
def test_another_level_can_be_asked_for(level: int, price: int) -> None:
    stop = find_technical_stop(LONG, ENTRY, valleys(990, 980, 970), settings=StopSettings(level=level))
    assert stop.price == price


def test_the_tolerance_can_be_widened() -> None:
    wide = StopSettings(tolerance_percent=Decimal(1))
    assert find_technical_stop(LONG, ENTRY, valleys(990, 980, 970)).price == 980
    assert find_technical_stop(LONG, ENTRY, valleys(990, 980, 970), settings=wide).price == 970


def test_the_walk_goes_deeper_past_levels_that_are_too_near() -> None:
    fine = StopSettings(tolerance_percent=Decimal("0.01"))
    stop = find_technical_stop(LONG, ENTRY, valleys(999.9, 999.7, 999.5, 999.001, 999, 998), settings=fine)
    assert stop.price == 999, "0.1 % itself is allowed"
    assert stop.evidence["level_chosen"] == 4
    assert "closer than 0.1 %" in stop.evidence["reason"]


def test_the_walk_stops_beyond_ten_percent() -> None:
    assert find_technical_stop(LONG, ENTRY, valleys(990, 900)).price == 900, "10 % itself is allowed"
    with pytest.raises(RuleError) as refused:
        find_technical_stop(LONG, ENTRY, valleys(990, 899.9))
    assert "level 2 of 2 was farther than 10 %" in refused.value.message


def test_fewer_levels_than_wanted_give_the_deepest_within_bounds() -> None:
    stop = find_technical_stop(LONG, ENTRY, valleys(990))
    assert (stop.price, stop.method) == (Decimal(990), "swing")
    assert stop.evidence["reason"].startswith("only 1 of 2 levels existed")
    deep = find_technical_stop(LONG, ENTRY, valleys(990, 980, 500), settings=StopSettings(level=4))
    assert deep.price == 980
    assert deep.evidence["level_chosen"] == 2


def test_without_a_level_the_stop_is_one_and_a_half_mean_true_ranges_away() -> None:
    long = find_technical_stop(LONG, ENTRY, flat_history(15, height=10))
    short = find_technical_stop(SHORT, ENTRY, flat_history(15, height=10))
    assert (long.price, long.method, long.touches) == (Decimal(985), "true_range", 0)
    assert short.price == 1015
    assert long.evidence["mean_true_range"] == "10"
    assert "there were no levels" in long.evidence["reason"]


@pytest.mark.parametrize("wanted", [2, 3])
def test_levels_that_are_all_too_near_give_way_to_the_true_range(wanted: int) -> None:
    history = flat_history(16)
    for index, low in ((4, "994.9"), (8, "994.8"), (12, "994.7")):
        history[index] = candle(index, low, 1005, 1000)
    settings = StopSettings(level=wanted, tolerance_percent=Decimal(0))
    stop = find_technical_stop(LONG, Decimal("995.2"), history, settings=settings)
    assert stop.method == "true_range"
    assert stop.evidence["reason"].startswith(f"level {wanted} and all beyond were closer than 0.1 %; 1.5 x the mean")


def test_the_true_range_spans_the_gap_from_the_close_before() -> None:
    steady = flat_history(15, height=10)
    assert mean_true_range(steady) == 10
    above = [*steady[:-1], candle(14, 1100, 1110)]
    below = [*steady[:-1], candle(14, 890, 900)]
    assert mean_true_range(above) == (Decimal(13 * 10) + 110) / 14
    assert mean_true_range(below) == (Decimal(13 * 10) + 110) / 14


def test_only_the_last_fourteen_true_ranges_count() -> None:
    wild = [candle(index, 1, 1999, 1000) for index in range(5)]
    assert mean_true_range([*wild, *flat_history(15, height=10)]) == 10
    assert mean_true_range(flat_history(14)) is None


def test_a_mean_that_does_not_terminate_is_cut_to_eight_decimals() -> None:
    history = flat_history(15, height=10)
    history[-1] = candle(14, 995, 1006, 1000)
    assert find_technical_stop(LONG, ENTRY, history).price == Decimal("984.89285714")


def test_too_few_candles_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(RuleError) as refused:
        find_technical_stop(SHORT, ENTRY, flat_history(14))
    error = refused.value
    assert error.code == "no_technical_stop"
    assert error.retryable
    assert "in 14 closed 15-minute candles" in error.message
    assert "the true range needs 15 closed 15-minute candles and there were 14" in error.message


@pytest.mark.parametrize(("height", "percent"), [(0, "0.0000"), (80, "12.0000")])
def test_a_true_range_out_of_bounds_is_refused_with_the_numbers(height: int, percent: str) -> None:
    with pytest.raises(RuleError) as refused:
        find_technical_stop(LONG, ENTRY, flat_history(height=height))
    assert f"true ranges was {height * 3 // 2} ({percent} %)" in refused.value.message
    assert "0.1 % to 10 %" in refused.value.hint


def test_a_refusal_names_the_levels_it_saw() -> None:
    with pytest.raises(RuleError) as refused:
        find_technical_stop(LONG, ENTRY, valleys(999.5, 880))
    assert "(levels: 999.5 (0.0500 %), 880 (12.0000 %))" in refused.value.message
    with pytest.raises(RuleError) as refused:
        find_technical_stop(LONG, ENTRY, valleys(999.5, 880, 870, 860, 850))
    assert "870 (13.0000 %) and 2 more)" in refused.value.message


def test_only_the_look_back_counts() -> None:
    history = valleys(990, 980, 970)
    stop = find_technical_stop(LONG, ENTRY, history, settings=StopSettings(look_back=5))
    assert (stop.price, stop.evidence["candles"]) == (Decimal(970), 5)


def test_a_candle_whose_interval_has_not_ended_is_left_out() -> None:
    history = candles_with_lows([2000, 2000, 990, 2000, 2000])
    last_closes = START + timedelta(seconds=5 * 900)
    assert find_technical_stop(LONG, ENTRY, history, now=last_closes).price == 990
    with pytest.raises(RuleError):
        find_technical_stop(LONG, ENTRY, history, now=last_closes - timedelta(milliseconds=1))


def test_other_intervals_than_fifteen_minutes_are_a_mistake() -> None:
    with pytest.raises(AssertionError):
        find_technical_stop(LONG, ENTRY, [candle(0, 1, 2, seconds=60)])


def test_evidence_keeps_the_ten_nearest_levels_and_only_strings_and_integers() -> None:
    stop = find_technical_stop(LONG, ENTRY, valleys(*range(990, 900, -5)))
    assert len(stop.levels) == 18
    assert stop.evidence["level_count"] == 18
    assert [level["price"] for level in stop.evidence["levels"]] == [str(price) for price in range(990, 940, -5)]
    assert stop.evidence["candles"] == 56
    assert stop.evidence["distance_percent"] == "1.5000"
    assert json.loads(json.dumps(stop.evidence)) == stop.evidence


def test_a_fixed_percentage_says_so() -> None:
    assert percent_stop(LONG, Decimal("95000.12"), Decimal("0.5")).price == Decimal("94525.1194")
    stop = percent_stop(SHORT, ENTRY, Decimal(10))
    assert (stop.price, stop.method, stop.levels) == (Decimal(1100), "percent", ())
    assert stop.evidence["method"] == "percent"
    assert stop.evidence["distance_percent"] == "10.0000"
