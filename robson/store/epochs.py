"""Who has opened the journal for writing, and for which mode it is."""

import os
import socket
import sqlite3
from dataclasses import dataclass

from robson.domain.errors import JournalUnusable
from robson.ports.clock import Clock
from robson.store.database import JournalFile
from robson.store.rows import time_text

MODES = ("paper", "live")

_LAST = "SELECT (SELECT max(seq) FROM events), (SELECT max(epoch) FROM epochs)"


def refuse_other_mode(file: JournalFile, mode: str) -> None:
    """Raise JournalUnusable when the journal was made in another mode; an empty file has none yet."""
    with file.read() as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()
        row = connection.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone() if tables[0] else None
    if row is not None and row[0] != mode:
        raise JournalUnusable(
            f"the journal {file.path} was made in mode {row[0]}; a run in mode {mode} needs another state directory"
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opens the journal, for which mode."""

    mode: str
    clock: Clock
    machine_id: str
    version: str


def begin(file: JournalFile, opening: Opening, *, after: tuple[int, int] | None = None) -> int:
    """Bring the schema up to date and append this opening; gives its number.

    Raises JournalUnusable when `after` is not the last seq and epoch: somebody has written since they were read.
    """
    now, place = time_text(opening.clock.now()), str(file.path.resolve())
    with file.write(durable=True) as connection:
        file.migrate()
        if after is not None and last(connection) != after:
            raise JournalUnusable(
                f"the journal {file.path} was written by {opener(connection)} since it was read; start the daemon again"
            )
        connection.executemany(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [("mode", opening.mode), ("created_at", now)],
        )
        epoch = last(connection)[1] + 1
        connection.execute(
            "INSERT INTO epochs (epoch, started_at, pid, host, machine_id, version, place) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (epoch, now, os.getpid(), socket.gethostname(), opening.machine_id, opening.version, place),
        )
    return epoch


def last(connection: sqlite3.Connection) -> tuple[int, int]:
    """The last seq and the newest epoch, 0 where there is none."""
    seq, epoch = connection.execute(_LAST).fetchone()
    return seq or 0, epoch or 0


def opener(connection: sqlite3.Connection) -> str:
    """The process of the newest epoch, for people."""
    query = "SELECT pid, host, started_at FROM epochs ORDER BY epoch DESC LIMIT 1"
    pid, host, started_at = connection.execute(query).fetchone()
    return f"pid {pid} on {host} at {started_at}"
