"""What the fan-out knows of one symbol: the latest price, how old it is, and who is watching."""

import math
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import trio

from robson.domain.market import Tick
from robson.domain.values import Value
from robson.engine.crowd import Crowd
from robson.feed.attachment import Attachment
from robson.feed.candles import CandleSeries, ClosedCandle
from robson.feed.strip import PriceStrip

_CANDLES_KEPT = 1_500
_TICKS_KEPT = 5_000
# A trade may reach us a little after its interval has ended. Only a silent market is closed by the clock, so that
# waiting for stragglers costs nothing when prices flow.
CLOSE_GRACE = timedelta(seconds=1)


class FeedState(Value):
    """How fresh a symbol's prices are.

    `age_seconds` is the time since the last streamed tick came in, or since the subscription before there was one.
    `ticks` were observed; `dropped` were duplicates or older than what had been observed. `interruption` is the feed's
    own word that ticks are late or lost, until the next one comes.
    """

    last_price: Decimal | None
    trade_id: int | None
    age_seconds: float
    stale: bool
    ticks: int
    dropped: int
    interruption: str | None


class CandleReader:
    """Candles that have closed and were not yet taken by one reader; a slow one loses the oldest."""

    KEPT = 256

    def __init__(self) -> None:
        self.closed: list[ClosedCandle] = []
        self.news = trio.Event()

    def put(self, closed: Sequence[ClosedCandle]) -> None:
        """Add candles and wake the reader."""
        self.closed.extend(closed)
        del self.closed[: -self.KEPT]
        self.news.set()


class TickReader:
    """The newest tick for one reader, and whether it waits for it."""

    def __init__(self) -> None:
        self.newest: Tick | None = None
        self.news: trio.Event | None = None

    def put(self, tick: Tick) -> bool:
        """Replace the newest tick; True when that wakes the reader."""
        self.newest = tick
        if self.news is None:
            return False
        self.news.set()
        self.news = None
        return True


class Quote:
    """One subscribed symbol."""

    def __init__(self, symbol: str, now: float) -> None:
        """`now` is the reading of the steady clock at the subscription."""
        self.symbol = symbol
        self.interest = 0
        self.price: Decimal | None = None
        self.last: Tick | None = None
        # When the last tick came in, and when the last one did that the stream has delivered.
        self.arrived_at = self.streamed_at = now
        self.ticks = 0
        self.dropped = 0
        self.interruption: str | None = None
        # Since when it has been silent, if watch_staleness has said that it is stale.
        self.silent_since: float | None = None
        self._recent: deque[tuple[float, Tick]] = deque(maxlen=_TICKS_KEPT)
        self.strip = PriceStrip()
        # By number, in the order of joining; those that are live stand in the crowd of their side.
        self.live: dict[int, Attachment] = {}
        self.ahead: dict[int, Attachment] = {}
        self.behind: dict[int, Attachment] = {}
        self.longs, self.shorts = Crowd(is_long=True), Crowd(is_long=False)
        self.joined = 0
        # Those that moved their stop and do not stand where they did then.
        self.moved: dict[Attachment, None] = {}
        # The first tick since the subscription or the last interruption: from there on nothing was missed.
        self._unbroken_from: Tick | None = None
        # Counts the interruptions.
        self.run = 0
        self.candle_readers: dict[int, set[CandleReader]] = {}
        self.tick_readers: set[TickReader] = set()
        self._series: dict[int, CandleSeries] = {}
        self._next_tick: trio.Event | None = None

    def age(self, now: float) -> float:
        """Seconds without a streamed tick."""
        return now - self.streamed_at

    def is_stale(self, now: float, stale_after: float) -> bool:
        """Whether no streamed tick came for `stale_after` seconds.

        Compared as a moment, not as an age: whoever sleeps until that very moment must find it stale, and the two
        differ in the last digit.
        """
        return now >= self.streamed_at + stale_after

    def state(self, now: float, stale_after: float) -> FeedState:
        """How fresh it is."""
        return FeedState(
            last_price=self.price,
            trade_id=self.last.trade_id if self.last is not None else None,
            age_seconds=self.age(now),
            stale=self.is_stale(now, stale_after),
            ticks=self.ticks,
            dropped=self.dropped,
            interruption=self.interruption,
        )

    def accept(self, tick: Tick) -> bool:
        """Whether a streamed tick is newer than all before it; otherwise it is counted as dropped."""
        if self.last is not None and not _is_newer(tick, self.last):
            self.dropped += 1
            return False
        return True

    def take(self, tick: Tick, now: float) -> None:
        """Make it the latest."""
        self.last = tick
        if self._unbroken_from is None:
            self._unbroken_from = tick
        self._recent.append((now, tick))
        self.price = tick.price
        self.strip.add(tick)
        self.arrived_at = now
        if not tick.backfilled:
            self.streamed_at = now
        self.ticks += 1
        self.interruption = None

    def break_off(self) -> None:
        """Trades may be missing before the next tick."""
        self._unbroken_from = None
        self.run += 1

    @property
    def is_broken(self) -> bool:
        """Whether the next tick may come after others that are lost."""
        return self._unbroken_from is None

    @property
    def kept(self) -> list[Tick]:
        """The ticks that are kept and after which none was missed, oldest first."""
        first = self._unbroken_from
        found: list[Tick] = []
        if first is not None:
            for _, tick in reversed(self._recent):
                found.append(tick)
                if tick is first:
                    break
        found.reverse()
        return found

    @property
    def first_kept(self) -> Tick | None:
        """The oldest of the kept ticks."""
        first = self._unbroken_from
        if first is None:
            return None
        oldest = self._recent[0][1]
        return oldest if _is_newer(oldest, first) else first

    def moment_of(self, at: datetime) -> float:
        """A moment of the source's clock as a reading of the steady one, by the last tick: our own may differ."""
        if self.last is None:
            return math.inf
        return self.arrived_at - (self.last.at - at).total_seconds()

    def last_before(self, moment: float) -> Tick | None:
        """The last remembered tick that came in before `moment`, None where there was none."""
        return next((tick for arrived_at, tick in reversed(self._recent) if arrived_at < moment), None)

    @property
    def watched(self) -> list[Attachment]:
        """Everybody who is attached, wherever."""
        return [*self.live.values(), *self.ahead.values(), *self.behind.values()]

    def crowd(self, attachment: Attachment) -> Crowd:
        """Where a live one observes."""
        return self.longs if attachment.watch.is_long else self.shorts

    def take_moved(self) -> list[Attachment]:
        """The attached watches that moved their stop since the last call, in the order of joining."""
        numbers = sorted([*self.longs.take_moved(), *self.shorts.take_moved()])
        moved, self.moved = self.moved, {}
        moved |= dict.fromkeys(self.live[number] for number in numbers)
        return list(moved)

    def tell_readers(self, tick: Tick) -> bool:
        """Pass the latest tick to candles and readers; True when somebody woke."""
        woke = False
        if self._next_tick is not None:
            self._next_tick.set()
            self._next_tick = None
            woke = True
        for interval_seconds, series in self._series.items():
            if tick.ask is not None:
                # The book is not what candles are made of: each that closes here is read from the source instead.
                series.interrupt()
            closed = series.add(tick.at, tick.price)
            if closed and self._tell(interval_seconds, closed):
                woke = True
        for reader in self.tick_readers:
            if reader.put(tick):
                woke = True
        return woke

    def interrupt(self, reason: str) -> None:
        """Ticks are late or lost."""
        self.interruption = reason
        self.break_off()
        for series in self._series.values():
            series.interrupt()

    def next_tick(self) -> trio.Event:
        """Set when the next streamed tick has come."""
        if self._next_tick is None:
            self._next_tick = trio.Event()
        return self._next_tick

    def venue_time(self, now: float, wall: datetime) -> datetime:
        """The venue's time: that of the last tick plus its age, since the two wall clocks need not agree."""
        if self.last is None:
            return wall
        return self.last.at + timedelta(seconds=now - self.arrived_at)

    def series(self, interval_seconds: int, at: datetime) -> CandleSeries:
        """The candles of an interval, built from `at` (the venue's time) on when they are not being built yet."""
        series = self._series.get(interval_seconds)
        if series is None:
            is_flowing = self.interruption is None and self.last is not None
            series = CandleSeries(
                self.symbol, interval_seconds, keep=_CANDLES_KEPT, since=at if is_flowing else None, last=self.price
            )
            self._series[interval_seconds] = series
        return series

    def close_candles(self, interval_seconds: int, at: datetime, *, is_stale: bool) -> CandleSeries:
        """Close what has ended by `at` without a tick, and tell the readers; of a stale symbol nothing is believed."""
        series = self.series(interval_seconds, at)
        if is_stale:
            series.interrupt()
        closed = series.close_until(at - CLOSE_GRACE)
        if closed:
            self._tell(interval_seconds, closed)
        return series

    def _tell(self, interval_seconds: int, closed: Sequence[ClosedCandle]) -> bool:
        readers = self.candle_readers.get(interval_seconds)
        for reader in readers or ():
            reader.put(closed)
        return bool(readers)


def _is_newer(tick: Tick, other: Tick) -> bool:
    if tick.trade_id is not None and other.trade_id is not None:
        return tick.trade_id > other.trade_id
    return tick.at >= other.at
