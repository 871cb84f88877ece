"""Prices that watches have missed: read from the source, taken in order, and only then live ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
import trio

from robson.domain.errors import RobsonError
from robson.domain.market import Candle, Tick, Trades
from robson.engine.missed import Rerun, Seen
from robson.feed.attachment import Attachment, Replayed
from robson.feed.quote import Quote
from robson.ports.feed import MarketFeed

CANDLE_SECONDS = 60
QUERY_SECONDS = 5.0
PAUSE_MOST_SECONDS = 5.0
# A source that answers from a cache may be a little behind its own stream.
LAG_SECONDS = 0.2
LAGS_MAX = 5

_log = structlog.get_logger("robson.feed")


@dataclass
class Missed:
    """What a source gave, oldest first; afterwards everything up to `seen` is taken into account.

    Ticks before `not_before` are part of the candles. `missing` is the span of which nothing could be had.
    """

    seen: Seen
    prices: list[Tick | Candle] = field(default_factory=list)
    not_before: datetime | None = None
    missing: tuple[datetime, datetime | None] | None = None
    # Candles are read once: they reach up to the present.
    has_candles: bool = False

    def joins(self, quote: Quote) -> bool:
        """Whether the ticks that are kept go on where this ends."""
        first = quote.first_kept
        return first is None or self.seen.joins(first)

    def take(self, ticks: Iterable[Tick]) -> None:
        """Go on with trades that follow."""
        for tick in ticks:
            if not self.covers(tick):
                self.prices.append(tick)
            self.seen = Seen(trade_id=tick.trade_id, at=tick.at)

    def covers(self, tick: Tick) -> bool:
        """Whether a tick is taken into account already."""
        return self.seen.covers(tick) or (self.not_before is not None and tick.at < self.not_before)


async def read_missed(feed: MarketFeed, quote: Quote, seen: Seen) -> Missed:
    """Read from the source what lies between `seen` and the ticks that are kept; by trades, or by candles before them.

    Raises VenueError as the source does, trio.TooSlowError when it does not answer.
    """
    missed = Missed(seen)
    lags = 0
    while True:
        if quote.first_kept is not None and missed.joins(quote):
            return missed
        trades = await _trades(feed, quote.symbol, missed.seen)
        if not trades.is_whole or lags == LAGS_MAX:
            await _read_candles(feed, quote, missed, trades)
            if not trades.ticks:
                return missed
        elif trades.ticks:
            missed.take(trades.ticks)
            if missed.seen.trade_id is None:
                return missed
        elif missed.joins(quote):
            return missed
        else:
            lags += 1
            await trio.sleep(LAG_SECONDS)


async def _trades(feed: MarketFeed, symbol: str, seen: Seen) -> Trades:
    with trio.fail_after(QUERY_SECONDS):
        if seen.trade_id is None:
            return await feed.trades_since(symbol, seen.at)
        return await feed.trades_from(symbol, seen.trade_id + 1)


async def _read_candles(feed: MarketFeed, quote: Quote, missed: Missed, trades: Trades) -> None:
    """Go on with candles up to the one in which the trades begin, then with the trades from its end on."""
    since, ticks = missed.seen.at, trades.ticks
    # What is newest now is surely part of a candle that is read later.
    newest = max((tick for tick in (quote.last, *ticks[-1:]) if tick is not None), key=lambda t: t.at, default=None)
    begins = ticks[0].at if ticks else None
    candles: Sequence[Candle] = ()
    if not missed.has_candles:
        missed.has_candles = True
        with trio.fail_after(QUERY_SECONDS):
            candles = await feed.candles_since(quote.symbol, CANDLE_SECONDS, since)
    used = [candle for candle in candles if begins is None or candle.opened_at <= begins]
    if not used:
        first = quote.first_kept
        missed.missing = (since, begins or (first.at if first is not None else None))
        missed.take(ticks)
        return
    if used[0].opened_at > since:
        missed.missing = (since, used[0].opened_at)
    elif begins is not None and used[-1].ends_at < begins:
        missed.missing = (used[-1].ends_at, begins)
    missed.prices.extend(used)
    end = used[-1].ends_at
    if newest is None:
        missed.seen = Seen(at=used[-1].opened_at)
    elif newest.at < end:
        # It was still forming: it holds at least what had come by then.
        missed.seen = Seen(trade_id=newest.trade_id, at=newest.at)
    else:
        missed.seen, missed.not_before = Seen(at=end), end
        missed.take(ticks)


class Backfill:
    """Brings up the watches that are behind, side by side: none waits for another one's answer."""

    def __init__(self, feed: MarketFeed, place: Callable[[Quote, Attachment, bool], None], *, forgiving: bool) -> None:
        """`place` is told of each watch that has caught up, and whether its stop has moved."""
        self._feed = feed
        self._place = place
        self._forgiving = forgiving
        self._waiting: list[tuple[Quote, Attachment]] = []
        self._news = trio.Event()

    def add(self, quote: Quote, attachment: Attachment) -> None:
        """Let a watch be brought up from its `seen` on."""
        self._waiting.append((quote, attachment))
        self._news.set()

    async def run(self) -> None:
        """Bring up whoever is added, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                waiting, self._waiting = self._waiting, []
                # Those that stood at the same price have missed the same ones, and ask once.
                groups: dict[tuple[str, Seen], list[Attachment]] = {}
                quotes = {quote.symbol: quote for quote, _ in waiting}
                for quote, attachment in waiting:
                    assert attachment.seen is not None, attachment.symbol
                    groups.setdefault((quote.symbol, attachment.seen), []).append(attachment)
                for (symbol, seen), group in groups.items():
                    nursery.start_soon(self._bring_up, quotes[symbol], seen, group)

    async def _bring_up(self, quote: Quote, seen: Seen, group: list[Attachment]) -> None:
        failures = 0
        while group := [one for one in group if one.is_attached]:
            try:
                missed = await read_missed(self._feed, quote, seen)
            except Exception as error:  # noqa: BLE001  whatever broke the answer must not take the positions with it
                failures += 1
                _tell_trouble(quote.symbol, group, error, failures)
                await trio.sleep(min(PAUSE_MOST_SECONDS, LAG_SECONDS * 2.0 ** min(failures, 16)))
                continue
            while group and missed.joins(quote):
                attachment = group.pop()
                if attachment.is_attached:
                    self.make_up(quote, attachment, missed)
                    await trio.lowlevel.checkpoint()

    def make_up(self, quote: Quote, attachment: Attachment, missed: Missed) -> None:
        """Take a watch through what it missed and the ticks that are kept since; it is hit, or goes on with the rest.

        Nothing waits in here: no price is missed meanwhile, and none is seen twice.
        """
        kept = [tick for tick in quote.kept if not missed.covers(tick)]
        # What was kept here is no gap: a fill was learnt late, while prices flowed.
        was_behind = attachment.place == "behind"
        rerun = Rerun(attachment.watch, forgiving=self._forgiving and was_behind)
        for price in (*missed.prices, *kept):
            rerun.take(price)
        candles = sum(isinstance(price, Candle) for price in missed.prices)
        replayed = Replayed(
            trades=len(missed.prices) - candles + len(kept),
            candles=candles,
            price=rerun.price,
            trailing_stop=rerun.watch.stop,
            crossing=rerun.crossing,
            is_forgiven=rerun.is_forgiven,
            missing=missed.missing,
        )
        attachment.trouble = None
        if rerun.crossing is not None and not rerun.is_forgiven:
            attachment.detach()
            if was_behind:
                attachment.on_replayed(replayed)
            attachment.on_hit(rerun.crossing)
            return
        attachment.watch.adopt(rerun.watch)
        attachment.seen = Seen(trade_id=kept[-1].trade_id, at=kept[-1].at) if kept else missed.seen
        self._place(quote, attachment, rerun.watch.moves > 0)
        if was_behind:
            attachment.on_replayed(replayed)


def _tell_trouble(symbol: str, group: Sequence[Attachment], error: Exception, failures: int) -> None:
    text = str(error) or "the price source did not answer"
    for attachment in group:
        attachment.trouble = text
    if isinstance(error, (RobsonError, trio.TooSlowError)):
        _log.warning("missed_prices_not_read", symbol=symbol, failures=failures, error=text)
    else:
        _log.error("missed_prices_not_read", symbol=symbol, failures=failures, exc_info=error)
