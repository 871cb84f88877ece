"""The newest prices of one symbol in short: what charts are made of, taken tick by tick without waking anybody."""

from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from robson.domain.market import Tick
from robson.domain.samples import BASE_MS, Sample, to_ms
from robson.domain.values import ZERO

# Twenty minutes of an unbroken stream; whoever draws comes by far more often.
_KEPT = 20 * 60 * 1000 // BASE_MS
_BASE = timedelta(milliseconds=BASE_MS)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class PriceStrip:
    """Low, high and last of each quarter of a second in which a streamed tick came, by the venue's time."""

    def __init__(self) -> None:
        self._over: deque[Sample] = deque(maxlen=_KEPT)
        self._start_ms: int | None = None
        self._ends_at = _LONG_AGO
        self._low = self._high = self._last = ZERO

    def add(self, tick: Tick) -> None:
        """Take one tick; one that is older than the present span counts in it."""
        price = tick.price
        if tick.at >= self._ends_at:
            self._begin(tick.at, price)
        elif price < self._low:
            self._low = price
        elif price > self._high:
            self._high = price
        self._last = price

    @property
    def newest_ms(self) -> int | None:
        """Where the present span begins (Unix time), None before the first tick."""
        return self._start_ms

    def since(self, start_ms: int) -> list[Sample]:
        """The spans that begin at `start_ms` (Unix time) or later, the present one as far as it has come."""
        found = [] if self._start_ms is None or self._start_ms < start_ms else [self._present(self._start_ms)]
        for sample in reversed(self._over):
            if sample.start_ms < start_ms:
                break
            found.append(sample)
        found.reverse()
        return found

    def _begin(self, at: datetime, price: Decimal) -> None:
        if self._start_ms is not None:
            self._over.append(self._present(self._start_ms))
        now_ms = to_ms(at)
        self._start_ms = now_ms - now_ms % BASE_MS
        self._ends_at = at - timedelta(milliseconds=now_ms - self._start_ms, microseconds=at.microsecond % 1000) + _BASE
        self._low = self._high = price

    def _present(self, start_ms: int) -> Sample:
        return Sample(start_ms, self._low, self._high, self._last)
