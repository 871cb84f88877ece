"""Whether a copy of this journal is, or may be, in use somewhere else."""

import sqlite3
from pathlib import Path

from robson.ports.journal import Twin
from robson.store.lock import holder_of

_OTHERS = (
    "SELECT place, max(epoch) FROM epochs WHERE machine_id = ? AND place NOT IN ('', ?) GROUP BY place ORDER BY 2 DESC"
)
_BEFORE = "SELECT epoch, machine_id, host, place, started_at FROM epochs WHERE epoch < ? ORDER BY epoch DESC LIMIT 1"


def find_twin(connection: sqlite3.Connection, *, path: Path, epoch: int, machine_id: str) -> Twin | None:
    """Where else this journal was opened, and by whom it may still be written; None when it is nowhere else.

    On this machine the lock of the other place tells for certain. On another machine nothing can be asked: the first
    opening here is told of, and the next one no more. Raises sqlite3.Error.
    """
    before = connection.execute(_BEFORE, (epoch,)).fetchone()
    own = str(path.resolve())
    last_place = ""
    if before is not None:
        number, machine, host, last_place, started_at = before
        if machine and machine_id and machine != machine_id:
            return Twin(
                place=last_place,
                host=host,
                in_use=None,
                told=f"this journal was last opened on another machine, {host} (epoch {number}, {started_at}): only "
                "one of the two may run; if that one has stopped for good, start this daemon once more",
            )
    for place, _ in connection.execute(_OTHERS, (machine_id, own)).fetchall():
        if not _is_another(Path(place), path):
            continue
        holder = holder_of(Path(place).parent)
        if holder is not None:
            told = f"a copy of this journal, {place}, was held by {holder}: two daemons look after the same positions"
            return Twin(place=place, in_use=True, told=told)
        if place == last_place:
            told = f"this journal was copied from {place}, which is still there: a daemon on each would trade twice"
            return Twin(place=place, in_use=False, told=told)
    return None


def _is_another(place: Path, path: Path) -> bool:
    """Whether there is a file at the other place, and not this one under another name."""
    try:
        return not place.samefile(path)
    except OSError:
        return False
