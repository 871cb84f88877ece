"""The oldest events move to files: whole runs, on disk before they go, and nothing that an open position needs."""

import gzip
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from robson.control.sequence import event_line
from robson.domain.errors import JournalUnusable, JournalUnwritable, StorageError
from robson.domain.events import Notice
from robson.domain.values import PositionId
from robson.engine.evolve import fold
from robson.ports.journal import Commit
from robson.store import SqliteJournal, archive
from tests.contract.journal.lives import NOON, ONE, TWO, armed, entry_facts, exit_facts, fill, filled, life, write

Open = Callable[..., SqliteJournal]
ROWS = 20
NOTHING = Notice(type="feed_stale", at=NOON, data={"symbol": "BTCUSDT"})
UNPROTECTED = Notice(type="unprotected", at=NOON, position_id=ONE, data={"seconds": "1.25", "causes": ["feed"]})


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ARCHIVE_ROWS", ROWS)


def pad(journal: SqliteJournal, rows: int) -> None:
    journal.commit(Commit(notices=(NOTHING,) * rows))


def archived(path: Path) -> list[dict[str, Any]]:
    """Every line of every file, in the order of the files' names."""
    files = sorted((path.parent / "archive").glob("*.jsonl.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def move(journal: SqliteJournal, keep: int = 0) -> int:
    """Move what may be moved; how many runs."""
    runs = 0
    while (archiving := journal.archive_oldest(keep)) is not None:
        archiving.finish()
        runs += 1
    return runs


def seqs(rows: Sequence[Any]) -> list[int]:
    return [row["seq"] if isinstance(row, dict) else row.seq for row in rows]


def test_whole_runs_move_and_the_rest_stays_without_a_gap(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, *life(ONE))
    pad(journal, 3 * ROWS)
    before = journal.events()
    assert journal.oldest_seq() == 1
    assert move(journal, keep=10) == 2
    last = before[-1].seq
    assert journal.oldest_seq() == 2 * ROWS + 1
    assert seqs(journal.events()) == list(range(2 * ROWS + 1, last + 1))
    size = journal.measure()
    assert (size.events, size.oldest_seq, size.archives) == (last - 2 * ROWS, 2 * ROWS + 1, 2)
    assert seqs(archived(path)) == list(range(1, 2 * ROWS + 1))
    for line, row in zip(archived(path), before, strict=False):
        assert (line["event"], line["position_id"], line["data"]) == (row.type, row.position_id, row.data)
        assert line["at"] == row.at.isoformat().replace("+00:00", "Z")
    files = sorted((path.parent / "archive").glob("*.jsonl.gz"))
    octets = b"".join(gzip.decompress(file.read_bytes()) for file in files)
    assert octets == b"".join(event_line(row) + b"\n" for row in before[: 2 * ROWS])
    pad(journal, 1)
    assert journal.events()[-1].seq == last + 1


def test_what_was_written_down_about_a_file_is_true(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    pad(journal, 2 * ROWS)
    assert move(journal) == 2
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT first_seq, last_seq, file, sha256 FROM archives ORDER BY 1").fetchall()
    assert [row[:3] for row in rows] == [
        (1, 20, "events-000000000001-000000000020.jsonl.gz"),
        (21, 40, "events-000000000021-000000000040.jsonl.gz"),
    ]
    for _, _, name, digest in rows:
        file = path.parent / "archive" / name
        assert sha256(file.read_bytes()).hexdigest() == digest
        assert file.stat().st_mode & 0o777 == 0o600
    assert (path.parent / "archive").stat().st_mode & 0o777 == 0o700


def test_too_few_events_stay(open_journal: Open) -> None:
    journal = open_journal()
    pad(journal, 2 * ROWS + 9)
    assert move(journal, keep=ROWS + 10) == 0
    pad(journal, 1)
    assert move(journal, keep=ROWS + 10) == 1


def test_what_an_open_position_needs_is_never_moved(open_journal: Open) -> None:
    journal = open_journal()
    pad(journal, ROWS + 5)
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    pad(journal, 5 * ROWS)
    assert move(journal) == 1
    assert journal.oldest_seq() == ROWS + 1
    assert journal.recover().positions == (fold((armed(ONE), *entry_facts(ONE), filled(ONE))),)
    write(journal, *exit_facts(ONE))
    assert move(journal) == 5


def test_closed_positions_stay_readable_and_keep_their_unprotected_time(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, *life(ONE))
    journal.commit(Commit(notices=(UNPROTECTED, UNPROTECTED), fills=(fill(7),)))
    pad(journal, ROWS)
    write(journal, armed(TWO))
    assert move(journal) == 1
    journal.close()
    journal = open_journal()
    assert journal.position(ONE) == fold(life(ONE))
    assert journal.positions(closed=True) == [fold(life(ONE)), fold([armed(TWO)])]
    assert journal.unprotected_seconds(ONE) == Decimal("2.5")
    assert journal.has_fill("BTCUSDT", 7)
    assert journal.events(position_id=ONE) == []
    assert journal.recover().positions == (fold([armed(TWO)]),)


def test_a_life_that_straddles_the_cut_stays_readable(open_journal: Open) -> None:
    journal = open_journal()
    pad(journal, ROWS - 5)
    write(journal, *life(ONE))
    pad(journal, 5)
    assert move(journal) == 1
    assert seqs(journal.events(position_id=ONE)) == [ROWS + 1, ROWS + 2, ROWS + 3]
    assert journal.position(ONE) == fold(life(ONE))


def test_a_crash_between_the_file_and_the_rows_leaves_neither_gap_nor_duplicate(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, *life(ONE))
    pad(journal, 2 * ROWS)
    last = journal.events()[-1].seq
    assert journal.archive_oldest(0) is not None
    journal.close()
    (file,) = (path.parent / "archive").iterdir()
    written = file.stat()
    journal = open_journal()
    assert journal.oldest_seq() == 1
    assert seqs(journal.events()) == list(range(1, last + 1))
    pad(journal, 3)
    assert move(journal) == 2
    again = file.stat()
    assert (again.st_ino, again.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert seqs([*archived(path), *journal.events()]) == list(range(1, last + 4))


@pytest.mark.parametrize("left", [b"", b"half", gzip.compress(b'{"seq":1}\n'), gzip.compress(b"x" * 9999)[:-20]])
def test_a_file_that_says_something_else_is_set_aside(path: Path, open_journal: Open, left: bytes) -> None:
    name = "events-000000000001-000000000020.jsonl.gz"
    directory = path.parent / "archive"
    directory.mkdir()
    (directory / name).write_bytes(left)
    (directory / f"{name}.part").write_bytes(b"cut off")
    journal = open_journal()
    pad(journal, ROWS)
    assert move(journal) == 1
    assert (directory / f"{name}.other-1").read_bytes() == left
    assert sorted(file.name for file in directory.iterdir()) == [name, f"{name}.other-1"]
    assert seqs(archived(path)) == list(range(1, ROWS + 1))


def test_a_directory_that_cannot_be_written_leaves_everything_as_it_was(path: Path, open_journal: Open) -> None:
    (path.parent / "archive").write_text("in the way")
    journal = open_journal()
    pad(journal, ROWS)
    with pytest.raises(StorageError, match="events 1 to 20 could not be archived in .*archive: "):
        journal.archive_oldest(0)
    assert journal.oldest_seq() == 1
    pad(journal, 1)


def test_rows_that_could_not_be_taken_out_stay(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    pad(journal, 2 * ROWS)
    archiving = journal.archive_oldest(0)
    assert archiving is not None
    path.rename(path.with_suffix(".away"))
    with pytest.raises(JournalUnwritable):
        archiving.finish()
    path.with_suffix(".away").rename(path)
    assert seqs(journal.events()) == list(range(1, 2 * ROWS + 1))
    assert move(journal) == 2


def test_a_state_that_is_not_understood_is_said_when_its_events_are_gone(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, *life(ONE))
    pad(journal, ROWS)
    assert move(journal) == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE snapshots SET position = '{}'")
    with pytest.raises(JournalUnusable, match="position one was stored by another version .* are in the archive"):
        journal.position(ONE)
    assert journal.position(PositionId("nobody")) is None


def test_the_file_does_not_grow_without_bound(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    bulky = Commit(notices=(Notice(type="feed_stale", at=NOON, data={"text": "x" * 2000}),) * ROWS)
    sizes = []
    for _ in range(8):
        for _ in range(50):
            journal.commit(bulky)
            move(journal, keep=200)
            journal.upkeep()
        sizes.append(path.stat().st_size + path.with_name("robson.db-wal").stat().st_size)
    assert journal.events()[-1].seq == 8 * 50 * ROWS
    assert len(journal.events()) == 200
    # 16 MB of events went through.
    assert max(sizes) < 6_000_000, sizes
