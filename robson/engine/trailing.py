"""The trailing stop: anchoring it at the fill, and observing prices against it.

Long: extreme = highest price since the fill, stop = extreme - distance, never lower than before. A short is the mirror
image. On each price the hit is checked before the stop moves, and a price equal to the stop is a hit.
"""

from decimal import Decimal
from typing import Protocol

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


class Place(Protocol):
    """A watch's place among others that observe the same prices (`engine.crowd`)."""

    def bring_up(self) -> None:
        """Write into the watch where it stands."""

    def sit_anew(self) -> None:
        """The watch has got another stop from outside."""


class Watch:
    """One position's stop, observed inline for every tick; with those beside it the only mutable object of the engine.

    `stop`, `extreme` and `distance` are quote per base, `trade_id` is the last trade seen in order, `moves` counts the
    prices that moved the stop. While it has a `seat`, others observe for it, and its numbers are worked out when asked.
    """

    __slots__ = ("_extreme", "_moves", "_stop", "_trade_id", "distance", "is_long", "seat")

    def __init__(
        self, side: Side, stop: Decimal, extreme: Decimal, distance: Decimal, trade_id: int | None = None
    ) -> None:
        assert distance > 0, distance
        self.is_long = side is Side.LONG
        self._stop = stop
        self._extreme = extreme
        self.distance = distance
        self._trade_id = trade_id
        self._moves = 0
        self.seat: Place | None = None

    @property
    def stop(self) -> Decimal:
        """The trailing stop (quote per base)."""
        if self.seat is not None:
            self.seat.bring_up()
        return self._stop

    @property
    def extreme(self) -> Decimal:
        """The best price since the fill (quote per base)."""
        if self.seat is not None:
            self.seat.bring_up()
        return self._extreme

    @property
    def trade_id(self) -> int | None:
        """The last trade seen in order, None where none had an id."""
        if self.seat is not None:
            self.seat.bring_up()
        return self._trade_id

    @property
    def moves(self) -> int:
        """How many prices have moved the stop."""
        if self.seat is not None:
            self.seat.bring_up()
        return self._moves

    @classmethod
    def of(cls, side: Side, trail: Trail) -> "Watch":
        """The watch that continues where a stored trail ended."""
        return cls(side, trail.stop, trail.extreme, trail.distance, trail.trade_id)

    def observe(self, price: Decimal, trade_id: int | None = None) -> bool:
        """Take the next price in order: True when it hits the stop, otherwise the stop may have moved."""
        if trade_id is not None:
            self._trade_id = trade_id
        if self.is_long:
            if price <= self._stop:
                return True
            if price > self._extreme:
                self._extreme = price
                stop = price - self.distance
                if stop > self._stop:
                    self._stop = stop
                    self._moves += 1
            return False
        if price >= self._stop:
            return True
        if price < self._extreme:
            self._extreme = price
            stop = price + self.distance
            if stop < self._stop:
                self._stop = stop
                self._moves += 1
        return False

    def tighten(self, stop: Decimal) -> None:
        """Stand at a tighter stop than the prices made; it follows again once a price is further than the distance."""
        assert stop >= self.stop if self.is_long else stop <= self.stop, (stop, self.stop)
        if self.seat is not None:
            self.seat.bring_up()
        self._stop = stop
        if self.seat is not None:
            self.seat.sit_anew()

    def stand_at(self, stop: Decimal, extreme: Decimal, moves: int, trade_id: int | None) -> None:
        """Take what others have observed for it; without a trade id the last one stays."""
        self._stop, self._extreme, self._moves = stop, extreme, moves
        if trade_id is not None:
            self._trade_id = trade_id

    def glance(self, price: Decimal) -> bool:
        """Compare a polled price with the stop; it may trigger, it never moves anything."""
        return price <= self.stop if self.is_long else price >= self.stop

    def observe_candle(self, candle: Candle) -> Decimal | None:
        """Take a candle in order: its favourable extreme first, its adverse one last; gives the one that hit, if any.

        In that order the stop is never looser afterwards than after the trades themselves, and whatever hit among them
        hits here; docs/decisions/0013 names the price. Which trade was the last one seen is not known any more.
        """
        self._trade_id = None
        favourable, adverse = (candle.high, candle.low) if self.is_long else (candle.low, candle.high)
        if self.observe(favourable):
            return favourable
        return adverse if self.observe(adverse) else None

    def copy(self) -> "Watch":
        """Another watch that stands where this one does."""
        return Watch(Side.LONG if self.is_long else Side.SHORT, self.stop, self.extreme, self.distance, self.trade_id)

    def adopt(self, other: "Watch") -> None:
        """Stand where a copy has got to."""
        assert self.seat is None, "a watch with a seat observes with the others"
        self._stop, self._extreme, self._trade_id = other.stop, other.extreme, other.trade_id
        self._moves += other.moves

    def trail(self) -> Trail:
        """The present stop as a record."""
        return Trail(stop=self.stop, extreme=self.extreme, distance=self.distance, trade_id=self.trade_id)
