"""The book as the price source: bids for longs, asks for shorts, no trade ids, and what is missed read by time."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.domain.market import Candle, Tick, Trades
from robson.domain.values import Side
from robson.engine.missed import Crossing, Seen
from robson.engine.trailing import Watch
from robson.feed.fanout import FanOut
from tests.rig import SimulatedClock
from tests.unit.feed.markets import START, HandFeed, tick


def long_watch() -> Watch:
    return Watch(Side.LONG, Decimal(95), Decimal(100), Decimal(5))


def short_watch() -> Watch:
    return Watch(Side.SHORT, Decimal(105), Decimal(100), Decimal(5))


def book(bid: object, ask: object, seconds: float = 0, *, polled: bool = False) -> Tick:
    return Tick(
        symbol="BTCUSDT",
        price=Decimal(str(bid)),
        ask=Decimal(str(ask)),
        quantity=Decimal(0),
        trade_id=None,
        at=START + timedelta(seconds=seconds),
        polled=polled,
    )


class Told:
    """What a watch tells when it is hit."""

    def __init__(self) -> None:
        self.crossings: list[Crossing] = []

    def __call__(self, crossing: Crossing) -> None:
        self.crossings.append(crossing)


class BookFeed(HandFeed):
    """A source whose past comes as the test says it, without ids; the last answer is repeated."""

    def __init__(self, *answers: Trades) -> None:
        super().__init__()
        self.answers = list(answers)
        self.reading: trio.Event | None = None

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        self.calls.append(("trades_since", symbol))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.reading is not None:
            await self.reading.wait()
        return answer


async def market_of(feed: HandFeed) -> FanOut:
    market = FanOut(feed, SimulatedClock(), 10.0)
    await market.subscribe("BTCUSDT")
    return market


@pytest.mark.parametrize("polled", [False, True])
async def test_a_long_looks_at_the_bid_and_a_short_at_the_ask(autojump_clock: object, polled: bool) -> None:
    market = await market_of(HandFeed())
    long, short = Told(), Told()
    market.attach("BTCUSDT", long_watch(), long)
    market.attach("BTCUSDT", short_watch(), short)
    market.observe(book("95.01", "104.99", 1, polled=polled))
    assert not long.crossings
    assert not short.crossings
    market.observe(book("95", "104.99", 2, polled=polled))
    assert [hit.price for hit in long.crossings] == [Decimal(95)]
    assert not short.crossings
    market.observe(book("94", "105", 3, polled=polled))
    assert [hit.price for hit in short.crossings] == [Decimal(105)]


async def test_each_side_follows_its_own_price(autojump_clock: object) -> None:
    market = await market_of(HandFeed())
    long, short = long_watch(), short_watch()
    market.attach("BTCUSDT", long, Told())
    market.attach("BTCUSDT", short, Told())
    market.observe(book("101", "103", 1))
    market.observe(book("97", "98", 2))
    assert (long.extreme, long.stop) == (Decimal(101), Decimal(96))
    assert (short.extreme, short.stop) == (Decimal(98), Decimal(103))


async def interrupted_market(feed: HandFeed) -> tuple[FanOut, Watch, Told]:
    """A long that has seen the book up to second 2, and then an interruption."""
    market = await market_of(feed)
    told, followed = Told(), long_watch()
    market.attach("BTCUSDT", followed, told)
    market.observe(book("100", "101", 2))
    market.interrupted("BTCUSDT", "the connection was cut")
    return market, followed, told


async def test_what_an_interruption_hid_is_read_by_time_before_the_stop_follows(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    feed = BookFeed(Trades(ticks=(tick("106", None, 3), tick("102", None, 4))))
    market, followed, told = await interrupted_market(feed)
    nursery.start_soon(market.make_up)
    market.observe(book("103", "104", 5))
    assert followed.stop == Decimal(95)
    await wait_all_tasks_blocked()
    assert ("trades_since", "BTCUSDT") in feed.calls
    assert (followed.stop, followed.extreme) == (Decimal(101), Decimal(106))
    assert not told.crossings
    market.observe(book("107", "108", 6))
    assert followed.stop == Decimal(102)
    # Once is enough: the answer reached the present.
    assert feed.calls.count(("trades_since", "BTCUSDT")) == 1


async def test_a_crossing_that_an_interruption_hid_is_found(autojump_clock: object, nursery: trio.Nursery) -> None:
    feed = BookFeed(Trades(ticks=(tick("94", None, 3), tick("102", None, 4))))
    market, _, told = await interrupted_market(feed)
    nursery.start_soon(market.make_up)
    market.observe(book("103", "104", 5))
    await wait_all_tasks_blocked()
    assert [(hit.price, hit.at) for hit in told.crossings] == [(Decimal(94), START + timedelta(seconds=3))]


async def test_where_nothing_was_traded_the_stop_goes_on(autojump_clock: object, nursery: trio.Nursery) -> None:
    feed = BookFeed(Trades())
    market, followed, told = await interrupted_market(feed)
    nursery.start_soon(market.make_up)
    market.observe(book("103", "104", 5))
    await wait_all_tasks_blocked()
    assert followed.stop == Decimal(98)
    assert not told.crossings
    assert feed.calls.count(("trades_since", "BTCUSDT")) == 1


async def test_a_second_interruption_during_the_reading_is_read_too(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    feed = BookFeed(Trades(ticks=(tick("106", None, 3),)), Trades(ticks=(tick("106", None, 3), tick("110", None, 6))))
    market, followed, _ = await interrupted_market(feed)
    gate = feed.reading = trio.Event()
    nursery.start_soon(market.make_up)
    market.observe(book("103", "104", 5))
    await wait_all_tasks_blocked()
    market.interrupted("BTCUSDT", "once more")
    market.observe(book("108", "109", 7))
    gate.set()
    await wait_all_tasks_blocked()
    assert followed.extreme == Decimal(110)


async def test_a_late_fill_sees_the_kept_book_since_then(autojump_clock: object) -> None:
    market = await market_of(HandFeed())
    for bid in (100, 102, 94, 99):
        market.observe(book(bid, bid + 1, trio.current_time()))
        if bid == 102:
            filled_at = START + timedelta(seconds=trio.current_time() + 0.5)
        await trio.sleep(1)
    told = Told()
    market.attach("BTCUSDT", long_watch(), told, seen=Seen(at=filled_at))
    assert [hit.price for hit in told.crossings] == [Decimal(94)]


async def test_candles_are_never_made_of_the_book(autojump_clock: object, nursery: trio.Nursery) -> None:
    feed = HandFeed()
    market = await market_of(feed)
    market.observe(book(100, 101, 1))
    candle = Candle(
        symbol="BTCUSDT",
        opened_at=START,
        interval_seconds=60,
        open=Decimal(7),
        high=Decimal(9),
        low=Decimal(6),
        close=Decimal(8),
    )
    feed.history = [candle]
    seen: list[Candle] = []
    async with market.observation("BTCUSDT", Side.LONG).follow_candles(60) as candles:
        market.observe(book(102, 103, 30))
        market.observe(book(104, 105, 61))
        async for one in candles:
            seen.append(one)
            break
    assert seen == [candle]
