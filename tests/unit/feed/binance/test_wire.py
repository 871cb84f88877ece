"""Real sockets on loopback: the same exchange, through the kernel and the machine's own clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from robson.clock import RunClock
from robson.domain.market import Tick
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.history import History
from robson.feed.binance.wire import SocketLost, open_socket
from tests.exchange import Exchange
from tests.unit.feed.markets import Recorder

PATIENCE = 20.0


class Awaited(Recorder):
    """A market that says when the third trade has come."""

    def __init__(self) -> None:
        super().__init__()
        self.last = trio.Event()

    def observe(self, tick: Tick) -> bool:
        if tick.trade_id == 3 and not tick.polled:
            self.last.set()
        return super().observe(tick)


class Loopback:
    """An exchange that listens on a port of this machine."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.clock = RunClock()
        self.exchange = Exchange(nursery, self.clock)
        self.market = Awaited()
        self.port = 0

    async def listen(self, nursery: trio.Nursery) -> None:
        listeners = await nursery.start(trio.serve_tcp, self.exchange.serve, 0)
        self.port = listeners[0].socket.getsockname()[1]

    def feed(self) -> BinanceFeed:
        history = History(self.exchange.client())
        url = f"ws://127.0.0.1:{self.port}"
        return BinanceFeed(history, stream_url=url, connect=open_socket, random=lambda: 1.0)

    async def subscribed(self, lines: int) -> None:
        """Wait until a line of this number has its streams; the feed asks for them by itself."""
        while len(self.exchange.lines) < lines or not self.exchange.lines[lines - 1].streams:
            await self.exchange.news.wait()


@asynccontextmanager
async def loopback(nursery: trio.Nursery) -> AsyncIterator[Loopback]:
    here = Loopback(nursery)
    await here.listen(nursery)
    feed = here.feed()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as inner:
            inner.start_soon(feed.run, here.market)
            await feed.subscribe("BTCUSDT")
            await here.subscribed(1)
            yield here
            inner.cancel_scope.cancel()


async def test_a_burst_comes_through_the_kernel_in_order(nursery: trio.Nursery) -> None:
    async with loopback(nursery) as here:
        for price in range(1, 2001):
            here.exchange.trade(price)
        await here.market.wait_for(2000)
        assert here.market.ticks == here.exchange.trades["BTCUSDT"]


async def test_a_cut_and_a_shutdown_lose_nothing(nursery: trio.Nursery) -> None:
    async with loopback(nursery) as here:
        here.exchange.trade(100)
        await here.market.wait_for(1)
        here.exchange.lines[0].cut()
        here.exchange.trade(101, streamed=False)
        await here.subscribed(2)
        here.exchange.announce_shutdown()
        await here.subscribed(3)
        here.exchange.trade(102)
        await here.market.last.wait()
        assert [tick.trade_id for tick in here.market.ticks if not tick.polled] == [1, 2, 3]


async def test_a_place_where_nobody_listens_is_named() -> None:
    with pytest.raises(SocketLost, match="no connection to ws://127.0.0.1:1/stream"):
        async with open_socket("ws://127.0.0.1:1/stream"):
            pass


async def test_a_connection_that_ends_says_how(nursery: trio.Nursery) -> None:
    here = Loopback(nursery)
    await here.listen(nursery)
    with trio.fail_after(PATIENCE):
        async with open_socket(f"ws://127.0.0.1:{here.port}/stream") as socket:
            async with trio.open_nursery() as inner:
                inner.start_soon(socket.receive)
                await socket.ping()
                inner.cancel_scope.cancel()
            (line,) = here.exchange.lines
            line.cut()
            for use in (socket.receive, socket.ping, lambda: socket.send("x")):
                with pytest.raises(SocketLost, match="the connection was closed with 1006"):
                    await use()
