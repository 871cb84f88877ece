"""What every journal promises about positions: state is the fold of the events, always."""

from decimal import Decimal

import msgspec
import pytest

from robson.domain.errors import IllegalTransition
from robson.domain.events import (
    Notice,
    PositionDisarmed,
)
from robson.domain.position import Active, Closed
from robson.engine.evolve import fold
from robson.ports.journal import Commit, Journal
from tests.contract.journal.lives import (
    NOON,
    ONE,
    TWO,
    armed,
    entry_facts,
    exit_facts,
    fact,
    filled,
    fold_events,
    life,
    ratchet,
    write,
)
from tests.contract.journal.shelves import Shelf, now_and_reopened


def test_positions_are_given_in_the_order_of_arming(journal: Journal) -> None:
    write(journal, armed(TWO), armed(ONE))
    write(journal, *entry_facts(TWO))
    assert [position.position_id for position in journal.positions()] == [TWO, ONE]


def test_closed_positions_are_given_only_when_asked_for(shelf: Shelf) -> None:
    write(shelf.journal, *life(ONE))
    write(shelf.journal, armed(TWO))
    write(shelf.journal, fact(TWO, PositionDisarmed()))
    for journal in now_and_reopened(shelf):
        assert journal.positions() == []
        assert journal.positions(closed=True) == [fold(life(ONE)), fold([armed(TWO), fact(TWO, PositionDisarmed())])]
        assert journal.position_ids() == [ONE, TWO]
        assert journal.position(ONE) == fold(life(ONE))
        assert journal.recover().positions == ()


def test_an_unknown_position_is_none(journal: Journal) -> None:
    assert journal.position("nobody") is None


def test_an_impossible_event_is_refused_and_leaves_nothing(journal: Journal) -> None:
    write(journal, *life(ONE))
    with pytest.raises(IllegalTransition):
        journal.commit(Commit(facts=(filled(ONE),)))
    with pytest.raises(IllegalTransition):
        journal.commit(Commit(facts=(armed(TWO), armed(TWO))))
    assert len(journal.events()) == len(life(ONE))


def test_a_state_that_is_not_what_the_events_make_is_refused(journal: Journal) -> None:
    write(journal, armed(ONE))
    wrong = msgspec.structs.replace(fold([armed(TWO)]), capital=Decimal(1))
    with pytest.raises(AssertionError, match="which its events make"):
        journal.commit(Commit(facts=(armed(TWO),), positions=(wrong,)))
    with pytest.raises(AssertionError, match="no state of two"):
        journal.commit(Commit(facts=(armed(TWO),)))
    assert [position.position_id for position in journal.positions(closed=True)] == [ONE]


def test_a_ratchet_is_visible_at_once_and_after_reopening(shelf: Shelf) -> None:
    facts = (armed(ONE), *entry_facts(ONE), filled(ONE), ratchet(ONE, 1, trade_id=1001), ratchet(ONE, 2, trade_id=1002))
    write(shelf.journal, *facts[:4])
    assert [row.seq for row in shelf.journal.ratchet(facts[4:])] == [5, 6]
    for journal in now_and_reopened(shelf):
        position = journal.position(ONE)
        assert position == fold(facts)
        assert isinstance(position.state, Active)
        assert (position.state.trail.stop, position.state.trail.trade_id) == (Decimal(93620), 1002)
        assert list(journal.positions()) == [position]
        assert journal.recover().positions == (position,)


def test_nothing_but_a_ratchet_is_written_cheaply(journal: Journal) -> None:
    with pytest.raises(AssertionError):
        journal.ratchet((armed(ONE),))


def test_a_ratchet_of_a_position_that_is_not_in_the_market_is_refused(journal: Journal) -> None:
    write(journal, armed(ONE), armed(TWO))
    write(journal, *entry_facts(ONE), filled(ONE))
    with pytest.raises(IllegalTransition):
        journal.ratchet((ratchet(ONE, 1), ratchet(TWO, 1)))
    assert len(journal.events()) == 5


@pytest.mark.parametrize("trade_ids", [(1, 2, 3), (1, None, None), (None, None, None), (1, None, 3), (None, 2, None)])
def test_recovery_is_the_fold_of_all_events(shelf: Shelf, trade_ids: tuple[int | None, ...]) -> None:
    write(shelf.journal, armed(TWO), armed(ONE), *entry_facts(ONE))
    write(shelf.journal, filled(ONE))
    for step, trade_id in enumerate(trade_ids, 1):
        shelf.journal.ratchet((ratchet(ONE, step, trade_id=trade_id),))
        shelf.journal.commit(Commit(notices=(Notice(type="unprotected", at=NOON, position_id=ONE),)))
    facts = (armed(ONE), *entry_facts(ONE), filled(ONE))
    facts += tuple(ratchet(ONE, step, trade_id=trade_id) for step, trade_id in enumerate(trade_ids, 1))
    recovery = shelf.reopen().recover()
    assert recovery.positions == (fold([armed(TWO)]), fold(facts))
    assert recovery.last_seq == 5 + 2 * len(trade_ids)
    trigger = exit_facts(ONE)[0]
    write(shelf.journal, trigger)
    assert shelf.reopen().recover().positions == (fold([armed(TWO)]), fold((*facts, trigger)))


def test_events_of_a_closed_life_fold_to_what_the_journal_gives(shelf: Shelf) -> None:
    write(shelf.journal, *life(ONE))
    for journal in now_and_reopened(shelf):
        position = journal.position(ONE)
        assert position == fold_events(journal, ONE)
        assert isinstance(position.state, Closed)
