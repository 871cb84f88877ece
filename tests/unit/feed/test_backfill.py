"""Prices that a watch has missed come first, in order: by trades, by candles before them, and until then only hits."""

from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.clock import RunClock
from robson.domain.errors import RateLimited, Rejected, Unreachable
from robson.domain.market import Candle
from robson.domain.values import Side
from robson.engine.missed import Seen
from robson.engine.trailing import Watch
from robson.feed.fanout import FanOut
from tests.unit.feed.markets import START, HandFeed, tick


@pytest.fixture
def feed():
    return HandFeed()


class Told:
    """What a watch's owner is told."""

    def __init__(self):
        self.hits = []
        self.replayed = []

    def on(self):
        return {"on_hit": self.hits.append, "on_replayed": self.replayed.append}


@asynccontextmanager
async def running(feed, on_gap="exit"):
    fanout = FanOut(feed, RunClock(), 10, on_gap=on_gap)
    await fanout.subscribe("BTCUSDT")
    feed.calls.clear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fanout.make_up)
        yield fanout
        nursery.cancel_scope.cancel()


def long(stop=90, extreme=100, distance=10, trade_id=None):
    return Watch(Side.LONG, Decimal(stop), Decimal(extreme), Decimal(distance), trade_id)


def short(stop=110, extreme=100, distance=10):
    return Watch(Side.SHORT, Decimal(stop), Decimal(extreme), Decimal(distance))


def seen(trade_id, seconds=0):
    return Seen(trade_id=trade_id, at=START + timedelta(seconds=seconds))


def minute(number, low, high, close):
    return Candle(
        symbol="BTCUSDT",
        opened_at=START + timedelta(minutes=number),
        interval_seconds=60,
        open=Decimal(close),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(close),
    )


def attach(fanout, watch, told, last):
    return fanout.attach("BTCUSDT", watch, told.hits.append, seen=last, on_replayed=told.replayed.append)


async def test_missed_trades_come_before_live_ones_and_none_comes_twice(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    feed.trades = [tick(price, n, n) for n, price in ((9, 1), (10, 100), (11, 120), (12, 104))]
    async with running(feed) as fanout:
        fanout.observe(tick(104, 12, 12))
        attachment = attach(fanout, watch, told, seen(9))
        assert attachment.is_behind
        await wait_all_tasks_blocked()
        assert (attachment.place, watch.extreme, watch.stop, watch.trade_id) == ("live", 120, 100, 12)
        assert fanout.seen(attachment) == seen(12, 12)
        assert fanout.take_moved() == [attachment]
        assert [(one.trades, one.candles, one.crossing) for one in told.replayed] == [(3, 0, None)]
        fanout.observe(tick(100, 13, 13))
        assert [hit.trade_id for hit in told.hits] == [13]


async def test_a_stop_crossed_by_a_missed_trade_is_hit_there_and_then(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    feed.trades = [tick(price, n, n) for n, price in ((10, 120), (11, 99), (12, 200))]
    async with running(feed) as fanout:
        attachment = attach(fanout, watch, told, seen(9))
        await wait_all_tasks_blocked()
        (hit,) = told.hits
        assert (hit.price, hit.trade_id, hit.trailing_stop, hit.extreme) == (99, 11, 100, 120)
        assert (hit.at, hit.candle_seconds) == (START + timedelta(seconds=11), None)
        assert not attachment.is_attached
        assert told.replayed[0].crossing == hit


async def test_pages_are_read_until_they_join_the_ticks_that_are_kept(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    feed.trades = [tick(100 + n, n, n) for n in range(1, 9)]
    feed.page = 3
    async with running(feed) as fanout:
        fanout.observe(tick(106, 6, 6))
        attach(fanout, watch, told, seen(1))
        # They come while the source is being asked: its answer may or may not know them.
        fanout.observe(tick(107, 7, 7))
        fanout.observe(tick(108, 8, 8))
        await wait_all_tasks_blocked()
        assert (watch.extreme, watch.trade_id) == (108, 8)
        assert feed.calls == [("trades_from", "BTCUSDT 2"), ("trades_from", "BTCUSDT 5")]
        assert told.replayed[0].trades == 7


async def test_a_source_that_lags_behind_its_stream_is_asked_again(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    feed.trades = [tick(101, 1, 1)]
    async with running(feed) as fanout:
        fanout.observe(tick(104, 4, 4))
        attachment = attach(fanout, watch, told, seen(1))
        await wait_all_tasks_blocked()
        assert attachment.is_behind
        feed.trades += [tick(150, 2, 2), tick(140, 3, 3)]
        await trio.sleep(0.3)
        assert (attachment.place, watch.extreme, watch.stop) == ("live", 150, 130) or told.hits
        assert [hit.trade_id for hit in told.hits] == [4]


async def test_what_the_trades_no_longer_reach_comes_from_candles_up_to_the_one_they_begin_in(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    # The trades begin within the third minute: what they tell of it is in its candle already.
    feed.trades = [tick(118, 900, 150), tick(105, 901, 170), tick(121, 902, 181), tick(122, 903, 185)]
    feed.history = [minute(0, 95, 108, 105), minute(1, 100, 110, 109), minute(2, 105, 119, 118), minute(3, 1, 999, 2)]
    async with running(feed) as fanout:
        fanout.observe(tick(123, 904, 190))
        attachment = attach(fanout, watch, told, seen(9, 30))
        await wait_all_tasks_blocked()
        assert told.hits == []
        assert (watch.extreme, watch.stop, watch.trade_id) == (123, 103, 904)
        assert fanout.seen(attachment) == seen(904, 190)
        assert [(one.candles, one.trades, one.missing) for one in told.replayed] == [(3, 5, None)]


async def test_a_candle_is_taken_favourable_extreme_first(autojump_clock, feed):
    rising, falling, told = long(80, 100, 20), short(120, 100, 20), [Told(), Told()]
    feed.history = [minute(0, 90, 111, 100)]
    async with running(feed) as fanout:
        attach(fanout, rising, told[0], seen(9, 10))
        attach(fanout, falling, told[1], seen(9, 10))
        await wait_all_tasks_blocked()
        hits = [
            (hit.price, hit.trailing_stop, hit.at, hit.trade_id, hit.candle_seconds) for one in told for hit in one.hits
        ]
        assert hits == [(90, 91, START, None, 60), (111, 110, START, None, 60)]


async def test_a_source_without_trades_gives_candles_and_live_ticks_go_on(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    feed.history = [minute(0, 95, 105, 100), minute(1, 101, 110, 109)]
    async with running(feed) as fanout:
        fanout.observe(tick(109, 50, 100))
        attachment = attach(fanout, watch, told, seen(9, 10))
        fanout.observe(tick(112, 51, 101))
        await wait_all_tasks_blocked()
        # Whether the forming candle held the last ticks or not: they are taken after it.
        assert (attachment.place, watch.extreme, watch.stop, watch.trade_id) == ("live", 112, 92, 51)
        assert [(one.candles, one.trades, one.missing) for one in told.replayed] == [(2, 2, None)]
        fanout.observe(tick(92, 52, 102))
        assert [hit.trade_id for hit in told.hits] == [52]


async def test_a_source_that_refuses_to_tell_trades_gives_candles(autojump_clock, feed, monkeypatch):
    """The exchange may switch one endpoint off; a stop must not wait for it for ever."""
    asked = []

    async def refuse(symbol, _):
        asked.append(symbol)
        raise Rejected("404", "HTTP 404")

    monkeypatch.setattr(feed, "trades_from", refuse)
    watch, told = long(80, 100, 20), Told()
    feed.history = [minute(0, 95, 105, 100), minute(1, 101, 110, 109)]
    async with running(feed) as fanout:
        attachment = attach(fanout, watch, told, seen(9, 10))
        await wait_all_tasks_blocked()
        assert (attachment.is_behind, watch.extreme) == (False, 110)
        assert [(one.candles, one.trades) for one in told.replayed] == [(2, 0)]
    assert asked == ["BTCUSDT"]


async def test_a_source_that_says_not_now_is_asked_again_for_its_trades(autojump_clock, feed, monkeypatch):
    refusals = [RateLimited("-1003", "Too many requests.", retry_after_seconds=2.0)]
    tell = feed.trades_from

    async def told_later(symbol, trade_id):
        if refusals:
            raise refusals.pop()
        return await tell(symbol, trade_id)

    monkeypatch.setattr(feed, "trades_from", told_later)
    feed.trades = [tick(99, 9, 9), tick(105, 10, 10)]
    feed.history = [minute(0, 50, 200, 100)]
    watch, told = long(80, 100, 20), Told()
    async with running(feed) as fanout:
        attachment = attach(fanout, watch, told, seen(9))
        await trio.sleep(60)
        assert (attachment.is_behind, watch.extreme, told.hits) == (False, 105, [])


async def test_what_nobody_has_is_said(autojump_clock, feed):
    told = [Told(), Told()]
    async with running(feed) as fanout:
        fanout.observe(tick(104, 50, 100))
        attachment = attach(fanout, long(80, 100, 20), told[0], seen(9, 10))
        await wait_all_tasks_blocked()
        assert attachment.place == "live"
        feed.history = [minute(1, 95, 105, 100)]
        attach(fanout, long(80, 100, 20), told[1], seen(9, 10))
        await wait_all_tasks_blocked()
    since = START + timedelta(seconds=10)
    assert told[0].replayed[0].missing == (since, START + timedelta(seconds=100))
    assert told[1].replayed[0].missing == (since, START + timedelta(seconds=60))


async def test_a_crossing_is_forgiven_only_when_the_price_has_recovered(autojump_clock, feed):
    watches, told = [long(80, 100, 20), long(101, 102, 1)], [Told(), Told()]
    feed.trades = [tick(price, n, n) for n, price in ((10, 79), (11, 130), (12, 111), (13, 129.5))]
    async with running(feed, "forgive") as fanout:
        for watch, one in zip(watches, told, strict=True):
            attach(fanout, watch, one, seen(9))
        await wait_all_tasks_blocked()
        # The first one is at 129.5, above its rebuilt stop; the second one, trailing by 1, is at 129.5 above 129.
        assert [one.hits for one in told] == [[], []]
        assert [(one.replayed[0].is_forgiven, one.replayed[0].trailing_stop) for one in told] == [
            (True, 110),
            (True, 129),
        ]
        assert told[0].replayed[0].crossing.trade_id == 10
        feed.trades.append(tick(128.9, 14, 14))
        third = Told()
        attach(fanout, long(101, 102, 1), third, seen(9))
        await wait_all_tasks_blocked()
        (hit,) = third.hits
        assert (hit.price, hit.trailing_stop, hit.trade_id) == (79, 101, 10)


async def test_ticks_that_are_kept_are_no_gap_and_never_forgiven(autojump_clock, feed):
    told = Told()
    async with running(feed, "forgive") as fanout:
        for n, price in ((1, 100), (2, 79), (3, 100)):
            fanout.observe(tick(price, n, n))
        attach(fanout, long(80, 100, 20), told, seen(1, 1))
        assert [hit.trade_id for hit in told.hits] == [2]
        assert told.replayed == []
        assert feed.calls == []


async def test_behind_a_tick_may_hit_the_stop_as_it_stood_and_moves_nothing(autojump_clock, feed):
    feed.failures = [Unreachable("connection refused")] * 50
    watch, told = long(80, 100, 20), Told()
    async with running(feed) as fanout:
        attachment = attach(fanout, watch, told, seen(9))
        await trio.sleep(1)
        assert attachment.trouble == "connection refused"
        fanout.observe(tick(150, 20, 20))
        # An old one, from a tape that has begun again, must not hit it.
        assert (watch.stop, watch.extreme, attachment.is_behind) == (80, 100, True)
        fanout.observe(tick(79, 21, 21))
        assert [(hit.price, hit.trailing_stop) for hit in told.hits] == [(79, 80)]
        assert not attachment.is_behind
        await trio.sleep(60)
        asked = len(feed.calls)
        await trio.sleep(60)
        assert len(feed.calls) == asked


async def test_an_old_tick_does_not_hit_a_watch_that_is_behind(autojump_clock, feed):
    feed.failures = [Unreachable("connection refused")] * 50
    told = Told()
    async with running(feed) as fanout:
        attach(fanout, long(80, 100, 20), told, seen(9))
        fanout.observe(tick(1, 8, 8))
        assert told.hits == []


@pytest.mark.parametrize("fault", [Unreachable("connection refused"), KeyError("trades")])
async def test_a_source_that_fails_is_asked_until_it_answers(autojump_clock, feed, fault):
    feed.failures = [fault] * 4
    feed.trades = [tick(99, 9, 9), tick(105, 10, 10)]
    watch, told = long(80, 100, 20), Told()
    async with running(feed) as fanout:
        attachment = attach(fanout, watch, told, seen(9))
        await trio.sleep(60)
        assert (attachment.trouble, attachment.is_behind, watch.extreme) == (None, False, 105)
        assert told.replayed[0].trades == 1


async def test_a_source_that_does_not_answer_is_asked_again_and_delays_no_other_symbol(autojump_clock, feed):
    answer = feed.trades_from
    asked = []

    async def slow(symbol, trade_id):
        asked.append(symbol)
        if symbol == "ETHUSDT" and asked.count("ETHUSDT") < 3:
            await trio.sleep_forever()
        return await answer(symbol, trade_id)

    feed.trades_from = slow
    feed.trades = [tick(99, 9, 9), tick(105, 10, 10)]
    told = [Told(), Told()]
    async with running(feed) as fanout:
        await fanout.subscribe("ETHUSDT")
        first = fanout.attach("ETHUSDT", long(), told[0].hits.append, seen=seen(9))
        second = attach(fanout, long(), told[1], seen(9))
        await wait_all_tasks_blocked()
        assert (first.is_behind, second.is_behind) == (True, False)
        await trio.sleep(20)
        assert not first.is_behind
        assert first.trouble is None


async def test_after_an_interruption_the_jump_is_filled_before_newer_ticks_move_anything(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    async with running(feed) as fanout:
        fanout.observe(tick(100, 1, 1))
        attachment = attach(fanout, watch, told, seen(1, 1))
        assert not attachment.is_behind
        fanout.interrupted("BTCUSDT", "the connection was lost")
        feed.trades = [tick(price, n, n) for n, price in ((1, 100), (2, 130), (3, 112), (4, 131))]
        assert fanout.observe(tick(131, 4, 4))
        assert attachment.is_behind
        assert (watch.extreme, fanout.prices("BTCUSDT")) == (100, 131)
        fanout.observe(tick(132, 5, 5))
        await wait_all_tasks_blocked()
        assert (watch.extreme, watch.stop, watch.moves, watch.trade_id) == (132, 112, 3, 5)
        assert feed.calls == [("trades_from", "BTCUSDT 2")]


async def test_many_watches_with_the_same_gap_ask_once(autojump_clock, feed):
    async with running(feed) as fanout:
        fanout.observe(tick(100, 1, 1))
        watches = [long(80, 100, 20) for _ in range(20)]
        for watch in watches:
            fanout.attach("BTCUSDT", watch, lambda hit: None)
        await trio.sleep(11)
        # Nobody said that the stream was interrupted; the silence tells.
        feed.trades = [tick(price, n, n) for n, price in ((1, 100), (2, 130), (3, 125))]
        fanout.observe(tick(125, 3, 3))
        await wait_all_tasks_blocked()
        assert {watch.extreme for watch in watches} == {130}
        assert feed.calls == [("trades_from", "BTCUSDT 2")]


async def test_without_a_jump_an_interruption_changes_nothing(autojump_clock, feed):
    watch = long(80, 100, 20)
    async with running(feed) as fanout:
        fanout.observe(tick(100, 1, 1))
        attachment = fanout.attach("BTCUSDT", watch, lambda hit: None)
        fanout.interrupted("BTCUSDT", "the connection was lost")
        fanout.observe(tick(105, 2, 2))
        assert (attachment.place, watch.extreme) == ("live", 105)
        fanout.observe(tick(106, 9, 9))
        assert (attachment.place, watch.extreme) == ("live", 106)
    assert feed.calls == []


async def test_interrupted_again_while_the_source_is_asked_nothing_is_lost(autojump_clock, feed):
    watch, told = long(80, 100, 20), Told()
    gate = trio.Event()
    answer = feed.trades_from

    async def slow(symbol, trade_id):
        given = await answer(symbol, trade_id)
        await gate.wait()
        return given

    async with running(feed) as fanout:
        fanout.observe(tick(100, 1, 1))
        attachment = attach(fanout, watch, told, seen(1, 1))
        fanout.interrupted("BTCUSDT", "the connection was lost")
        feed.trades = [tick(100, 1, 1), tick(101, 2, 2), tick(102, 3, 3)]
        feed.trades_from = slow
        fanout.observe(tick(102, 3, 3))
        await wait_all_tasks_blocked()
        fanout.interrupted("BTCUSDT", "the connection was lost again")
        feed.trades += [tick(140, 4, 4), tick(125, 5, 5)]
        fanout.observe(tick(125, 5, 5))
        gate.set()
        await wait_all_tasks_blocked()
        assert (attachment.place, watch.extreme, watch.trade_id) == ("live", 140, 5)
        assert told.hits == []


async def test_of_a_very_long_gap_the_first_trades_are_read_and_then_whole_candles(autojump_clock, feed, monkeypatch):
    """So the candle in which the gap began need not be taken whole: it may hold prices of before."""
    monkeypatch.setattr("robson.feed.backfill.TRADES_MOST", 4)
    watch, told = long(80, 100, 20), Told()
    prices = [(8, 20, 81), *((n, n + 20, 100 + n % 3) for n in range(9, 60)), (60, 190, 118)]
    feed.trades = [tick(price, n, seconds) for n, seconds, price in prices]
    feed.page = 20
    feed.history = [
        minute(0, 81, 108, 105),
        minute(1, 100, 119, 109),
        minute(2, 100, 117, 118),
        minute(3, 118, 118, 118),
    ]
    async with running(feed) as fanout:
        fanout.observe(tick(118, 60, 190))
        attachment = attach(fanout, watch, told, seen(8, 20))
        await wait_all_tasks_blocked()
        assert (attachment.place, watch.extreme, watch.trade_id) == ("live", 119, 60)
        assert told.hits == []
    assert feed.calls == [
        ("trades_from", "BTCUSDT 9"),
        ("trades_from", "BTCUSDT 29"),
        ("candles_since", "BTCUSDT 60"),
    ]
    assert told.replayed[0].missing is None
