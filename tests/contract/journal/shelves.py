"""Where a journal is kept between two openings: a file, or memory."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from robson.ports.journal import Journal
from robson.store import MemoryJournal, SqliteJournal
from tests.contract.journal.lives import NOON


class FixedClock:
    """Noon, always."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


class Shelf(Protocol):
    """Where one journal is kept, to be opened again and again."""

    @property
    def journal(self) -> Journal:
        """The journal as it was opened last."""

    def reopen(self) -> Journal:
        """Close it and open it anew."""

    def open_beside(self) -> Journal:
        """Open it a second time, as another process could without a lock."""

    def break_disk(self) -> None:
        """Make every write fail."""

    def mend_disk(self) -> None:
        """Make writes succeed again."""


class DiskShelf:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = self._open()

    def open_beside(self) -> Journal:
        return self._open()

    def _open(self) -> SqliteJournal:
        return SqliteJournal.open(
            self.path, mode="paper", clock=FixedClock(), machine_id="this-machine", version="0.1.0"
        )

    def reopen(self) -> Journal:
        self.journal.close()
        self.journal = self._open()
        return self.journal

    def break_disk(self) -> None:
        self.path.rename(self.path.with_suffix(".away"))

    def mend_disk(self) -> None:
        self.path.with_suffix(".away").rename(self.path)


class MemoryShelf:
    """Dictionaries that outlive their journal."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()

    def open_beside(self) -> Journal:
        return self.journal.reopened()

    def reopen(self) -> Journal:
        self.journal = self.journal.reopened()
        return self.journal

    def break_disk(self) -> None:
        self.journal.broken = "the disk was full"

    def mend_disk(self) -> None:
        self.journal.broken = None


def now_and_reopened(shelf: Shelf) -> Iterator[Journal]:
    """The journal as it is, and then as it is after being closed and opened again."""
    yield shelf.journal
    yield shelf.reopen()
