"""Prices that a stop has missed, taken in the order in which they happened, and what they make of it."""

from datetime import datetime
from decimal import Decimal

from robson.domain.market import Candle, Tick
from robson.domain.values import Side, Value
from robson.engine.trailing import Watch, is_beyond


class Seen(Value):
    """The last price that a stop has taken into account; `at` is its time by the clock of the price source."""

    at: datetime
    trade_id: int | None = None

    def covers(self, tick: Tick) -> bool:
        """Whether a tick had been taken into account; by id where both have one, otherwise by time."""
        if self.trade_id is not None and tick.trade_id is not None:
            return tick.trade_id <= self.trade_id
        return tick.at < self.at

    def is_of(self, tick: Tick) -> bool:
        """Whether it is this very tick."""
        return self.trade_id is not None and tick.trade_id == self.trade_id

    def joins(self, tick: Tick) -> bool:
        """Whether no trade can lie between the last price seen and this tick."""
        if self.trade_id is not None and tick.trade_id is not None:
            return tick.trade_id <= self.trade_id + 1
        return tick.at < self.at


class Crossing(Value):
    """Where and when a price hit a stop, with the stop and the extreme as they stood.

    With `candle_seconds` it is the extreme of a candle of that length that began at `at`.
    """

    price: Decimal
    at: datetime
    trade_id: int | None
    trailing_stop: Decimal
    extreme: Decimal
    candle_seconds: int | None = None

    @classmethod
    def of(cls, tick: Tick, watch: Watch) -> "Crossing":
        """The crossing by a tick that has just hit a watch."""
        return cls(
            price=tick.exit_price(is_long=watch.is_long),
            at=tick.at,
            trade_id=tick.trade_id,
            trailing_stop=watch.stop,
            extreme=watch.extreme,
        )


class Rerun:
    """Takes missed prices through a copy of a watch; the first crossing is kept.

    A forgiving one goes on after it, so that `crossing` can be judged by the stop as it would stand now.
    """

    def __init__(self, watch: Watch, *, forgiving: bool) -> None:
        self.watch = watch.copy()
        self.crossing: Crossing | None = None
        self.price: Decimal | None = None
        self._forgiving = forgiving

    def take(self, missed: Tick | Candle) -> None:
        """The next price, oldest first; after a crossing that is not forgiven nothing counts any more."""
        if self.crossing is not None and not self._forgiving:
            return
        if isinstance(missed, Candle):
            self.price = missed.close
            hit = self.watch.observe_candle(missed)
            at, trade_id, seconds = missed.opened_at, None, missed.interval_seconds
        else:
            self.price = missed.exit_price(is_long=self.watch.is_long)
            hit = self.price if self.watch.observe(self.price, missed.trade_id) else None
            at, trade_id, seconds = missed.at, missed.trade_id, None
        if hit is not None and self.crossing is None:
            self.crossing = Crossing(
                price=hit,
                at=at,
                trade_id=trade_id,
                # The favourable extreme may have moved the stop before the adverse one hit it.
                trailing_stop=self.watch.stop,
                extreme=self.watch.extreme,
                candle_seconds=seconds,
            )

    @property
    def is_forgiven(self) -> bool:
        """Whether there was a crossing, and the last price is on the good side of the stop as it stands now."""
        if self.crossing is None or not self._forgiving or self.price is None:
            return False
        return not is_beyond(Side.LONG if self.watch.is_long else Side.SHORT, self.price, self.watch.stop)
