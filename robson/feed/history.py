"""What a feed that makes or reads its own prices still knows of those that it has delivered."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import takewhile

from robson.domain.market import Candle, Tick, Trades
from robson.feed.candles import CandleSeries, ClosedCandle, combine, merge

MINUTE_SECONDS = 60
_MINUTES_KEPT = 20_000
_TICKS_KEPT = 20_000


class History:
    """The last trades of one symbol, and its candles by the minute, from which all longer ones are joined."""

    def __init__(self, symbol: str) -> None:
        self._ticks: deque[Tick] = deque(maxlen=_TICKS_KEPT)
        # The newest trade that was forgotten to make room.
        self._forgotten: Tick | None = None
        # Of the minute in which this history began only the end is known; detectors never see it.
        self._first_part: Candle | None = None
        self._minutes = CandleSeries(symbol, MINUTE_SECONDS, keep=_MINUTES_KEPT)

    def open(self, at: datetime, price: Decimal) -> None:
        """Begin before the first trade: the market stands at `price` since `at`."""
        self._minutes.add(at, price)

    def precede(self, minutes: Iterable[Candle]) -> None:
        """Know candles from before the first trade."""
        self._minutes.fill(minutes)

    def add(self, tick: Tick) -> None:
        """Remember a trade that is being delivered."""
        if len(self._ticks) == _TICKS_KEPT:
            self._forgotten = self._ticks[0]
        self._ticks.append(tick)
        self._note(self._minutes.add(tick.at, tick.price))

    def candles(self, interval_seconds: int, count: int, until: datetime) -> Sequence[Candle]:
        """The last `count` candles that closed by `until`; none for intervals that are not whole minutes."""
        if interval_seconds <= 0 or interval_seconds % MINUTE_SECONDS or count <= 0:
            return []
        self._note(self._minutes.close_until(until))
        size = interval_seconds // MINUTE_SECONDS
        # One length more than asked for, because the newest part usually has not closed.
        minutes = self._minutes.recent((count + 1) * size)
        return combine(minutes, interval_seconds)[-count:]

    def candles_since(self, interval_seconds: int, since: datetime, until: datetime) -> Sequence[Candle]:
        """Every candle that ends after `since` and began before `until`, the forming one as it stands.

        None for intervals that are not whole minutes, and none without a trade from `since` on.
        """
        if interval_seconds <= 0 or interval_seconds % MINUTE_SECONDS or self.last is None or self.last.at < since:
            return []
        self._note(self._minutes.close_until(until))
        minutes = self._minutes.recent(_MINUTES_KEPT)
        if self._first_part is not None and (not minutes or self._first_part.opened_at < minutes[0].opened_at):
            minutes.insert(0, self._first_part)
        if (forming := self._minutes.forming) is not None:
            minutes.append(forming)
        return [candle for candle in merge(minutes, interval_seconds) if candle.ends_at > since]

    def trades_from(self, trade_id: int) -> Trades:
        """The remembered trades with ids from `trade_id` on."""
        return self._trades(lambda tick: tick.trade_id is not None and tick.trade_id >= trade_id)

    def trades_since(self, at: datetime) -> Trades:
        """The remembered trades of `at` or later."""
        return self._trades(lambda tick: tick.at >= at)

    def _note(self, closed: Sequence[ClosedCandle]) -> None:
        for one in closed:
            if not one.is_whole:
                self._first_part = one.candle

    def _trades(self, is_wanted: Callable[[Tick], bool]) -> Trades:
        found = list(takewhile(is_wanted, reversed(self._ticks)))
        found.reverse()
        return Trades(ticks=tuple(found), is_whole=self._forgotten is None or not is_wanted(self._forgotten))

    @property
    def last(self) -> Tick | None:
        """The newest trade."""
        return self._ticks[-1] if self._ticks else None
