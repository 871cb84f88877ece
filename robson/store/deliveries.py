"""How far each channel of notifications has come in the sequence: one row a channel, written cheaply."""

import sqlite3

from robson.ports.journal import Delivery
from robson.store.rows import read_time, time_text

_SELECT = "SELECT channel, next_seq, digest_from, digest_at, pinned, pinned_to FROM deliveries ORDER BY channel"
_UPSERT = (
    "INSERT INTO deliveries (channel, next_seq, digest_from, digest_at, pinned, pinned_to) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (channel) DO UPDATE SET next_seq = excluded.next_seq, digest_from = excluded.digest_from, "
    "digest_at = excluded.digest_at, pinned = excluded.pinned, pinned_to = excluded.pinned_to"
)


def read(connection: sqlite3.Connection) -> dict[str, Delivery]:
    """Every channel's row by its name."""
    return {
        row[0]: Delivery(
            channel=row[0],
            next_seq=row[1],
            digest_from=row[2],
            digest_at=read_time(row[3]),
            pinned=row[4],
            pinned_to=row[5],
        )
        for row in connection.execute(_SELECT)
    }


def write(connection: sqlite3.Connection, row: Delivery) -> None:
    """Insert or replace one channel's row."""
    moment = time_text(row.digest_at)
    connection.execute(_UPSERT, (row.channel, row.next_seq, row.digest_from, moment, row.pinned, row.pinned_to))
