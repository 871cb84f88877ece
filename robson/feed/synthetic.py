"""An invented market: any symbol, no network, the same story for the same seed."""

import heapq
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import trio

from robson.clock import RunClock, TapeClock
from robson.domain.instrument import Instrument
from robson.domain.market import Candle, Tick, Trades
from robson.feed.history import History
from robson.feed.pace import Pace
from robson.feed.walk import Step, Walk, past_minutes
from robson.ports.feed import Market
from robson.pulse import Pulse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
# 220 candles of fifteen minutes before the first trade.
_PAST_MINUTES = 220 * 15


class SyntheticFeed:
    """Invents trades of any symbol that the instrument table knows.

    A symbol's market opens when it is first asked for, at its start price, with a history of candles that leads up to
    it. Prices depend on seed and symbol alone. Trade ids are consecutive and, because they count on from the
    microsecond at which the feed was made, greater than those of any earlier run.
    """

    source: ClassVar[str] = "synthetic"

    def __init__(
        self, seed: str, instrument: Callable[[str], Instrument], clock: RunClock, tape: TapeClock | None
    ) -> None:
        """`instrument` raises RuleError for symbols it does not know; `tape` is None on the machine's own clock."""
        self._seed = seed
        self._instrument = instrument
        self._clock = clock
        self._pace = Pace(tape)
        self._first_trade_id = (clock.now() - _EPOCH) // timedelta(microseconds=1)
        self._books: dict[str, _Book] = {}
        # The next trade of each symbol; entries of symbols that are no longer delivered are dropped when they are due.
        self._due: list[tuple[float, str]] = []
        self._news = trio.Event()
        self.pulse = Pulse(self._nudge)

    async def run(self, market: Market) -> None:
        """Deliver ticks until cancelled."""
        try:
            with self.pulse.running():
                await self._deliver(market)
        finally:
            # Whatever shuts down now still needs time that passes.
            self._pace.rest()

    def _nudge(self) -> None:
        self._news.set()

    async def _deliver(self, market: Market) -> None:
        while True:
            self.pulse.beat()
            self._news = trio.Event()
            book = self._next_book()
            if book is None:
                self._pace.rest()
                await self._news.wait()
            elif await self._pace.reach(book.due, self._news):
                heapq.heappop(self._due)
                tick = book.take()
                heapq.heappush(self._due, (book.due, tick.symbol))
                if market.observe(tick):
                    await self._pace.settle()

    async def subscribe(self, symbol: str) -> None:
        """Begin to deliver a symbol; raises RuleError when the instrument table does not know it."""
        await trio.lowlevel.checkpoint()
        book = self._book(symbol)
        if not book.is_delivered:
            book.resume(trio.current_time())
            heapq.heappush(self._due, (book.due, symbol))
            self._news.set()

    async def unsubscribe(self, symbol: str) -> None:
        """Stop delivering a symbol; its price wanders on unseen."""
        await trio.lowlevel.checkpoint()
        if symbol in self._books:
            self._books[symbol].pause()
            self._news.set()

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last closed candles, of whole minutes only, reaching back before the first trade."""
        await trio.lowlevel.checkpoint()
        book = self._book(symbol)
        return book.candles(interval_seconds, count, book.time_at(trio.current_time()))

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """Candles that end after `since`, of whole minutes only, with the forming one."""
        await trio.lowlevel.checkpoint()
        book = self._book(symbol)
        return book.candles_since(interval_seconds, since, book.time_at(trio.current_time()))

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        """Those of the last 20,000 delivered trades with ids from `trade_id` on; of earlier runs there are none."""
        await trio.lowlevel.checkpoint()
        return self._book(symbol).history.trades_from(trade_id)

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        """Those of the last 20,000 delivered trades that happened at `at` or later."""
        await trio.lowlevel.checkpoint()
        return self._book(symbol).history.trades_since(at)

    def _next_book(self) -> "_Book | None":
        while self._due:
            moment, symbol = self._due[0]
            book = self._books[symbol]
            if book.is_delivered and book.due == moment:
                return book
            heapq.heappop(self._due)
        return None

    def _book(self, symbol: str) -> "_Book":
        book = self._books.get(symbol)
        if book is None:
            instrument = self._instrument(symbol)
            book = _Book(self._seed, instrument, self._clock.now(), trio.current_time(), self._first_trade_id)
            self._books[symbol] = book
        return book


class _Book:
    """One symbol's market."""

    def __init__(self, seed: str, instrument: Instrument, opened_at: datetime, opened: float, trade_id: int) -> None:
        self.history = History(instrument.symbol)
        self.is_delivered = False
        self._seed = seed
        self._instrument = instrument
        self._walk = Walk(seed, instrument)
        self._opened_at = opened_at
        self._opened = opened
        self._trade_id = trade_id
        self._next: Step = self._walk.step()
        self._paused: float | None = None
        self._first_minute = opened_at - (opened_at - _EPOCH) % _MINUTE
        self._knows_past = False
        self.history.open(self._first_minute, self._walk.start_price)

    @property
    def due(self) -> float:
        """The clock reading at which the next trade happens."""
        return self._opened + self._next.at_us / 1e6

    def time_at(self, moment: float) -> datetime:
        """The wall time of a clock reading."""
        return self._opened_at + timedelta(seconds=moment - self._opened)

    def take(self) -> Tick:
        """The next trade."""
        step, self._next = self._next, self._walk.step()
        tick = Tick(
            symbol=self._instrument.symbol,
            price=step.price,
            quantity=step.quantity,
            trade_id=self._trade_id,
            at=self._opened_at + timedelta(microseconds=step.at_us),
        )
        self._trade_id += 1
        self.history.add(tick)
        return tick

    def candles(self, interval_seconds: int, count: int, until: datetime) -> Sequence[Candle]:
        """The last `count` candles that closed by `until`."""
        self._learn_past()
        return self.history.candles(interval_seconds, count, until)

    def candles_since(self, interval_seconds: int, since: datetime, until: datetime) -> Sequence[Candle]:
        """Every candle that ends after `since`, up to `until`."""
        self._learn_past()
        return self.history.candles_since(interval_seconds, since, until)

    def _learn_past(self) -> None:
        if not self._knows_past:
            self._knows_past = True
            self.history.precede(past_minutes(self._seed, self._instrument, self._first_minute, _PAST_MINUTES))

    def pause(self) -> None:
        """Stop being delivered."""
        self.is_delivered = False

    def resume(self, moment: float) -> None:
        """Be delivered from `moment` (a clock reading) on."""
        self.is_delivered = True
        if self.due < moment:
            self._walk.skip(moment - self.due)
            self._next = self._walk.step()
