"""How much a journal holds, and the two latches that it keeps apart."""

from robson.domain.events import Notice
from robson.domain.sequence import StoredReply
from robson.ports.journal import Commit
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
