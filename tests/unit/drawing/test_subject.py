"""A position with its samples as a chart: figures, precision and what counts as a gap."""

from decimal import Decimal

import pytest

from robson.domain.samples import Sample, Strip, to_ms
from robson.drawing.subject import GAP_MS, chart_of
from robson.engine.evolve import fold
from tests.contract.journal.lives import NOON, ONE, armed, entry_facts, filled, life

BEGAN = to_ms(NOON)


def strip(*starts_ms: int, width_ms: int = 1000) -> Strip:
    price = Decimal("95100.50000000")
    return Strip(width_ms, tuple(Sample(BEGAN + start, price, price, price) for start in starts_ms))


def test_a_closed_position_has_its_net_result_in_r() -> None:
    chart = chart_of(fold(life(ONE)), strip(2000, 3000))
    assert (chart.state, chart.exit_reason, chart.exit_price) == ("Closed", "trailing_stop", Decimal(93590))
    assert chart.pnl == Decimal("-113.132424")
    # It put at risk 99.99, and lost more.
    assert chart.r_multiple == Decimal("-1.13")
    assert chart.entered_at is not None


def test_an_open_one_is_worth_what_the_last_point_says() -> None:
    chart = chart_of(fold([armed(ONE), *entry_facts(ONE), filled(ONE)]), strip(2000))
    assert chart.pnl == Decimal("0.5") * Decimal("0.06666")
    assert chart.closed_at is None
    assert chart.exit_price is None


def test_one_that_never_entered_is_empty() -> None:
    chart = chart_of(fold([armed(ONE)]), Strip(250))
    assert (chart.pnl, chart.r_multiple, chart.points, chart.entered_at) == (None, None, (), None)


@pytest.mark.parametrize(
    ("starts", "width", "gaps"),
    [
        ((0, 1000, 2000), 1000, []),
        ((0, 1000 + GAP_MS - 1), 1000, []),
        ((0, 1000 + GAP_MS), 1000, [1]),
        ((0, 64_000, 128_000), 64_000, []),
        ((0, 64_000, 192_000, 256_000), 64_000, [2]),
    ],
)
def test_a_gap_is_ten_seconds_or_a_whole_span(starts: tuple[int, ...], width: int, gaps: list[int]) -> None:
    began = -BEGAN % width
    chart = chart_of(fold(life(ONE)), strip(*(began + start for start in starts), width_ms=width))
    assert [number for number, point in enumerate(chart.points) if point.after_gap] == gaps


def test_precision_is_the_pairs_or_what_the_prices_show() -> None:
    assert chart_of(fold(life(ONE)), strip(0)).price_places == 1
    assert chart_of(fold(life(ONE)), strip(0), tick_size=Decimal("0.01000000")).price_places == 2
    assert chart_of(fold(life(ONE)), strip(0), tick_size=Decimal(10)).price_places == 0
    assert chart_of(fold(life(ONE)), Strip(250)).price_places == 2


def test_fewer_points_are_wider() -> None:
    chart = chart_of(fold(life(ONE)), strip(*range(0, 600_000, 1000)), points=50)
    assert len(chart.points) <= 51
    assert chart.width_seconds == 16
