"""The oldest events in compressed files beside the journal: written and on disk before their rows go."""

import gzip
import os
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from robson.domain.errors import StorageError
from robson.domain.values import Value
from robson.store import rows

# So many events are moved at a time, never fewer: a file has so many lines, and the daemon stands still for no longer.
ARCHIVE_ROWS = 1000
# Higher levels hold the daemon longer for a tenth less.
_LEVEL = 3
DIRECTORY = "archive"

_json = msgspec.json.Encoder()

_RANGE = "SELECT seq, at, position_id, type, data FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq"
# Events of a position that is open, or whose last state is not stored, are needed to fold it.
_NEEDED = """SELECT 1 FROM events AS e WHERE seq BETWEEN ? AND ? AND position_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM positions JOIN snapshots USING (position_id)
    WHERE position_id = e.position_id AND state = 'Closed') LIMIT 1"""
_OWNERS = "SELECT DISTINCT position_id FROM events WHERE seq BETWEEN ? AND ? AND position_id IS NOT NULL"
_INSERT = "INSERT INTO archives (first_seq, last_seq, file, sha256, at) VALUES (?, ?, ?, ?, ?)"


class Archived(Value):
    """A run of events that is in a file: the first and the last seq, the file's name and its SHA-256."""

    first_seq: int
    last_seq: int
    file: str
    sha256: str


def oldest_seq(connection: sqlite3.Connection) -> int:
    """The first seq that is in the journal, 1 before the first event."""
    (seq,) = connection.execute("SELECT min(seq) FROM events").fetchone()
    return seq or 1


def copy_oldest(connection: sqlite3.Connection, directory: Path, *, last_seq: int, keep: int) -> Archived | None:
    """Write the oldest ARCHIVE_ROWS events to a file, and return once it is on disk.

    None when at least `keep` events would not stay, or when an open position needs one of them. A file that a crash
    left is taken as it is. Raises StorageError.
    """
    first = oldest_seq(connection)
    last = first + ARCHIVE_ROWS - 1
    if last > last_seq - keep or connection.execute(_NEEDED, (first, last)).fetchone() is not None:
        return None
    lines = b"".join(_line(row) for row in connection.execute(_RANGE, (first, last)))
    packed = gzip.compress(lines, compresslevel=_LEVEL, mtime=0)
    target = directory / f"events-{first:012}-{last:012}.jsonl.gz"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        if not _holds(target, lines):
            _set_aside(target)
            _write(target, packed)
        digest = sha256(target.read_bytes()).hexdigest()
    except OSError as error:
        raise StorageError(
            f"events {first} to {last} could not be archived in {directory}: {error.strerror}"
        ) from error
    return Archived(first_seq=first, last_seq=last, file=target.name, sha256=digest)


def owners(connection: sqlite3.Connection, archived: Archived) -> Sequence[str]:
    """The positions whose events a run has."""
    return [owner for (owner,) in connection.execute(_OWNERS, (archived.first_seq, archived.last_seq))]


def drop(connection: sqlite3.Connection, archived: Archived, at: str) -> None:
    """Take the rows of a run that is on disk out of the journal; to be called inside a transaction."""
    assert oldest_seq(connection) == archived.first_seq, archived
    connection.execute("DELETE FROM events WHERE seq BETWEEN ? AND ?", (archived.first_seq, archived.last_seq))
    connection.execute(_INSERT, (archived.first_seq, archived.last_seq, archived.file, archived.sha256, at))


class _Line(Value):
    """An event line with its data as they are stored."""

    event: str
    seq: int
    at: datetime
    position_id: str | None
    data: msgspec.Raw


def _line(row: rows.Row) -> bytes:
    """One row as `events` sends it, ended by a line feed."""
    seq, at, position_id, kind, data = row
    line = _Line(event=kind, seq=seq, at=rows.read_time(at), position_id=position_id, data=msgspec.Raw(data.encode()))
    return _json.encode(line) + b"\n"


def _holds(target: Path, lines: bytes) -> bool:
    try:
        return gzip.decompress(target.read_bytes()) == lines
    except (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error):
        return False


def _set_aside(target: Path) -> None:
    """Keep a file of this name that says something else: another history, from before a backup was restored."""
    number = 1
    while target.exists():
        other = target.with_name(f"{target.name}.other-{number}")
        if not other.exists():
            target.rename(other)
        number += 1


def _write(target: Path, packed: bytes) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
