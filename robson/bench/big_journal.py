"""A journal as years leave it: many closed lives, and open positions whose events lie scattered between them.

Closed lives are copies of one, so that a million events take seconds to write.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from robson.bench.lives import entered, event_row, left, open_journal, ratchets
from robson.domain.codec import encode
from robson.domain.events import Fact
from robson.domain.position import Position
from robson.domain.values import PositionId
from robson.engine.evolve import fold
from robson.store import projection, rows

# Of a closed life.
_MODEL = PositionId("closed-0000000")


def build(path: Path, *, events: int, open_positions: int, life_events: int) -> None:
    """Make a journal of so many events, of which each open position has `life_events`, evenly spread."""
    open_journal(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous = OFF", "cache_size = -200000", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        last = _scatter(connection, events, open_positions, life_events)
        closed = _model(connection)
        _fill(connection, events)
        _close_lives(connection, closed)
        for position_id, seq in last.items():
            position = fold(open_life(position_id, life_events))
            connection.execute(projection.UPSERT_POSITION, projection.position_row(position, seq))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def open_life(position_id: PositionId, length: int) -> Iterator[Fact]:
    """So many facts: armed, entered, and then a stop that moves for ever."""
    whole = (*entered(position_id), *ratchets(position_id, max(0, length - 4)))
    yield from whole[:length]


def expected(number: int, length: int) -> Position:
    """The position that `length` events of an open life make, folded one by one."""
    return fold(open_life(_open(number), length))


def _open(number: int) -> PositionId:
    return PositionId(f"open-{number:04}")


def _scatter(
    connection: sqlite3.Connection, events: int, open_positions: int, life_events: int
) -> dict[PositionId, int]:
    """Put the open positions' events in their places; the last seq of each."""
    connection.execute("CREATE TEMP TABLE scattered (seq INTEGER PRIMARY KEY, at, position_id, type, data)")
    spacing = events / (open_positions * life_events)
    lives = [list(open_life(_open(number), life_events)) for number in range(open_positions)]
    last: dict[PositionId, int] = {}
    for step in range(life_events):
        for number, life in enumerate(lives):
            seq = int((step * open_positions + number) * spacing) + 1
            connection.execute("INSERT INTO scattered VALUES (?, ?, ?, ?, ?)", event_row(life[step], seq))
            last[_open(number)] = seq
    return last


def _model(connection: sqlite3.Connection) -> Position:
    connection.execute("CREATE TEMP TABLE model (step INTEGER PRIMARY KEY, at, type, data)")
    life = (*entered(_MODEL), *left(_MODEL))
    for step, one in enumerate(life):
        _, at, _, kind, data = event_row(one, 0)
        connection.execute("INSERT INTO model VALUES (?, ?, ?, ?)", (step, at, kind, data))
    return fold(life)


def _fill(connection: sqlite3.Connection, events: int) -> None:
    """All events in one walk, in their order: each that is no open position's is the next of the closed lives."""
    life = connection.execute("SELECT count(*) FROM model").fetchone()[0]
    taken = connection.execute("SELECT seq, at, position_id, type, data FROM scattered ORDER BY seq").fetchall()
    model = connection.execute("SELECT at, type, data FROM model ORDER BY step").fetchall()

    def every() -> Iterator[rows.Row]:
        rest, scattered = 0, iter(taken)
        due = next(scattered, None)
        for seq in range(1, events + 1):
            if due is not None and due[0] == seq:
                yield due
                due = next(scattered, None)
            else:
                at, kind, data = model[rest % life]
                yield seq, at, f"closed-{rest // life:07}", kind, data
                rest += 1

    connection.executemany(rows.INSERT_EVENT, every())


def _close_lives(connection: sqlite3.Connection, closed: Position) -> None:
    """The rows and last states of the closed lives; the last one may have been cut off by the end."""
    query = (
        "SELECT position_id, max(seq) FROM events WHERE position_id LIKE 'closed-%' "
        "GROUP BY position_id HAVING count(*) = (SELECT count(*) FROM model)"
    )
    row = projection.position_row(closed, 0)
    state = encode(closed).decode()
    lives = connection.execute(query).fetchall()
    connection.executemany(projection.UPSERT_POSITION, ((name, *row[1:-1], seq) for name, seq in lives))
    connection.executemany(
        "INSERT INTO snapshots (position_id, seq, position) VALUES (?, ?, ?)",
        ((name, seq, state.replace(_MODEL, name)) for name, seq in lives),
    )
