"""What a feed that makes or reads its own prices still knows of those that it has delivered."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from robson.domain.market import Candle, Tick
from robson.feed.candles import CandleSeries, combine

MINUTE_SECONDS = 60
_MINUTES_KEPT = 20_000
_TICKS_KEPT = 20_000


class History:
    """The last trades of one symbol, and its candles by the minute, from which all longer ones are joined."""

    def __init__(self, symbol: str) -> None:
        self._ticks: deque[Tick] = deque(maxlen=_TICKS_KEPT)
        self._minutes = CandleSeries(symbol, MINUTE_SECONDS, keep=_MINUTES_KEPT)

    def open(self, at: datetime, price: Decimal) -> None:
        """Begin before the first trade: the market stands at `price` since `at`."""
        self._minutes.add(at, price)

    def precede(self, minutes: Iterable[Candle]) -> None:
        """Know candles from before the first trade."""
        self._minutes.fill(minutes)

    def add(self, tick: Tick) -> None:
        """Remember a trade that is being delivered."""
        self._ticks.append(tick)
        self._minutes.add(tick.at, tick.price)

    def candles(self, interval_seconds: int, count: int, until: datetime) -> Sequence[Candle]:
        """The last `count` candles that closed by `until`; none for intervals that are not whole minutes."""
        if interval_seconds <= 0 or interval_seconds % MINUTE_SECONDS or count <= 0:
            return []
        self._minutes.close_until(until)
        size = interval_seconds // MINUTE_SECONDS
        # One length more than asked for, because the newest part usually has not closed.
        minutes = self._minutes.recent((count + 1) * size)
        return combine(minutes, interval_seconds)[-count:]

    def trades_from(self, trade_id: int) -> Sequence[Tick]:
        """The remembered trades with ids from `trade_id` on, oldest first."""
        found: list[Tick] = []
        for tick in reversed(self._ticks):
            if tick.trade_id is None or tick.trade_id < trade_id:
                break
            found.append(tick)
        found.reverse()
        return found

    @property
    def last(self) -> Tick | None:
        """The newest trade."""
        return self._ticks[-1] if self._ticks else None
