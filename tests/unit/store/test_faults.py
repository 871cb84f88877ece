"""A disk that fails at any one statement of a write, and a log that was cut anywhere: whole commits, never a gap."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from robson.domain.errors import JournalUnusable, JournalUnwritable
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
    life,
    ratchet,
    states_after,
    write,
)

Open = Callable[..., SqliteJournal]


class FailingConnection:
    """A connection whose n-th statement from now on fails, as a disk with a bad sector lets it."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self.inner = inner
        self.fails_at: int | None = None
        self.rollbacks_fail = 0
        self.statements = 0

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Cursor:
        self._count(sql)
        if sql == "ROLLBACK" and self.rollbacks_fail:
            self.rollbacks_fail -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return self.inner.execute(sql, tuple(parameters))

    def executemany(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        self._count(sql)
        return self.inner.executemany(sql, parameters)

    def close(self) -> None:
        self.inner.close()

    def arm(self, fails_at: int | None) -> None:
        self.fails_at, self.statements = fails_at, 0

    def _count(self, sql: str) -> None:
        if sql == "ROLLBACK":
            return
        self.statements += 1
        if self.statements == self.fails_at:
            raise sqlite3.OperationalError("disk I/O error")


def failing(journal: SqliteJournal) -> FailingConnection:
    connection = FailingConnection(journal._file.connection)
    journal._file.connection = connection  # type: ignore[assignment]
    return connection


def everything(journal: SqliteJournal) -> Commit:
    facts = exit_facts(ONE)
    return Commit(
        facts=facts,
        notices=(Notice(type="feed_stale", at=NOON),),
        positions=states_after(journal, facts),
        intents=(intent(ENTRY),),
        fills=(fill(6),),
        pairs=(PairRecord(symbol="BTCUSDT", baseline_base=Decimal(1), baseline_quote=Decimal(2)),),
        reply=StoredReply(key="k", body_digest="d", reply=b"{}", at=NOON),
        latch=True,
    )


def test_a_commit_that_fails_at_any_statement_leaves_nothing_and_may_be_repeated(
    tmp_path: Path, open_journal: Open
) -> None:
    counted = tried = 0
    while tried <= counted:
        journal = open_journal(tmp_path / f"{tried}.db")
        write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
        before = list(journal._file.connection.iterdump())
        disk = failing(journal)
        commit = everything(journal)
        disk.arm(tried or None)
        if tried == 0:
            journal.commit(commit)
            counted = disk.statements
            tried += 1
            continue
        with pytest.raises(JournalUnwritable, match="disk I/O error"):
            journal.commit(commit)
        disk.arm(None)
        assert list(disk.inner.iterdump()) == before, tried
        assert [row.seq for row in journal.ratchet((ratchet(ONE, 1),))] == [5]
        assert [row.seq for row in journal.commit(everything(journal))] == [6, 7, 8, 9, 10]
        tried += 1
    assert counted > 10


def test_a_ratchet_that_fails_at_any_statement_leaves_nothing(tmp_path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    disk = failing(journal)
    journal.ratchet((ratchet(ONE, 1),))
    step = 2
    disk.arm(None)
    journal.ratchet((ratchet(ONE, step),))
    for number in range(1, disk.statements + 1):
        disk.arm(number)
        with pytest.raises(JournalUnwritable, match="disk I/O error"):
            journal.ratchet((ratchet(ONE, step + 1),))
        disk.arm(None)
        step += 1
        assert [row.seq for row in journal.ratchet((ratchet(ONE, step),))] == [4 + step]
    assert step > 5


def test_a_rollback_that_fails_too_bars_no_later_write(open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    disk = failing(journal)
    disk.arm(6)
    disk.rollbacks_fail = 1
    with pytest.raises(JournalUnwritable, match="disk I/O error"):
        journal.commit(everything(journal))
    disk.arm(None)
    assert [row.seq for row in journal.ratchet((ratchet(ONE, 1),))] == [5]
    assert [row.seq for row in journal.events()] == [1, 2, 3, 4, 5]


def test_a_disk_that_cannot_be_read_says_so(open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE))
    failing(journal).arm(1)
    with pytest.raises(JournalUnusable, match=r"robson\.db could not be read: disk I/O error"):
        journal.has_fill("BTCUSDT", 1)
    assert not journal.has_fill("BTCUSDT", 1)


def test_a_log_that_was_cut_anywhere_gives_whole_commits_and_goes_on(tmp_path: Path, open_journal: Open) -> None:
    journal = open_journal(tmp_path / "whole.db")
    ends = {journal.recover().last_seq}
    for facts in ((armed(ONE),), entry_facts(ONE), (filled(ONE),), (armed(TWO),), exit_facts(ONE)):
        ends.add(write(journal, *facts)[-1].seq)
    log = tmp_path / "whole.db-wal"
    size = log.stat().st_size
    found = set()
    for cut in [*range(size, 0, -1717), size - 1, size - 4096, 32, 31, 1, 0]:
        torn = tmp_path / "torn.db"
        shutil.copyfile(tmp_path / "whole.db", torn)
        shutil.copyfile(log, tmp_path / "torn.db-wal")
        with (tmp_path / "torn.db-wal").open("r+b") as file:
            file.truncate(cut)
        reopened = open_journal(torn)
        last = reopened.recover().last_seq
        assert last in ends, (cut, last)
        assert [row.seq for row in reopened.events()] == list(range(1, last + 1))
        found.add(last)
        expected = life(ONE)[0]
        if last == 0:
            write(reopened, expected)
        reopened.close()
    assert found == ends


def test_rubbish_in_the_log_is_cut_off(tmp_path: Path, open_journal: Open) -> None:
    journal = open_journal(tmp_path / "whole.db")
    write(journal, armed(ONE))
    write(journal, armed(TWO))
    torn = tmp_path / "torn.db"
    shutil.copyfile(tmp_path / "whole.db", torn)
    octets = bytearray((tmp_path / "whole.db-wal").read_bytes())
    octets[-2000] ^= 0xFF
    (tmp_path / "torn.db-wal").write_bytes(octets)
    reopened = open_journal(torn)
    assert [row.position_id for row in reopened.events()] == [ONE]
    assert [row.seq for row in write(reopened, armed(TWO))] == [2]
