"""Watches each symbol's last event: a silent one is polled by REST, and the stream is replaced if it has lost it."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import structlog
import trio

from robson.domain.errors import VenueError
from robson.domain.market import Tick
from robson.feed.binance.delivery import Delivery
from robson.feed.binance.history import History
from robson.feed.binance.lane import Lane
from robson.feed.binance.streams import Streams
from robson.ports.feed import Market
from robson.pulse import Pulse

# A symbol that stays silent is examined at growing distances.
EXAMINATIONS_MOST = 5

_log = structlog.get_logger("robson.feed")


class Watchdog:
    """Polls symbols without events, and every one while no stream is up.

    Pings prove that a connection lives, not that it delivers: what counts is the symbol's own last event. A market may
    be quiet, though: the stream is replaced only where REST shows prices that it has not brought, or shows nothing.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        streams: Streams,
        history: History,
        *,
        stale_after_seconds: float,
        poll_seconds: float,
        is_book: bool,
    ) -> None:
        self._lanes = lanes
        self._streams = streams
        self._history = history
        self.stale_after = stale_after_seconds
        self._poll_seconds = poll_seconds
        self._is_book = is_book
        self._news = trio.Event()
        self._down_since: float | None = None
        self._newest_poll = -math.inf
        self.pulse = Pulse(self.look_again)

    def look_again(self) -> None:
        """Something has changed: a symbol was added, or the streams are up or down."""
        self._news.set()

    async def run(self, market: Market, delivery: Delivery) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            with self.pulse.running():
                await self._look(market, delivery, nursery)

    async def _look(self, market: Market, delivery: Delivery, nursery: trio.Nursery) -> None:
        next_poll = -math.inf
        while True:
            self.pulse.beat()
            self._news = trio.Event()
            now = trio.current_time()
            if self._streams.is_up:
                self._down_since = None
            elif self._down_since is None:
                self._down_since = now
            silent = self._find_silent(now, delivery)
            is_down = self._down_since is not None and now >= self._down_since + self._poll_seconds
            polled = list(self._lanes.values()) if is_down else silent
            if polled and now >= next_poll:
                next_poll = now + self._poll_seconds
                nursery.start_soon(self._poll, polled, market)
            for lane in silent:
                if now >= lane.examine_at and self._streams.is_up:
                    lane.examined_at = now
                    lane.examine_at = now + self.stale_after * 2.0 ** min(lane.examinations, EXAMINATIONS_MOST)
                    lane.examinations += 1
                    nursery.start_soon(self._examine, lane)
            with trio.move_on_at(self._next_look(next_poll if polled else math.inf, now)):
                await self._news.wait()

    def _find_silent(self, now: float, delivery: Delivery) -> list[Lane]:
        silent = [lane for lane in self._lanes.values() if now >= lane.event_at + self.stale_after]
        for lane in silent:
            if not lane.is_silent:
                lane.is_silent = True
                lane.examine_at = now
                delivery.interrupt(lane, f"nothing was heard for {now - lane.event_at:.1f} s")
        return silent

    def _next_look(self, next_poll: float, now: float) -> float:
        moments = [next_poll]
        if self._down_since is not None:
            moments.append(self._down_since + self._poll_seconds)
        moments += [
            lane.examine_at if lane.is_silent else lane.event_at + self.stale_after for lane in self._lanes.values()
        ]
        return min((moment for moment in moments if moment > now), default=math.inf)

    async def _poll(self, lanes: Sequence[Lane], market: Market) -> None:
        asked_at = trio.current_time()
        symbols = [lane.symbol for lane in lanes]
        prices: dict[str, tuple[Decimal, Decimal | None]] = {}
        try:
            if self._is_book:
                tops = await self._history.tops(symbols)
                prices.update((symbol, (top.bid, top.ask)) for symbol, top in tops.items())
            else:
                last = await self._history.prices(symbols)
                prices.update((symbol, (price, None)) for symbol, price in last.items())
        except VenueError as error:
            _log.warning("poll_failed", symbols=symbols, error=str(error))
            return
        # An answer that a later one has overtaken is old.
        if asked_at < self._newest_poll:
            return
        self._newest_poll = asked_at
        for lane in lanes:
            # What the stream has told since is newer, and a stop may have followed it: this would be a false hit.
            if lane.symbol in prices and lane.event_at < asked_at and self._lanes.get(lane.symbol) is lane:
                price, ask = prices[lane.symbol]
                if lane.polled not in {None, (price, ask)}:
                    # A price that moves, and not by the stream: there is no need to wait for the next examination.
                    lane.examine_at = min(lane.examine_at, lane.examined_at + self.stale_after)
                    self._news.set()
                lane.polled = (price, ask)
                market.observe(polled_tick(lane.symbol, price, ask, self._history))

    async def _examine(self, lane: Lane) -> None:
        asked_at = trio.current_time()
        try:
            has_missed = await (self._book_moved(lane) if self._is_book else self._was_traded(lane))
        except VenueError as error:
            has_missed, found = True, f"REST did not tell either: {error}"
        else:
            found = "REST has newer prices" if has_missed else "the market is quiet"
        if lane.event_at >= asked_at:
            return
        silence = trio.current_time() - lane.event_at
        _log.info("silence_examined", symbol=lane.symbol, seconds=round(silence, 1), found=found)
        if has_missed:
            self._streams.renew(f"{lane.symbol} was silent for {silence:.1f} s and {found}")

    async def _was_traded(self, lane: Lane) -> bool:
        newest = await self._history.newest_trade(lane.symbol)
        before = lane.last_id
        lane.know(newest)
        return newest is not None and newest.trade_id is not None and (before is None or newest.trade_id > before)

    async def _book_moved(self, lane: Lane) -> bool:
        top = (await self._history.tops([lane.symbol])).get(lane.symbol)
        if top is None:
            return False
        before, lane.book = lane.book, (top.bid, top.ask)
        # The stream tells of changes only: of a book that has never changed it has nothing to tell.
        return before is not None and lane.book != before


def polled_tick(symbol: str, price: Decimal, ask: Decimal | None, history: History) -> Tick:
    """A price that was asked for: it may hit a stop and moves none."""
    return Tick(
        symbol=symbol,
        price=price,
        ask=ask,
        quantity=Decimal(0),
        trade_id=None,
        at=history.known_now(),
        polled=True,
    )
