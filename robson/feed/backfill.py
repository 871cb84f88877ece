"""Prices that watches have missed: read from the source, taken in order, and only then live ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
import trio

from robson.domain.errors import RateLimited, Rejected, RobsonError
from robson.domain.market import Candle, Tick, Trades
from robson.engine.missed import Rerun, Seen
from robson.feed.attachment import Attachment, Replayed
from robson.feed.quote import Quote
from robson.ports.feed import MarketFeed

CANDLE_SECONDS = 60
# A source may give any of its past trades, page by page; more than these would take longer than a stop may wait.
TRADES_MOST = 10_000
QUERY_SECONDS = 5.0
PAUSE_MOST_SECONDS = 5.0
# A source that answers from a cache may be a little behind its own stream.
LAG_SECONDS = 0.2
LAGS_MAX = 5

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger("robson.feed")


@dataclass
class Missed:
    """What a source gave, oldest first; afterwards everything up to `seen` is taken into account.

    `missing` is the span of which nothing could be had.
    """

    seen: Seen
    began: Seen
    prices: list[Tick | Candle] = field(default_factory=list)
    missing: tuple[datetime, datetime | None] | None = None
    # Candles are read once: they reach up to the present.
    has_candles: bool = False
    # Up to which unbroken run of ticks a source without ids was read: what it gave after that had begun joins it.
    reached_run: int | None = None

    def joins(self, quote: Quote) -> bool:
        """Whether the ticks that are kept go on where this ends."""
        first = quote.first_kept
        return first is None or self.reached_run == quote.run or self.seen.joins(first)

    def take(self, ticks: Iterable[Tick]) -> None:
        """Go on with trades that follow."""
        for tick in ticks:
            self.prices.append(tick)
            self.seen = Seen(trade_id=tick.trade_id, at=tick.at)

    def go_on_from(self, tick: Tick) -> None:
        """Take this tick into account next."""
        self.seen = Seen(trade_id=tick.trade_id - 1 if tick.trade_id is not None else None, at=tick.at)

    @property
    def is_long(self) -> bool:
        """Whether enough trades were read, at least those of the candle in which the gap began."""
        return len(self.prices) >= TRADES_MOST and _candle_of(self.seen.at) > self.began.at

    def go_back_to_whole_candle(self) -> None:
        """Give up the trades of the last candle, which was read in part: it is going to be taken whole."""
        opened_at = _candle_of(self.seen.at)
        self.prices = [price for price in self.prices if isinstance(price, Candle) or price.at < opened_at]
        self.seen = Seen(at=opened_at)

    def lack(self, since: datetime, until: datetime | None) -> None:
        """Nobody has the prices of this span."""
        self.missing = (self.missing[0] if self.missing is not None else since, until)


def _candle_of(at: datetime) -> datetime:
    return at - (at - _EPOCH) % timedelta(seconds=CANDLE_SECONDS)


async def read_missed(feed: MarketFeed, quote: Quote, seen: Seen) -> Missed:
    """Read from the source what lies between `seen` and the ticks that are kept; by trades, or by candles before them.

    Raises VenueError as the source does, trio.TooSlowError when it does not answer.
    """
    missed = Missed(seen, seen)
    lags = 0
    while True:
        if quote.first_kept is not None and missed.joins(quote):
            return missed
        kept, run = quote.first_kept, quote.run
        trades = await _trades(feed, quote.symbol, missed.seen)
        if not trades.is_whole or lags == LAGS_MAX:
            await _read_candles(feed, quote, missed, trades)
            if not trades.ticks:
                return missed
        elif kept is not None and kept.trade_id is None:
            missed.take(trades.ticks)
            missed.reached_run = run
            return missed
        elif trades.ticks:
            missed.take(trades.ticks)
            if missed.seen.trade_id is None:
                return missed
            if missed.is_long and not missed.joins(quote):
                missed.go_back_to_whole_candle()
                await _read_candles(feed, quote, missed, Trades())
                return missed
        elif missed.joins(quote):
            return missed
        else:
            lags += 1
            await trio.sleep(LAG_SECONDS)


async def _trades(feed: MarketFeed, symbol: str, seen: Seen) -> Trades:
    """The trades after `seen`; a source that refuses to tell any is one that has only candles."""
    with trio.fail_after(QUERY_SECONDS):
        try:
            if seen.trade_id is None:
                return await feed.trades_since(symbol, seen.at)
            return await feed.trades_from(symbol, seen.trade_id + 1)
        except RateLimited:
            raise
        except Rejected as error:
            _log.warning("missed_trades_refused", symbol=symbol, error=str(error))
            return Trades(is_whole=False)


async def _read_candles(feed: MarketFeed, quote: Quote, missed: Missed, trades: Trades) -> None:
    """Go on with candles up to the one in which the trades begin, then with the trades.

    A candle may hold some of those trades already: they lie between its extremes and change nothing any more.
    """
    since, ticks = missed.seen.at, trades.ticks
    candles: Sequence[Candle] = ()
    if not missed.has_candles:
        missed.has_candles = True
        with trio.fail_after(QUERY_SECONDS):
            candles = await feed.candles_since(quote.symbol, CANDLE_SECONDS, since)
    next_tick = ticks[0] if ticks else quote.first_kept
    used = [candle for candle in candles if next_tick is None or candle.opened_at <= next_tick.at]
    reached = since
    if used:
        if used[0].opened_at > since:
            missed.lack(since, used[0].opened_at)
        missed.prices.extend(used)
        reached = used[-1].ends_at
        missed.seen = Seen(at=used[-1].opened_at)
    if next_tick is None:
        if not used:
            missed.lack(since, None)
        return
    if reached < next_tick.at:
        missed.lack(reached, next_tick.at)
    if ticks:
        missed.take(ticks)
    else:
        missed.go_on_from(next_tick)


class Backfill:
    """Brings up the watches that are behind, side by side: none waits for another one's answer."""

    def __init__(self, feed: MarketFeed, place: Callable[[Quote, Attachment, bool], None], *, forgiving: bool) -> None:
        """`place` is told of each watch that has caught up, and whether its stop has moved."""
        self._feed = feed
        self._place = place
        self.forgiving = forgiving
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
        kept = [tick for tick in quote.kept if not missed.seen.covers(tick)]
        # What was kept here is no gap: a fill was learnt late, while prices flowed.
        was_behind = attachment.place == "behind"
        rerun = Rerun(attachment.watch, forgiving=self.forgiving and was_behind)
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
