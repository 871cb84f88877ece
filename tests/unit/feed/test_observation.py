"""What a detector sees of its symbol."""

from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.domain.errors import VenueError
from robson.domain.market import Candle
from robson.domain.values import Side
from robson.feed.fanout import FanOut
from tests.unit.feed.markets import START, HandFeed, tick


class VenueClock:
    """A wall clock that is seconds away from the venue's."""

    def now(self):
        return START + timedelta(seconds=self.monotonic() - 1.25)

    def monotonic(self):
        return trio.current_time()


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
async def fanout(feed):
    made = FanOut(feed, VenueClock(), 10)
    await made.subscribe("BTCUSDT")
    return made


@pytest.fixture
def market(fanout):
    return fanout.observation("BTCUSDT", Side.SHORT)


def minute(number, price=7):
    return Candle(
        symbol="BTCUSDT",
        opened_at=START + timedelta(minutes=number),
        interval_seconds=60,
        open=Decimal(price),
        high=Decimal(price),
        low=Decimal(price),
        close=Decimal(price),
    )


def brief(candle):
    return (candle.opened_at - START).total_seconds() / 60, int(candle.high), int(candle.close)


async def at(seconds):
    await trio.sleep_until(seconds)


async def test_it_knows_symbol_and_side(autojump_clock, market):
    assert (market.symbol, market.side) == ("BTCUSDT", Side.SHORT)


async def test_the_last_price_waits_for_a_fresh_one(autojump_clock, fanout, market):
    got = []

    async def ask():
        got.append(await market.last_price())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await at(1)
        assert got == []
        assert fanout.observe(tick(100, 1, 1))
    assert await market.last_price() == 100
    async with trio.open_nursery() as nursery:
        await at(12)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert got == [100]
        fanout.observe(tick(105, 2, 12))
    assert got == [100, 105]


async def collect(market, into, interval_seconds=60):
    async with market.follow_candles(interval_seconds) as candles:
        async for candle in candles:
            into.append((trio.current_time(), *brief(candle)))


async def test_candles_close_with_the_next_tick_or_a_second_after_their_end(autojump_clock, fanout, market, feed):
    got = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, market, got)
        await at(58)
        # Only the first tick tells when the first candle ends.
        assert fanout.observe(tick(100, 1, 58))
        steps = [(60.5, 101, True), (70, 99, False), (119, 104, False), (120.5, 90, True), (122, 95, False)]
        for number, (second, price, woke) in enumerate(steps, start=2):
            await at(second)
            assert fanout.observe(tick(price, number, second)) is woke
        await at(175)
        fanout.observe(tick(96, 175, 175))
        await at(179)
        await at(190)
        nursery.cancel_scope.cancel()
    # The first interval was not seen from its beginning, and the feed has nothing about it.
    assert got == [(120.5, 1, 104, 104), (181, 2, 96, 96)]


async def test_a_candle_that_was_not_wholly_seen_comes_from_the_feed(autojump_clock, fanout, market, feed):
    got = []
    feed.history = [minute(-1, 5), minute(0, 6)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, market, got)
        await at(30)
        fanout.observe(tick(100, 1, 30))
        await at(60)
        fanout.observe(tick(101, 2, 60))
        await at(61)
        nursery.cancel_scope.cancel()
    assert got == [(60, 0, 6, 6)]


async def test_of_a_stale_or_interrupted_symbol_no_candle_is_believed(autojump_clock, fanout, market, feed):
    got = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, market, got)
        await at(59)
        fanout.observe(tick(100, 1, 59))
        await at(62)
        fanout.observe(tick(100, 2, 62))
        fanout.interrupted("BTCUSDT", "connection lost")
        await at(65)
        fanout.observe(tick(100, 3, 65))
        await at(120)
        feed.history = [minute(1, 8)]
        await at(125)
        feed.history = [minute(1, 8), minute(2, 9)]
        await at(200)
        nursery.cancel_scope.cancel()
    assert got == [(121, 1, 8, 8), (181, 2, 9, 9)]


async def test_a_feed_that_cannot_mend_a_candle_leaves_it_out(autojump_clock, fanout, market, feed):
    got = []

    async def fail(symbol, interval_seconds, count):
        raise VenueError("no answer")

    feed.candles = fail
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, market, got)
        for second in (55, 60, 118, 125):
            await at(second)
            fanout.observe(tick(100, second, second))
        await at(126)
        nursery.cancel_scope.cancel()
    assert got == [(121, 1, 100, 100)]


async def test_a_quiet_market_is_flat_by_the_clock(autojump_clock, fanout, market):
    got = []
    async with trio.open_nursery() as nursery:
        await at(59)
        fanout.observe(tick(100, 1, 59))
        nursery.start_soon(collect, market, got, 3)
        await at(67.5)
        nursery.cancel_scope.cancel()
    assert got == [(64, 1, 100, 100), (67, 1.05, 100, 100)]


async def test_a_slow_reader_holds_nobody_up_and_loses_the_oldest(autojump_clock, fanout, market):
    fanout.observe(tick(1, 0, 0))
    async with market.follow_candles(1) as candles:
        for n in range(1, 400):
            fanout.observe(tick(n, n, n))
        first = await anext(candles)
    assert brief(first)[1:] == (399 - 256, 399 - 256)


async def test_closed_candles_are_the_feeds_history_continued_from_ticks(autojump_clock, fanout, market, feed):
    fanout.observe(tick(100, 1, 0))
    feed.history = [minute(n, 10 + n) for n in (-3, -2, -1)]
    assert [brief(one)[:2] for one in await market.closed_candles(60, 2)] == [(-2, 8), (-1, 9)]
    asked = len(feed.calls)
    for second in (30, 60, 90, 120, 130):
        await at(second)
        fanout.observe(tick(200 + second, second, second))
    assert [brief(one)[:2] for one in await market.closed_candles(60, 4)] == [(-2, 8), (-1, 9), (0, 230), (1, 290)]
    assert [brief(one)[:2] for one in await market.closed_candles(60, 1)] == [(1, 290)]
    assert len(feed.calls) == asked
    assert len(await market.closed_candles(60, 9)) == 5
    assert len(feed.calls) == asked + 1


async def test_closed_candles_pass_on_why_there_are_none(autojump_clock, market, feed):
    async def fail(symbol, interval_seconds, count):
        raise VenueError("no answer")

    feed.candles = fail
    with pytest.raises(VenueError):
        await market.closed_candles(900, 3)


async def test_ticks_are_followed_newest_only(autojump_clock, fanout, market):
    got = []
    async with trio.open_nursery() as nursery:

        async def follow():
            async with market.follow_ticks() as ticks:
                async for one in ticks:
                    got.append(one.trade_id)  # noqa: PERF401  # a comprehension would keep them until the end

        nursery.start_soon(follow)
        await wait_all_tasks_blocked()
        assert [fanout.observe(tick(100, n, n)) for n in (1, 2, 3)] == [True, False, False]
        await wait_all_tasks_blocked()
        assert fanout.observe(tick(100, 4, 4))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert got == [3, 4]
    assert not fanout.observe(tick(100, 5, 5))
