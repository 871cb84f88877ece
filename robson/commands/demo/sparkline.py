"""Prices as a row of blocks, and the stop beneath on the same scale."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

T = TypeVar("T")

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-~=+*#"


def ramp_for(encoding: str | None, environment: Mapping[str, str]) -> str:
    """The eight levels, lowest first, that a stream of this encoding can show in this locale."""
    chosen = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((text for text in chosen if text), "utf-8")
    # Python writes UTF-8 under LC_ALL=C too, whatever the terminal makes of it.
    if "utf" not in locale.lower():
        return PLAIN
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BLOCKS


def condense(samples: Sequence[T], width: int) -> Sequence[T]:
    """At most `width` (2 or more) of the samples, evenly spread, always with the first and the last."""
    if len(samples) <= width:
        return samples
    last, steps = len(samples) - 1, width - 1
    return [samples[(column * last + steps // 2) // steps] for column in range(width)]


def sparkline(values: Sequence[Decimal], low: Decimal, high: Decimal, ramp: str) -> str:
    """One character a value, from the lowest level at `low` to the highest at `high`."""
    if high <= low:
        return ramp[len(ramp) // 2] * len(values)
    top = len(ramp) - 1
    return "".join(ramp[min(max(int((value - low) / (high - low) * (top + 1)), 0), top)] for value in values)


class Chart:
    """One position's price and stop, sample by sample (quote per base)."""

    def __init__(self) -> None:
        self._samples: list[tuple[Decimal, Decimal]] = []

    def add(self, price: Decimal, stop: Decimal) -> None:
        """Take the present price and stop."""
        self._samples.append((price, stop))

    def draw(self, width: int, ramp: str) -> tuple[str, str]:
        """The price and, on the same scale, the stop, `width` characters each at most; empty before a sample."""
        shown = condense(self._samples, width)
        if not shown:
            return "", ""
        low = min(min(pair) for pair in self._samples)
        high = max(max(pair) for pair in self._samples)
        prices, stops = zip(*shown, strict=True)
        return sparkline(prices, low, high, ramp), sparkline(stops, low, high, ramp)
