"""Prices as a chart needs them: the lowest, highest and last of each span of time, with the stop as it stood then."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

# The finest span; every other one is this, doubled some times, so that finer samples merge into whole coarser ones.
BASE_MS = 250
# A chart of any length has at most so many samples, and one or two at its ends.
SAMPLES_MAX = 600

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """The prices (quote per base) of the span that begins at `start_ms` (Unix time), and the stop at its end."""

    start_ms: int
    low: Decimal
    high: Decimal
    last: Decimal
    stop: Decimal | None = None


class Strip(msgspec.Struct, frozen=True):
    """A run of samples of one width (milliseconds), ascending."""

    width_ms: int
    samples: tuple[Sample, ...] = ()


def to_ms(moment: datetime) -> int:
    """A moment as Unix time in whole milliseconds."""
    return (moment - _EPOCH) // _MILLISECOND


def to_moment(ms: int) -> datetime:
    """Unix time in milliseconds as a moment, UTC."""
    return _EPOCH + ms * _MILLISECOND


def width_for(length_ms: int, samples: int = SAMPLES_MAX) -> int:
    """The finest width with which a life of this length has at most so many samples (both in ms)."""
    assert samples > 0, samples
    width = BASE_MS
    while width * samples < length_ms:
        width *= 2
    return width


def merged(samples: Iterable[Sample], width_ms: int) -> tuple[Sample, ...]:
    """Samples in the order in which they were taken, as samples of a width that is no finer.

    A span that is there twice, half taken and whole, becomes one: merging again what was merged changes nothing.
    """
    assert width_ms % BASE_MS == 0, width_ms
    found: dict[int, Sample] = {}
    for sample in samples:
        start = sample.start_ms - sample.start_ms % width_ms
        before = found.get(start)
        found[start] = Sample(
            start,
            sample.low if before is None else min(before.low, sample.low),
            sample.high if before is None else max(before.high, sample.high),
            sample.last,
            sample.stop if before is None or sample.stop is not None else before.stop,
        )
    return tuple(found[start] for start in sorted(found))


def joined(strips: Sequence[Strip], samples: int = SAMPLES_MAX) -> Strip:
    """All strips of one position as one, at the finest width that holds them in about so many samples."""
    width = max((strip.width_ms for strip in strips), default=BASE_MS)
    every = [sample for strip in strips for sample in strip.samples]
    if every:
        first, last = min(s.start_ms for s in every), max(s.start_ms for s in every)
        width = max(width, width_for(last - first, samples))
    return Strip(width, merged(every, width))
