"""The market feed over Binance's public streams and REST API; no key is needed."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec
import structlog
import trio

from robson.domain.errors import Rejected, RuleError, VenueError
from robson.domain.market import Candle, Tick, Trades
from robson.feed.binance import codec
from robson.feed.binance.delivery import Delivery
from robson.feed.binance.history import History
from robson.feed.binance.lane import Lane
from robson.feed.binance.off_market import NO_DOUBT, Doubt
from robson.feed.binance.session import TooManyStreams
from robson.feed.binance.streams import Streams
from robson.feed.binance.watchdog import Watchdog, polled_tick
from robson.feed.binance.wire import Connect
from robson.ports.feed import Market
from robson.pulse import Pulse
from robson.venue.binance.errors import UNKNOWN_SYMBOL_CODES

CHECK_SECONDS = 3.0

_log = structlog.get_logger("robson.feed")


class BinanceFeed:
    """Aggregate trades, or the best bid and ask, as Binance streams them; what the stream leaves out, REST tells.

    With the book as the source ticks have no trade ids, and neither have the past trades that stand in for the book
    where that was missed.
    """

    source: ClassVar[str] = "binance"

    def __init__(
        self,
        history: History,
        *,
        stream_url: str,
        connect: Connect,
        random: Callable[[], float],
        price_source: Literal["trade", "book"] = "trade",
        stale_after_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        doubt: Doubt = NO_DOUBT,
    ) -> None:
        """`random` gives numbers from 0 to 1, with which reconnections are spread."""
        self._history = history
        self._is_book = price_source == "book"
        self._doubt = doubt
        self._lanes: dict[str, Lane] = {}
        # What the exchange has shown once need not be asked again.
        self._known: set[str] = set()
        self._streams = Streams(f"{stream_url.rstrip('/')}/stream", connect, self._on_frame, self._on_change, random)
        self._watchdog = Watchdog(
            self._lanes,
            self._streams,
            history,
            stale_after_seconds=stale_after_seconds,
            poll_seconds=poll_seconds,
            is_book=self._is_book,
        )
        self._market: Market | None = None
        self._delivery: Delivery | None = None

    @property
    def pulse(self) -> Pulse:
        """Of the loop that finds silent symbols, polls them and has the stream replaced."""
        return self._watchdog.pulse

    def set_stale_after(self, seconds: float) -> None:
        """How long a symbol may be silent from now on (s)."""
        self._watchdog.stale_after = seconds
        self._watchdog.look_again()

    @property
    def reconnects(self) -> int:
        """How often another connection took the place of one."""
        return self._streams.reconnects

    async def run(self, market: Market) -> None:
        """Deliver ticks of the subscribed symbols until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._market, self._delivery = market, Delivery(self._history, market, nursery)
                if self._is_book:
                    # The book has no time of its own; one that a wrong clock gave it would hide the trades since then.
                    await self._history.exchange_now()
                nursery.start_soon(self._streams.run)
                nursery.start_soon(self._watchdog.run, market, self._delivery)
        finally:
            self._market = self._delivery = None

    async def subscribe(self, symbol: str) -> None:
        """Begin to deliver a symbol.

        Raises RuleError: `unknown_symbol`, or `too_many_symbols`. An exchange that cannot be asked now is believed to
        have it: a stop that waits for its prices must not wait for that as well.
        """
        if symbol in self._lanes:
            await trio.lowlevel.checkpoint()
            return
        lane = self._lanes[symbol] = Lane(symbol, trio.current_time(), self._doubt)
        try:
            self._want()
            self._watchdog.look_again()
            await self._check(lane)
        except TooManyStreams as error:
            self._drop(symbol)
            raise RuleError("too_many_symbols", str(error)) from error
        except BaseException:
            self._drop(symbol)
            raise

    async def unsubscribe(self, symbol: str) -> None:
        """Stop delivering a symbol."""
        await trio.lowlevel.checkpoint()
        self._drop(symbol)

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last `count` closed candles, oldest first, of whole minutes."""
        return await self._history.candles(symbol, interval_seconds, count)

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """Every candle of whole minutes that ends after `since`, with the forming one as it stands."""
        return await self._history.candles_since(symbol, interval_seconds, since)

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        """A page of the trades with ids from `trade_id` on; with the book as the source all of them, without ids."""
        page = await self._history.trades_from(symbol, trade_id)
        first = page[0].trade_id if page else None
        return await self._given(symbol, page, is_whole=first is None or first <= max(trade_id, 1))

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        """The same from a moment on."""
        page = await self._history.trades_since(symbol, at)
        return await self._given(symbol, page, is_whole=not page or await self._history.reaches_before(page[0]))

    async def _given(self, symbol: str, page: Sequence[Tick], *, is_whole: bool) -> Trades:
        if not self._is_book:
            return Trades(ticks=tuple(page), is_whole=is_whole)
        trades = await self._history.all_trades(symbol, page)
        bare = tuple(msgspec.structs.replace(tick, trade_id=None) for tick in trades.ticks)
        return Trades(ticks=bare, is_whole=is_whole and trades.is_whole)

    async def _check(self, lane: Lane) -> None:
        """Ask once whether there is such a symbol; the answer is its first price."""
        if lane.symbol in self._known:
            await trio.lowlevel.checkpoint()
            return
        try:
            with trio.fail_after(CHECK_SECONDS):
                newest = await self._history.newest_trade(lane.symbol)
        except (VenueError, trio.TooSlowError) as error:
            if isinstance(error, Rejected) and error.code in UNKNOWN_SYMBOL_CODES:
                raise RuleError(
                    "unknown_symbol", f"symbol was {lane.symbol!r}, which the exchange does not have"
                ) from error
            _log.warning("symbol_not_checked", symbol=lane.symbol, error=str(error) or "no answer")
            return
        self._known.add(lane.symbol)
        lane.know(newest)
        # Where the stream was sooner its prices are newer.
        if newest is not None and self._market is not None and lane.sequence.last is None and lane.top is None:
            self._market.observe(polled_tick(lane.symbol, newest.price, None, self._history))

    def _drop(self, symbol: str) -> None:
        lane = self._lanes.pop(symbol, None)
        if lane is not None:
            lane.is_open = False
            self._want()
            self._watchdog.look_again()

    def _want(self) -> None:
        kind = "bookTicker" if self._is_book else "aggTrade"
        self._streams.stream([f"{symbol.lower()}@{kind}" for symbol in self._lanes])

    def _on_frame(self, frame: codec.Frame) -> bool:
        """Take what the stream told; True when it woke somebody."""
        delivery = self._delivery
        if delivery is None or not isinstance(frame, codec.BookTop if self._is_book else Tick):
            return False
        lane = self._lanes.get(frame.symbol)
        if lane is None:
            return False  # of a symbol that was just given back
        if isinstance(frame, Tick):
            return delivery.take_trade(lane, frame)
        return delivery.take_top(lane, frame)

    def _on_change(self, lost: str | None) -> None:
        delivery = self._delivery
        for lane in self._lanes.values():
            if delivery is not None and lost is not None:
                delivery.interrupt(lane, lost)
            elif delivery is not None and not self._is_book:
                delivery.catch_up(lane)
        self._watchdog.look_again()
