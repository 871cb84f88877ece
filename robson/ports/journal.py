"""What the daemon asks of its durable memory."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from robson.domain.account import Trade
from robson.domain.actions import PlaceOrder
from robson.domain.events import Fact, Notice
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.samples import Strip
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import ZERO, ClientOrderId, OrderSide, PositionId, Role, Value


class Intent(Value):
    """An order in the journal: the queue from which the executor works.

    `status` is pending, sent, in_doubt, filled, partly_filled, rejected or absent. `timestamp_ms` and
    `receive_window_ms` are those of the signed request, None before it was marked sent.
    """

    order: PlaceOrder
    status: str
    epoch: int
    created_at: datetime
    timestamp_ms: int | None = None
    receive_window_ms: int | None = None
    venue_order_id: str | None = None
    executed: Decimal = ZERO
    detail: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the executor still has to do something about it."""
        return self.status in {"pending", "sent", "in_doubt"}


class Fill(Value):
    """One execution as it is kept: the venue's trade with the order and position it belongs to."""

    position_id: PositionId
    client_order_id: ClientOrderId
    symbol: str
    order_side: OrderSide
    role: Role
    trade: Trade


class PairRecord(Value):
    """What the journal remembers of a pair: what it held before Robson's first position there, and the dust since.

    `surplus_base` is what shorts have bought beyond their own debt while others were there: it has repaid theirs.
    `carried_base` and `carried_quote` are principal that no live position borrowed and that nothing was free to repay:
    a neighbour's loss, or the first hour's interest of a loan without its order. The last one out repays it.
    `handed_base` and `handed_quote` are principal that is the trader's own: released, or borrowed by hand; nobody here
    repays it. Trades up to `judged_trade_id` are accounted for, ours or not.
    """

    symbol: str
    baseline_base: Decimal
    baseline_quote: Decimal
    dust_base: Decimal = ZERO
    surplus_base: Decimal = ZERO
    carried_base: Decimal = ZERO
    carried_quote: Decimal = ZERO
    handed_base: Decimal = ZERO
    handed_quote: Decimal = ZERO
    judged_trade_id: int = 0


class Delivery(Value):
    """How far a channel of notifications has come.

    Everything before `next_seq` was delivered singly, given up, or is for a digest; digests have covered what is before
    `digest_from`, the last one at `digest_at`. `pinned` ("digest" or "late", empty for none) names a summary under way
    and `pinned_to` its last seq, so that after a crash the very same one is sent again.
    """

    channel: str
    next_seq: int
    digest_from: int
    digest_at: datetime
    pinned: str = ""
    pinned_to: int = 0


class Twin(Value):
    """Another place at which this journal was opened; two daemons on two copies would look after the same positions.

    `in_use` is whether a daemon holds it now, None where that cannot be known: on another machine.
    """

    place: str
    in_use: bool | None
    told: str
    host: str = ""


class Archiving(Protocol):
    """Events that are in a file already, and still in the journal."""

    @property
    def told(self) -> dict[str, str | int]:
        """What goes into the log: the file, first_seq and last_seq."""

    def finish(self) -> None:
        """Take them out of the journal; raises JournalUnwritable. Before it nothing has happened to them."""


class Commit(Value):
    """Everything that one decision writes, in one durable transaction.

    `positions` are the states after the facts (for the projection people read); `intents` are inserted or replaced by
    client order id; `latch` sets or (False) releases the panic latch, `pause` the one that only holds entries back.
    """

    facts: tuple[Fact, ...] = ()
    notices: tuple[Notice, ...] = ()
    positions: tuple[Position, ...] = ()
    intents: tuple[Intent, ...] = ()
    fills: tuple[Fill, ...] = ()
    pairs: tuple[PairRecord, ...] = ()
    reply: StoredReply | None = None
    latch: bool | None = None
    pause: bool | None = None


class PriceRow(Value):
    """A part of one position's chart, replacing the part of the same `number`; numbers rise in the order of time.

    A part that is wider than those before it makes them as wide; the `final` one ends the chart.
    """

    position_id: PositionId
    number: int
    strip: Strip
    final: bool = False


class Recovery(Value):
    """What a journal holds when it is opened: the open positions folded from their events, and the open intents.

    `instruments` are the venue's filters as last kept, for a start while the venue does not tell them.
    """

    epoch: int
    positions: tuple[Position, ...]
    intents: tuple[Intent, ...]
    pairs: tuple[PairRecord, ...]
    latched: bool
    last_seq: int
    paused: bool = False
    instruments: tuple[Instrument, ...] = ()


class LastBackup(Value):
    """The newest whole copy that was made of this journal; `size` in bytes."""

    file: str
    at: datetime
    last_seq: int
    size: int


class JournalSize(Value):
    """How much the journal holds; `size` in bytes, with its log."""

    events: int
    oldest_seq: int
    last_seq: int
    positions: int
    open_positions: int
    orders: int
    open_orders: int
    fills: int
    replies: int
    archives: int
    size: int
    place: str = ""
    last_backup: LastBackup | None = None


class Journal(Protocol):
    """The durable memory; every method is synchronous and short (one thread, one writer).

    A failed write raises JournalUnwritable and leaves nothing half done.
    """

    def recover(self) -> Recovery:
        """Fold what is open; called once, after opening."""

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        """Write one decision durably (synchronous=FULL) and return its rows of the sequence."""

    def ratchet(self, facts: Sequence[Fact]) -> tuple[Recorded, ...]:
        """Write trailing_stop_updated facts cheaply: a crash may lose the last of them, never reorder them."""

    def keep_samples(self, rows_of_prices: Sequence[PriceRow]) -> None:
        """Write price samples as cheaply; a crash may lose the last of them, and nothing depends on any."""

    def upkeep(self) -> str | None:
        """Called every few seconds: raises JournalUnwritable where a commit would, without writing.

        Gives a remark for the operator, or None.
        """

    def twin(self) -> Twin | None:
        """Whether a copy of the journal is, or may be, in use elsewhere; raises JournalUnusable."""

    def oldest_seq(self) -> int:
        """The first seq that `events` can give, 1 before the first event."""

    def measure(self) -> JournalSize:
        """How much it holds."""

    def archive_oldest(self, keep: int) -> Archiving | None:
        """Copy the oldest events to a file, durably; None when there are too few beyond `keep`, or when one is needed.

        Raises StorageError, and leaves the journal as it was.
        """

    def reopen(self) -> None:
        """Open for writing what could only be read at start; raises JournalUnwritable. Otherwise nothing to do."""

    def events(
        self, *, from_seq: int = 1, limit: int = 1000, position_id: PositionId | None = None
    ) -> Sequence[Recorded]:
        """Committed rows with seq >= from_seq, ascending."""

    def positions(self, *, closed: bool = False) -> Sequence[Position]:
        """The positions as last committed; with `closed` all of them, otherwise those that are open."""

    def position_ids(self) -> Sequence[PositionId]:
        """Every position, open or closed, in the order of arming."""

    def position(self, position_id: str) -> Position | None:
        """One position as last committed, open or closed."""

    def unprotected_seconds(self, position_id: PositionId) -> Decimal:
        """The sum over the position's `unprotected` notices."""

    def intents(self, position_id: PositionId) -> Sequence[Intent]:
        """Every intent of a position, oldest first."""

    def fills(self, position_id: PositionId) -> Sequence[Fill]:
        """Every execution of a position, oldest first."""

    def samples(self, position_id: PositionId) -> Strip:
        """The prices that were kept of one position, in at most about SAMPLES_MAX samples."""

    def has_fill(self, symbol: str, trade_id: int) -> bool:
        """Whether an execution with the venue's trade id is kept."""

    def stored_reply(self, key: str) -> StoredReply | None:
        """The reply kept under an idempotency key."""

    def deliveries(self) -> dict[str, Delivery]:
        """How far each channel of notifications has come, by its name."""

    def note_delivery(self, delivery: Delivery) -> None:
        """Keep how far a channel has come, cheaply: a killed process loses nothing, a power cut the last of them."""

    def keep_instrument(self, instrument: Instrument) -> None:
        """Keep the venue's filters of a pair, cheaply; raises JournalUnwritable."""

    def close(self) -> None:
        """Checkpoint and close."""
