"""How the journal grows with the archive on: `python -m tests.bench.growth [EVENTS] [KEEP_EVENTS]`.

Whole lives are written as the daemon writes them, while a subscriber in another process's place follows. Ends with 1
when events were lost or doubled, or when the file grew by more than its closed positions explain.
"""

import sys
import tempfile
import time
from contextlib import closing
from itertools import count
from pathlib import Path

from robson.bench.lives import open_journal
from robson.domain.values import PositionId
from robson.store import SqliteJournal
from tests.contract.journal.lives import armed, entry_facts, exit_facts, filled, ratchet, write
from tests.contract.journal.shelves import FixedClock

RATCHETS = 92
UPKEEP_EVERY = 10
# What stays of a closed position: its row, its last state, and their places in the indexes.
BYTES_OF_POSITION = 8192


def live(journal: SqliteJournal, position_id: PositionId) -> None:
    """One life of a hundred events."""
    write(journal, armed(position_id))
    write(journal, *entry_facts(position_id))
    write(journal, filled(position_id))
    for step in range(1, RATCHETS + 1):
        journal.ratchet((ratchet(position_id, step, trade_id=1000 + step),))
    write(journal, *exit_facts(position_id))


def main(events: int, keep: int) -> int:
    """Live until so many events were written; print the sizes on the way."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "robson.db"
        began, told, seen, lives, sizes = time.monotonic(), 0, 0, 0, []
        with closing(open_journal(path)) as journal:
            follower = SqliteJournal.open(
                path, mode="paper", clock=FixedClock(), machine_id="bench", version="0", read_only=True
            )
            for number in count(1):
                live(journal, PositionId(f"{number:032}"))
                lives += 1
                rows = follower.events(from_seq=seen + 1, limit=1_000_000)
                if [row.seq for row in rows] != list(range(seen + 1, seen + 1 + len(rows))):
                    print(f"the subscriber lost events after {seen}")
                    return 1
                seen += len(rows)
                if number % UPKEEP_EVERY == 0:
                    journal.upkeep()
                while (archiving := journal.archive_oldest(keep)) is not None:
                    archiving.finish()
                if seen * 10 // events > told:
                    told = seen * 10 // events
                    sizes.append(size_of(path))
                    kept = seen - journal.oldest_seq() + 1
                    print(
                        f"{seen:9,} events, {kept:6,} kept, journal {sizes[-1] / 1e6:6.1f} MB, "
                        f"archive {archive_size(path) / 1e6:6.1f} MB, {time.monotonic() - began:4.0f} s"
                    )
                if seen >= events:
                    break
            follower.close()
    grown = sizes[-1] - sizes[0]
    print(f"grown by {grown / 1e6:.1f} MB since the first line, for {lives * 9 // 10:,} closed positions")
    return 1 if grown > lives * BYTES_OF_POSITION else 0


def size_of(path: Path) -> int:
    """The journal and its log (bytes)."""
    return path.stat().st_size + path.with_name(f"{path.name}-wal").stat().st_size


def archive_size(path: Path) -> int:
    """All files of the archive (bytes)."""
    return sum(file.stat().st_size for file in (path.parent / "archive").glob("*.gz"))


if __name__ == "__main__":
    sys.exit(
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
    )
