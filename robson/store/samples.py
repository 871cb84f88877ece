"""The rows of price samples: a settled one for each position, and a few that its run has added since."""

import sqlite3
import zlib
from collections.abc import Iterable, Sequence

import msgspec

from robson.domain.samples import SAMPLES_MAX, Sample, Strip, joined
from robson.domain.values import PositionId
from robson.ports.journal import PriceRow
from robson.store.rows import Row

# A settled row has this number; those of a run are higher, in the order in which they were begun.
SETTLED = 0
# Each restart begins a row of its own; so many are settled together.
ROWS_MAX = 16
# A position whose events have gone to the archive keeps a picture, not its detail.
ARCHIVED_SAMPLES = 150
_LEVEL = 6

_SELECT = "SELECT number, width_ms, samples FROM price_samples WHERE position_id = ? ORDER BY number"
_COUNT = "SELECT count(*), max(width_ms) FROM price_samples WHERE position_id = ? AND number < ?"
_UPSERT = (
    "INSERT INTO price_samples (position_id, number, width_ms, samples) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (position_id, number) DO UPDATE SET width_ms = excluded.width_ms, samples = excluded.samples"
)
_DROP = "DELETE FROM price_samples WHERE position_id = ? AND number BETWEEN ? AND ?"

_json = msgspec.json.Encoder()
_samples = msgspec.json.Decoder(tuple[Sample, ...])


def keep(connection: sqlite3.Connection, rows: Sequence[PriceRow]) -> None:
    """Write the rows of several positions, each replacing the row of its number; to be called inside a transaction."""
    for row in rows:
        position_id = row.position_id
        if row.final:
            _settle(connection, position_id, (row.strip,), before=None)
            continue
        count, width = connection.execute(_COUNT, (position_id, row.number)).fetchone()
        if count and (count > ROWS_MAX or width < row.strip.width_ms):
            _settle(connection, position_id, (), before=row.number, width_ms=row.strip.width_ms)
        connection.execute(_UPSERT, (position_id, row.number, row.strip.width_ms, _json.encode(row.strip.samples)))


def read(connection: sqlite3.Connection, position_id: str) -> Strip:
    """Everything that is kept of one position's prices; an empty strip where there is nothing."""
    return joined([*map(_strip, connection.execute(_SELECT, (position_id,)))])


def thin(connection: sqlite3.Connection, position_ids: Iterable[str]) -> None:
    """Keep only the picture of positions that are over; to be called inside a transaction."""
    for position_id in position_ids:
        _settle(connection, PositionId(position_id), (), before=None, most=ARCHIVED_SAMPLES)


def _settle(
    connection: sqlite3.Connection,
    position_id: PositionId,
    newest: Sequence[Strip],
    *,
    before: int | None,
    width_ms: int = 0,
    most: int = SAMPLES_MAX,
) -> None:
    """Make one row of all that have a lower number than `before`, or of all, and of what is `newest`."""
    rows = [row for row in connection.execute(_SELECT, (position_id,)) if before is None or row[0] < before]
    strips = [*map(_strip, rows), *newest]
    if not any(strip.samples for strip in strips):
        return
    settled = joined([*strips, Strip(width_ms)] if width_ms else strips, most)
    connection.execute(_DROP, (position_id, SETTLED, rows[-1][0] if rows else SETTLED))
    packed = zlib.compress(_json.encode(settled.samples), _LEVEL)
    connection.execute(_UPSERT, (position_id, SETTLED, settled.width_ms, packed))


def _strip(row: Row) -> Strip:
    _, width_ms, stored = row
    try:
        # What is not compressed is a list in JSON.
        return Strip(width_ms, _samples.decode(stored if stored.startswith(b"[") else zlib.decompress(stored)))
    except (zlib.error, msgspec.DecodeError):
        # Nothing depends on a picture: what is damaged is a gap in it, and must not keep events out of the archive.
        return Strip(width_ms)
