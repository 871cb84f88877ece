"""What every journal promises about intents, fills, replies, latches and pairs."""

from decimal import Decimal

import msgspec
import pytest

from robson.domain.errors import JournalUnwritable
from robson.domain.events import (
    Notice,
)
from robson.domain.sequence import StoredReply
from robson.domain.values import ClientOrderId, OrderSide
from robson.engine.evolve import fold
from robson.ports.journal import Commit, Journal, PairRecord
from tests.contract.journal.lives import ENTRY, EXIT, NOON, ONE, TWO, armed, fill, intent, write
from tests.contract.journal.shelves import Shelf, now_and_reopened


def test_an_intent_is_replaced_by_its_client_order_id(shelf: Shelf) -> None:
    write(shelf.journal, armed(ONE), armed(TWO))
    shelf.journal.commit(Commit(intents=(intent(ENTRY), intent(EXIT), intent(ClientOrderId("rbn-two"), TWO))))
    sent = msgspec.structs.replace(
        intent(ENTRY), status="sent", timestamp_ms=1_740_830_400_123, receive_window_ms=2000, detail="asked once"
    )
    settled = msgspec.structs.replace(
        intent(EXIT), status="partly_filled", venue_order_id="78", executed=Decimal("0.00000001")
    )
    shelf.journal.commit(Commit(intents=(settled, sent)))
    for journal in now_and_reopened(shelf):
        assert journal.intents(ONE) == [sent, settled]
        assert journal.intents(TWO) == [intent(ClientOrderId("rbn-two"), TWO)]
        assert journal.recover().intents == (sent, intent(ClientOrderId("rbn-two"), TWO))


@pytest.mark.parametrize("status", ["pending", "sent", "in_doubt", "filled", "partly_filled", "rejected", "absent"])
def test_recovery_gives_the_intents_that_are_open(shelf: Shelf, status: str) -> None:
    write(shelf.journal, armed(ONE))
    kept = intent(ENTRY, status=status)
    shelf.journal.commit(Commit(intents=(kept,)))
    assert shelf.reopen().recover().intents == ((kept,) if kept.is_open else ())


def test_an_unknown_intent_status_is_refused(journal: Journal) -> None:
    write(journal, armed(ONE))
    with pytest.raises(AssertionError):
        journal.commit(Commit(intents=(intent(ENTRY, status="lost"),)))


def test_an_intent_or_fill_of_an_unknown_position_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalUnwritable):
        journal.commit(Commit(intents=(intent(ENTRY),)))
    with pytest.raises(JournalUnwritable):
        journal.commit(Commit(fills=(fill(1),)))


def test_the_same_fill_learnt_twice_is_kept_once(journal: Journal) -> None:
    write(journal, armed(ONE))
    journal.commit(Commit(fills=(fill(7, second=2), fill(7, second=2))))
    journal.commit(Commit(fills=(fill(7, price="95100.00", second=3), fill(6))))
    assert journal.fills(ONE) == [fill(6), fill(7, second=2)]


def test_another_fill_under_the_same_trade_id_is_refused(journal: Journal) -> None:
    write(journal, armed(ONE))
    journal.commit(Commit(fills=(fill(7),)))
    with pytest.raises(JournalUnwritable, match="trade 7"):
        journal.commit(Commit(fills=(fill(7, price="95101"),)))
    with pytest.raises(JournalUnwritable, match="trade 8"):
        journal.commit(Commit(fills=(fill(8), fill(8, price="95101"))))
    # A trade against ourselves has one id and two sides.
    journal.commit(Commit(fills=(fill(7, order_side=OrderSide.SELL),)))
    assert journal.fills(ONE) == [fill(7), fill(7, order_side=OrderSide.SELL)]


def test_a_reply_is_kept_under_its_key(shelf: Shelf) -> None:
    reply = StoredReply(key="arm-1", body_digest="abc", reply='{"ok":true,"text":"é"}'.encode(), at=NOON)
    shelf.journal.commit(Commit(reply=reply))
    assert shelf.reopen().stored_reply("arm-1") == reply
    assert shelf.journal.stored_reply("arm-2") is None


def test_a_key_that_was_used_bars_the_whole_commit(journal: Journal) -> None:
    reply = StoredReply(key="arm-1", body_digest="abc", reply=b"{}", at=NOON)
    journal.commit(Commit(reply=reply))
    again = Commit(facts=(armed(ONE),), positions=(fold([armed(ONE)]),), reply=reply)
    with pytest.raises(JournalUnwritable, match=r"arm-1|replies\.key"):
        journal.commit(again)
    assert journal.position(ONE) is None


def test_the_latch_survives_until_it_is_released(shelf: Shelf) -> None:
    assert not shelf.journal.recover().latched
    shelf.journal.commit(Commit(latch=True))
    shelf.journal.commit(Commit(notices=(Notice(type="feed_stale", at=NOON),)))
    assert shelf.reopen().recover().latched
    shelf.journal.commit(Commit(latch=False))
    assert not shelf.reopen().recover().latched


def test_pairs_are_kept_by_symbol(shelf: Shelf) -> None:
    eth = PairRecord(symbol="ETHUSDT", baseline_base=Decimal(0), baseline_quote=Decimal("0.1"))
    btc = PairRecord(symbol="BTCUSDT", baseline_base=Decimal("0.5"), baseline_quote=Decimal(100))
    dusty = msgspec.structs.replace(
        btc,
        dust_base=Decimal("0.00000334"),
        surplus_base=Decimal("0.00001"),
        carried_base=Decimal("0.00000002"),
        carried_quote=Decimal("44.96"),
        handed_base=Decimal("0.25"),
        handed_quote=Decimal("9000.5"),
        judged_trade_id=4711,
    )
    shelf.journal.commit(Commit(pairs=(eth, btc)))
    shelf.journal.commit(Commit(pairs=(dusty,)))
    assert shelf.reopen().recover().pairs == (dusty, eth)
