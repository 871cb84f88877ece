"""The positions table: one readable row a position, made from its state and never read back into one."""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from robson.domain.codec import to_wire
from robson.domain.position import Active, Armed, Closed, Entering, Error, Exiting, ExitProgress, Position
from robson.domain.sequence import Recorded
from robson.domain.values import plain
from robson.store.rows import Row, json_text, time_text
from robson.store.sequence import UNPROTECTED
from robson.store.sequence import unprotected_seconds as told_seconds

COLUMNS = (
    "position_id",
    "symbol",
    "side",
    "state",
    "strategy",
    "capital",
    "risk_percent",
    "params",
    "quantity",
    "entry_price",
    "technical_stop",
    "stop_distance",
    "trailing_stop",
    "extreme",
    "exit_price",
    "exit_reason",
    "realized_pnl",
    "fees",
    "fees_by_asset",
    "interest",
    "net_pnl",
    "dust",
    "detail",
    "armed_at",
    "entered_at",
    "closed_at",
    "last_seq",
)
SELECT_POSITION = f"SELECT {', '.join(COLUMNS)} FROM positions WHERE position_id = ?"
UPSERT_POSITION = (
    f"INSERT INTO positions ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (position_id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
)
_SELECT_UNPROTECTED = "SELECT unprotected_seconds FROM positions WHERE position_id = ?"
_UPDATE_UNPROTECTED = "UPDATE positions SET unprotected_seconds = ? WHERE position_id = ?"
# An exit that begins, or tries anew, touches nothing else.
UPDATE_STATE = (
    "UPDATE positions SET state = ?, exit_price = ?, exit_reason = ?, detail = ?, last_seq = ? WHERE position_id = ?"
)
# A ratchet touches nothing else.
UPDATE_TRAIL = "UPDATE positions SET trailing_stop = ?, extreme = ?, last_seq = ? WHERE position_id = ?"


def position_row(position: Position, last_seq: int) -> Row:
    """The row of a position whose latest event is `last_seq`."""
    state = position.state
    signal, entry, trail, progress = position.signal, position.entry, position.trail, position.exit
    result = state.result if isinstance(state, Closed) else None
    exit_price = result.exit_price if result else progress.average if progress else None
    return (
        position.position_id,
        position.symbol,
        position.side.value,
        position.state_name,
        position.strategy,
        plain(position.capital),
        plain(position.risk_percent),
        json_text(position.params),
        _money(entry.quantity if entry else signal.quantity if signal else None),
        _money(entry.fill_price if entry else None),
        _money(signal.technical_stop if signal else None),
        _money(signal.stop_distance if signal else None),
        _money(trail.stop if trail else None),
        _money(trail.extreme if trail else None),
        _money(exit_price),
        _exit_reason(position),
        _money(result.realized_pnl if result else None),
        _money(result.fees if result else None),
        json_text(to_wire(position.fees_by_asset)),
        _money(result.interest if result else None),
        _money(result.net_pnl if result else None),
        _money(result.dust if result else None),
        _detail(position),
        time_text(position.armed_at),
        time_text(entry.filled_at) if entry else None,
        time_text(state.closed_at) if isinstance(state, Closed) else None,
        last_seq,
    )


def state_row(before: Position, after: Position, last_seq: int) -> Row | None:
    """The parameters of UPDATE_STATE; None where the row is written whole. `before` is what the row shows."""
    old, new = before.state, after.state
    if not isinstance(new, Exiting) or not isinstance(old, (Active, Exiting)):
        return None
    if new.entry is not old.entry or new.signal is not old.signal or new.trail is not old.trail:
        return None
    progress = new.exit
    out = old.reduction if isinstance(old, Active) else old.exit
    if progress.fees_by_asset != out.fees_by_asset:
        return None
    return (
        "Exiting",
        _money(progress.average),
        progress.trigger.reason.value,
        _attempt(progress),
        last_seq,
        after.position_id,
    )


def trail_row(position: Position, last_seq: int) -> Row:
    """The parameters of UPDATE_TRAIL."""
    assert position.trail is not None, position.position_id
    return plain(position.trail.stop), plain(position.trail.extreme), last_seq, position.position_id


def add_unprotected(connection: sqlite3.Connection, notices: Iterable[Recorded]) -> None:
    """Add to each position the unprotected time that its notices tell."""
    for row in notices:
        if row.type == UNPROTECTED and row.position_id is not None:
            total = unprotected_seconds(connection, row.position_id) + told_seconds(row)
            connection.execute(_UPDATE_UNPROTECTED, (plain(total), row.position_id))


def unprotected_seconds(connection: sqlite3.Connection, position_id: str) -> Decimal:
    """The unprotected time of a position (s), 0 of an unknown one."""
    row = connection.execute(_SELECT_UNPROTECTED, (position_id,)).fetchone()
    return Decimal(row[0]) if row else Decimal(0)


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _exit_reason(position: Position) -> str | None:
    state = position.state
    if isinstance(state, Closed):
        return state.reason.value
    if isinstance(state, Entering):
        return state.trigger.reason.value if state.trigger else None
    return position.exit.trigger.reason.value if position.exit else None


def _detail(position: Position) -> str | None:
    match position.state:
        case Armed(rejection=rejection) if rejection is not None:
            stage = f"{rejection.stage}, {rejection.code}"
            return f"signal {rejection.signal_id} was rejected ({stage}): {rejection.message}"
        case Error(code=code, message=message):
            return f"{code}: {message}"
        case Exiting(exit=progress):
            return _attempt(progress)
        case Armed() | Entering() | Active() | Closed():
            return None
        case _ as never:
            assert_never(never)


def _attempt(progress: ExitProgress) -> str | None:
    return f"exit attempt {progress.attempt}" if progress.orders else None
