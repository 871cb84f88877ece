"""A process that is killed while it archives leaves every event in exactly one place: a file, or the journal."""

import gzip
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from robson.store import SqliteJournal

Open = Callable[..., SqliteJournal]
CHECKOUT = Path(__file__).parents[3]
ROUNDS = 12
ROWS = 10

# Writes and archives for ever; prints the seq of the last event that it was told was written.
WRITER = f"""
import sys
from pathlib import Path
from robson.domain.events import Notice
from robson.ports.journal import Commit
from robson.store import SqliteJournal, archive
from tests.contract.journal.lives import NOON
from tests.contract.journal.shelves import FixedClock

archive.ARCHIVE_ROWS = {ROWS}
journal = SqliteJournal.open(
    Path(sys.argv[1]), mode="paper", clock=FixedClock(), machine_id="this-machine", version="0.1.0"
)
some = Commit(notices=(Notice(type="feed_stale", at=NOON),) * 7)
while True:
    print(journal.commit(some)[-1].seq, flush=True)
    archiving = journal.archive_oldest(3)
    if archiving is not None:
        archiving.finish()
"""


def test_a_killed_archiver_loses_and_doubles_nothing(path: Path, open_journal: Open) -> None:
    reported = 0
    for number in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
        ) as child:
            assert child.stdout is not None
            for _ in range(3 + number):
                reported = int(child.stdout.readline())
            child.kill()
            rest = child.stdout.read().split("\n")
            reported = max([reported, *(int(line) for line in rest[:-1])])
    with closing(sqlite3.connect(path)) as connection:
        runs = connection.execute(
            "SELECT first_seq, last_seq, file, sha256 FROM archives ORDER BY first_seq"
        ).fetchall()
    moved: list[int] = []
    for first, last, name, digest in runs:
        packed = (path.parent / "archive" / name).read_bytes()
        assert sha256(packed).hexdigest() == digest
        found = [json.loads(line)["seq"] for line in gzip.decompress(packed).splitlines()]
        assert found == list(range(first, last + 1))
        moved += found
    journal = open_journal(path)
    kept = [row.seq for row in journal.events(limit=10**6)]
    assert [*moved, *kept] == list(range(1, kept[-1] + 1))
    assert kept[-1] >= reported
    assert len(runs) >= ROUNDS
    # At most one more file than the journal knows of: the one that was on disk when the last process died.
    files = {file.name for file in (path.parent / "archive").iterdir()} - {name for _, _, name, _ in runs}
    assert len([name for name in files if not name.endswith(".part")]) <= 1
