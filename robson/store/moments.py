"""The newest moment that a state directory's files know of."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from robson.store.rows import read_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The journal, and the accounts of paper venue and emulator, with what gives their newest moment: text or milliseconds.
_JOURNAL = (
    "SELECT at FROM events ORDER BY seq DESC LIMIT 1",
    "SELECT started_at FROM epochs ORDER BY epoch DESC LIMIT 1",
    "SELECT max(timestamp_ms) FROM intents",
)
_ACCOUNT = ("SELECT max(updated) FROM (SELECT max(at_ms) AS updated FROM trades UNION SELECT max(at_ms) FROM ledger)",)
_ACCOUNT_FILES = ("paper-account.db", "emulator.db")


def latest_moment(state: Path) -> datetime | None:
    """When the newest thing in a state directory happened (UTC); None where nothing has, or nothing can be read.

    A market that runs faster than real time leaves files that are ahead of the wall clock: the next run has to begin
    there, or orders, loans and events of two runs would share their moments.
    """
    accounts = (moment for name in _ACCOUNT_FILES for moment in _moments(state / name, _ACCOUNT))
    found = [*_moments(state / "robson.db", _JOURNAL), *accounts]
    return max(found, default=None)


def _moments(path: Path, queries: tuple[str, ...]) -> Iterator[datetime]:
    # What is wrong with a file is said by whoever opens it for work.
    with suppress(sqlite3.Error, ValueError), closing(_connect(path)) as connection:
        for query in queries:
            row = connection.execute(query).fetchone()
            if row is not None and row[0] is not None:
                yield read_time(row[0]) if isinstance(row[0], str) else _EPOCH + timedelta(milliseconds=row[0])


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
