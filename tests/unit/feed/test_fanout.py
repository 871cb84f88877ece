"""The fan-out: every tick to every watch, in order, once."""

from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.clock import RunClock
from robson.domain.errors import RuleError
from robson.domain.values import Side
from robson.engine.missed import Seen
from robson.engine.trailing import Watch
from robson.feed.fanout import FanOut
from tests.unit.feed.markets import START, HandFeed, tick


class TapeClockAt:
    """A wall clock that runs with Trio's."""

    def __init__(self, start):
        self.start = start

    def now(self):
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self):
        return trio.current_time()


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
async def fanout(feed):
    made = FanOut(feed, RunClock(), 10)
    await made.subscribe("BTCUSDT")
    return made


def long(stop=90, extreme=100, distance=10):
    return Watch(Side.LONG, Decimal(stop), Decimal(extreme), Decimal(distance))


async def test_every_tick_reaches_every_watch_and_only_a_hit_wakes(autojump_clock, fanout):
    hits = []
    near, far = long(95, 100, 5), long(90, 100, 10)
    fanout.attach("BTCUSDT", near, lambda hit: hits.append(("near", hit.price)))
    fanout.attach("BTCUSDT", far, lambda hit: hits.append(("far", hit.price)))
    woken = [fanout.observe(tick(price, n)) for n, price in enumerate((100, 104, 110, 106, 105, 99, 1, 1), start=1)]
    assert woken == [False, False, False, False, True, True, False, False]
    assert hits == [("near", Decimal(105)), ("far", Decimal(99))]
    assert (near.stop, near.extreme, near.moves, near.trade_id) == (105, 110, 2, 5)
    assert (far.stop, far.extreme, far.moves, far.trade_id) == (100, 110, 2, 6)


async def test_ticks_that_are_not_newer_are_dropped_and_counted(autojump_clock, fanout):
    watch, hits = long(), []
    fanout.attach("BTCUSDT", watch, hits.append)
    for price, trade_id in ((100, 5), (120, 6), (105, 6), (101, 4), (119, 8)):
        fanout.observe(tick(price, trade_id))
    state = fanout.states()["BTCUSDT"]
    assert hits == []
    assert watch.stop == 110
    assert (state.ticks, state.dropped, state.trade_id, state.last_price) == (3, 2, 8, 119)


async def test_without_trade_ids_time_decides(autojump_clock, fanout):
    for price, seconds in ((100, 1), (101, 2), (102, 1.5), (103, 2)):
        fanout.observe(tick(price, None, seconds))
    state = fanout.states()["BTCUSDT"]
    assert (state.ticks, state.dropped, state.last_price, state.trade_id) == (3, 1, 103, None)


async def test_dropped_ticks_do_not_make_a_symbol_fresh(autojump_clock, fanout):
    fanout.observe(tick(100, 2**62))
    await trio.sleep(8)
    fanout.observe(tick(101, 7))
    await trio.sleep(2)
    state = fanout.states()["BTCUSDT"]
    assert (state.stale, state.age_seconds, state.dropped) == (True, 10, 1)


async def test_a_polled_price_may_trigger_but_moves_nothing(autojump_clock, fanout):
    watch, other, hits = long(), long(80, 100, 20), []
    fanout.attach("BTCUSDT", watch, hits.append)
    fanout.attach("BTCUSDT", other, hits.append)
    assert not fanout.observe(tick(150, None, polled=True))
    assert (watch.stop, watch.extreme) == (90, 100)
    assert fanout.prices("BTCUSDT") == 150
    assert fanout.observe(tick(89, None, polled=True))
    assert [hit.price for hit in hits] == [89]
    assert fanout.states()["BTCUSDT"].ticks == 0


async def test_callbacks_may_attach_and_detach(autojump_clock, fanout):
    told = []
    attachments = {}

    def first_hit(hit):
        told.append(("first", hit.trade_id))
        attachments["second"].detach()
        attachments["third"] = fanout.attach("BTCUSDT", long(95), lambda hit: told.append(("third", hit.trade_id)))

    attachments["first"] = fanout.attach("BTCUSDT", long(90), first_hit)
    attachments["second"] = fanout.attach("BTCUSDT", long(90), lambda hit: told.append(("second", hit.trade_id)))
    fanout.observe(tick(90, 1))
    assert told == [("first", 1)]
    assert not attachments["first"].is_attached
    fanout.observe(tick(94, 2))
    assert told == [("first", 1), ("third", 2)]
    attachments["third"].detach()
    attachments["third"].detach()


async def test_a_watch_that_has_seen_more_than_the_stream_joins_after_that(autojump_clock, fanout):
    watch, hits = long(110, 120, 10), []
    fanout.observe(tick(100, 1))
    attachment = fanout.attach("BTCUSDT", watch, hits.append, seen=Seen(trade_id=3, at=START))
    assert attachment.place == "ahead"
    fanout.observe(tick(100, 2))
    fanout.observe(tick(105, 3))
    assert hits == []
    fanout.observe(tick(125, 4))
    assert watch.stop == 115
    fanout.observe(tick(115, 5))
    assert [(hit.trade_id, hit.trailing_stop, hit.extreme) for hit in hits] == [(5, 115, 125)]
    assert not attachment.is_attached


async def test_a_watch_that_is_ahead_still_sees_polled_prices_and_detaches(autojump_clock, fanout):
    hits = []
    fanout.observe(tick(100, 1))
    seen = Seen(trade_id=3, at=START)
    fanout.attach("BTCUSDT", long(110, 120, 10), hits.append, seen=seen)
    gone = fanout.attach("BTCUSDT", long(110, 120, 10), hits.append, seen=seen)
    gone.detach()
    fanout.observe(tick(109, None, polled=True))
    assert len(hits) == 1


async def test_the_last_ticks_are_kept_by_the_moment_at_which_they_came_in(autojump_clock, feed):
    tape = TapeClockAt(START)
    fanout = FanOut(feed, tape, 10)
    await fanout.subscribe("BTCUSDT")
    for n in range(6000):
        await trio.sleep_until(n / 8)
        # The venue's clock is ahead by an hour: only the arrival counts.
        fanout.observe(tick(100 + n, n, 3600 + n / 8))
    moment = START + timedelta(seconds=5998 / 8)
    assert fanout.trade_id_before("BTCUSDT", moment) == 5997
    assert fanout.trade_id_before("BTCUSDT", START) is None
    watch = Watch(Side.LONG, Decimal(90), Decimal(100), Decimal(10))
    # What a stop has seen is told by the source's clock.
    hour = timedelta(hours=1)
    attachment = fanout.attach("BTCUSDT", watch, lambda hit: None, seen=Seen(at=moment + hour))
    assert (attachment.place, watch.trade_id, watch.moves) == ("live", 5999, 2)
    assert fanout.attach("BTCUSDT", long(), lambda hit: None, seen=Seen(at=START + hour)).is_behind
    assert not fanout.attach("BTCUSDT", long(), lambda hit: None, seen=Seen(trade_id=999, at=START)).is_behind
    assert fanout.attach("BTCUSDT", long(), lambda hit: None, seen=Seen(trade_id=998, at=START)).is_behind


async def test_who_moved_is_told_once_in_order_and_never_after_a_hit(autojump_clock, fanout):
    first, second, third = long(80, 100, 20), long(), long(99, 100, 1)
    attached = [fanout.attach("BTCUSDT", watch, lambda hit: None) for watch in (first, second, third)]
    assert fanout.take_moved() == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fanout.wait_moved)
        await wait_all_tasks_blocked()
        fanout.observe(tick(100, 1))
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        fanout.observe(tick(102, 2))
    fanout.observe(tick(103, 3))
    fanout.observe(tick(102, 4))
    assert fanout.take_moved() == attached[:2]
    assert fanout.take_moved() == []
    with trio.move_on_after(1) as scope:
        await fanout.wait_moved()
    assert scope.cancelled_caught


async def test_ticks_of_symbols_without_interest_are_ignored(autojump_clock, fanout):
    assert not fanout.observe(tick(1, 1, symbol="ETHUSDT"))
    fanout.interrupted("ETHUSDT", "lost")
    assert fanout.prices("ETHUSDT") is None
    assert fanout.is_stale("ETHUSDT")
    assert set(fanout.states()) == {"BTCUSDT"}


async def test_a_new_symbol_has_no_price_and_ages_from_its_subscription(autojump_clock, fanout):
    await trio.sleep(3)
    state = fanout.states()["BTCUSDT"]
    assert (state.last_price, state.trade_id, state.age_seconds, state.stale) == (None, None, 3, False)


async def test_staleness_is_told_when_it_begins_and_when_it_ends(autojump_clock, fanout):
    told = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fanout.watch_staleness, lambda *change: told.append((trio.current_time() - start, *change)))
        await trio.sleep(4)
        fanout.observe(tick(100, 1))
        await trio.sleep(9.5)
        assert told == []
        await fanout.subscribe("ETHUSDT")
        await trio.sleep(3)
        fanout.interrupted("BTCUSDT", "connection lost")
        assert fanout.states()["BTCUSDT"].interruption == "connection lost"
        fanout.observe(tick(100, 2))
        fanout.observe(tick(100, 3))
        assert fanout.states()["BTCUSDT"].interruption is None
        await trio.sleep(9)
        await fanout.release("BTCUSDT")
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    assert told == [
        (14.0, "BTCUSDT", True, 10.0),
        (16.5, "BTCUSDT", False, 12.5),
        (23.5, "ETHUSDT", True, 10.0),
    ]


async def test_the_feed_is_asked_for_the_first_interest_and_after_the_last(autojump_clock, fanout, feed):
    await fanout.subscribe("BTCUSDT")
    async with fanout.interest("ETHUSDT"):
        await fanout.release("BTCUSDT")
        assert feed.calls == [("subscribe", "BTCUSDT"), ("subscribe", "ETHUSDT")]
    await fanout.release("BTCUSDT")
    assert feed.calls[2:] == [("unsubscribe", "ETHUSDT"), ("unsubscribe", "BTCUSDT")]
    assert fanout.states() == {}


async def test_two_subscribers_at_once_both_wait_for_the_feed(autojump_clock, fanout, feed):
    feed.gate = trio.Event()
    done = []

    async def subscribe():
        await fanout.subscribe("ETHUSDT")
        done.append(feed.calls.count(("subscribe", "ETHUSDT")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(subscribe)
        nursery.start_soon(subscribe)
        await wait_all_tasks_blocked()
        assert done == []
        feed.gate.set()
    assert done == [1, 1]


async def test_a_refused_symbol_leaves_nothing_behind(autojump_clock, fanout, feed):
    for _ in range(2):
        with pytest.raises(RuleError):
            await fanout.subscribe("NOSUCH")
    assert set(fanout.states()) == {"BTCUSDT"}
    assert feed.calls[1:] == [("subscribe", "NOSUCH")] * 2


async def test_a_cancelled_subscription_counts_nothing(autojump_clock, fanout, feed):
    feed.gate = trio.Event()
    with trio.move_on_after(1):
        await fanout.subscribe("ETHUSDT")
    assert set(fanout.states()) == {"BTCUSDT"}
    feed.gate = None
    async with fanout.interest("ETHUSDT"):
        assert set(fanout.states()) == {"BTCUSDT", "ETHUSDT"}
    assert set(fanout.states()) == {"BTCUSDT"}


async def test_a_release_that_is_cancelled_still_counts(autojump_clock, fanout, feed):
    with trio.CancelScope() as scope:
        scope.cancel()
        await fanout.release("BTCUSDT")
    assert fanout.states() == {}
    assert feed.calls[-1] == ("unsubscribe", "BTCUSDT")


async def test_who_comes_while_the_last_one_leaves_is_subscribed_again(autojump_clock, fanout, feed):
    gate = trio.Event()

    async def slow(symbol):
        await gate.wait()
        feed.calls.append(("unsubscribe", symbol))

    feed.unsubscribe = slow
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fanout.release, "BTCUSDT")
        await wait_all_tasks_blocked()
        nursery.start_soon(fanout.subscribe, "BTCUSDT")
        await wait_all_tasks_blocked()
        gate.set()
    assert [call for call, _ in feed.calls] == ["subscribe", "unsubscribe", "subscribe"]
    fanout.observe(tick(100, 1))
    assert fanout.prices("BTCUSDT") == 100


async def test_a_symbol_is_not_released_under_an_attached_watch(autojump_clock, fanout):
    fanout.attach("BTCUSDT", long(), lambda hit: None)
    with pytest.raises(AssertionError, match="watches attached"):
        await fanout.release("BTCUSDT")
