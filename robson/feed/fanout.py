"""From one tick to everything that waits for it, inline and in order."""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal

import trio

from robson.domain.market import Tick
from robson.domain.values import Side
from robson.engine.trailing import Watch
from robson.feed.observation import SymbolObservation
from robson.feed.quote import Attachment, FeedState, Quote
from robson.ports.clock import Clock
from robson.ports.detector import Observation
from robson.ports.feed import MarketFeed

# Long enough for a stream to confirm, short enough for a shutdown.
_UNSUBSCRIBE_SECONDS = 5


class FanOut:
    """The market as the daemon sees it: every tick reaches every watch of its symbol before the next one is taken.

    A watch costs a comparison per tick; only a hit wakes anybody. Prices are never conflated for watches. A streamed
    tick that is not newer than the one before it (by trade id, or by time where there is none) is counted and dropped:
    an old low, observed after the stop has followed a later high, would be a false hit.
    """

    def __init__(self, feed: MarketFeed, clock: Clock, stale_after_seconds: float) -> None:
        assert stale_after_seconds > 0, stale_after_seconds
        self._feed = feed
        self._clock = clock
        self._stale_after = stale_after_seconds
        self._quotes: dict[str, Quote] = {}
        self._streaming: set[str] = set()
        self._locks: dict[str, trio.Lock] = {}
        # In the order of their first move since the last flush.
        self._moved: dict[Attachment, None] = {}
        self._has_moved = trio.Event()
        self._freshness_changed = trio.Event()

    # What the feed calls.

    def observe(self, tick: Tick) -> bool:
        """Take one tick; True when it woke somebody. Ticks of symbols without interest are ignored."""
        quote = self._quotes.get(tick.symbol)
        if quote is None:
            return False
        if tick.polled:
            quote.price = tick.price
            hit = [one for one in (*quote.attachments, *quote.ahead) if one.watch.glance(tick.price)]
            return self._settle_hits(hit, tick)
        if not quote.accept(tick):
            return False
        quote.take(tick, self._clock.monotonic())
        if quote.silent_since is not None:
            self._freshness_changed.set()
        if quote.ahead:
            _join_those_behind(quote, tick.trade_id)
        hit = self._observe(quote.attachments, tick.price, tick.trade_id)
        woke = quote.tell_readers(tick)
        return self._settle_hits(hit, tick) or woke

    def interrupted(self, symbol: str, reason: str) -> None:
        """Ticks of the symbol are late or lost until the next one: candles with a hole in them are not believed."""
        quote = self._quotes.get(symbol)
        if quote is not None:
            quote.interrupt(reason)

    # Who is interested in a symbol.

    async def subscribe(self, symbol: str) -> None:
        """Count one more interest and make sure that the symbol is streamed; raises RuleError `unknown_symbol`."""
        quote = self._quotes.get(symbol)
        if quote is None:
            quote = self._quotes[symbol] = Quote(symbol, self._clock.monotonic())
            # A new symbol has a new moment at which it would be stale.
            self._freshness_changed.set()
        quote.interest += 1
        try:
            async with self._lock(symbol):
                if symbol not in self._streaming:
                    await self._feed.subscribe(symbol)
                    self._streaming.add(symbol)
        except BaseException:
            self._lose_interest(quote)
            raise

    async def release(self, symbol: str) -> None:
        """Give back one interest; with the last one the symbol is no longer streamed."""
        quote = self._quotes[symbol]
        self._lose_interest(quote)
        if quote.interest:
            return
        with trio.move_on_after(_UNSUBSCRIBE_SECONDS, shield=True):
            async with self._lock(symbol):
                if symbol not in self._quotes:
                    # First, because what an interrupted request has done is not known: the next one subscribes again.
                    self._streaming.discard(symbol)
                    await self._feed.unsubscribe(symbol)

    @asynccontextmanager
    async def interest(self, symbol: str) -> AsyncIterator[None]:
        """Subscribed inside, released after."""
        await self.subscribe(symbol)
        try:
            yield
        finally:
            await self.release(symbol)

    # Watches.

    def attach(
        self, symbol: str, watch: Watch, on_hit: Callable[[Tick], None], *, after: int | None = None
    ) -> Attachment:
        """Let a watch observe every tick of a subscribed symbol from the next one on.

        On a hit it is detached, then `on_hit` is called, once; it must not raise. `after` is the last trade id that the
        watch has already observed, as `catch_up` gives it: the ticks up to it are left out.
        """
        quote = self._quotes[symbol]
        attachment = Attachment(symbol, watch, on_hit, after, self._detach)
        newest = quote.last.trade_id if quote.last is not None else None
        if after is not None and (newest is None or after > newest):
            quote.ahead = (*quote.ahead, attachment)
        else:
            quote.attachments = (*quote.attachments, attachment)
        return attachment

    async def catch_up(self, symbol: str, watch: Watch, from_id: int) -> tuple[Tick | None, int | None]:
        """Let a watch observe the trades from `from_id` up to the newest observed tick.

        Gives the tick that hit it, if any, and the last trade id that it observed, for `attach`: whoever attaches
        without waiting in between misses nothing and sees nothing twice.
        """
        seen = None
        while True:
            trades = await self._feed.trades_from(symbol, from_id)
            for tick in trades:
                if watch.observe(tick.price, tick.trade_id):
                    return tick, tick.trade_id
                seen = tick.trade_id
            last = self._quotes[symbol].last
            newest = last.trade_id if last is not None else None
            if not trades or seen is None or newest is None or seen >= newest:
                return None, seen
            from_id = seen + 1

    def recent(self, symbol: str, *, since: datetime) -> list[Tick]:
        """The kept ticks that came in at `since` (the run's wall clock) or later, oldest first.

        By arrival, not by the venue's event time: the two clocks need not agree.
        """
        return self._quotes[symbol].arrived_since(self._moment(since))

    def trade_id_before(self, symbol: str, at: datetime) -> int | None:
        """The id of the last kept tick that came in before `at` (the run's wall clock), None where there was none."""
        return self._quotes[symbol].trade_id_before(self._moment(at))

    def _moment(self, at: datetime) -> float:
        return self._clock.monotonic() - (self._clock.now() - at).total_seconds()

    def take_moved(self) -> list[Attachment]:
        """The attached watches that moved their stop since the last call, in the order of their first move."""
        moved = list(self._moved)
        self._moved.clear()
        self._has_moved = trio.Event()
        return moved

    async def wait_moved(self) -> None:
        """Wait until some attached watch has moved its stop."""
        await self._has_moved.wait()

    # Prices and their age.

    def prices(self, symbol: str) -> Decimal | None:
        """The latest price of a symbol (quote per base), polled or streamed; None before the first."""
        quote = self._quotes.get(symbol)
        return quote.price if quote is not None else None

    def states(self) -> dict[str, FeedState]:
        """Every subscribed symbol's freshness."""
        now = self._clock.monotonic()
        return {symbol: self._state(quote, now) for symbol, quote in self._quotes.items()}

    def is_stale(self, symbol: str) -> bool:
        """Whether the symbol has had no streamed tick for too long, or is not subscribed at all."""
        quote = self._quotes.get(symbol)
        return quote is None or quote.is_stale(self._clock.monotonic(), self._stale_after)

    def observation(self, symbol: str, side: Side) -> Observation:
        """A detector's view of a subscribed symbol."""
        return SymbolObservation(self._quotes[symbol], side, self._feed, self._clock, self._stale_after)

    async def watch_staleness(self, on_change: Callable[[str, bool, float], None]) -> None:
        """Tell of each symbol that becomes stale, and of its recovery: symbol, whether stale, seconds of silence.

        Runs until cancelled, and sleeps until a symbol could be stale at the earliest.
        """
        while True:
            self._freshness_changed = trio.Event()
            now = self._clock.monotonic()
            earliest = math.inf
            for quote in tuple(self._quotes.values()):
                is_stale = quote.is_stale(now, self._stale_after)
                if not is_stale:
                    earliest = min(earliest, quote.arrived_at + self._stale_after)
                silent_since = quote.silent_since
                if is_stale and silent_since is None:
                    quote.silent_since = quote.arrived_at
                    on_change(quote.symbol, True, quote.age(now))
                elif silent_since is not None and quote.arrived_at > silent_since:
                    quote.silent_since = None
                    on_change(quote.symbol, False, quote.arrived_at - silent_since)
            with trio.move_on_at(earliest):
                await self._freshness_changed.wait()

    def _observe(self, attachments: Sequence[Attachment], price: Decimal, trade_id: int | None) -> list[Attachment]:
        hit = []
        for attachment in attachments:
            watch = attachment.watch
            moves = watch.moves
            if watch.observe(price, trade_id):
                hit.append(attachment)
            elif watch.moves != moves:
                self._moved[attachment] = None
                self._has_moved.set()
        return hit

    def _settle_hits(self, hit: Sequence[Attachment], tick: Tick) -> bool:
        # Only after every watch has seen the tick: a callback may attach and detach as it likes.
        woke = False
        for attachment in hit:
            if attachment.is_attached:
                attachment.detach()
                attachment.on_hit(tick)
                woke = True
        return woke

    def _detach(self, attachment: Attachment) -> None:
        self._moved.pop(attachment, None)
        quote = self._quotes[attachment.symbol]
        quote.attachments = tuple(one for one in quote.attachments if one is not attachment)
        quote.ahead = tuple(one for one in quote.ahead if one is not attachment)

    def _lose_interest(self, quote: Quote) -> None:
        quote.interest -= 1
        assert quote.interest >= 0, quote.symbol
        if quote.interest == 0:
            # A watch without ticks would be an exit missed.
            assert not quote.attachments, f"{quote.symbol} was released with watches attached"
            assert not quote.ahead, f"{quote.symbol} was released with watches attached"
            del self._quotes[quote.symbol]

    def _lock(self, symbol: str) -> trio.Lock:
        return self._locks.setdefault(symbol, trio.Lock())

    def _state(self, quote: Quote, now: float) -> FeedState:
        age = quote.age(now)
        return FeedState(
            last_price=quote.price,
            trade_id=quote.last.trade_id if quote.last is not None else None,
            age_seconds=age,
            stale=quote.is_stale(now, self._stale_after),
            ticks=quote.ticks,
            dropped=quote.dropped,
            interruption=quote.interruption,
        )


def _join_those_behind(quote: Quote, trade_id: int | None) -> None:
    """Move the watches that had seen more than the stream to the others, once the stream has passed them."""
    ready = tuple(one for one in quote.ahead if trade_id is None or one.after is None or trade_id > one.after)
    if ready:
        quote.attachments = (*quote.attachments, *ready)
        quote.ahead = tuple(one for one in quote.ahead if one not in ready)
