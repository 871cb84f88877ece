"""What a transaction on disk survives: parts that fail, disks that fail, files that vanish, others that write."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from robson.domain.errors import JournalUnwritable
from robson.domain.events import Notice
from robson.domain.sequence import StoredReply
from robson.ports.journal import Commit, PairRecord
from robson.store import SqliteJournal
from tests.contract.journal.lives import (
    ENTRY,
    NOON,
    ONE,
    TWO,
    armed,
    entry_facts,
    exit_facts,
    fill,
    filled,
    intent,
    ratchet,
    states_after,
    write,
)

Open = Callable[..., SqliteJournal]


def dump(path: Path) -> list[str]:
    """Everything in the file, as another process sees it."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@contextmanager
def no_room_beyond(path: Path) -> Iterator[None]:
    """No file may grow beyond the present size of this one, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def in_the_market(journal: SqliteJournal) -> None:
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))


def everything(journal: SqliteJournal) -> Commit:
    facts = exit_facts(ONE)
    return Commit(
        facts=facts,
        notices=(Notice(type="unprotected", at=NOON),),
        positions=states_after(journal, facts),
        intents=(intent(ENTRY),),
        fills=(fill(6),),
        pairs=(PairRecord(symbol="BTCUSDT", baseline_base=Decimal(1), baseline_quote=Decimal(2)),),
        reply=StoredReply(key="k", body_digest="d", reply=b"{}", at=NOON),
        latch=True,
    )


@pytest.mark.parametrize(
    "table", ["events", "positions", "snapshots", "intents", "fills", "pairs", "replies", "latches"]
)
def test_whichever_part_of_a_commit_fails_nothing_of_it_stays(path: Path, open_journal: Open, table: str) -> None:
    journal = open_journal()
    in_the_market(journal)
    with closing(sqlite3.connect(path)) as connection:
        for verb in ("INSERT", "UPDATE"):
            body = f"BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'a broken part'); END"
            connection.execute(f"CREATE TRIGGER fail_{verb} {body}")
    before = dump(path)
    with pytest.raises(JournalUnwritable, match=r"robson\.db could not be written: a broken part"):
        journal.commit(everything(journal))
    assert dump(path) == before
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER fail_INSERT")
        connection.execute("DROP TRIGGER fail_UPDATE")
    assert [row.seq for row in journal.commit(everything(journal))] == [5, 6, 7, 8, 9]
    assert journal.positions() == []


def test_a_full_disk_refuses_and_later_accepts(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    in_the_market(journal)
    before = dump(path)
    with no_room_beyond(path.with_name("robson.db-wal")):
        with pytest.raises(JournalUnwritable, match=r"robson\.db could not be written: (disk I/O|database or disk)"):
            journal.commit(everything(journal))
        with pytest.raises(JournalUnwritable):
            journal.ratchet((ratchet(ONE, 1),))
        assert tuple(journal.positions()) == journal.recover().positions != ()
    assert dump(path) == before
    assert [row.seq for row in journal.ratchet((ratchet(ONE, 1),))] == [5]
    assert [row.seq for row in write(journal, armed(TWO))] == [6]


def test_another_writer_is_waited_for_only_briefly(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnwritable, match="database is locked"):
            write(journal, armed(ONE))
        other.execute("ROLLBACK")
    assert [row.seq for row in write(journal, armed(ONE))] == [1]


@pytest.mark.parametrize("name", ["robson.db", "robson.db-wal"])
def test_a_file_deleted_under_the_daemon_is_noticed(path: Path, open_journal: Open, name: str) -> None:
    journal = open_journal()
    path.with_name(name).unlink()
    with pytest.raises(JournalUnwritable, match=f"{name}: No such file"):
        write(journal, armed(ONE))


def test_a_file_put_in_its_place_is_noticed(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    path.rename(path.with_suffix(".old"))
    path.touch()
    with pytest.raises(JournalUnwritable, match="was replaced while it was open"):
        write(journal, armed(ONE))


def test_a_second_daemon_on_the_same_file_is_named(open_journal: Open) -> None:
    first = open_journal()
    open_journal()
    with pytest.raises(JournalUnwritable, match=r"opened again by pid \d+ on \S+ at 2025-03-01T12:00:00\.000000Z"):
        write(first, armed(ONE))


def test_decisions_are_synchronous_and_ratchets_are_not(open_journal: Open) -> None:
    journal = open_journal()
    in_the_market(journal)
    statements: list[str] = []
    journal._file.connection.set_trace_callback(statements.append)
    for step in (1, 2):
        journal.ratchet((ratchet(ONE, step),))
    write(journal, armed(TWO))
    journal._file.connection.set_trace_callback(None)
    seen = [line for line in statements if line.startswith(("PRAGMA", "BEGIN", "COMMIT"))]
    ratchets = ["PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE", "COMMIT", "BEGIN IMMEDIATE", "COMMIT"]
    assert seen == [*ratchets, "PRAGMA synchronous = FULL", "BEGIN IMMEDIATE", "COMMIT"]


def test_the_first_commit_is_synchronous(open_journal: Open) -> None:
    journal = open_journal()
    assert journal._file.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._file.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._file.connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_events_cannot_be_edited_by_hand(path: Path, open_journal: Open) -> None:
    write(open_journal(), armed(ONE))
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="immutable"):
        connection.execute("UPDATE events SET data = '{}'")
