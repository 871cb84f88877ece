"""A watch taken through many prices at once, with the same result as one after the other."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from robson.engine.trailing import Watch


class Stretch(NamedTuple):
    """Some prices in order, at least one, and the lowest and highest of them (quote per base)."""

    prices: Sequence[Decimal]
    low: Decimal
    high: Decimal

    @classmethod
    def of(cls, prices: Sequence[Decimal]) -> "Stretch":
        """The stretch of these prices."""
        return cls(prices, min(prices), max(prices))


def observe_stretch(watch: Watch, stretch: Stretch) -> int | None:
    """Take a watch through a stretch: the place of the price that hits the stop, None when none does.

    A price between stop and extreme changes nothing, so the watch is asked only about the others, and about none of a
    stretch that lies between the two as a whole.
    """
    prices, low, high = stretch
    if watch.is_long:
        if low > watch.stop and high <= watch.extreme:
            return None
        return _rising(watch, prices)
    if high < watch.stop and low >= watch.extreme:
        return None
    return _falling(watch, prices)


def _rising(watch: Watch, prices: Sequence[Decimal]) -> int | None:
    stop, extreme = watch.stop, watch.extreme
    for place, price in enumerate(prices):
        if stop < price <= extreme:
            continue
        if watch.observe(price):
            return place
        stop, extreme = watch.stop, watch.extreme
    return None


def _falling(watch: Watch, prices: Sequence[Decimal]) -> int | None:
    stop, extreme = watch.stop, watch.extreme
    for place, price in enumerate(prices):
        if extreme <= price < stop:
            continue
        if watch.observe(price):
            return place
        stop, extreme = watch.stop, watch.extreme
    return None
