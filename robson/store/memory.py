"""The journal's twin in memory: the same contract without a disk, for tests and simulations."""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.errors import JournalUnwritable
from robson.domain.events import EVENT_TYPES, Fact, TrailingStopUpdated, read_event
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.samples import Strip, joined
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import ClientOrderId, OrderSide, PositionId
from robson.engine.evolve import evolve
from robson.ports.journal import Commit, Delivery, Fill, Intent, JournalSize, PairRecord, PriceRow, Recovery
from robson.store import sequence
from robson.store.rows import json_text


class Contents:
    """What would be in the file."""

    def __init__(self) -> None:
        self.epoch = 0
        self.events: list[Recorded] = []
        self.durable_seq = 0
        self.positions: dict[PositionId, Position] = {}
        self.intents: dict[ClientOrderId, Intent] = {}
        self.fills: dict[tuple[str, int, OrderSide], Fill] = {}
        self.pairs: dict[str, PairRecord] = {}
        self.replies: dict[str, StoredReply] = {}
        self.samples: dict[PositionId, dict[int, Strip]] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.instruments: dict[str, Instrument] = {}
        self.latched = False
        self.paused = False

    def refold(self) -> None:
        """Make the positions anew from the events."""
        self.positions = {}
        for row in self.events:
            if row.type in EVENT_TYPES and row.position_id is not None:
                event = read_event(row.type, json_text(row.data))
                fact = Fact(position_id=row.position_id, at=row.at, event=event)
                self.positions[row.position_id] = evolve(self.positions.get(row.position_id), fact)


class MemoryJournal:
    """The Journal port over plain dictionaries.

    While `broken` holds a text, every write raises JournalUnwritable with it, as a disk that is full would.
    """

    def __init__(self, contents: Contents | None = None) -> None:
        self._contents = contents or Contents()
        self._contents.epoch += 1
        self._epoch = self._contents.epoch
        self.broken: str | None = None

    def reopened(self, *, crashed: bool = False) -> "MemoryJournal":
        """A journal of the next epoch over the same contents; this one may write no more.

        With `crashed` the ratchets since the last commit are lost, as they may be on a disk.
        """
        contents = self._contents
        if crashed:
            del contents.events[contents.durable_seq :]
        contents.refold()
        return MemoryJournal(contents)

    @property
    def epoch(self) -> int:
        """The number of this opening."""
        return self._epoch

    def recover(self) -> Recovery:
        """What is open, folded again from the events."""
        contents = self._contents
        contents.refold()
        return Recovery(
            epoch=self._epoch,
            positions=tuple(self.positions()),
            intents=tuple(intent for intent in contents.intents.values() if intent.is_open),
            pairs=tuple(contents.pairs[symbol] for symbol in sorted(contents.pairs)),
            latched=contents.latched,
            paused=contents.paused,
            instruments=tuple(contents.instruments[symbol] for symbol in sorted(contents.instruments)),
            last_seq=len(contents.events),
        )

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        """Keep one decision and return its rows, facts first; raises JournalUnwritable."""
        contents = self._contents
        sequence.check_intents(commit.intents)
        changed = sequence.advance(commit.facts, self.position)
        sequence.check_positions(commit.positions, changed, self.position)
        self._refuse()
        fills = self._new_fills(commit.fills)
        known = contents.positions.keys() | changed.keys()
        for owner in (
            *(intent.order.position_id for intent in commit.intents),
            *(fill.position_id for fill in fills.values()),
        ):
            if owner not in known:
                raise JournalUnwritable(f"position {owner} was not in the journal")
        if commit.reply is not None and commit.reply.key in contents.replies:
            raise JournalUnwritable(f"a reply under the key {commit.reply.key!r} was already in the journal")
        recorded = sequence.record(commit.facts, commit.notices, last_seq=len(contents.events))
        contents.events.extend(recorded)
        contents.durable_seq = len(contents.events)
        contents.positions.update(changed)
        contents.intents.update((intent.order.client_order_id, intent) for intent in commit.intents)
        contents.fills.update(fills)
        contents.pairs.update((pair.symbol, pair) for pair in commit.pairs)
        if commit.reply is not None:
            contents.replies[commit.reply.key] = commit.reply
        if commit.latch is not None:
            contents.latched = commit.latch
        if commit.pause is not None:
            contents.paused = commit.pause
        return recorded

    def ratchet(self, facts: Sequence[Fact]) -> tuple[Recorded, ...]:
        """Keep trailing_stop_updated facts, which a crash may lose; raises JournalUnwritable."""
        assert all(isinstance(fact.event, TrailingStopUpdated) for fact in facts), facts
        changed = sequence.advance(facts, self.position)
        self._refuse()
        recorded = sequence.record(facts, (), last_seq=len(self._contents.events))
        self._contents.events.extend(recorded)
        self._contents.positions.update(changed)
        return recorded

    def keep_samples(self, rows_of_prices: Sequence[PriceRow]) -> None:
        """Keep price samples, which a crash may lose; raises JournalUnwritable."""
        self._refuse()
        for row in rows_of_prices:
            if row.position_id not in self._contents.positions:
                raise JournalUnwritable(f"position {row.position_id} was not in the journal")
            self._contents.samples.setdefault(row.position_id, {})[row.number] = row.strip

    def upkeep(self) -> str | None:
        """Raise JournalUnwritable where a write would."""
        self._refuse()
        return None

    def twin(self) -> None:
        """Memory has no copies."""

    def oldest_seq(self) -> int:
        """Always the first: memory has no archive."""
        return 1

    def measure(self) -> JournalSize:
        """How much it holds; memory has no size and no copies."""
        contents = self._contents
        return JournalSize(
            events=len(contents.events),
            oldest_seq=1,
            last_seq=len(contents.events),
            positions=len(contents.positions),
            open_positions=len(self.positions()),
            orders=len(contents.intents),
            open_orders=sum(intent.is_open for intent in contents.intents.values()),
            fills=len(contents.fills),
            replies=len(contents.replies),
            archives=0,
            size=0,
        )

    def archive_oldest(self, keep: int) -> None:
        """Memory has no archive."""

    def reopen(self) -> None:
        """Nothing to do."""

    def events(
        self, *, from_seq: int = 1, limit: int = 1000, position_id: PositionId | None = None
    ) -> Sequence[Recorded]:
        """Committed rows with seq >= from_seq, ascending, at most `limit`."""
        assert limit >= 0, limit
        rows = self._contents.events[max(from_seq, 1) - 1 :]
        if position_id is not None:
            rows = [row for row in rows if row.position_id == position_id]
        return rows[:limit]

    def positions(self, *, closed: bool = False) -> Sequence[Position]:
        """The positions as last committed, in the order of arming; with `closed` all of them, otherwise the open."""
        return [position for position in self._contents.positions.values() if closed or position.is_open]

    def position_ids(self) -> Sequence[PositionId]:
        """Every position, open or closed, in the order of arming."""
        return list(self._contents.positions)

    def position(self, position_id: str) -> Position | None:
        """One position as last committed, open or closed."""
        return self._contents.positions.get(PositionId(position_id))

    def unprotected_seconds(self, position_id: PositionId) -> Decimal:
        """The sum over the position's `unprotected` notices."""
        rows = (row for row in self._contents.events if row.position_id == position_id)
        return sum((sequence.unprotected_seconds(row) for row in rows), Decimal(0))

    def intents(self, position_id: PositionId) -> Sequence[Intent]:
        """Every intent of a position, oldest first."""
        return [intent for intent in self._contents.intents.values() if intent.order.position_id == position_id]

    def fills(self, position_id: PositionId) -> Sequence[Fill]:
        """Every execution of a position, oldest first."""
        found = [fill for fill in self._contents.fills.values() if fill.position_id == position_id]
        return sorted(found, key=lambda fill: (fill.trade.at, fill.trade.trade_id))

    def samples(self, position_id: PositionId) -> Strip:
        """The prices that were kept of one position."""
        kept = self._contents.samples.get(position_id, {})
        return joined([kept[number] for number in sorted(kept)])

    def has_fill(self, symbol: str, trade_id: int) -> bool:
        """Whether an execution with the venue's trade id is kept."""
        return any(key[:2] == (symbol, trade_id) for key in self._contents.fills)

    def stored_reply(self, key: str) -> StoredReply | None:
        """The reply kept under an idempotency key."""
        return self._contents.replies.get(key)

    def deliveries(self) -> dict[str, Delivery]:
        """How far each channel of notifications has come."""
        return dict(self._contents.deliveries)

    def note_delivery(self, delivery: Delivery) -> None:
        """Keep how far a channel has come; raises JournalUnwritable."""
        self._refuse()
        self._contents.deliveries[delivery.channel] = delivery

    def keep_instrument(self, instrument: Instrument) -> None:
        """Keep the venue's filters of a pair; raises JournalUnwritable."""
        self._refuse()
        self._contents.instruments[instrument.symbol] = instrument

    def close(self) -> None:
        """Nothing to do."""

    def _refuse(self) -> None:
        if self.broken is not None:
            raise JournalUnwritable(self.broken)
        newest = self._contents.epoch
        if newest != self._epoch:
            raise JournalUnwritable(
                f"the journal was opened again (epoch {newest}); epoch {self._epoch} may write no more"
            )

    def _new_fills(self, fills: Sequence[Fill]) -> dict[tuple[str, int, OrderSide], Fill]:
        fresh: dict[tuple[str, int, OrderSide], Fill] = {}
        for fill in fills:
            key = (fill.symbol, fill.trade.trade_id, fill.order_side)
            stored = self._contents.fills.get(key) or fresh.get(key)
            if stored is None:
                fresh[key] = fill
            else:
                sequence.refuse_other_fill(stored, fill)
        return fresh
