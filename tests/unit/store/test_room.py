"""Room in the log, made before it is needed: commits do not make it grow, and nothing else is different."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from robson.domain.events import Notice
from robson.domain.values import PositionId
from robson.ports.journal import Commit
from robson.store import SqliteJournal, database, log
from robson.store.backup import back_up
from tests.contract.journal.lives import NOON, ONE, TWO, armed, entry_facts, filled, ratchet, write

Open = Callable[..., SqliteJournal]
LATER = PositionId("later")
CHECKOUT = Path(__file__).parents[3]
BULKY = Commit(notices=(Notice(type="feed_stale", at=NOON, data={"text": "x" * 20_000}),) * 10)

# Writes, makes room while a write is in the log alone, writes again, and dies with the log as it is.
VICTIM = """
import os, signal, sys
from pathlib import Path
from robson.store import SqliteJournal, log
from tests.contract.journal.lives import ONE, TWO, armed, write
from tests.contract.journal.shelves import FixedClock

journal = SqliteJournal.open(Path(sys.argv[1]), mode="paper", clock=FixedClock(), machine_id="m", version="0")
write(journal, armed(ONE))
if sys.argv[2] == "within":
    # The first bytes are written, the last ones never.
    whole, log._ZEROS = os.pwrite, bytes(5_000)
    os.pwrite = lambda *rest: os.kill(os.getpid(), signal.SIGKILL) if whole(*rest) else 0
journal.make_room()
write(journal, armed(TWO))
os.kill(os.getpid(), signal.SIGKILL)
"""


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def length(path: Path) -> int:
    return log_of(path).stat().st_size


def full(journal: SqliteJournal) -> None:
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))


def test_a_commit_finds_room(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    full(journal)
    before = log_of(path).read_bytes()
    journal.make_room()
    after = log_of(path).read_bytes()
    assert after == before + bytes(database.LOG_BYTES_MAX - len(before))
    blocks = log_of(path).stat().st_blocks
    for step in range(1, 20):
        journal.ratchet((ratchet(ONE, step),))
    write(journal, armed(TWO))
    assert length(path) == database.LOG_BYTES_MAX
    assert log_of(path).stat().st_blocks == blocks, "the room was only promised"
    beside = open_journal(read_only=True)
    assert [row.seq for row in beside.events()] == list(range(1, 25))
    assert beside.positions() == journal.positions()


def test_a_copy_beside_it_and_a_backup_hold_everything(path: Path, open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal()
    full(journal)
    journal.make_room()
    write(journal, armed(TWO))
    contents = back_up(path, tmp_path / "backup.db")
    assert (contents.events, len(contents.open_positions)) == (5, 2)
    assert contents.size < database.LOG_BYTES_MAX
    copy = tmp_path / "copy.db"
    shutil.copyfile(path, copy)
    shutil.copyfile(log_of(path), log_of(copy))
    copied = open_journal(copy)
    assert copied.recover().positions == journal.recover().positions
    assert [row.seq for row in write(copied, ratchet(ONE, 1))] == [6]


@pytest.mark.parametrize(("where", "arrived"), [("within", [ONE]), ("after", [ONE, TWO])])
def test_whoever_is_killed_leaves_a_log_that_is_read_to_its_end(
    path: Path, open_journal: Open, where: str, arrived: list[str]
) -> None:
    done = subprocess.run([sys.executable, "-c", VICTIM, str(path), where], cwd=CHECKOUT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert length(path) > 5_000
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (len(arrived),)
    journal = open_journal()
    assert [position.position_id for position in journal.recover().positions] == arrived
    journal.make_room()
    assert [row.seq for row in write(journal, armed(LATER))] == [len(arrived) + 1]


def test_a_disk_that_fills_meanwhile_leaves_a_journal_that_works(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    full(journal)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        journal.make_room()
        assert length(path) == 500_000
        write(journal, armed(TWO))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(open_journal(read_only=True).events()) == 5


def test_a_disk_with_little_room_is_left_alone(path: Path, open_journal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.statvfs(path.parent)
    monkeypatch.setattr(log, "SPARE", found.f_bavail * found.f_frsize)
    journal = open_journal()
    before = length(path)
    journal.make_room()
    assert length(path) == before


def test_a_longer_log_stays_as_it_is(path: Path, open_journal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOG_BYTES_MAX", 50_000)
    journal = open_journal()
    journal.commit(BULKY)
    before = log_of(path).read_bytes()
    assert len(before) > 50_000
    journal.make_room()
    assert log_of(path).read_bytes() == before


def test_whoever_only_reads_makes_none(path: Path, open_journal: Open) -> None:
    full(open_journal())
    before = length(path)
    open_journal(read_only=True).make_room()
    assert length(path) == before


def test_while_another_writes_none_is_made(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    before = length(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.make_room()
        other.execute("ROLLBACK")
    assert length(path) == before
    assert [row.seq for row in write(journal, armed(ONE))] == [1]


def test_another_log_in_its_place_is_not_touched(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    log_of(path).rename(path.with_name("away"))
    log_of(path).write_bytes(b"somebody else's")
    journal.make_room()
    assert log_of(path).read_bytes() == b"somebody else's"
    assert path.with_name("away").stat().st_size < database.LOG_BYTES_MAX


def test_others_are_kept_out_as_before(path: Path, open_journal: Open) -> None:
    """Closing a descriptor of the wrong file would drop every lock of SQLite's."""
    journal = open_journal()
    journal.make_room()
    with journal._file.write(durable=True):
        tried = [sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('BEGIN IMMEDIATE')"]
        told = subprocess.run([*tried, str(path)], capture_output=True, text=True, check=False)
        assert "database is locked" in told.stderr
    ended = [sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM meta')"]
    subprocess.run([*ended, str(path)], check=True)
    assert log_of(path).exists(), "whoever closes it last takes the log along: the daemon was not seen"


def test_the_log_is_copied_once_its_room_is_used_up(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    journal.make_room()
    file = path.stat().st_size
    assert journal.upkeep() is None
    assert path.stat().st_size == file, "nothing had to be copied yet"
    while length(path) <= database.LOG_BYTES_MAX:
        journal.commit(BULKY)
    assert journal.upkeep() is None
    assert path.stat().st_size > 3_000_000
    journal.commit(BULKY)
    assert length(path) == database.LOG_BYTES_MAX
