"""A journal that could only be read at start is opened for writing when the disk is back, if it is the same."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from robson.domain.errors import JournalUnwritable
from robson.store import SqliteJournal
from tests.contract.journal.lives import ONE, TWO, armed, entry_facts, filled, ratchet, write

Open = Callable[..., SqliteJournal]
Protect = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def at(public_directory: Path, open_journal: Open) -> Path:
    path = public_directory / "robson.db"
    journal = open_journal(path)
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    journal.close()
    return path


def test_it_goes_on_with_the_epoch_that_it_was_given(at: Path, open_journal: Open, write_protected: Protect) -> None:
    with write_protected(at.parent):
        journal = open_journal(at, read_only=True)
        before = journal.recover()
        with pytest.raises(JournalUnwritable, match="opened for reading only"):
            journal.upkeep()
        with pytest.raises(JournalUnwritable, match=r"robson\.db could not be"):
            journal.reopen()
        assert journal.positions() == list(before.positions)
    journal.reopen()
    assert journal.recover() == before
    assert [row.seq for row in journal.ratchet((ratchet(ONE, 1),))] == [5]
    assert [row.seq for row in write(journal, armed(TWO))] == [6]
    assert journal.upkeep() is None
    with closing(sqlite3.connect(at)) as connection:
        assert connection.execute("SELECT epoch FROM epochs").fetchall() == [(1,), (2,)]
    assert before.epoch == journal.epoch == 2


def test_a_journal_that_can_be_written_is_left_as_it_is(open_journal: Open) -> None:
    journal = open_journal()
    journal.reopen()
    assert (journal.epoch, journal.recover().epoch) == (1, 1)


def test_one_that_somebody_has_written_since_is_refused(at: Path, open_journal: Open) -> None:
    journal = open_journal(at, read_only=True)
    other = open_journal(at)
    write(other, armed(TWO))
    other.close()
    with pytest.raises(JournalUnwritable, match=r"was written by pid \d+ on .* since it was read; start the daemon"):
        journal.reopen()
    # Whoever tries to write is told why that is not possible.
    with pytest.raises(JournalUnwritable, match="since it was read; start the daemon"):
        journal.ratchet((ratchet(ONE, 1),))
    with closing(sqlite3.connect(at)) as connection:
        assert connection.execute("SELECT max(epoch) FROM epochs").fetchone() == (2,)


def test_one_that_was_put_in_its_place_is_refused(at: Path, open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(at, read_only=True)
    at.rename(tmp_path / "away.db")
    with pytest.raises(JournalUnwritable, match="deleted or replaced since it was read"):
        journal.reopen()
    assert not at.exists()
    open_journal(at).close()
    with pytest.raises(JournalUnwritable, match="deleted or replaced since it was read"):
        journal.reopen()
