"""How much a journal holds, and the two latches that it keeps apart."""

from decimal import Decimal

import msgspec

from robson.domain.events import Notice
from robson.domain.sequence import StoredReply
from robson.ports.journal import Commit, Delivery, Journal
from robson.venue.instruments import BUILTIN_INSTRUMENTS
from tests.contract.journal.lives import ENTRY, EXIT, NOON, ONE, TWO, armed, fill, intent, life, write
from tests.contract.journal.shelves import Shelf, now_and_reopened


def test_the_pause_is_another_latch_than_the_panic(shelf: Shelf) -> None:
    assert not shelf.journal.recover().paused
    shelf.journal.commit(Commit(pause=True))
    shelf.journal.commit(Commit(notices=(Notice(type="feed_stale", at=NOON),)))
    recovery = shelf.reopen().recover()
    assert (recovery.paused, recovery.latched) == (True, False)
    shelf.journal.commit(Commit(pause=False, latch=True))
    recovery = shelf.reopen().recover()
    assert (recovery.paused, recovery.latched) == (False, True)


def test_it_counts_what_it_holds(shelf: Shelf) -> None:
    empty = shelf.journal.measure()
    assert (empty.events, empty.oldest_seq, empty.last_seq, empty.positions, empty.fills) == (0, 1, 0, 0, 0)
    closed = life(ONE)
    write(shelf.journal, *closed)
    write(shelf.journal, armed(TWO))
    orders = (intent(ENTRY), intent(EXIT, status="filled"))
    reply = StoredReply(key="k", body_digest="d", reply=b"{}", at=NOON)
    shelf.journal.commit(Commit(intents=orders, fills=(fill(1), fill(2), fill(2)), reply=reply))
    for journal in now_and_reopened(shelf):
        size = journal.measure()
        assert size.events == size.last_seq == len(closed) + 1
        assert (size.positions, size.open_positions) == (2, 1)
        assert (size.orders, size.open_orders, size.fills, size.replies, size.archives) == (2, 1, 2, 1, 0)


def test_the_filters_of_a_pair_are_kept_and_replaced(shelf: Shelf) -> None:
    assert shelf.journal.recover().instruments == ()
    bitcoin, ether = BUILTIN_INSTRUMENTS["BTCUSDT"], BUILTIN_INSTRUMENTS["ETHUSDT"]
    coarser = msgspec.structs.replace(ether, step_size=Decimal("0.1"))
    for one in (ether, bitcoin, coarser):
        shelf.journal.keep_instrument(one)
    for journal in now_and_reopened(shelf):
        assert journal.recover().instruments == (bitcoin, coarser)


def test_how_far_a_channel_has_come_is_kept_by_its_name(journal: Journal) -> None:
    assert journal.deliveries() == {}
    first = Delivery(channel="ntfy", next_seq=3, digest_from=1, digest_at=NOON)
    other = Delivery(channel="smtp", next_seq=1, digest_from=1, digest_at=NOON, pinned="late", pinned_to=9)
    for row in (first, other, msgspec.structs.replace(first, next_seq=4)):
        journal.note_delivery(row)
    assert journal.deliveries() == {"ntfy": msgspec.structs.replace(first, next_seq=4), "smtp": other}
