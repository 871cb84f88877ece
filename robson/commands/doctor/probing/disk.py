"""Readings of the state directory, its disk and the journal; the one thing written is a file that never had a name."""

import os
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

from sqlite_utils import Database

from robson.commands.doctor.judging.disk import Place
from robson.commands.doctor.judging.journal import JournalState
from robson.store.migrations import APPLICATION_ID, known_names, migrations

FSYNC_TIMES = 7
QUICK_CHECK_SECONDS = 3.0
_FSYNC_SECONDS = 5.0
# SQLite asks so often (in its own steps) whether to go on.
_STEPS = 10_000


def read_place(state: Path) -> Place:
    """What lies at the state directory's place."""
    try:
        found = state.stat()
    except NotADirectoryError:
        return Place(path=str(state), is_there=False, is_directory=False, is_writable=False)
    except OSError:
        parent = next(path for path in state.absolute().parents if path.exists())
        may_make = parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)
        return Place(path=str(state), is_there=False, is_directory=False, is_writable=may_make)
    return Place(
        path=str(state),
        is_there=True,
        is_directory=stat.S_ISDIR(found.st_mode),
        is_writable=os.access(state, os.R_OK | os.W_OK | os.X_OK),
        mode=stat.S_IMODE(found.st_mode),
        is_ours=found.st_uid == os.geteuid(),
    )


def nearest(path: Path) -> Path:
    """The path itself, or the nearest directory above it that is there."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def read_room(state: Path) -> int:
    """Free bytes for whoever is not root."""
    found = os.statvfs(nearest(state))
    return found.f_bavail * found.f_frsize


def read_filesystem(state: Path, mounts: str | None = None) -> str | None:
    """The kind of file system, from the kernel's list of mounts; None when that cannot be read."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
        except OSError:
            return None
    place = str(nearest(state).resolve())
    best, kind = "", None
    for line in mounts.splitlines():
        mounted, _, source = line.partition(" - ")
        fields = mounted.split(" ")
        if len(fields) < 5 or not source:  # noqa: PLR2004  the fifth is where it is mounted
            continue
        point = fields[4].encode().decode("unicode_escape")
        covers = place == point or place.startswith(point.rstrip("/") + "/")
        # Of two at one place the later one covers the earlier.
        if covers and len(point) >= len(best):
            best, kind = point, source.split(" ")[0]
    return kind


def measure_fsync(state: Path) -> Sequence[float]:
    """How long each of a few small durable writes took (s); empty where nothing can be written."""
    took: list[float] = []
    with suppress(OSError):
        descriptor = os.open(state, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            began = perf_counter()
            while len(took) < FSYNC_TIMES and perf_counter() - began < _FSYNC_SECONDS:
                start = perf_counter()
                os.pwrite(descriptor, b"robson" * 512, len(took) * 4096)
                os.fsync(descriptor)
                took.append(perf_counter() - start)
        finally:
            os.close(descriptor)
    return took


def read_journal(path: Path, *, is_held: bool) -> tuple[JournalState, Sequence[str]]:
    """The journal as it is, and the pairs of its open positions; `is_held` says that a daemon has it open."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return JournalState(path=str(path), is_there=False), ()
    except OSError as error:
        return JournalState(path=str(path), fault=f"{path} could not be read: {error.strerror}"), ()
    if size == 0:
        return JournalState(path=str(path), is_there=False), ()
    log = path.with_name(path.name + "-wal")
    # Where no log is, none of SQLite's other files should appear beside the journal because somebody looked.
    is_whole = not is_held and not (log.exists() and log.stat().st_size > 0)
    location = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if is_whole else ''}"
    try:
        with closing(sqlite3.connect(location, uri=True, isolation_level=None, timeout=0.2)) as connection:
            return _state(path, connection, size)
    except sqlite3.Error as error:
        return JournalState(path=str(path), fault=f"{path} could not be read: {error}"), ()


def _state(path: Path, connection: sqlite3.Connection, size: int) -> tuple[JournalState, Sequence[str]]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        return JournalState(path=str(path), fault=f"{path} is no journal of Robson's"), ()
    utils = Database(connection, recursive_triggers=False, execute_plugins=False)
    applied = {migration.name for migration in migrations.applied(utils)}
    known = set(known_names())
    damage = _quick_check(connection)
    mode = connection.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone()
    (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
    opened = connection.execute("SELECT position_id, symbol FROM positions WHERE closed_at IS NULL ORDER BY rowid")
    positions = opened.fetchall()
    state = JournalState(
        path=str(path),
        damage=damage,
        schema="newer" if applied - known else "behind" if known - applied else "present",
        steps=len(applied),
        mode=mode[0] if mode else "",
        events=events,
        open_positions=tuple(position_id for position_id, _ in positions),
        megabytes=size / 1_000_000,
    )
    return state, tuple(dict.fromkeys(symbol for _, symbol in positions))


def _quick_check(connection: sqlite3.Connection) -> Sequence[str] | None:
    """What it found; None when it was not finished in its time."""
    until = perf_counter() + QUICK_CHECK_SECONDS
    connection.set_progress_handler(lambda: int(perf_counter() > until), _STEPS)
    try:
        return [fault for (fault,) in connection.execute("PRAGMA quick_check(5)") if fault != "ok"]
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return None
        raise
    finally:
        connection.set_progress_handler(None, 0)
