"""A journal as years leave it: many closed lives, and open positions whose events lie scattered between them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import count
from pathlib import Path

from robson.domain.codec import encode
from robson.domain.events import Fact, TrailingStopUpdated, event_data, event_type
from robson.domain.position import Position
from robson.domain.values import PositionId
from robson.engine.evolve import evolve, fold
from robson.store import SqliteJournal, projection, rows
from tests.contract.journal.lives import armed, entry_facts, fact, filled, life
from tests.contract.journal.shelves import FixedClock

_SNAPSHOT = "INSERT INTO snapshots (position_id, seq, position) VALUES (?, ?, ?)"


def open_journal(path: Path) -> SqliteJournal:
    """The journal as the daemon opens it."""
    return SqliteJournal.open(path, mode="paper", clock=FixedClock(), machine_id="bench", version="0")


def build(path: Path, *, events: int, open_positions: int, life_events: int) -> None:
    """Make a journal of so many events, of which each open position has `life_events`, evenly spread."""
    open_journal(path).close()
    lives = {PositionId(f"open-{number:04}"): _long_life(number, life_events) for number in range(open_positions)}
    others = _closed_lives()
    spacing = events / (open_positions * life_events)
    owners = (position_id for _ in range(life_events) for position_id in lives)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        states: dict[PositionId, Position] = {}
        seq, due = 0, 0.0
        closing_life: list[Fact] = []
        while seq < events:
            if seq >= due and (owner := next(owners, None)) is not None:
                due += spacing
                one = next(lives[owner])
            else:
                closing_life = closing_life or list(next(others))
                one = closing_life.pop(0)
            seq += 1
            states[one.position_id] = state = evolve(states.get(one.position_id), one)
            row = (seq, rows.time_text(one.at), one.position_id, event_type(one.event))
            connection.execute(rows.INSERT_EVENT, (*row, rows.json_text(event_data(one.event))))
            if not state.is_open:
                connection.execute(projection.UPSERT_POSITION, projection.position_row(state, seq))
                connection.execute(_SNAPSHOT, (one.position_id, seq, encode(state).decode()))
                del states[one.position_id]
        for position_id, state in states.items():
            last = connection.execute("SELECT max(seq) FROM events WHERE position_id = ?", (position_id,)).fetchone()
            connection.execute(projection.UPSERT_POSITION, projection.position_row(state, last[0]))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _closed_lives() -> Iterator[tuple[Fact, ...]]:
    for number in count():
        yield life(PositionId(f"closed-{number:07}"))


def _long_life(number: int, length: int) -> Iterator[Fact]:
    """Armed, entered, and then a stop that moves for ever."""
    position_id = PositionId(f"open-{number:04}")
    yield armed(position_id)
    yield from entry_facts(position_id)
    yield filled(position_id)
    stop = Decimal(93600)
    for step in range(1, length):
        moved = stop + Decimal("0.01")
        event = TrailingStopUpdated(
            previous_stop=stop, trailing_stop=moved, extreme=moved + 1500, trade_id=1000 + 7 * step
        )
        stop = moved
        yield fact(position_id, event, 2 + step)


def expected(number: int, length: int) -> Position:
    """The position that `length` events of an open life make, folded one by one."""
    return fold(one for one, _ in zip(_long_life(number, length), range(length), strict=False))
