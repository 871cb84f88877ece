"""A burst while the daemon is busy: what the kernel cannot hold waits with the sender, and no trade is lost."""

import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

import pytest
import trio

from robson.clock import RunClock
from robson.domain.market import Tick
from robson.domain.values import Side
from robson.engine.trailing import Watch
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.history import History
from robson.feed.binance.line import MESSAGES_A_TURN, Line
from robson.feed.binance.wire import Socket, open_socket
from robson.feed.fanout import FanOut
from tests.contract.test_socket import Peer
from tests.exchange import Exchange
from tests.property.test_frames import frame
from tests.unit.feed.binance.test_line import STREAM, Deaf

SYMBOL = "BTCUSDT"
TRADES = 20_000
PATIENCE = 120.0


def trade(number: int, price: object = 50_000, symbol: str = SYMBOL) -> str:
    body = {"e": "aggTrade", "E": 1, "s": symbol, "a": number, "p": str(price), "q": "1", "T": 1_732_300_000_000}
    return json.dumps({"stream": f"{symbol.lower()}@aggTrade", "data": body}, separators=(",", ":"))


@dataclass
class Burst:
    """All the trades, handed to the kernel as far as it takes them, by whoever has the time."""

    left: memoryview
    place: int = -1
    # How often the kernel would take no more.
    refusals: int = 0

    def push(self) -> None:
        while self.left:
            try:
                self.left = self.left[os.write(self.place, self.left) :]
            except BlockingIOError:
                self.refusals += 1
                return

    async def send(self, stream: trio.SocketStream) -> None:
        """The exchange's side: confirm what is asked for, then everything at once."""
        peer = Peer(stream)
        await peer.greet()
        await peer.hear()
        await peer.say(frame(1, b'{"result":null,"id":1}'))
        # The less fits in between, the sooner the exchange has to wait.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self.place = stream.socket.fileno()
        while self.left:
            await trio.lowlevel.wait_writable(stream.socket)
            self.push()
        await trio.sleep_forever()


@dataclass
class Busy:
    """The market, at some trades as good as dead: meanwhile the exchange goes on until no buffer holds another byte."""

    market: FanOut
    burst: Burst
    at: frozenset[int]
    seen: list[int | None] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)

    def observe(self, tick: Tick) -> bool:
        if tick.polled:
            return False
        self.seen.append(tick.trade_id)
        if tick.trade_id in self.at:
            self.burst.push()
        woke = self.market.observe(tick)
        if tick.trade_id == TRADES:
            self.done.set()
        return woke

    def interrupted(self, symbol: str, reason: str) -> None:
        self.market.interrupted(symbol, reason)


async def test_no_trade_of_a_burst_is_lost_while_the_daemon_is_busy() -> None:
    """A commit that takes long stops the one thread, as this does; only that this is long enough for any disk."""
    burst = Burst(memoryview(b"".join(frame(1, trade(number).encode()) for number in range(1, TRADES + 1))))
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            clock = RunClock()
            exchange = Exchange(nursery, clock, SYMBOL)
            (listener,) = await nursery.start(partial(trio.serve_tcp, burst.send, 0, host="127.0.0.1"))
            url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
            history = History(exchange.client())
            feed = BinanceFeed(history, stream_url=url, connect=open_socket, random=lambda: 1.0)
            market = FanOut(feed, clock, PATIENCE)
            busy = Busy(market, burst, frozenset({1, 5_000, 12_345}))
            await market.subscribe(SYMBOL)
            watch = Watch(Side.LONG, Decimal(1), Decimal(60_000), Decimal(59_999))
            attachment = market.attach(SYMBOL, watch, lambda _crossing: None)
            nursery.start_soon(feed.run, busy)
            await busy.done.wait()
            # Before its end is one more.
            interruptions = market.interruptions.total()
            attachment.detach()
            nursery.cancel_scope.cancel()
    # It was as it says: the exchange had more to send than there was room for.
    assert burst.refusals >= 2
    assert busy.seen == list(range(1, TRADES + 1))
    assert watch.trade_id == TRADES
    assert interruptions == 0
    assert feed.reconnects == 0
    # Nothing had to be asked for: only whether there is such a symbol.
    assert len(exchange.requests("/aggTrades")) == 1


class Pile(Deaf):
    """A connection on which everything has come at once."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self.messages = messages

    async def receive(self) -> list[str]:
        confirmed = await self.given.receive()
        return [confirmed, *self.messages]


@pytest.mark.parametrize("wakes_at", [1, 3, 7, 20, 33, 50, 65, 90, 101, 130, 150, None])
async def test_who_is_woken_or_was_waiting_has_a_turn_before_the_rest_of_a_pile(
    wakes_at: int | None, autojump_clock: object, nursery: trio.Nursery
) -> None:
    taken, turns = 0, list[int]()
    hit = trio.Event()

    def on_frame(frame: object) -> bool:
        nonlocal taken
        taken += 1
        if taken == (wakes_at or 1):
            hit.set()
        return taken == wakes_at

    async def order() -> None:
        """Whoever has an order to send needs several turns of the loop."""
        await hit.wait()
        for _ in range(3):
            turns.append(taken)
            await trio.lowlevel.checkpoint()

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Socket]:
        await trio.lowlevel.checkpoint()
        yield Pile([trade(number) for number in range(1, 200)])

    line = Line("ws://exchange.test/stream", connect, [STREAM], on_frame)
    nursery.start_soon(order)
    nursery.start_soon(line.run)
    await line.settled.wait()
    with trio.fail_after(PATIENCE):
        while taken < 199:
            await trio.lowlevel.checkpoint()
    assert turns[0] == wakes_at if wakes_at else turns[0] <= 2 * MESSAGES_A_TURN
    assert max(turns) <= turns[0] + 3 * MESSAGES_A_TURN
    line.close("enough")
