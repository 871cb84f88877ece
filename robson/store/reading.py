"""What is asked of the journal's file without writing to it."""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.position import Position
from robson.domain.samples import Strip
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import PositionId
from robson.ports.journal import Delivery, Fill, Intent, JournalSize
from robson.store import archive, backups, deliveries, epochs, projection, rows, samples
from robson.store.database import JournalFile
from robson.store.folding import Folding

_EVENTS = "SELECT seq, at, position_id, type, data FROM events WHERE seq >= ? ORDER BY seq LIMIT ?"
_EVENTS_OF_ONE = (
    "SELECT seq, at, position_id, type, data FROM events WHERE position_id = ? AND seq >= ? ORDER BY seq LIMIT ?"
)
SELECT_OPEN = "SELECT position_id FROM positions WHERE closed_at IS NULL ORDER BY rowid"
_COUNTS = (
    "SELECT (SELECT count(*) FROM positions), (SELECT count(*) FROM positions WHERE closed_at IS NULL), "
    "(SELECT count(*) FROM intents), "
    "(SELECT count(*) FROM intents WHERE status IN ('pending', 'sent', 'in_doubt')), "
    "(SELECT count(*) FROM fills), (SELECT count(*) FROM replies), (SELECT count(*) FROM archives)"
)
_ALL = "SELECT position_id FROM positions ORDER BY rowid"


class Reading:
    """The reading half of the Journal port; what cannot be read raises JournalUnusable."""

    def __init__(self, file: JournalFile) -> None:
        self._take(file)

    def _take(self, file: JournalFile) -> None:
        self._file, self._folding = file, Folding(file.connection)

    def oldest_seq(self) -> int:
        """The first seq that is not in the archive, 1 before the first event."""
        with self._file.read() as connection:
            return archive.oldest_seq(connection)

    def measure(self) -> JournalSize:
        """How much the journal holds; events are counted by their numbers, which have no gaps."""
        with self._file.read() as connection:
            last_seq, _ = epochs.last(connection)
            oldest_seq = archive.oldest_seq(connection)
            positions, open_positions, orders, open_orders, fills, replies, archives = connection.execute(
                _COUNTS
            ).fetchone()
        return JournalSize(
            events=last_seq - oldest_seq + 1,
            oldest_seq=oldest_seq,
            last_seq=last_seq,
            positions=positions,
            open_positions=open_positions,
            orders=orders,
            open_orders=open_orders,
            fills=fills,
            replies=replies,
            archives=archives,
            size=self._file.size,
            place=str(self._file.path),
            last_backup=backups.last_backup(self._file.path),
        )

    def events(
        self, *, from_seq: int = 1, limit: int = 1000, position_id: PositionId | None = None
    ) -> Sequence[Recorded]:
        """Committed rows with seq >= from_seq, ascending, at most `limit`."""
        assert limit >= 0, limit
        with self._file.read() as connection:
            if position_id is None:
                found = connection.execute(_EVENTS, (from_seq, limit))
            else:
                found = connection.execute(_EVENTS_OF_ONE, (position_id, from_seq, limit))
            return [rows.read_recorded(row) for row in found]

    def positions(self, *, closed: bool = False) -> Sequence[Position]:
        """The positions as last committed, in the order of arming; with `closed` all of them, otherwise the open."""
        with self._file.read() as connection:
            ids = connection.execute(_ALL if closed else SELECT_OPEN).fetchall()
            folded = (self._folding.fold(position_id)[1] for (position_id,) in ids)
            return [position for position in folded if position is not None and (closed or position.is_open)]

    def position_ids(self) -> Sequence[PositionId]:
        """Every position, open or closed, in the order of arming."""
        with self._file.read() as connection:
            return [PositionId(position_id) for (position_id,) in connection.execute(_ALL)]

    def position(self, position_id: str) -> Position | None:
        """One position as last committed, open or closed."""
        with self._file.read():
            return self._folding.fold(position_id)[1]

    def unprotected_seconds(self, position_id: PositionId) -> Decimal:
        """The sum over the position's `unprotected` notices."""
        with self._file.read() as connection:
            return projection.unprotected_seconds(connection, position_id)

    def intents(self, position_id: PositionId) -> Sequence[Intent]:
        """Every intent of a position, oldest first."""
        with self._file.read() as connection:
            found = connection.execute(f"{rows.SELECT_INTENT} WHERE position_id = ? ORDER BY number", (position_id,))
            return [rows.read_intent(row) for row in found]

    def fills(self, position_id: PositionId) -> Sequence[Fill]:
        """Every execution of a position, oldest first."""
        with self._file.read() as connection:
            found = connection.execute(
                f"{rows.SELECT_FILL} WHERE position_id = ? ORDER BY at, trade_id", (position_id,)
            )
            return [rows.read_fill(row) for row in found]

    def samples(self, position_id: PositionId) -> Strip:
        """The prices that were kept of one position; an empty strip where there are none."""
        with self._file.read() as connection:
            return samples.read(connection, position_id)

    def has_fill(self, symbol: str, trade_id: int) -> bool:
        """Whether an execution with the venue's trade id is kept."""
        with self._file.read() as connection:
            found = connection.execute(
                "SELECT 1 FROM fills WHERE symbol = ? AND trade_id = ? LIMIT 1", (symbol, trade_id)
            )
            return found.fetchone() is not None

    def deliveries(self) -> dict[str, Delivery]:
        """How far each channel of notifications has come."""
        with self._file.read() as connection:
            return deliveries.read(connection)

    def stored_reply(self, key: str) -> StoredReply | None:
        """The reply kept under an idempotency key."""
        with self._file.read() as connection:
            row = connection.execute(rows.SELECT_REPLY, (key,)).fetchone()
            return rows.read_reply(row) if row else None
