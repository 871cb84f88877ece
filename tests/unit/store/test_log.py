"""The write-ahead log stays short, whoever reads; one that cannot is told of."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from robson.domain.events import Notice
from robson.ports.journal import Commit
from robson.store import SqliteJournal, database
from tests.contract.journal.lives import NOON

Open = Callable[..., SqliteJournal]
BULKY = Commit(notices=(Notice(type="feed_stale", at=NOON, data={"text": "x" * 20_000}),) * 10)


def log_of(path: Path) -> int:
    return path.with_name("robson.db-wal").stat().st_size


def test_the_log_does_not_grow_while_subscribers_read(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    beside = open_journal(read_only=True)
    sizes = []
    read = 0
    for number in range(120):
        read += len(journal.commit(BULKY))
        assert len(journal.events(from_seq=read - 4, limit=256)) == 5
        assert len(beside.events(from_seq=read - 4, limit=256)) == 5
        if number % 10 == 9:
            assert journal.upkeep() is None
            sizes.append(log_of(path))
    assert path.stat().st_size > 20_000_000
    assert max(sizes) < 10_000_000, sizes


def test_without_upkeep_a_burst_is_copied_within_a_commit(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    for _ in range(200):
        journal.commit(BULKY)
    assert log_of(path) < 20_000_000


def test_a_reader_that_does_not_end_is_told_of(path: Path, open_journal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOG_BYTES_TOLD", 6_000_000)
    journal = open_journal()
    journal.commit(BULKY)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        for _ in range(40):
            journal.commit(BULKY)
        remark = journal.upkeep()
        assert remark is not None
        assert "in a transaction that does not end" in remark
    journal.upkeep()
    journal.commit(BULKY)
    assert journal.upkeep() is None
    assert log_of(path) <= database.LOG_BYTES_MAX
