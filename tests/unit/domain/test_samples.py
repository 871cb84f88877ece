"""Price samples: merged to coarser spans without losing an extreme, and never too many."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from robson.domain.samples import BASE_MS, SAMPLES_MAX, Sample, Strip, joined, merged, to_moment, to_ms, width_for

prices = st.decimals(min_value=1, max_value=10**6, places=2)


@st.composite
def samples(draw: st.DrawFn, most: int = 60) -> tuple[Sample, ...]:
    starts = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=most, unique=True).map(sorted))
    found = []
    for start in starts:
        low, last, high = sorted(draw(st.tuples(prices, prices, prices)))
        found.append(Sample(start * BASE_MS, low, high, last, draw(st.none() | prices)))
    return tuple(found)


@given(samples(), st.integers(0, 12))
def test_merging_keeps_the_extremes_the_last_price_and_the_last_stop(taken: tuple[Sample, ...], doublings: int) -> None:
    width = BASE_MS << doublings
    found = merged(taken, width)
    assert min(s.low for s in found) == min(s.low for s in taken)
    assert max(s.high for s in found) == max(s.high for s in taken)
    assert found[-1].last == taken[-1].last
    for sample in found:
        assert sample.start_ms % width == 0
        inside = [s for s in taken if sample.start_ms <= s.start_ms < sample.start_ms + width]
        assert (sample.low, sample.high) == (min(s.low for s in inside), max(s.high for s in inside))
        assert sample.last == inside[-1].last
        assert sample.stop == next((s.stop for s in reversed(inside) if s.stop is not None), None)
    assert sum(any(f.start_ms <= s.start_ms < f.start_ms + width for f in found) for s in taken) == len(taken)


@given(samples(), st.integers(0, 8), st.integers(0, 8))
def test_merging_in_two_steps_is_merging_once_and_again_is_nothing(
    taken: tuple[Sample, ...], first: int, second: int
) -> None:
    fine, coarse = sorted((BASE_MS << first, BASE_MS << second))
    assert merged(merged(taken, fine), coarse) == merged(taken, coarse)
    assert merged((*merged(taken, fine), *merged(taken, fine)[-3:]), fine) == merged(taken, fine)


@given(st.integers(0, 10 * 365 * 86_400_000), st.integers(1, SAMPLES_MAX))
def test_the_width_is_the_finest_that_does(length_ms: int, most: int) -> None:
    width = width_for(length_ms, most)
    assert width * most >= length_ms
    assert width == BASE_MS or (width // 2) * most < length_ms


@given(st.lists(samples(), max_size=4), st.integers(1, 50))
def test_joined_strips_are_no_more_than_asked_for(strips: list[tuple[Sample, ...]], most: int) -> None:
    found = joined([Strip(BASE_MS, strip) for strip in strips], most)
    assert len(found.samples) <= most + 1
    starts = [sample.start_ms for sample in found.samples]
    assert starts == sorted(set(starts))
    every = [sample for strip in strips for sample in strip]
    if every:
        assert min(s.low for s in found.samples) == min(s.low for s in every)
        assert max(s.high for s in found.samples) == max(s.high for s in every)


@given(st.integers(0, 10**13))
def test_milliseconds_and_moments_are_the_same(ms: int) -> None:
    assert to_ms(to_moment(ms)) == ms


def test_no_strips_are_an_empty_one() -> None:
    assert joined([]) == Strip(BASE_MS)
    assert joined([Strip(1000, (Sample(2000, Decimal(1), Decimal(2), Decimal(2)),))]).width_ms == 1000
