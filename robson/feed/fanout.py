"""From one tick to everything that waits for it, inline and in order."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Literal

import trio

from robson.domain.market import Tick
from robson.domain.values import Side
from robson.engine.groups import Seat
from robson.engine.missed import Crossing, Seen
from robson.engine.trailing import Watch
from robson.feed import places
from robson.feed.attachment import Attachment, Replayed
from robson.feed.backfill import Backfill, Missed
from robson.feed.observation import SymbolObservation
from robson.feed.quote import FeedState, Quote
from robson.feed.strip import PriceStrip
from robson.ports.clock import Clock
from robson.ports.detector import Observation
from robson.ports.feed import MarketFeed

# Long enough for a stream to confirm, short enough for a shutdown.
_UNSUBSCRIBE_SECONDS = 5


class FanOut:
    """The market as the daemon sees it: every tick reaches every watch of its symbol before the next one is taken.

    Watches observe in crowds, so that a tick costs by what it touches, not by how many there are; only a hit wakes
    anybody. Prices are never conflated for watches. A streamed tick that is not newer than the one before it (by trade
    id, or by time where there is none) is counted and dropped: an old low, observed after the stop has followed a later
    high, would be a false hit.
    """

    def __init__(
        self, feed: MarketFeed, clock: Clock, stale_after_seconds: float, *, on_gap: Literal["exit", "forgive"] = "exit"
    ) -> None:
        """`on_gap` says what a stop does that was crossed by prices it missed, when the price has recovered since."""
        assert stale_after_seconds > 0, stale_after_seconds
        self._feed = feed
        self._clock = clock
        self._stale_after = stale_after_seconds
        self._quotes: dict[str, Quote] = {}
        self._streaming: set[str] = set()
        self._locks: dict[str, trio.Lock] = {}
        # How often each symbol's ticks were late or lost, since the start of this run.
        self.interruptions: Counter[str] = Counter()
        self._has_moved, self._freshness_changed = trio.Event(), trio.Event()
        self._backfill = Backfill(feed, self._caught_up, forgiving=on_gap == "forgive")
        # Called once all whom a price has hit have been told; it must not raise.
        self.on_told: Callable[[], None] = lambda: None

    # What the feed calls.

    def observe(self, tick: Tick) -> bool:
        """Take one tick; True when it woke somebody. Ticks of symbols without interest are ignored."""
        quote = self._quotes.get(tick.symbol)
        if quote is None:
            return False
        if tick.polled:
            quote.price = tick.price
            seats = [*quote.longs.glance(tick.price), *quote.shorts.glance(tick.exit_price(is_long=False))]
            hit = self._by_number(quote, seats)
            hit += places.beyond_stop((*quote.ahead.values(), *quote.behind.values()), tick)
            return self._settle_hits(hit, tick)
        if not quote.accept(tick):
            return False
        now = self._clock.monotonic()
        woke = False
        if quote.is_broken or quote.is_stale(now, self._stale_after):
            woke = self._leave_behind(quote, places.fall_behind(quote, tick))
        quote.take(tick, now)
        if quote.silent_since is not None:
            self._freshness_changed.set()
        if quote.ahead:
            places.join(quote, tick)
        hit = self._observe(quote, tick)
        if quote.behind:
            # Beyond the stop as it stood before the gap it is beyond any later one, too: that need not wait.
            hit += places.beyond_stop([one for one in quote.behind.values() if not one.has_seen(tick)], tick)
        woke = quote.tell_readers(tick) or woke
        return (self._settle_hits(hit, tick) if hit else False) or woke

    def interrupted(self, symbol: str, reason: str) -> None:
        """Ticks of the symbol are late or lost until the next one: candles with a hole in them are not believed."""
        if (quote := self._quotes.get(symbol)) is not None:
            quote.interrupt(reason)
            self.interruptions[symbol] += 1

    # Who is interested in a symbol.

    def has(self, symbol: str) -> bool:
        """Whether anybody is subscribed to a symbol."""
        return symbol in self._quotes

    async def subscribe(self, symbol: str) -> None:
        """Count one more interest and make sure that the symbol is streamed; raises RuleError `unknown_symbol`."""
        quote = self._quotes.get(symbol)
        if quote is None:
            quote = self._quotes[symbol] = Quote(symbol, self._clock.monotonic())
            # A new symbol has a new moment at which it would be stale.
            self._freshness_changed.set()
        quote.interest += 1
        try:
            async with self._locks.setdefault(symbol, trio.Lock()):
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
            async with self._locks.setdefault(symbol, trio.Lock()):
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
        self,
        symbol: str,
        watch: Watch,
        on_hit: Callable[[Crossing], None],
        *,
        seen: Seen | None = None,
        on_behind: Callable[[], None] = lambda: None,
        on_replayed: Callable[[Replayed], None] = lambda _replayed: None,
        owner: str = "",
    ) -> Attachment:
        """Let a watch observe every tick of a subscribed symbol from the next one on, or from `seen` on.

        On a hit it is detached, then `on_hit` is called, once; it must not raise. Prices since `seen` come first: at
        once where they are kept here, otherwise the watch is behind until `make_up` has read them from the source;
        `on_behind` tells of a live one that falls behind, `on_replayed` of one that has caught up.
        """
        quote = self._quotes[symbol]
        attachment = Attachment(symbol, watch, on_hit, on_behind, on_replayed, seen, owner, self._detach)
        if seen is None:
            places.go_on(quote, attachment)
            return attachment
        if seen.trade_id is None and (before := quote.last_before(quote.moment_of(seen.at))) is not None:
            seen = Seen(trade_id=before.trade_id, at=before.at)
        missed = Missed(seen, seen)
        if quote.first_kept is not None and missed.joins(quote):
            self._backfill.make_up(quote, attachment, missed)
        else:
            places.stay_behind(quote, attachment)
            self._backfill.add(quote, attachment)
        return attachment

    async def make_up(self) -> None:
        """Bring up the watches that have missed prices, each on its own, until cancelled."""
        await self._backfill.run()

    def seen(self, attachment: Attachment) -> Seen | None:
        """The last price that a watch has taken into account; None where nothing is known."""
        quote = self._quotes.get(attachment.symbol)
        return places.last_seen(quote, attachment) if quote is not None else attachment.seen

    def trade_id_before(self, symbol: str, at: datetime) -> int | None:
        """The id of the last kept tick that came in before `at` (the run's wall clock), None where there was none."""
        before = quote.last_before(self._moment(at)) if (quote := self._quotes.get(symbol)) is not None else None
        return before.trade_id if before is not None else None

    def _moment(self, at: datetime) -> float:
        return self._clock.monotonic() - (self._clock.now() - at).total_seconds()

    def take_moved(self) -> list[Attachment]:
        """The attached watches that moved their stop since the last call, symbol by symbol in the order of joining."""
        self._has_moved = trio.Event()
        return [attachment for quote in self._quotes.values() for attachment in quote.take_moved()]

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
        now, stale_after = self._clock.monotonic(), self._stale_after
        return {symbol: quote.state(now, stale_after) for symbol, quote in self._quotes.items()}

    def strip(self, symbol: str) -> PriceStrip:
        """The newest prices of a subscribed symbol, in short."""
        return self._quotes[symbol].strip

    def is_stale(self, symbol: str) -> bool:
        """Whether the symbol has had no streamed tick for too long, or is not subscribed at all."""
        quote = self._quotes.get(symbol)
        return quote is None or quote.is_stale(self._clock.monotonic(), self._stale_after)

    def retune(self, stale_after_seconds: float, on_gap: Literal["exit", "forgive"]) -> None:
        """Change both while it runs; observations that are in use keep theirs."""
        self._stale_after, self._backfill.forgiving = stale_after_seconds, on_gap == "forgive"
        self._freshness_changed.set()

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
                    earliest = min(earliest, quote.streamed_at + self._stale_after)
                silent_since = quote.silent_since
                if is_stale and silent_since is None:
                    quote.silent_since = quote.streamed_at
                    on_change(quote.symbol, True, quote.age(now))
                elif silent_since is not None and quote.streamed_at > silent_since:
                    quote.silent_since = None
                    on_change(quote.symbol, False, quote.streamed_at - silent_since)
            with trio.move_on_at(earliest):
                await self._freshness_changed.wait()

    def _observe(self, quote: Quote, tick: Tick) -> list[Attachment]:
        longs, shorts, trade_id = quote.longs, quote.shorts, tick.trade_id
        hit = longs.observe(tick.price, trade_id)
        hit += shorts.observe(tick.exit_price(is_long=False), trade_id)
        if longs.has_moved or shorts.has_moved:
            self._has_moved.set()
        return self._by_number(quote, hit) if hit else []

    def _by_number(self, quote: Quote, seats: list[Seat]) -> list[Attachment]:
        return [quote.live[number] for number in sorted(seat.number for seat in seats)]

    def _settle_hits(self, hit: Sequence[Attachment], tick: Tick) -> bool:
        # Only after every watch has seen the tick: a callback may attach and detach as it likes.
        woke = False
        for attachment in hit:
            if attachment.is_attached:
                attachment.detach()
                attachment.on_hit(Crossing.of(tick, attachment.watch))
                woke = True
        if woke:
            self.on_told()
        return woke

    def _detach(self, attachment: Attachment) -> None:
        quote = self._quotes[attachment.symbol]
        places.leave(quote, attachment)
        quote.moved.pop(attachment, None)

    def _leave_behind(self, quote: Quote, attachments: Sequence[Attachment]) -> bool:
        for attachment in attachments:
            self._backfill.add(quote, attachment)
            attachment.on_behind()
        return bool(attachments)

    def _caught_up(self, quote: Quote, attachment: Attachment, has_moved: bool) -> None:
        places.go_on(quote, attachment)
        if has_moved:
            quote.moved[attachment] = None
            self._has_moved.set()

    def _lose_interest(self, quote: Quote) -> None:
        quote.interest -= 1
        assert quote.interest >= 0, quote.symbol
        if quote.interest == 0:
            # A watch without ticks would be an exit missed.
            assert not quote.watched, f"{quote.symbol} was released with watches attached"
            del self._quotes[quote.symbol]
