"""What a market feed delivers: observed prices, trades that were missed, and candles."""

from datetime import datetime, timedelta
from decimal import Decimal

from robson.domain.values import Value


class Tick(Value):
    """One observed price (quote per base) of a symbol.

    `trade_id` is the venue's own consecutive id, None where the source has none. `at` is the venue's event time, which
    may run ahead of or behind the local clock: ages are never computed from it. A polled tick may trigger a stop but
    never moves one. A backfilled one was read where the stream has left it out: it counts in its order, and does not
    show that the stream delivers.

    Where the book is the source, `price` is the best bid and `ask` the best ask: a long's stop looks at the bid, a
    short's at the ask, for that is what an exit gets.
    """

    symbol: str
    price: Decimal
    quantity: Decimal
    trade_id: int | None
    at: datetime
    polled: bool = False
    ask: Decimal | None = None
    backfilled: bool = False

    def exit_price(self, *, is_long: bool) -> Decimal:
        """The price that a stop of this side is compared with."""
        return self.price if is_long or self.ask is None else self.ask


class Trades(Value):
    """Trades that a source still has, oldest first, without a hole among them.

    `is_whole` says that nothing is missing between what was asked for and the first of them.
    """

    ticks: tuple[Tick, ...] = ()
    is_whole: bool = True


class Candle(Value):
    """Open, high, low and close (quote per base) of one interval that began at `opened_at`."""

    symbol: str
    opened_at: datetime
    interval_seconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @property
    def ends_at(self) -> datetime:
        """The first moment that is no longer in it."""
        return self.opened_at + timedelta(seconds=self.interval_seconds)
