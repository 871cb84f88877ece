"""Candles built from ticks: closed ones only, and never one of which a part was not seen."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

import msgspec

from robson.domain.market import Candle

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: tuple["ClosedCandle", ...] = ()


class ClosedCandle(NamedTuple):
    """A candle that has just closed; `is_whole` says whether every trade of its interval was seen."""

    candle: Candle
    is_whole: bool


class CandleSeries:
    """The candles of one symbol and interval, as they form, close and are kept (whole ones only).

    Times are the venue's. An interval without trades is a flat candle at the last close, as Binance gives it.
    """

    def __init__(
        self,
        symbol: str,
        interval_seconds: int,
        *,
        keep: int,
        since: datetime | None = None,
        last: Decimal | None = None,
    ) -> None:
        """Every trade from `since` on is going to be seen (None: from the first one on); `last` is the price then."""
        assert interval_seconds > 0, interval_seconds
        self._symbol = symbol
        self._interval_seconds = interval_seconds
        self._length = timedelta(seconds=interval_seconds)
        self._since = since
        self._starts: datetime | None = None
        self._ends: datetime | None = None
        self._has_traded = False
        self._last = last
        self._open = self._high = self._low = last if last is not None else Decimal(0)
        self._closed: deque[Candle] = deque(maxlen=keep)
        if since is not None:
            self._start(self._floor(since))

    @property
    def ends(self) -> datetime | None:
        """When the forming candle closes; None before the first trade of a series that does not know its beginning."""
        return self._ends

    @property
    def forming(self) -> Candle | None:
        """The candle that has not closed, as it stands; None while nothing was traded in it."""
        if not self._has_traded or self._starts is None or self._last is None:
            return None
        return self._candle(self._starts, self._last)

    def add(self, at: datetime, price: Decimal) -> Sequence[ClosedCandle]:
        """Take a trade; gives the candles that it closed, oldest first.

        A trade of an interval that is closed already changes nothing: a closed candle never changes.
        """
        closed: Sequence[ClosedCandle] = _NOTHING
        if self._since is None:
            self._since = at
        if self._starts is None:
            self._start(self._floor(at))
        assert self._starts is not None
        assert self._ends is not None
        if at < self._starts:
            return _NOTHING
        if at >= self._ends:
            closed = self.close_until(at)
        if not self._has_traded:
            self._open = self._high = self._low = price
            self._has_traded = True
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._last = price
        return closed

    def close_until(self, at: datetime) -> Sequence[ClosedCandle]:
        """Close every interval that ended by `at`; gives their candles, oldest first."""
        if self._ends is None or at < self._ends:
            return _NOTHING
        assert self._starts is not None
        closed = [*self._close(self._starts)]
        # Of a long silence only the flat candles that will be kept are made.
        kept_from = self._floor(at) - self._length * (self._closed.maxlen or 0)
        start = max(self._ends, kept_from)
        while start + self._length <= at:
            closed.extend(self._close(start))
            start += self._length
        self._start(start)
        return closed

    def interrupt(self) -> None:
        """Trades may be missing from now until the next one that is added."""
        self._since = None

    def fill(self, candles: Iterable[Candle]) -> None:
        """Put candles from elsewhere where this series has none of its own."""
        merged = {candle.opened_at: candle for candle in candles}
        merged.update((candle.opened_at, candle) for candle in self._closed)
        self._closed.clear()
        self._closed.extend(merged[opened_at] for opened_at in sorted(merged))

    def covers(self, count: int) -> bool:
        """Whether the last `count` closed candles are all kept here, without a hole among or after them."""
        if not 0 < count <= len(self._closed) or self._starts is None:
            return False
        end = self._closed[-1].opened_at + self._length
        return end >= self._starts and self._closed[-count].opened_at == end - self._length * count

    def recent(self, count: int) -> list[Candle]:
        """The last `count` candles that are kept, oldest first."""
        size = len(self._closed)
        return [self._closed[index] for index in range(max(0, size - count), size)]

    def _close(self, start: datetime) -> Sequence[ClosedCandle]:
        if self._last is None:
            return _NOTHING
        candle = self._candle(start, self._last)
        self._has_traded = False
        is_whole = self._since is not None and start >= self._since
        if is_whole and not (self._closed and self._closed[-1].opened_at >= start):
            self._closed.append(candle)
        return (ClosedCandle(candle, is_whole),)

    def _candle(self, start: datetime, last: Decimal) -> Candle:
        traded = self._has_traded
        return Candle(
            symbol=self._symbol,
            opened_at=start,
            interval_seconds=self._interval_seconds,
            open=self._open if traded else last,
            high=self._high if traded else last,
            low=self._low if traded else last,
            close=last,
        )

    def _start(self, start: datetime) -> None:
        self._starts, self._ends = start, start + self._length
        self._has_traded = False

    def _floor(self, at: datetime) -> datetime:
        return at - (at - _EPOCH) % self._length


def combine(candles: Sequence[Candle], interval_seconds: int) -> list[Candle]:
    """Join consecutive shorter candles (oldest first) into whole ones of a longer interval; parts are left out."""
    if not candles:
        return []
    step = candles[0].interval_seconds
    assert interval_seconds % step == 0, (interval_seconds, step)
    size = interval_seconds // step
    length = timedelta(seconds=interval_seconds)
    joined: list[Candle] = []
    part: list[Candle] = []
    for candle in candles:
        start = candle.opened_at - (candle.opened_at - _EPOCH) % length
        if part and part[0].opened_at != start:
            part = []
        if part or candle.opened_at == start:
            part.append(candle)
        if len(part) == size and candle.opened_at == start + length - timedelta(seconds=step):
            joined.append(_join(part, interval_seconds))
            part = []
    return joined


def merge(candles: Sequence[Candle], interval_seconds: int) -> list[Candle]:
    """Join shorter candles (oldest first) into those of a longer interval; parts are joined, too, as far as they go."""
    length = timedelta(seconds=interval_seconds)
    parts = groupby(candles, lambda candle: candle.opened_at - (candle.opened_at - _EPOCH) % length)
    return [
        msgspec.structs.replace(_join(list(part), interval_seconds), opened_at=opened_at) for opened_at, part in parts
    ]


def _join(part: Sequence[Candle], interval_seconds: int) -> Candle:
    return Candle(
        symbol=part[0].symbol,
        opened_at=part[0].opened_at,
        interval_seconds=interval_seconds,
        open=part[0].open,
        high=max(candle.high for candle in part),
        low=min(candle.low for candle in part),
        close=part[-1].close,
    )
