"""Which files a journal is opened from, which it refuses, and what it says then."""

import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from robson.domain.errors import JournalUnusable, JournalUnwritable
from robson.ports.journal import Commit
from robson.store import SqliteJournal
from tests.contract.journal.lives import ONE, TWO, armed, entry_facts, fact, filled, ratchet, write

Open = Callable[..., SqliteJournal]
Protect = Callable[..., AbstractContextManager[None]]


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_only_its_owner_can_read_the_file_and_its_log(path: Path, open_journal: Open) -> None:
    write(open_journal(), armed(ONE))
    for name in ("robson.db", "robson.db-wal", "robson.db-shm"):
        assert stat.S_IMODE(path.with_name(name).stat().st_mode) == 0o600


def test_a_closed_journal_is_one_file(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE))
    journal.close()
    assert [file.name for file in path.parent.iterdir()] == ["robson.db"]


def test_the_file_says_what_it_is(path: Path, open_journal: Open) -> None:
    open_journal()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"Robs"),)
        assert connection.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone() == ("paper",)
        tables = connection.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        )
        lax = {name for name, strict in tables if not strict and not name.startswith("sqlite_")}
    assert lax == {"_sqlite_migrations"}


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_of_another_mode_is_refused(open_journal: Open, read_only: bool) -> None:
    open_journal(mode="live").close()
    with pytest.raises(JournalUnusable, match=r"robson\.db was made in mode live; a run in mode paper needs another"):
        open_journal(mode="paper", read_only=read_only)
    assert open_journal(mode="live").recover().epoch == 2


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused_and_left_alone(path: Path, open_journal: Open, read_only: bool) -> None:
    open_journal().close()
    alter(path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('robson', 'm999_more', '')")
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match=r"newer schema \(m999_more\), last opened by Robson 0\.1\.0"):
        open_journal(read_only=read_only)
    assert path.read_bytes() == before


def test_an_older_schema_cannot_be_opened_for_reading_alone(path: Path, open_journal: Open) -> None:
    open_journal().close()
    alter(path, "DELETE FROM _sqlite_migrations")
    with pytest.raises(JournalUnusable, match="older schema"):
        open_journal(read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_another_database_is_refused_and_left_alone(path: Path, open_journal: Open, read_only: bool) -> None:
    alter(path, "CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="not a journal of Robson"):
        open_journal(read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused(path: Path, open_journal: Open, read_only: bool) -> None:
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(JournalUnusable, match=r"robson\.db could not be opened: file is not a database"):
        open_journal(read_only=read_only)


def test_pages_overwritten_with_rubbish_are_found_out(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), armed(TWO))
    journal.close()
    intact = path.read_bytes()
    path.write_bytes(intact[:4096] + bytes(reversed(range(256))) * ((len(intact) - 4096) // 256))
    with pytest.raises(JournalUnusable, match=r"robson\.db could not be"):
        open_journal().recover()


def test_an_empty_file_becomes_a_journal(path: Path, open_journal: Open) -> None:
    path.touch()
    assert open_journal().recover().epoch == 1


def test_an_empty_file_cannot_be_opened_for_reading_alone(path: Path, open_journal: Open) -> None:
    path.touch()
    with pytest.raises(JournalUnusable, match="was empty"):
        open_journal(read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_directory_is_not_a_journal(tmp_path: Path, open_journal: Open, read_only: bool) -> None:
    with pytest.raises(JournalUnusable, match="could not be opened"):
        open_journal(tmp_path, read_only=read_only)


def test_a_missing_directory_is_named_with_the_reason(tmp_path: Path, open_journal: Open) -> None:
    with pytest.raises(JournalUnusable, match=r"nowhere/robson\.db.*No such file or directory"):
        open_journal(tmp_path / "nowhere" / "robson.db")


def test_a_missing_journal_cannot_be_opened_for_reading(path: Path, open_journal: Open) -> None:
    with pytest.raises(JournalUnusable, match="does not exist"):
        open_journal(read_only=True)
    assert not path.exists()


def test_a_directory_that_cannot_be_written_holds_no_new_journal(
    public_directory: Path, open_journal: Open, write_protected: Protect
) -> None:
    with write_protected(public_directory), pytest.raises(JournalUnusable, match="Permission denied"):
        open_journal(public_directory / "robson.db")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_directory_that_cannot_be_entered_is_named(
    public_directory: Path, open_journal: Open, write_protected: Protect, read_only: bool
) -> None:
    path = public_directory / "robson.db"
    open_journal(path).close()
    with write_protected(public_directory, 0o000), pytest.raises(JournalUnusable, match=r"robson\.db could not be"):
        open_journal(path, read_only=read_only)


def test_a_disk_that_became_read_only_still_gives_what_is_open(
    public_directory: Path, open_journal: Open, write_protected: Protect
) -> None:
    path = public_directory / "robson.db"
    journal = open_journal(path)
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    expected = journal.recover().positions
    journal.close()
    with write_protected(public_directory):
        with pytest.raises(JournalUnusable, match=r"robson\.db could not be"):
            open_journal(path)
        degraded = open_journal(path, read_only=True)
        assert degraded.recover().positions == expected
        with pytest.raises(JournalUnwritable, match="opened for reading only"):
            write(degraded, armed(TWO))
        with pytest.raises(JournalUnwritable, match="opened for reading only"):
            degraded.ratchet((ratchet(ONE, 1),))


def test_after_a_crash_a_read_only_disk_still_gives_what_is_in_the_log(
    public_directory: Path, open_journal: Open, write_protected: Protect
) -> None:
    running = public_directory / "running.db"
    journal = open_journal(running)
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    expected = journal.recover().positions
    crashed = public_directory / "crashed.db"
    for suffix in ("", "-wal", "-shm"):
        shutil.copyfile(f"{running}{suffix}", f"{crashed}{suffix}")
    journal.close()
    with write_protected(public_directory):
        assert open_journal(crashed, read_only=True).recover().positions == expected


def test_a_reader_beside_the_daemon_follows_it(open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    reader = open_journal(read_only=True)
    assert reader.positions() == journal.positions()
    journal.ratchet((ratchet(ONE, 1),))
    assert reader.positions() == journal.positions()
    write(journal, armed(TWO))
    assert reader.positions() == journal.positions()
    assert (reader.epoch, reader.recover().epoch) == (2, 2)
    assert len(write(journal, fact(TWO, entry_facts(TWO)[0].event))) == 1


def test_an_opening_is_written_down(path: Path, open_journal: Open) -> None:
    open_journal().close()
    open_journal()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT epoch, started_at, machine_id, version FROM epochs").fetchall()
    started = "2025-03-01T12:00:00.000000Z"
    assert rows == [(1, started, "this-machine", "0.1.0"), (2, started, "this-machine", "0.1.0")]


def test_a_file_that_is_refused_is_not_kept_open(path: Path, open_journal: Open) -> None:
    open_journal(mode="live").close()
    with pytest.raises(JournalUnusable):
        open_journal(mode="paper")
    assert not path.with_name("robson.db-wal").exists()
    open_journal(mode="live").commit(Commit())
