"""A journal on a bad disk, and the power that may be cut: between two writes, before or after one took effect."""

from collections.abc import Callable, Sequence

import trio
from trio.testing import MockClock

from robson.domain.errors import JournalUnwritable
from robson.domain.events import Fact
from robson.domain.sequence import Recorded
from robson.ports import Commit, Journal
from robson.ports.journal import PriceRow
from robson.store.journal import SqliteJournal
from robson.store.memory import MemoryJournal
from tests.simulation.weather import Weather


class PowerCut(BaseException):
    """The machine stops: no handler of the product may catch this."""


class Wire:
    """What a crash cuts: from then on neither the disk nor the venue hears anything of the old process."""

    def __init__(self) -> None:
        self.is_cut = False
        self.on_cut: Callable[[], None] = lambda: None

    def cut(self) -> None:
        """The machine stops."""
        self.is_cut = True
        self.on_cut()

    def check(self) -> None:
        """Raise PowerCut once the machine has stopped."""
        if self.is_cut:
            raise PowerCut


class CutJournal:
    """A journal that stops at one of its half writes (1: before the first one took effect, 2: after it)."""

    def __init__(self, inner: Journal, wire: Wire, *, cut_at: int | None = None) -> None:
        self.inner = inner
        self.wire = wire
        self.cut_at = cut_at
        self.writes = 0
        self.on_written: Callable[[Sequence[Recorded]], None] = lambda _rows: None

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        return self._write(lambda: self.inner.commit(commit))

    def ratchet(self, facts: Sequence[Fact]) -> tuple[Recorded, ...]:
        return self._write(lambda: self.inner.ratchet(facts))

    def keep_samples(self, rows: Sequence[PriceRow]) -> None:
        """Not one of the writes at which a crash is tried: nothing depends on it."""
        self.wire.check()
        self.inner.keep_samples(rows)

    def refuse(self, rows: bool) -> None:
        """A subclass raises JournalUnwritable here."""

    def _write(self, action: Callable[[], tuple[Recorded, ...]]) -> tuple[Recorded, ...]:
        self.wire.check()
        self.writes += 1
        if self.writes * 2 - 1 == self.cut_at:
            self.wire.cut()
            raise PowerCut
        self.refuse(True)
        rows = action()
        self.on_written(rows)
        if self.writes * 2 == self.cut_at:
            self.wire.cut()
            raise PowerCut
        return rows


class RoughJournal(CutJournal):
    """A journal whose disk is full, read-only or slow for a while."""

    def __init__(
        self,
        inner: MemoryJournal | SqliteJournal,
        wire: Wire,
        weather: Weather,
        clock: MockClock,
        *,
        cut_at: int | None = None,
    ) -> None:
        super().__init__(inner, wire, cut_at=cut_at)
        self.weather = weather
        self.clock = clock
        self.broken_until = 0.0
        self.fails_once = False
        self.is_slow = False

    def trouble(self) -> None:
        """Something happens to the disk."""
        random = self.weather.random
        match random.choice(("once", "spell", "spell", "long", "slow")):
            case "once":
                self.fails_once = True
            case "spell":
                self.broken_until = trio.current_time() + random.uniform(0, 6)
            case "long":
                self.broken_until = trio.current_time() + random.uniform(10, 100)
            case "slow":
                self.is_slow = not self.is_slow

    def refuse(self, rows: bool) -> None:
        if self.weather.is_calm:
            return
        if self.is_slow and self.weather.random.random() < 0.5:
            self.weather.counts["disk: slow commit"] += 1
            self.clock.jump(self.weather.random.uniform(0.01, 0.4))
        if self.fails_once or trio.current_time() < self.broken_until:
            self.fails_once = False
            self.weather.counts["disk: write refused"] += 1
            raise JournalUnwritable("no space left on device")


class MemorySeal:
    """The seal of the journal (ports.Seal), kept in memory through all runs of a life."""

    def __init__(self) -> None:
        self._whole: int | None = None

    def is_whole(self, epoch: int) -> bool:
        return self._whole == epoch

    def apply(self, epoch: int) -> None:
        self._whole = epoch

    def tear(self) -> None:
        self._whole = None
