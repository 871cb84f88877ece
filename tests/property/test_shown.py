"""Whatever happens to a position, in whatever groups and openings: its row is what the position makes of it."""

import sqlite3
import tempfile
from contextlib import closing, suppress
from decimal import Decimal
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from robson.domain.errors import IllegalTransition
from robson.domain.events import (
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionError,
    PositionEvent,
    SignalRejected,
)
from robson.domain.position import Position
from robson.domain.values import ClientOrderId, ExitReason, Fence, OrderSide, PositionId
from robson.engine.evolve import evolve, fold
from robson.ports.journal import Commit
from robson.store import SqliteJournal
from robson.store.projection import SELECT_POSITION, position_row
from tests.contract.journal.lives import ONE, TWO, fact, life, ratchet
from tests.contract.journal.shelves import FixedClock


def _filled(quantity: str, elsewhere: ExitReason | None) -> ExitFilled:
    return ExitFilled(
        client_order_id=ClientOrderId("" if elsewhere else "rbn-exit"),
        venue_order_id="79",
        fill_price=Decimal(93_580),
        quantity=Decimal(quantity),
        fees_by_asset={"BNB": Decimal("0.00001")} if elsewhere else {},
        elsewhere=elsewhere,
    )


EVENTS = (
    *(one.event for one in life(ONE)),
    ratchet(ONE, 1).event,
    ratchet(ONE, 2).event,
    SignalRejected(signal_id="s-1", stage="venue", code="-2010", message="insufficient balance"),
    PositionError(code="fold", message="somebody sold it", recoverable=True),
    ExitTriggered(reason=ExitReason.OPERATOR_PANIC),
    ExitOrderPlaced(
        client_order_id=ClientOrderId("rbn-exit-2"),
        attempt=2,
        fence=Fence.CLOCK,
        order_side=OrderSide.SELL,
        quantity=Decimal("0.06"),
    ),
    _filled("0.01", None),
    _filled("0.02", ExitReason.CLOSED_ELSEWHERE),
)
RATCHETS = (ratchet(ONE, 1).event, ratchet(ONE, 2).event)
# Which of the events that can happen then, each to a position; what is done before; whether ratchets are decisions.
STEPS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, len(EVENTS) - 1), st.sampled_from([ONE, TWO])), min_size=1, max_size=3),
        st.sampled_from(["", "", "", "opened", "recovered"]),
        st.booleans(),
    ),
    max_size=8,
)


@cache
def _empty() -> bytes:
    """A journal in which nothing was written yet: to make one takes longer than everything else here."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "robson.db"
        _open(path).close()
        return path.read_bytes()


def _open(path: Path) -> SqliteJournal:
    return SqliteJournal.open(path, mode="paper", clock=FixedClock(), machine_id="m", version="0")


def _possible(position: Position) -> list[PositionEvent]:
    found = []
    for event in EVENTS:
        with suppress(IllegalTransition):
            evolve(position, fact(position.position_id, event))
            found.append(event)
    return found


def _write(journal: SqliteJournal, facts: list[Fact], states: dict[PositionId, Position], *, durably: bool) -> None:
    owners = dict.fromkeys(one.position_id for one in facts)
    if not durably and all(one.event in RATCHETS for one in facts):
        journal.ratchet(facts)
    else:
        journal.commit(Commit(facts=tuple(facts), positions=tuple(states[owner] for owner in owners)))


def _assert_shown(path: Path, journal: SqliteJournal, states: dict[PositionId, Position]) -> None:
    last = {row.position_id: row.seq for row in journal.events()}
    with closing(sqlite3.connect(path)) as connection:
        for owner, position in states.items():
            row = connection.execute(SELECT_POSITION, (owner,)).fetchone()
            assert row == position_row(position, last[position.position_id])


@settings(max_examples=settings().max_examples // 2)
@given(started=st.integers(0, 5), steps=STEPS)
def test_the_row_is_what_the_position_makes(
    started: int, steps: list[tuple[list[tuple[int, PositionId]], str, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "robson.db"
        path.write_bytes(_empty())
        journal = _open(path)
        states: dict[PositionId, Position] = {}
        try:
            for position_id in (ONE, TWO):
                facts = [fact(position_id, one.event) for one in life(ONE)[: started + 1]]
                states[position_id] = fold(facts)
                _write(journal, facts, states, durably=True)
            for chosen, before, durably in steps:
                if before:
                    journal.close()
                    journal = _open(path)
                if before == "recovered":
                    journal.recover()
                facts = []
                for number, owner in chosen:
                    if possible := _possible(states[owner]):
                        facts.append(fact(owner, possible[number % len(possible)]))
                        states[owner] = evolve(states[owner], facts[-1])
                if facts:
                    _write(journal, facts, states, durably=durably)
                _assert_shown(path, journal, states)
        finally:
            journal.close()
