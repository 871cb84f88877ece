"""What charts of living positions are made of: prices and stops, brought to the journal in groups."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

import structlog
import trio

from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings
from robson.domain.errors import JournalUnwritable
from robson.domain.position import Closed
from robson.domain.samples import BASE_MS, Sample, Strip, joined, merged, to_ms, width_for
from robson.domain.values import PositionId
from robson.feed.strip import PriceStrip
from robson.ports.journal import PriceRow

# A fill that is told further from the newest tick is told by another clock than the ticks.
CLOCKS_APART_MS = 15_000
# How much of a picture a crash may cost.
FLUSH_SECONDS = 10.0
# A row is written again until it holds so many samples.
ROW_SAMPLES = 64
# While the disk refuses, memory keeps no more than a whole picture has.
UNWRITTEN_MAX = 1200
# Rows of one transaction: whatever waits for the loop waits two milliseconds or so.
GROUP = 8
# Rows are numbered by run, so that no restart replaces what the last run has written.
_ROWS_OF_A_RUN = 1_000_000


_log = structlog.get_logger("robson.charts")


class Charts:
    """Samples every position from its fill until it is Closed; nobody's decision depends on any of it.

    A tick costs one comparison, in its symbol's strip. Every few seconds what came since is merged to the width that
    the position's age asks for, and written in a transaction without an fsync of its own.
    """

    def __init__(self, around: Surroundings, lives: Mapping[str, Life]) -> None:
        self._around = around
        self._lives = lives
        self._parts: dict[PositionId, _Part] = {}
        self._ended: dict[PositionId, _Part] = {}
        # Their pictures were begun by an earlier run.
        self._begun = frozenset(p.position_id for p in around.record.recovery.positions if p.entry is not None)

    async def run(self) -> None:
        """Flush every few seconds until cancelled."""
        while True:
            await trio.sleep(FLUSH_SECONDS)
            try:
                for group in self._groups():
                    self._write(group)
                    # A decision that became due meanwhile comes first.
                    await trio.lowlevel.checkpoint()
            except Exception:  # noqa: BLE001  the positions are tasks beside this one
                _log.exception("charts_failed")

    def flush(self) -> None:
        """Write everything at once: the daemon stops."""
        try:
            for group in self._groups():
                self._write(group)
        except Exception:  # noqa: BLE001  the journal must be closed all the same
            _log.exception("charts_failed")

    def end(self, life: Life) -> None:
        """The position is over, and its symbol is still subscribed."""
        self._look(life)
        part = self._parts.pop(life.position.position_id, None)
        if part is not None:
            part.is_final = isinstance(life.position.state, Closed)
            self._ended[life.position.position_id] = part

    def samples(self, position_id: PositionId) -> Strip:
        """Every sample of a position up to this moment, written or not; raises JournalUnusable."""
        life = self._lives.get(position_id)
        if life is not None:
            self._look(life)
        part = self._parts.get(position_id) or self._ended.get(position_id)
        kept = self._around.record.journal.samples(position_id)
        return joined([kept, part.strip]) if part is not None else kept

    def _groups(self) -> Iterator[list["_Part"]]:
        """Everything that is to be written; each group is gathered when it is asked for."""
        ended, lives = list(self._ended.values()), list(self._lives.values())
        for first in range(0, len(ended), GROUP):
            yield ended[first : first + GROUP]
        for first in range(0, len(lives), GROUP):
            looked = [self._look(life) for life in lives[first : first + GROUP]]
            if group := [part for part in looked if part is not None and part.is_new]:
                yield group

    def _look(self, life: Life) -> "_Part | None":
        """Take what came since the last look; None where there is nothing, or where that fails."""
        try:
            return self._take(life)
        except Exception:  # noqa: BLE001  no fault of a picture touches a position, its own or another
            _log.exception("chart_failed", position_id=life.position.position_id)
            return None

    def _take(self, life: Life) -> "_Part | None":
        """Take what came since the last look into the position's part; None without an entry, or once it is over."""
        position, market = life.position, self._around.market
        is_known = position.position_id in self._lives and life.is_subscribed and market.has(position.symbol)
        if position.entry is None or not is_known:
            return None
        part = self._parts.get(position.position_id)
        if part is None:
            number = self._around.record.epoch * _ROWS_OF_A_RUN
            began_ms, newest_ms = to_ms(position.entry.filled_at), market.strip(position.symbol).newest_ms
            is_fresh = position.position_id not in self._begun
            if is_fresh and newest_ms is not None and abs(began_ms - newest_ms) > CLOCKS_APART_MS:
                began_ms = newest_ms
            part = _Part(position.position_id, number, began_ms)
            if is_fresh:
                part.begin(position.entry.fill_price)
            self._parts[position.position_id] = part
        part.take(market.strip(position.symbol), life)
        return part

    def _write(self, parts: Sequence["_Part"]) -> None:
        record = self._around.record
        is_kept = False
        with suppress(JournalUnwritable):
            if record.degraded is None:
                record.journal.keep_samples([part.row for part in parts])
                is_kept = True
        for part in parts:
            if not is_kept:
                part.shorten()
                continue
            part.written()
            if self._ended.get(part.position_id) is part:
                del self._ended[part.position_id]


class _Part:
    """The newest part of one position's chart: the row of the journal that is still being written."""

    def __init__(self, position_id: PositionId, number: int, began_ms: int) -> None:
        self.position_id = position_id
        self.is_new = self.is_final = False
        self._number = number
        self._began_ms = began_ms
        self._next_ms = began_ms - began_ms % BASE_MS
        self._width_ms = BASE_MS
        self._fill: tuple[Sample, ...] = ()
        self._samples: tuple[Sample, ...] = ()

    def begin(self, price: Decimal) -> None:
        """A picture begins with the fill, whether or not anybody else traded in that quarter of a second."""
        self._fill = (Sample(self._next_ms, price, price, price),)

    def take(self, prices: PriceStrip, life: Life) -> None:
        """Add the prices since the last time, each with the stop as it stood at its end."""
        fresh = [*self._fill, *prices.since(self._next_ms)]
        if not fresh:
            return
        self._fill = ()
        self._next_ms = fresh[-1].start_ms
        width = max(self._width_ms, width_for(self._next_ms - self._began_ms))
        # As long as the width stays, only the last sample can be in the same span as a new one.
        done = max(0, len(self._samples) - 1) if width == self._width_ms else 0
        newer = merged((*self._samples[done:], *_behind_stops(fresh, life)), width)
        self._samples, self._width_ms = (*self._samples[:done], *newer), width
        self.is_new = True

    @property
    def strip(self) -> Strip:
        """Its samples."""
        return Strip(self._width_ms, self._samples)

    @property
    def row(self) -> PriceRow:
        """What is to be written."""
        return PriceRow(position_id=self.position_id, number=self._number, strip=self.strip, final=self.is_final)

    def written(self) -> None:
        """It is in the journal: a long row is followed by a new one."""
        self.is_new = False
        if len(self._samples) >= ROW_SAMPLES:
            self._number += 1
            self._samples = self._samples[-1:]

    def shorten(self) -> None:
        """It could not be written: the oldest is lost."""
        self._samples = self._samples[-UNWRITTEN_MAX:]


def _behind_stops(fresh: list[Sample], life: Life) -> Iterator[Sample]:
    """Samples with the stop that was the last one set by the end of each."""
    stops = life.stops
    for sample in fresh:
        ends_ms = sample.start_ms + BASE_MS
        while len(stops) > 1 and to_ms(stops[1][0]) < ends_ms:
            del stops[0]
        yield Sample(sample.start_ms, sample.low, sample.high, sample.last, stops[0][1] if stops else None)
