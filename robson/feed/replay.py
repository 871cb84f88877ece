"""A feed that plays recorded trades on the tape's own clock."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import trio

from robson.clock import TapeClock
from robson.domain.errors import ConfigurationError, RuleError
from robson.domain.market import Candle, Trades
from robson.feed.history import History
from robson.feed.pace import Pace
from robson.feed.tape import Tape
from robson.feed.tape_row import TapeRow, to_datetime
from robson.ports.feed import Market
from robson.pulse import Pulse


class ReplayFeed:
    """Plays one or several recordings, merged by time, from the moment of the first subscription on.

    A symbol that is subscribed later is delivered from the tape's present moment on. What lies before it is known to
    `candles` and `trades_from` all the same, as it would be to an exchange. After the end of the tape time goes on and
    no tick comes any more.
    """

    source: ClassVar[str] = "replay"

    def __init__(self, tapes: Sequence[Tape], clock: TapeClock) -> None:
        """`clock` must be the one that the run is on, and begin at `first_moment` of the tapes."""
        self._tapes = tuple(tapes)
        self._pace = Pace(clock)
        self._starts_at_us = min(tape.starts_at_us for tape in self._tapes)
        self._histories = {symbol: History(symbol) for tape in self._tapes for symbol in tape.symbols}
        self._subscribed: set[str] = set()
        self._first_subscription = trio.Event()
        # When the newest trade of each symbol was delivered, as a clock reading.
        self._delivered_at: dict[str, float] = {}
        self._news = trio.Event()
        self.pulse = Pulse(self._nudge)

    async def run(self, market: Market) -> None:
        """Deliver ticks until cancelled; raises CorruptTape, naming file and line, after telling the market."""
        await self._first_subscription.wait()
        # Whoever subscribes in the same breath, as a recovery does for all its positions, gets the same first tick.
        await self._pace.settle()
        self._pace.begin()
        try:
            with self.pulse.running():
                await self._play(market)
            self._interrupt(market, "the tape has ended")
            self._pace.rest()
            await trio.sleep_forever()
        except ConfigurationError as error:
            self._interrupt(market, str(error))
            raise
        finally:
            # Whatever shuts down now still needs time that passes.
            self._pace.rest()

    async def subscribe(self, symbol: str) -> None:
        """Begin to deliver a symbol; raises RuleError `unknown_symbol` when the tape does not have it."""
        await trio.lowlevel.checkpoint()
        self._history(symbol)
        self._subscribed.add(symbol)
        self._first_subscription.set()

    async def unsubscribe(self, symbol: str) -> None:
        """Stop delivering a symbol; the tape goes on."""
        await trio.lowlevel.checkpoint()
        self._subscribed.discard(symbol)

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last closed candles of the tape so far, of whole minutes only; none from before its first moment."""
        await trio.lowlevel.checkpoint()
        history = self._history(symbol)
        now = self._now(symbol, history)
        return history.candles(interval_seconds, count, now) if now is not None else []

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """Candles of the tape so far that end after `since`, of whole minutes only, with the forming one."""
        await trio.lowlevel.checkpoint()
        history = self._history(symbol)
        now = self._now(symbol, history)
        return history.candles_since(interval_seconds, since, now) if now is not None else []

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        """Those of the last 20,000 delivered trades with ids from `trade_id` on."""
        await trio.lowlevel.checkpoint()
        return self._history(symbol).trades_from(trade_id)

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        """Those of the last 20,000 delivered trades that happened at `at` or later."""
        await trio.lowlevel.checkpoint()
        return self._history(symbol).trades_since(at)

    def _now(self, symbol: str, history: History) -> datetime | None:
        """The tape's present moment, None before the symbol's first trade."""
        if history.last is None:
            return None
        return history.last.at + timedelta(seconds=trio.current_time() - self._delivered_at[symbol])

    def _nudge(self) -> None:
        self._news.set()

    async def _play(self, market: Market) -> None:
        for at_us, tick in self._rows():
            moment = self._pace.moment(at_us - self._starts_at_us)
            while not await self._pace.reach(moment, self._news):
                self._news = trio.Event()
                self.pulse.beat()
            self.pulse.beat()
            symbol = tick.symbol
            history = self._histories.get(symbol)
            if history is None:
                history = self._histories[symbol] = History(symbol)
            history.add(tick)
            self._delivered_at[symbol] = moment
            if symbol in self._subscribed and market.observe(tick):
                await self._pace.settle()

    def _rows(self) -> Iterator[TapeRow]:
        if len(self._tapes) == 1:
            return iter(self._tapes[0])
        return heapq.merge(*self._tapes, key=lambda row: row.at_us)

    def _interrupt(self, market: Market, reason: str) -> None:
        for symbol in sorted(self._subscribed):
            market.interrupted(symbol, reason)

    def _history(self, symbol: str) -> History:
        try:
            return self._histories[symbol]
        except KeyError:
            known = ", ".join(sorted(self._histories))
            raise RuleError(
                "unknown_symbol", f"symbol was {symbol!r}, which is not on the tape", hint=f"one of {known}"
            ) from None


def first_moment(tapes: Sequence[Tape]) -> datetime:
    """When the first trade of all tapes happens (UTC)."""
    return to_datetime(min(tape.starts_at_us for tape in tapes))
