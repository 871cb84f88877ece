"""What every journal promises about its one sequence of events and notices."""

from contextlib import closing
from datetime import datetime
from decimal import Decimal

import msgspec
import pytest

from robson.domain.errors import JournalUnwritable
from robson.domain.events import (
    Fact,
    Notice,
    event_data,
    event_type,
)
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import PositionId
from robson.engine.evolve import fold
from robson.ports.journal import Commit, Journal, PairRecord
from tests.contract.journal.lives import (
    ENTRY,
    EXIT,
    NOON,
    ONE,
    TWO,
    armed,
    entry_facts,
    exit_facts,
    fill,
    filled,
    intent,
    ratchet,
    states_after,
    write,
)
from tests.contract.journal.shelves import Shelf

LONG_NUMBER = Decimal("12345678901234567890.12345678901234567891")


def test_the_sequence_begins_at_one_and_has_no_gaps(journal: Journal) -> None:
    notice = Notice(type="feed_stale", at=NOON, data={"symbol": "BTCUSDT"})
    first = write(journal, armed(ONE), armed(TWO))
    second = journal.commit(Commit(notices=(notice,)))
    third = write(journal, *entry_facts(ONE))
    assert [row.seq for row in (*first, *second, *third)] == [1, 2, 3, 4, 5]
    assert journal.events() == [*first, *second, *third]


def test_facts_come_before_notices_with_their_content(journal: Journal) -> None:
    notice = Notice(type="panic_latched", at=NOON, data={"by": "uid 1000"})
    one = armed(ONE)
    recorded = journal.commit(Commit(facts=(one,), notices=(notice,), positions=states_after(journal, (one,))))
    assert recorded == (
        Recorded(seq=1, type=event_type(one.event), at=NOON, position_id=ONE, data=event_data(one.event)),
        Recorded(seq=2, type="panic_latched", at=NOON, position_id=None, data={"by": "uid 1000"}),
    )
    assert tuple(journal.events()) == recorded


def test_a_failed_commit_leaves_nothing_and_no_gap(journal: Journal) -> None:
    write(journal, armed(ONE))
    journal.commit(Commit(fills=(fill(5),)))
    facts = entry_facts(ONE)
    everything = Commit(
        facts=facts,
        notices=(Notice(type="unprotected", at=NOON),),
        positions=states_after(journal, facts),
        intents=(intent(ENTRY),),
        fills=(fill(6), fill(5, price="1")),
        pairs=(PairRecord(symbol="BTCUSDT", baseline_base=Decimal(1), baseline_quote=Decimal(2)),),
        reply=StoredReply(key="k", body_digest="d", reply=b"{}", at=NOON),
        latch=True,
    )
    with pytest.raises(JournalUnwritable, match="trade 5"):
        journal.commit(everything)
    assert journal.positions() == [fold([armed(ONE)])]
    assert journal.intents(ONE) == []
    assert journal.fills(ONE) == [fill(5)]
    assert journal.stored_reply("k") is None
    recovery = journal.recover()
    assert (recovery.last_seq, recovery.latched, recovery.pairs, recovery.intents) == (1, False, (), ())
    assert [row.seq for row in write(journal, *facts)] == [2, 3]


def test_a_broken_disk_refuses_every_write_until_it_is_back(shelf: Shelf) -> None:
    journal = shelf.journal
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    before = journal.positions()
    shelf.break_disk()
    with pytest.raises(JournalUnwritable):
        write(journal, armed(TWO))
    with pytest.raises(JournalUnwritable):
        journal.ratchet((ratchet(ONE, 1),))
    with pytest.raises(JournalUnwritable):
        journal.upkeep()
    assert journal.positions() == before
    shelf.mend_disk()
    assert journal.upkeep() is None
    assert [row.seq for row in journal.ratchet((ratchet(ONE, 1),))] == [5]
    assert [row.seq for row in write(journal, armed(TWO))] == [6]


def test_events_can_be_asked_from_a_seq_with_a_limit_and_for_one_position(journal: Journal) -> None:
    write(journal, armed(ONE), armed(TWO))
    write(journal, *entry_facts(TWO))
    journal.commit(Commit(notices=(Notice(type="order_in_doubt", at=NOON, position_id=TWO),)))
    write(journal, *entry_facts(ONE))
    assert [row.seq for row in journal.events(from_seq=3)] == [3, 4, 5, 6, 7]
    assert [row.seq for row in journal.events(from_seq=2, limit=3)] == [2, 3, 4]
    assert [row.seq for row in journal.events(position_id=TWO)] == [2, 3, 4, 5]
    assert [row.seq for row in journal.events(position_id=TWO, from_seq=3, limit=1)] == [3]
    assert [row.seq for row in journal.events(from_seq=0, limit=1)] == [1]
    assert journal.events(from_seq=8) == []
    assert journal.events(position_id=PositionId("nobody")) == []
    assert journal.events(limit=0) == []


def test_ratchets_and_commits_stand_in_the_order_of_writing(shelf: Shelf) -> None:
    journal = shelf.journal
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    journal.ratchet((ratchet(ONE, 1),))
    write(journal, armed(TWO))
    journal.ratchet((ratchet(ONE, 2),))
    write(journal, *exit_facts(ONE))
    kinds = [(row.seq, row.type) for row in shelf.reopen().events(from_seq=5)]
    assert kinds == [
        (5, "trailing_stop_updated"),
        (6, "position_armed"),
        (7, "trailing_stop_updated"),
        (8, "exit_triggered"),
        (9, "exit_order_placed"),
        (10, "exit_filled"),
        (11, "position_closed"),
    ]


def test_times_survive_to_the_microsecond_and_in_any_zone(shelf: Shelf) -> None:
    at = datetime.fromisoformat("2025-03-01T14:00:00.000001+02:00")
    one = Fact(position_id=ONE, at=at, event=armed(ONE).event)
    write(shelf.journal, one)
    assert shelf.journal.events()[0].at == at
    assert shelf.reopen().recover().positions[0].armed_at == at


def test_each_opening_is_an_epoch_of_its_own(shelf: Shelf) -> None:
    assert [shelf.journal.recover().epoch, shelf.reopen().recover().epoch, shelf.reopen().recover().epoch] == [1, 2, 3]


def test_a_journal_that_was_opened_again_elsewhere_writes_no_more(shelf: Shelf) -> None:
    write(shelf.journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    with closing(shelf.open_beside()) as second:
        with pytest.raises(JournalUnwritable, match="opened again"):
            write(shelf.journal, armed(TWO))
        with pytest.raises(JournalUnwritable, match="opened again"):
            shelf.journal.ratchet((ratchet(ONE, 1),))
        with pytest.raises(JournalUnwritable, match="opened again"):
            shelf.journal.upkeep()
        assert second.upkeep() is None
        second.recover()
        assert [row.seq for row in write(second, armed(TWO))] == [5]


def test_an_empty_journal_is_read_without_complaint(journal: Journal) -> None:
    assert journal.events() == []
    assert journal.positions(closed=True) == []
    assert journal.recover().last_seq == 0


@pytest.mark.parametrize("amount", [Decimal("0.00000001"), Decimal("1E-20"), Decimal("1E+12"), LONG_NUMBER])
def test_money_survives_to_the_last_digit(shelf: Shelf, amount: Decimal) -> None:
    write(shelf.journal, armed(ONE, capital=amount))
    order = msgspec.structs.replace(intent(EXIT).order, quantity=amount)
    kept = msgspec.structs.replace(intent(EXIT), order=order, executed=amount)
    trade = msgspec.structs.replace(fill(1).trade, price=amount, quantity=amount, fee=amount)
    bought = msgspec.structs.replace(fill(1), trade=trade)
    pair = PairRecord(symbol="BTCUSDT", baseline_base=amount, baseline_quote=amount, dust_base=amount)
    shelf.journal.commit(Commit(intents=(kept,), fills=(bought,), pairs=(pair,)))
    recovery = shelf.reopen().recover()
    assert recovery.positions[0].capital == amount
    assert recovery.intents == (kept,)
    assert recovery.pairs == (pair,)
    assert shelf.journal.fills(ONE) == [bought]
    shown = shelf.journal.events()[0].data["capital"]
    assert Decimal(shown) == amount
    assert "E" not in shown
