"""The trailing stop: anchoring it at the fill, and observing prices against it.

Long: extreme = highest price since the fill, stop = extreme - distance, never lower than before. A short is the mirror
image. On each price the hit is checked before the stop moves, and a price equal to the stop is a hit.
"""

from decimal import Decimal

from robson.domain.market import Candle
from robson.domain.position import Trail
from robson.domain.values import Side


def anchor(side: Side, fill_price: Decimal, technical_stop: Decimal, distance: Decimal) -> Decimal:
    """The first stop after a fill: one distance away, yet no looser than the technical stop (quote per base)."""
    if side is Side.LONG:
        return max(fill_price - distance, technical_stop)
    return min(fill_price + distance, technical_stop)


def is_beyond(side: Side, price: Decimal, stop: Decimal) -> bool:
    """Whether a price is at or past the stop."""
    return price <= stop if side is Side.LONG else price >= stop


class Watch:
    """One position's stop, observed inline for every tick; the only mutable object of the engine.

    `stop`, `extreme` and `distance` are quote per base, `trade_id` is the last trade seen in order, `moves` counts the
    prices that moved the stop.
    """

    __slots__ = ("distance", "extreme", "is_long", "moves", "stop", "trade_id")

    def __init__(
        self, side: Side, stop: Decimal, extreme: Decimal, distance: Decimal, trade_id: int | None = None
    ) -> None:
        assert distance > 0, distance
        self.is_long = side is Side.LONG
        self.stop = stop
        self.extreme = extreme
        self.distance = distance
        self.trade_id = trade_id
        self.moves = 0

    @classmethod
    def of(cls, side: Side, trail: Trail) -> "Watch":
        """The watch that continues where a stored trail ended."""
        return cls(side, trail.stop, trail.extreme, trail.distance, trail.trade_id)

    def observe(self, price: Decimal, trade_id: int | None = None) -> bool:
        """Take the next price in order: True when it hits the stop, otherwise the stop may have moved."""
        if trade_id is not None:
            self.trade_id = trade_id
        if self.is_long:
            if price <= self.stop:
                return True
            if price > self.extreme:
                self.extreme = price
                stop = price - self.distance
                if stop > self.stop:
                    self.stop = stop
                    self.moves += 1
            return False
        if price >= self.stop:
            return True
        if price < self.extreme:
            self.extreme = price
            stop = price + self.distance
            if stop < self.stop:
                self.stop = stop
                self.moves += 1
        return False

    def tighten(self, stop: Decimal) -> None:
        """Stand at a tighter stop than the prices made; it follows again once a price is further than the distance."""
        assert stop >= self.stop if self.is_long else stop <= self.stop, (stop, self.stop)
        self.stop = stop

    def glance(self, price: Decimal) -> bool:
        """Compare a polled price with the stop; it may trigger, it never moves anything."""
        return price <= self.stop if self.is_long else price >= self.stop

    def observe_candle(self, candle: Candle) -> Decimal | None:
        """Take a candle in order: its favourable extreme first, its adverse one last; gives the one that hit, if any.

        In that order the stop is never looser afterwards than after the trades themselves, and whatever hit among them
        hits here; docs/decisions/0013 names the price. Which trade was the last one seen is not known any more.
        """
        self.trade_id = None
        favourable, adverse = (candle.high, candle.low) if self.is_long else (candle.low, candle.high)
        if self.observe(favourable):
            return favourable
        return adverse if self.observe(adverse) else None

    def copy(self) -> "Watch":
        """Another watch that stands where this one does."""
        return Watch(Side.LONG if self.is_long else Side.SHORT, self.stop, self.extreme, self.distance, self.trade_id)

    def adopt(self, other: "Watch") -> None:
        """Stand where a copy has got to."""
        self.stop, self.extreme, self.trade_id = other.stop, other.extreme, other.trade_id
        self.moves += other.moves

    def trail(self) -> Trail:
        """The present stop as a record."""
        return Trail(stop=self.stop, extreme=self.extreme, distance=self.distance, trade_id=self.trade_id)
