"""Positions made from the journal's rows, and remembered while they are open."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress

import msgspec

from robson.domain.codec import decode
from robson.domain.errors import JournalUnusable, JournalUnwritable
from robson.domain.events import PositionArmed
from robson.domain.position import Position
from robson.domain.values import PositionId
from robson.store import projection, sequence

Folded = tuple[int, Position | None]
"""The seq of a position's last event, and the position as it is after it."""

_LIFE = "SELECT seq, at, type, data FROM events WHERE position_id = ? AND seq > ? ORDER BY seq"
_FIRST = "SELECT type FROM events WHERE position_id = ? ORDER BY seq LIMIT 1"
_SNAPSHOT = "SELECT seq, position FROM snapshots WHERE position_id = ?"


class Folding:
    """What one connection's rows make of each position.

    Open positions are kept as folded so far: events are immutable, so what is kept never ages.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept: dict[str, tuple[int, Position]] = {}
        # Whose row in the positions table is known to be what is kept makes.
        self._shown: set[str] = set()

    def current(self, position_id: PositionId) -> Position | None:
        """The position as the one writer knows it; what is kept is always up to date."""
        known = self._kept.get(position_id)
        return known[1] if known else self.fold(position_id)[1]

    def shown(self, position_id: PositionId) -> Position | None:
        """The position that its row in the table shows; None where the row has yet to be written whole."""
        return self._kept[position_id][1] if position_id in self._shown else None

    def fold(self, position_id: str) -> Folded:
        """What is known of a position already, and the events since."""
        seq, base = self._kept.get(position_id) or self._snapshot(position_id)
        life = self._connection.execute(_LIFE, (position_id, seq))
        position, last = sequence.fold_rows(PositionId(position_id), life, base=base)
        seq = max(seq, last)
        if position is None or not position.is_open:
            self._forget(position_id)
        else:
            self._kept[position_id] = (seq, position)
        return seq, position

    def remember(self, changed: dict[PositionId, Position], latest: dict[PositionId, int], *, whole: bool) -> None:
        """Take over what a transaction has written; `whole` when the rows in the table show all of it for certain."""
        for position_id, position in changed.items():
            if position.is_open:
                self._kept[position_id] = (latest[position_id], position)
                if whole:
                    self._shown.add(position_id)
            else:
                self._forget(position_id)

    def wrong_rows(self, folded: Sequence[Folded]) -> list[tuple[object, ...]]:
        """The rows of the positions table that differ from what the events make, as they should be."""
        wrong = []
        for seq, position in folded:
            if position is not None:
                row = projection.position_row(position, seq)
                if self._connection.execute(projection.SELECT_POSITION, (position.position_id,)).fetchone() != row:
                    wrong.append(row)
                elif position.is_open:
                    self._shown.add(position.position_id)
        return wrong

    def _forget(self, position_id: str) -> None:
        self._kept.pop(position_id, None)
        self._shown.discard(position_id)

    def _snapshot(self, position_id: str) -> Folded:
        row = self._connection.execute(_SNAPSHOT, (position_id,)).fetchone()
        if row is None:
            return 0, None
        try:
            return row[0], decode(row[1], Position)
        except msgspec.DecodeError:
            pass
        # Written by a version with another shape; the events tell the same where they are still here.
        first = self._connection.execute(_FIRST, (position_id,)).fetchone()
        if first is None or first[0] != PositionArmed.__struct_config__.tag:
            raise JournalUnusable(
                f"position {position_id} was stored by another version of Robson, and its events are in the archive"
            )
        return 0, None


def correct_table(
    wrong: Sequence[tuple[object, ...]], transaction: AbstractContextManager[tuple[sqlite3.Connection, int]]
) -> None:
    """Write what the positions table should show; a disk that refuses keeps nobody from his positions."""
    with suppress(JournalUnwritable), transaction as (connection, _):
        connection.executemany(projection.UPSERT_POSITION, wrong)
