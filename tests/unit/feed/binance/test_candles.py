"""A detector on the streams of Binance: the past by REST, then candles as the stream closes them, and only closed."""

from datetime import timedelta
from decimal import Decimal

import trio

from robson.domain.market import Candle
from robson.domain.values import Side
from robson.feed.fanout import FanOut
from tests.exchange import Exchange, feed_of
from tests.rig import SimulatedClock

MINUTE = 60


class Bench:
    """A fan-out over the feed, and a market that trades every seven seconds."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.clock = SimulatedClock()
        self.exchange = Exchange(nursery, self.clock)
        self.feed = feed_of(self.exchange, self.clock)
        self.market = FanOut(self.feed, self.clock, 30.0)
        nursery.start_soon(self.feed.run, self.market)
        nursery.start_soon(self.market.make_up)
        self.step = 0

    async def trade(self, seconds: float, *, streamed: bool = True) -> None:
        """Go on for so long."""
        until = trio.current_time() + seconds
        while trio.current_time() < until:
            self.step += 1
            price = Decimal(100) + self.step * 37 % 53
            self.exchange.trade(price, streamed=streamed and bool(self.exchange.open_lines))
            await trio.sleep(7)

    async def on_record(self, since: Candle, until: Candle) -> list[Candle]:
        """The exchange's own candles from one to another."""
        found = await self.feed.candles_since("BTCUSDT", MINUTE, since.opened_at)
        return [one for one in found if since.opened_at <= one.opened_at <= until.opened_at]


async def test_candles_begin_with_history_and_go_on_with_the_stream(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    here = Bench(nursery)
    await here.trade(400)
    await here.market.subscribe("BTCUSDT")
    await trio.sleep(1)
    nursery.start_soon(here.trade, 600)
    await trio.sleep(30)
    observation = here.market.observation("BTCUSDT", Side.LONG)
    seen: list[Candle] = []
    async with observation.follow_candles(MINUTE) as candles:
        history = await observation.closed_candles(MINUTE, 5)
        assert len(history) == 5
        assert history[-1].ends_at <= here.exchange.now()
        asked = len(here.exchange.requests("klines"))
        async for candle in candles:
            assert candle.ends_at <= here.exchange.now()
            seen.append(candle)
            if len(seen) == 6:
                break
    # Each minute after the history, once, as the exchange has it; the first one had begun before anybody looked.
    assert seen[0].opened_at == history[-1].ends_at
    assert seen == await here.on_record(seen[0], seen[-1])
    assert len(here.exchange.requests("klines")) <= asked + 2


async def test_a_candle_in_which_the_stream_was_cut_is_the_exchanges_own(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    here = Bench(nursery)
    await here.market.subscribe("BTCUSDT")
    await trio.sleep(1)
    nursery.start_soon(here.trade, 600)
    observation = here.market.observation("BTCUSDT", Side.LONG)
    seen: list[Candle] = []
    async with observation.follow_candles(MINUTE) as candles:
        async for candle in candles:
            seen.append(candle)
            if len(seen) == 2:
                await trio.sleep(10)
                here.exchange.is_closed = True
                here.exchange.open_lines[0].cut()
                await trio.sleep(15)
                here.exchange.is_closed = False
            if len(seen) == 6:
                break
    assert len(here.exchange.lines) >= 2
    assert [later.opened_at - seen[0].opened_at for later in seen] == [timedelta(minutes=n) for n in range(6)]
    assert seen == await here.on_record(seen[0], seen[-1])
