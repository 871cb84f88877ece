"""One symbol's market as a detector sees it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal

import trio

from robson.domain.errors import RobsonError
from robson.domain.market import Candle, Tick
from robson.domain.values import Side
from robson.feed.candles import CandleSeries
from robson.feed.quote import CLOSE_GRACE, CandleReader, Quote, TickReader
from robson.ports.clock import Clock
from robson.ports.feed import MarketFeed


class SymbolObservation:
    """Implements the Observation port on top of the fan-out and the feed's history."""

    def __init__(self, quote: Quote, side: Side, feed: MarketFeed, clock: Clock, stale_after_seconds: float) -> None:
        self._quote = quote
        self._side = side
        self._feed = feed
        self._clock = clock
        self._stale_after = stale_after_seconds

    @property
    def symbol(self) -> str:
        """The watched symbol."""
        return self._quote.symbol

    @property
    def side(self) -> Side:
        """The side that the position would take."""
        return self._side

    async def last_price(self) -> Decimal:
        """The latest price; waits for the first one that is not stale."""
        await trio.lowlevel.checkpoint()
        quote = self._quote
        while quote.last is None or quote.price is None or quote.is_stale(self._clock.monotonic(), self._stale_after):
            await quote.next_tick().wait()
        return quote.price

    async def closed_candles(self, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last `count` closed candles, oldest first: the feed's history, continued from ticks.

        Raises what the feed raises when its history cannot be read.
        """
        await trio.lowlevel.checkpoint()
        series = self._series(interval_seconds)
        if not series.covers(count):
            series.fill(await self._feed.candles(self._quote.symbol, interval_seconds, count))
        return series.recent(count)

    @asynccontextmanager
    async def follow_candles(self, interval_seconds: int) -> AsyncIterator[AsyncIterator[Candle]]:
        """Each candle from now on, as it closes.

        A candle of which ticks are missing is taken from the feed's history, or left out where that does not have it.
        """
        readers = self._quote.candle_readers.setdefault(interval_seconds, set())
        reader = CandleReader()
        readers.add(reader)
        try:
            self._series(interval_seconds)
            await trio.lowlevel.checkpoint()
            async with aclosing(self._candles(reader, interval_seconds)) as candles:
                yield candles
        finally:
            readers.discard(reader)

    @asynccontextmanager
    async def follow_ticks(self) -> AsyncIterator[AsyncIterator[Tick]]:
        """The newest tick each time the reader is ready; those in between are skipped."""
        reader = TickReader()
        self._quote.tick_readers.add(reader)
        try:
            await trio.lowlevel.checkpoint()
            async with aclosing(_ticks(reader)) as ticks:
                yield ticks
        finally:
            self._quote.tick_readers.discard(reader)

    async def _candles(self, reader: CandleReader, interval_seconds: int) -> AsyncGenerator[Candle, None]:
        while True:
            if not reader.closed:
                await self._next_close(reader, interval_seconds)
                continue
            closed = reader.closed.pop(0)
            if closed.is_whole:
                await trio.lowlevel.checkpoint()
                yield closed.candle
            else:
                candle = await self._mend(closed.candle)
                if candle is not None:
                    yield candle

    async def _next_close(self, reader: CandleReader, interval_seconds: int) -> None:
        reader.news = trio.Event()
        now = self._clock.monotonic()
        at = self._quote.venue_time(now, self._clock.now())
        ends = self._series(interval_seconds).ends
        if reader.closed:
            return
        # The first trade of a series without a beginning tells when its first candle ends.
        tick = self._quote.next_tick() if ends is None else None
        if tick is not None:
            await tick.wait()
            return
        assert ends is not None
        with trio.move_on_at(now + (ends + CLOSE_GRACE - at).total_seconds()):
            await reader.news.wait()

    async def _mend(self, partial: Candle) -> Candle | None:
        try:
            # The one before it and the one after it leave room for a clock that is not quite the venue's.
            candles = await self._feed.candles(partial.symbol, partial.interval_seconds, 3)
        except RobsonError:
            return None
        self._series(partial.interval_seconds).fill(candles)
        return next((candle for candle in candles if candle.opened_at == partial.opened_at), None)

    def _series(self, interval_seconds: int) -> CandleSeries:
        now = self._clock.monotonic()
        at = self._quote.venue_time(now, self._clock.now())
        return self._quote.close_candles(interval_seconds, at, is_stale=self._quote.is_stale(now, self._stale_after))


async def _ticks(reader: TickReader) -> AsyncGenerator[Tick, None]:
    while True:
        if reader.newest is None:
            reader.news = trio.Event()
            await reader.news.wait()
        tick, reader.newest = reader.newest, None
        assert tick is not None
        yield tick
