"""What a commit adds to the sequence, and what the sequence makes of a position; both journals share it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec

from robson.domain.codec import to_wire
from robson.domain.errors import IllegalTransition, JournalUnusable, JournalUnwritable
from robson.domain.events import (
    EVENT_TYPES,
    NOTICE_TYPES,
    Fact,
    Notice,
    TrailingStopUpdated,
    event_data,
    event_type,
    read_event,
)
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import PositionId
from robson.engine.evolve import evolve
from robson.ports.journal import Fill, Intent
from robson.store.rows import read_time

EventRow = tuple[int, str, str, str]
"""seq, at, type and data of one stored event."""

INTENT_STATUSES = frozenset({"pending", "sent", "in_doubt", "filled", "partly_filled", "rejected", "absent"})

UNPROTECTED = "unprotected"

_RATCHET = TrailingStopUpdated.__struct_config__.tag


def record(facts: Iterable[Fact], notices: Iterable[Notice], *, last_seq: int) -> tuple[Recorded, ...]:
    """Number the facts and then the notices from `last_seq` + 1."""
    rows = []
    seq = last_seq
    for fact in facts:
        seq += 1
        kind, fields = event_type(fact.event), event_data(fact.event)
        rows.append(Recorded(seq=seq, type=kind, at=fact.at, position_id=fact.position_id, data=fields))
    for notice in notices:
        seq += 1
        fields = to_wire(notice.data)
        rows.append(Recorded(seq=seq, type=notice.type, at=notice.at, position_id=notice.position_id, data=fields))
    return tuple(rows)


def unprotected_seconds(row: Recorded) -> Decimal:
    """What a row adds to the unprotected time of its position (s)."""
    return Decimal(row.data.get("seconds", "0")) if row.type == UNPROTECTED else Decimal(0)


def advance(facts: Iterable[Fact], current: Callable[[PositionId], Position | None]) -> dict[PositionId, Position]:
    """The positions that the facts change, as they are afterwards; raises IllegalTransition."""
    changed: dict[PositionId, Position] = {}
    for fact in facts:
        before = changed.get(fact.position_id) or current(fact.position_id)
        changed[fact.position_id] = evolve(before, fact)
    return changed


def check_positions(
    given: Sequence[Position],
    changed: dict[PositionId, Position],
    current: Callable[[PositionId], Position | None],
) -> None:
    """Assert that the positions of a commit are exactly what its facts make of the journal's.

    From then on those given stand in `changed`: who decides and who remembers share them, and the next pair is compared
    by what has changed since.
    """
    if missing := changed.keys() - {position.position_id for position in given}:
        raise AssertionError(f"the commit has facts but no state of {', '.join(sorted(missing))}")
    for position in given:
        position_id = position.position_id
        ours = changed.get(position_id)
        if position != (ours or current(position_id)):
            ours = ours or current(position_id)
            raise AssertionError(f"the state given was {position}, which its events make {ours}")
        if ours is not None:
            changed[position_id] = position


def check_intents(intents: Iterable[Intent]) -> None:
    """Assert that every status is known: the queue would lose an intent with any other."""
    for intent in intents:
        assert intent.status in INTENT_STATUSES, intent


def refuse_other_fill(stored: Fill, given: Fill) -> None:
    """Accept the same execution learnt twice; raise JournalUnwritable when the venue's trade id names another one.

    Only the time may differ: an order's reply states the order's, the list of trades the trade's.
    """
    trade = msgspec.structs.replace(given.trade, at=stored.trade.at)
    if msgspec.structs.replace(given, trade=trade) != stored:
        raise JournalUnwritable(
            f"trade {stored.trade.trade_id} ({stored.order_side} {stored.symbol}) was already recorded otherwise: "
            f"stored was {stored}, given was {given}"
        )


def fold_rows(
    position_id: PositionId, rows: Iterable[EventRow], *, base: Position | None = None
) -> tuple[Position | None, int]:
    """Fold the stored events of one position onto `base`; also gives the last seq, 0 without rows.

    Raises JournalUnusable naming the event that could not be applied.
    """
    position, seq = base, 0
    for seq, at, kind, fields in _without_superseded(rows):
        try:
            fact = Fact(position_id=position_id, at=read_time(at), event=read_event(kind, fields))
            position = evolve(position, fact)
        except (ValueError, IllegalTransition) as error:
            raise JournalUnusable(f"event {seq} ({kind}) of position {position_id} was unreadable: {error}") from error
    return position, seq


def _without_superseded(rows: Iterable[EventRow]) -> Iterator[EventRow]:
    """The facts among the rows, without ratchets that the next one replaces whole.

    A day's ratchets outnumber all other events by far, and only the last of a run leaves a trace in the position. One
    without a trade id keeps the id of the one before, so that it replaces nothing.
    """
    held: EventRow | None = None
    for row in rows:
        kind = row[2]
        if kind == _RATCHET:
            if held is not None and '"trade_id":null' in row[3]:
                yield held
            held = row
        elif kind in EVENT_TYPES:
            if held is not None:
                yield held
                held = None
            yield row
        elif kind not in NOTICE_TYPES:
            raise JournalUnusable(f"event {row[0]} was of type {kind!r}, which this version of Robson does not know")
    if held is not None:
        yield held
