"""Axes: round steps within their limits, never finer than the pair's prices."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.drawing.scale import length_text, price_steps, price_text, time_form, time_steps

NOON = datetime(2026, 3, 4, 12, 0, 7, tzinfo=UTC)


@given(st.floats(1e-8, 1e6), st.floats(1e-8, 1e6), st.integers(0, 8), st.integers(1, 9))
def test_prices_are_round_within_and_few(low: float, width: float, places: int, most: int) -> None:
    high = low + width
    found = price_steps(low, high, places, most)
    assert len(found) <= most + 1
    assert all(low * 0.999999 <= float(price) <= high * 1.000001 for price in found)
    for price in found:
        assert Decimal(price_text(price, places)) == price
    steps = {b - a for a, b in pairwise(found)}
    assert len(steps) <= 1


@given(
    st.integers(1_500_000_000, 1_900_000_000).map(lambda unix: datetime.fromtimestamp(unix, UTC)),
    st.floats(0.2, 1e8),
    st.integers(1, 9),
)
def test_moments_are_within_and_few(begin: datetime, seconds: float, most: int) -> None:
    end = begin + timedelta(seconds=seconds)
    found = time_steps(begin, end, most)
    assert len(found) <= most
    assert all(begin <= moment <= end for moment in found)
    form = time_form(found)
    assert len({f"{moment:{form}}" for moment in found}) == len(found) or (end - begin).days > 360


def test_days_begin_where_the_reader_is() -> None:
    offset = timedelta(hours=5, minutes=30)
    found = time_steps(NOON, NOON + timedelta(days=3), 4, offset=offset)
    assert [(moment + offset).time().isoformat() for moment in found] == ["00:00:00"] * 3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (60, "1m 00s"), (930, "15m 30s"), (7260, "2h 01m"), (255_600, "2d 23h"), (-3, "0s")],
)
def test_lengths_are_told_in_two_units(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_no_room_gives_no_steps() -> None:
    assert price_steps(5.0, 5.0, 2, 5) == []
