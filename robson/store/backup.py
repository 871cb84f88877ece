"""Copies of the journal: taken while it is written to, and put back in its place."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from robson.domain.errors import JournalUnusable, StorageError
from robson.domain.values import Value
from robson.ports.clock import Clock
from robson.store.database import JournalFile
from robson.store.folding import Folding
from robson.store.lock import StateLock
from robson.store.rows import read_time

JOURNAL_NAME = "robson.db"
_LOGS = ("-wal", "-shm", "-journal")
_FAULTS_TOLD = 3


class OpenPosition(Value):
    """A position that a journal has in its care; quantities and prices as it shows them."""

    position_id: str
    symbol: str
    side: str
    state: str
    quantity: str | None


class Contents(Value):
    """What a copy holds; `size` in bytes, `newest_at` of its last event (UTC)."""

    mode: str
    events: int
    last_seq: int
    oldest_seq: int
    newest_at: datetime | None
    size: int
    open_positions: tuple[OpenPosition, ...] = ()


class Restored(Value):
    """What was put in place, and where the journal that was there is kept; None where there was none."""

    contents: Contents
    kept: Path | None


def back_up(journal: Path, target: Path, *, overwrite: bool = False) -> Contents:
    """Copy a journal to `target` (mode 0600), whole and checked, or not at all; a daemon may write to it meanwhile.

    Raises StorageError: JournalUnusable for what cannot be read as a journal.
    """
    if target.is_dir():
        raise StorageError(f"{target} is a directory; the copy needs a file's name")
    if _is_part_of(target, journal):
        raise StorageError(f"{target} is the journal itself, or a part of it")
    if not overwrite and _exists(target):
        raise StorageError(f"{target} is there already")
    source = JournalFile.open_for_reading(journal, any_age=True)
    with closing(source.connection), _copied(source, target.parent) as copy:
        contents = _check(copy, journal)
        _put(copy, target)
    return contents


def put_back(backup: Path, state: Path, *, mode: str | None, clock: Clock) -> Restored:
    """Make a copy the journal of a state directory, which no daemon may hold; the present journal is kept beside it.

    `mode` is the one the operator expects; without it the backup must be of the present journal's. Raises StorageError:
    JournalHeld naming the daemon, JournalUnusable for a copy that is damaged, foreign or of a newer schema.
    """
    journal = state / JOURNAL_NAME
    with StateLock.take(state, clock=clock):
        if _is_part_of(backup, journal):
            raise StorageError(f"{backup} is the present journal, or a part of it")
        source = JournalFile.open_for_reading(backup, any_age=True)
        with closing(source.connection), _copied(source, state) as copy:
            contents = _check(copy, backup)
            _refuse_other_mode(contents.mode, mode or _mode_of(journal), backup)
            kept = _keep(journal, clock.now()) if _exists(journal) else None
            _put(copy, journal)
    return Restored(contents=contents, kept=kept)


@contextmanager
def _copied(source: JournalFile, directory: Path) -> Iterator[Path]:
    """A copy in a temporary file of the directory, in one piece without a log; gone after the block unless renamed."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".robson-", suffix=".part", dir=directory)
    except OSError as error:
        raise StorageError(f"a file could not be made in {directory}: {error.strerror}") from error
    os.close(descriptor)
    copy = Path(name)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            # In one step: a step that comes after somebody's write would have to begin anew.
            source.connection.backup(connection, pages=-1)
            connection.execute("PRAGMA journal_mode = DELETE")
        yield copy
    except sqlite3.Error as error:
        raise StorageError(f"{source.path} could not be copied to {directory}: {error}") from error
    except OSError as error:
        raise StorageError(f"{source.path} could not be copied to {directory}: {error.strerror}") from error
    finally:
        for leftover in (copy, *(Path(f"{copy}{log}") for log in _LOGS)):
            with suppress(OSError):
                leftover.unlink()


def _check(copy: Path, origin: Path) -> Contents:
    """What a copy holds; raises JournalUnusable when SQLite finds it damaged."""
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            faults = [fault for (fault,) in connection.execute("PRAGMA integrity_check") if fault != "ok"]
            faults += [
                f"row {row} of {table} points to nothing in {parent}"
                for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check")
            ]
            faults = faults or _faults_of_events(connection)
            if faults:
                told = "; ".join(faults[:_FAULTS_TOLD])
                raise JournalUnusable(f"the journal {origin} was damaged ({len(faults)} faults): {told}")
            return _contents(connection, copy.stat().st_size)
    except sqlite3.Error as error:
        raise JournalUnusable(f"the journal {origin} was damaged: {error}") from error


def _faults_of_events(connection: sqlite3.Connection) -> list[str]:
    """What SQLite does not know: a sequence with gaps, or an open position that its events do not make."""
    events, oldest, last = connection.execute("SELECT count(*), min(seq), max(seq) FROM events").fetchone()
    faults = [] if not events or last - oldest + 1 == events else [f"{last - oldest + 1 - events} events were missing"]
    folding = Folding(connection)
    for (position_id,) in connection.execute("SELECT position_id FROM positions WHERE closed_at IS NULL").fetchall():
        try:
            _, position = folding.fold(position_id)
        except JournalUnusable as error:
            faults.append(str(error))
        else:
            faults += [f"position {position_id} had no events"] if position is None else []
    return faults


def _contents(connection: sqlite3.Connection, size: int) -> Contents:
    events, last_seq, oldest = connection.execute("SELECT count(*), max(seq), min(seq) FROM events").fetchone()
    newest = connection.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    mode = connection.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone()
    positions = connection.execute(
        "SELECT position_id, symbol, side, state, quantity FROM positions WHERE closed_at IS NULL ORDER BY rowid"
    )
    return Contents(
        mode=mode[0] if mode else "",
        events=events,
        last_seq=last_seq or 0,
        oldest_seq=oldest or 1,
        newest_at=read_time(newest[0]) if newest else None,
        size=size,
        open_positions=tuple(
            OpenPosition(position_id=row[0], symbol=row[1], side=row[2], state=row[3], quantity=row[4])
            for row in positions
        ),
    )


def _mode_of(journal: Path) -> str | None:
    """The mode of the present journal, None where there is none or it cannot be read any more."""
    try:
        file = JournalFile.open_for_reading(journal, any_age=True)
    except JournalUnusable:
        return None
    with closing(file.connection), suppress(sqlite3.Error):
        row = file.connection.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone()
        return str(row[0]) if row else None
    return None


def _refuse_other_mode(found: str, wanted: str | None, backup: Path) -> None:
    if wanted is not None and found != wanted:
        raise StorageError(f"the journal {backup} was made in mode {found}, wanted was {wanted}")


def _keep(journal: Path, now: datetime) -> Path:
    """Give the present journal a second name, so that at no moment there is none; its log goes along."""
    _fold_in_log(journal)
    base = f"{JOURNAL_NAME}.before-restore-{now:%Y%m%dT%H%M%SZ}"
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, 1000))
    kept = next(path for name in names if not _exists(path := journal.with_name(name)))
    try:
        kept.hardlink_to(journal)
    except OSError:
        # A file system without links: between this and the copy's arrival a crash leaves the kept one alone.
        journal.rename(kept)
    for log in _LOGS:
        with suppress(FileNotFoundError):
            Path(f"{journal}{log}").rename(f"{kept}{log}")
    return kept


def _fold_in_log(journal: Path) -> None:
    """Move what is only in the log into the file; what is damaged is kept as it is."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _put(copy: Path, target: Path) -> None:
    """Rename a whole copy to its name, durably."""
    _sync(copy, os.O_RDONLY)
    copy.replace(target)
    _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_part_of(path: Path, journal: Path) -> bool:
    parts: Sequence[Path] = (journal, *(Path(f"{journal}{log}") for log in _LOGS))
    return any(path.absolute() == part.absolute() or (_exists(path) and _same(path, part)) for part in parts)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _exists(path: Path) -> bool:
    """Whether there is something by this name, be it a link to nothing."""
    return os.path.lexists(path)
