"""The rows of one decision, written inside its transaction."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from robson.domain.codec import encode
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import PositionId
from robson.ports.journal import Commit, Fill
from robson.store import projection, rows, sequence

PANIC = "panic"
PAUSE = "pause"

UPSERT_SNAPSHOT = (
    "INSERT INTO snapshots (position_id, seq, position) VALUES (?, ?, ?) "
    "ON CONFLICT (position_id) DO UPDATE SET seq = excluded.seq, position = excluded.position"
)
_UPSERT_LATCH = (
    "INSERT INTO latches (name, latched, changed_at) VALUES (?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE SET latched = excluded.latched, changed_at = excluded.changed_at"
)


def write_positions(
    connection: sqlite3.Connection,
    changed: dict[PositionId, Position],
    latest: dict[PositionId, int],
    shown: Callable[[PositionId], Position | None],
) -> None:
    """Make the rows of the positions table show what has changed; `shown` gives what each shows now, if known."""
    states, wholes, snapshots = [], [], []
    for position_id, seq in latest.items():
        position = changed[position_id]
        before = shown(position_id)
        if before is not None and (state := projection.state_row(before, position, seq)) is not None:
            states.append(state)
            continue
        wholes.append(projection.position_row(position, seq))
        if not position.is_open:
            snapshots.append((position_id, seq, encode(position).decode()))
    # A statement that has nothing to do would be looked up and bound all the same.
    if states and connection.executemany(projection.UPDATE_STATE, states).rowcount != len(states):
        # Somebody took rows out by hand: an exit must not fail for want of them.
        wholes += [projection.position_row(changed[position_id], seq) for *_, seq, position_id in states]
    if wholes:
        connection.executemany(projection.UPSERT_POSITION, wholes)
    if snapshots:
        connection.executemany(UPSERT_SNAPSHOT, snapshots)


def write_rest(
    connection: sqlite3.Connection, commit: Commit, notices: Sequence[Recorded], now: Callable[[], datetime]
) -> None:
    """Write what a commit holds beside facts and positions; raises JournalUnwritable for another fill of one id."""
    if notices:
        projection.add_unprotected(connection, notices)
    if commit.intents:
        connection.executemany(rows.UPSERT_INTENT, map(rows.intent_row, commit.intents))
    for fill in commit.fills:
        _insert_fill(connection, fill)
    if commit.pairs:
        connection.executemany(rows.UPSERT_PAIR, map(rows.pair_row, commit.pairs))
    if commit.reply is not None:
        connection.execute(rows.INSERT_REPLY, rows.reply_row(commit.reply))
    for name, latched in ((PANIC, commit.latch), (PAUSE, commit.pause)):
        if latched is not None:
            connection.execute(_UPSERT_LATCH, (name, int(latched), rows.time_text(now())))


def _insert_fill(connection: sqlite3.Connection, fill: Fill) -> None:
    if connection.execute(rows.INSERT_FILL, rows.fill_row(fill)).rowcount:
        return
    query = f"{rows.SELECT_FILL} WHERE symbol = ? AND trade_id = ? AND order_side = ?"
    stored = connection.execute(query, (fill.symbol, fill.trade.trade_id, fill.order_side.value)).fetchone()
    sequence.refuse_other_fill(rows.read_fill(stored), fill)
