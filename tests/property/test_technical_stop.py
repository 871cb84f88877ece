"""The technical stop on any candles: always on the adverse side, within bounds, the same in the mirror."""

import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
from hypothesis import event, example, given
from hypothesis import strategies as st

from robson.detectors.technical_stop import StopSettings, TechnicalStop, cluster, find_technical_stop, swing_points
from robson.domain.errors import RuleError
from robson.domain.market import Candle
from robson.domain.values import HUNDRED, Side
from robson.engine.sizing import stop_distance
from tests.unit.detectors.market import START, candle

ENTRY_CENTS = 100_000
ENTRY = Decimal(ENTRY_CENTS) / 100

sides = st.sampled_from(Side)
# Calm, lively and wild markets: within 0.2 %, 3 % and 15 % of the entry.
reaches = st.sampled_from([200, 3_000, 15_000])
settings_of_the_search = st.builds(
    StopSettings,
    level=st.integers(1, 10),
    tolerance_percent=st.decimals(0, 2, places=2),
    look_back=st.sampled_from([5, 15, 40, 100, 100]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Candle]:
    """Up to 60 candles around the entry, each anywhere within the market's reach."""
    reach = draw(reaches)
    # Drawn first: lists of free length are mostly too short for a single swing point.
    count = draw(st.sampled_from([0, 5, 15, 30, 60, 60]))
    price = st.integers(ENTRY_CENTS - reach, ENTRY_CENTS + reach)
    triples = draw(st.lists(st.tuples(price, price, price), min_size=count, max_size=count))
    history = []
    for index, triple in enumerate(triples):
        low, close, high = (Decimal(cents) / 100 for cents in sorted(triple))
        history.append(candle(index, low, high, close))
    return history


def mirrored(history: list[Candle]) -> list[Candle]:
    """The same market upside down about the entry."""
    return [
        msgspec.structs.replace(
            one,
            low=2 * ENTRY - one.high,
            high=2 * ENTRY - one.low,
            close=2 * ENTRY - one.close,
            open=2 * ENTRY - one.open,
        )
        for one in history
    ]


def find(side: Side, history: list[Candle], settings: StopSettings) -> TechnicalStop | None:
    """The stop, or None when the search refuses, which it may do in one way only."""
    try:
        return find_technical_stop(side, ENTRY, history, settings=settings)
    except RuleError as error:
        refusal = error
    assert refusal.code == "no_technical_stop"
    assert len(refusal.message) + len(refusal.hint) < 500
    return None


@given(side=sides, history=histories(), settings=settings_of_the_search)
def test_a_stop_is_one_that_sizing_accepts(side: Side, history: list[Candle], settings: StopSettings) -> None:
    stop = find(side, history, settings)
    event("refused" if stop is None else stop.method)
    if stop is not None:
        assert stop_distance(side, ENTRY, stop.price) > 0


@given(history=histories(), settings=settings_of_the_search)
def test_long_and_short_are_mirror_images(history: list[Candle], settings: StopSettings) -> None:
    long, short = find(Side.LONG, history, settings), find(Side.SHORT, mirrored(history), settings)
    if long is None or short is None:
        assert long is short
        return
    assert ENTRY - long.price == short.price - ENTRY
    assert (long.method, long.touches) == (short.method, short.touches)
    assert [ENTRY - level.price for level in long.levels] == [level.price - ENTRY for level in short.levels]


@given(side=sides, history=histories(), settings=settings_of_the_search, elapsed=st.integers(0, 899))
def test_the_forming_candle_changes_nothing(
    side: Side, history: list[Candle], settings: StopSettings, elapsed: int
) -> None:
    forming = candle(len(history), 1, 5000)
    now = START + timedelta(seconds=len(history) * 900 + elapsed)
    try:
        seen = find_technical_stop(side, ENTRY, [*history, forming], settings=settings, now=now)
    except RuleError:
        seen = None
    assert seen == find(side, history, settings)


@given(side=sides, history=histories(), settings=settings_of_the_search)
def test_evidence_survives_json_and_stays_small(side: Side, history: list[Candle], settings: StopSettings) -> None:
    stop = find(side, history, settings)
    if stop is None:
        return
    text = json.dumps(stop.evidence)
    assert json.loads(text) == stop.evidence
    assert len(text) < 2048
    assert_only_strings_and_integers(stop.evidence)


def assert_only_strings_and_integers(node: object) -> None:
    match node:
        case dict():
            for key, child in node.items():
                assert isinstance(key, str)
                assert_only_strings_and_integers(child)
        case list():
            for child in node:
                assert_only_strings_and_integers(child)
        case _:
            assert type(node) in {str, int}


@given(side=sides, history=histories(), settings=settings_of_the_search)
def test_no_swing_point_is_lost_and_no_level_is_wider_than_the_tolerance(
    side: Side, history: list[Candle], settings: StopSettings
) -> None:
    points = swing_points(side, ENTRY, history)
    tolerance = ENTRY * settings.tolerance_percent / HUNDRED
    levels = cluster(side, points, tolerance)
    assert sum(level.touches for level in levels) == len(points)
    assert all(abs(level.nearest - level.price) <= tolerance for level in levels)
    edges = [edge for level in levels for edge in (level.nearest, level.price)]
    assert edges == sorted(edges, reverse=side is Side.LONG)
    for near, far in pairwise(levels):
        assert abs(near.nearest - far.nearest) > tolerance


@given(history=histories(), settings=settings_of_the_search)
@example(history=[], settings=StopSettings())
def test_the_level_is_what_a_slow_reading_of_the_rule_says(history: list[Candle], settings: StopSettings) -> None:
    stop = find(Side.LONG, history, settings)
    expected = slow_level(history, settings)
    if expected is not None:
        assert stop is not None
        assert (stop.method, stop.price) == ("swing", expected)
    elif stop is not None:
        assert stop.method == "true_range"


def slow_level(history: list[Candle], settings: StopSettings) -> Decimal | None:
    """The rule for longs in whole cents and words, written without a look at the code."""
    lows = [int(one.low * 100) for one in history[-settings.look_back :]]
    swings = sorted(
        lows[i]
        for i in range(2, len(lows) - 2)
        if lows[i] < ENTRY_CENTS and all(lows[i] < lows[j] for j in (i - 2, i - 1, i + 1, i + 2))
    )
    levels = []
    while swings:
        nearest = swings[-1]
        members = [low for low in swings if (nearest - low) <= settings.tolerance_percent * ENTRY_CENTS / 100]
        levels.append(min(members))
        swings = [low for low in swings if low not in members]
    far_enough = [(n, level) for n, level in enumerate(levels, 1) if ENTRY_CENTS - level >= ENTRY_CENTS // 1000]
    allowed = [(n, level) for n, level in far_enough if ENTRY_CENTS - level <= ENTRY_CENTS // 10]
    if len(levels) < settings.level:
        return Decimal(allowed[-1][1]) / 100 if allowed else None
    candidates = [(n, level) for n, level in far_enough if n >= settings.level]
    return Decimal(candidates[0][1]) / 100 if candidates and candidates[0] in allowed else None
