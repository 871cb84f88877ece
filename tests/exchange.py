"""Binance's public side as the tests need it: streams over real WebSockets, REST, and what may go wrong with both."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, cast

import httpx
import trio
from trio.testing import memory_stream_pair
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)

from robson.domain.market import Tick
from robson.feed.binance.codec import exchange_time, to_stamp
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.history import History
from robson.feed.binance.wire import Socket, SocketLost, speak
from robson.ports.clock import Clock
from robson.venue.binance.client import Client

DAY_SECONDS = 24 * 3600.0
HOST = "http://exchange.test"
STREAMS = "ws://exchange.test"
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ServedLine:
    """The exchange's end of one connection; `is_mute` lets it answer pings and deliver nothing."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.streams: set[str] = set()
        self.is_mute = False
        self.is_open = True
        # When each message of the client came.
        self.messages: list[float] = []
        self.scope = trio.CancelScope()
        self.opened_at = trio.current_time()
        self.outgoing, self.queue = trio.open_memory_channel[str](math.inf)

    def send(self, frame: Any) -> None:
        """Queue a frame."""
        if self.is_open and not self.is_mute:
            self.outgoing.send_nowait(json.dumps(frame))

    def cut(self) -> None:
        """Break the connection without a word."""
        self.is_open = False
        self.scope.cancel()


class Exchange:
    """Symbols, their trades with consecutive ids, and every line that streams them."""

    def __init__(self, nursery: trio.Nursery, clock: Clock, *symbols: str) -> None:
        self.nursery = nursery
        self.clock = clock
        self.trades: dict[str, list[Tick]] = {symbol: [] for symbol in symbols or ("BTCUSDT",)}
        self.tops: dict[str, tuple[str, str]] = {}
        self.lines: list[ServedLine] = []
        # What goes wrong: connections and requests refused, an answer that waits, the age at which lines are ended.
        self.is_closed = False
        self.silence_seconds = 0
        self.refused_at: list[float] = []
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.firewall = False
        self.gate: trio.Event | None = None
        self.acknowledges = True
        self.greets_mute = False
        self.life_seconds = DAY_SECONDS
        self.asked: list[tuple[str, dict[str, str]]] = []
        # How far the exchange's clock is ahead of ours, and how many of the newest trades REST still has.
        self.ahead = timedelta(0)
        self.window: int | None = None
        self._update_id = 0
        # Set at each message of a client.
        self.news = trio.Event()

    # --- the market --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return exchange_time(to_stamp(self.clock.now() + self.ahead))

    def trade(self, price: object, symbol: str = "BTCUSDT", *, streamed: bool = True) -> Tick:
        """One trade; not streamed, it is one that the stream has lost."""
        kept = self.trades[symbol]
        last = kept[-1].trade_id if kept else 0
        assert last is not None
        tick = Tick(
            symbol=symbol,
            price=Decimal(str(price)),
            quantity=Decimal(1),
            trade_id=last + 1,
            at=self.now(),
        )
        kept.append(tick)
        if streamed:
            self.stream(tick)
        return tick

    def stream(self, tick: Tick) -> None:
        """Stream a trade (again)."""
        stream = f"{tick.symbol.lower()}@aggTrade"
        for line in self.lines:
            if stream in line.streams:
                line.send({"stream": stream, "data": trade_frame(tick)})

    def top(self, bid: str, ask: str, symbol: str = "BTCUSDT", *, streamed: bool = True) -> None:
        """The book changes."""
        self.tops[symbol] = (bid, ask)
        self._update_id += 1
        stream = f"{symbol.lower()}@bookTicker"
        body = {"u": self._update_id, "s": symbol, "b": bid, "B": "1", "a": ask, "A": "1"}
        for line in self.lines if streamed else ():
            if stream in line.streams:
                line.send({"stream": stream, "data": body})

    @property
    def open_lines(self) -> list[ServedLine]:
        return [line for line in self.lines if line.is_open]

    def announce_shutdown(self) -> None:
        for line in self.open_lines:
            line.send({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": to_stamp(self.now())}})

    # --- streams -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Socket]:
        """A client's connection, through memory: everything waits on the run's clock."""
        await trio.lowlevel.checkpoint()
        if self.is_closed:
            self.refused_at.append(trio.current_time())
            raise SocketLost("connection refused", self.silence_seconds)
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.serve, theirs)
        async with speak(cast("trio.SocketStream", ours), "exchange.test", url) as socket:
            yield socket

    async def serve(self, stream: trio.abc.Stream) -> None:
        """The exchange's side of one connection, over whatever stream."""
        line = ServedLine(len(self.lines) + 1)
        with line.scope:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, stream)
                await self._talk(request, line)
                nursery.cancel_scope.cancel()
        line.is_open = False
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)

    async def _talk(self, request: WebSocketRequest, line: ServedLine) -> None:
        connection = await request.accept()
        line.is_mute = self.greets_mute
        self.lines.append(line)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, connection, line)
                with trio.move_on_after(self.life_seconds):
                    while True:
                        self.take(line, json.loads(await connection.get_message()))
                nursery.cancel_scope.cancel()
        except* ConnectionClosed:
            pass

    async def _write(self, connection: WebSocketConnection, line: ServedLine) -> None:
        async for frame in line.queue:
            await connection.send_message(frame)

    def take(self, line: ServedLine, message: dict[str, Any]) -> None:
        line.messages.append(trio.current_time())
        self.news.set()
        self.news = trio.Event()
        if not self.acknowledges:
            return
        if message["method"] == "SUBSCRIBE":
            line.streams |= set(message["params"])
        else:
            line.streams -= set(message["params"])
        # A mute line confirms all the same: that is what makes it dangerous.
        line.outgoing.send_nowait(json.dumps({"result": None, "id": message["id"]}))

    # --- REST --------------------------------------------------------------------------------------------------------

    def client(self, clock: Clock | None = None) -> Client:
        return Client(HOST, None, clock or self.clock, transport=Answering(self.answer))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.asked.append((request.url.path, query))
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        if self.firewall:
            return httpx.Response(403, text="<html>Request blocked</html>")
        if self.status is not None:
            return httpx.Response(self.status, headers=self.headers, json={"code": -1, "msg": "trouble"})
        names = json.loads(query["symbols"]) if "symbols" in query else [query.get("symbol", next(iter(self.trades)))]
        if any(name not in self.trades for name in names):
            return httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."})
        match request.url.path:
            case "/api/v3/time":
                return httpx.Response(200, json={"serverTime": to_stamp(self.now())})
            case "/api/v3/aggTrades":
                return httpx.Response(200, json=[_row(tick) for tick in self._page(names[0], query)])
            case "/api/v3/klines":
                return httpx.Response(200, json=self._klines(names[0], query))
            case "/api/v3/ticker/price":
                prices = [(name, self.trades[name][-1].price) for name in names if self.trades[name]]
                return httpx.Response(200, json=[{"symbol": name, "price": str(price)} for name, price in prices])
            case "/api/v3/ticker/bookTicker":
                tops = [(name, *self.tops[name]) for name in names if name in self.tops]
                return httpx.Response(200, json=[{"symbol": n, "bidPrice": b, "askPrice": a} for n, b, a in tops])
            case _:
                return httpx.Response(404, json={"code": -1, "msg": "no such path"})

    def requests(self, path: str) -> list[dict[str, str]]:
        return [query for asked, query in self.asked if asked.endswith(path)]

    def _page(self, symbol: str, query: dict[str, str]) -> Sequence[Tick]:
        kept, limit = self.trades[symbol][-(self.window or len(self.trades[symbol])) :], int(query.get("limit", "500"))
        if "fromId" in query:
            return [tick for tick in kept if (tick.trade_id or 0) >= int(query["fromId"])][:limit]
        if "startTime" in query:
            return [tick for tick in kept if to_stamp(tick.at) >= int(query["startTime"])][:limit]
        return kept[-limit:]

    def _klines(self, symbol: str, query: dict[str, str]) -> list[list[Any]]:
        step = {"1m": 60, "3m": 180, "5m": 300, "15m": 900, "1h": 3600}[query["interval"]]
        length = timedelta(seconds=step)
        by_start = {
            start: [tick.price for tick in part]
            for start, part in groupby(self.trades[symbol], lambda tick: tick.at - (tick.at - _EPOCH) % length)
        }
        rows: list[list[Any]] = []
        last: Decimal | None = None
        start, until = min(by_start, default=self.now()), self.now()
        while start <= until:
            prices = by_start.get(start, [last] if last is not None else [])
            last = prices[-1] if prices else None
            texts = [str(one) for one in (prices[0], max(prices), min(prices), prices[-1])]
            rows.append([to_stamp(start), *texts, "1", to_stamp(start + length) - 1, "1", len(prices), "1", "1", "0"])
            start += length
        low, high = int(query.get("startTime", "0")), int(query.get("endTime", str(10**15)))
        return [row for row in rows if low <= row[0] <= high][: int(query.get("limit", "500"))]


class Answering(httpx.AsyncBaseTransport):
    """The place of sockets: every request is answered by a function, after its first byte has left."""

    def __init__(self, answer: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        answer = await self._answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


def trade_frame(tick: Tick) -> dict[str, Any]:
    """A trade as the stream tells it."""
    number, at = tick.trade_id, to_stamp(tick.at)
    body = {"e": "aggTrade", "E": at, "s": tick.symbol, "a": number, "p": str(tick.price), "q": str(tick.quantity)}
    return {**body, "f": number, "l": number, "T": at, "m": True, "M": True}


def _row(tick: Tick) -> dict[str, Any]:
    at = to_stamp(tick.at)
    return {"a": tick.trade_id, "p": str(tick.price), "q": str(tick.quantity), "T": at, "m": True}


def feed_of(exchange: Exchange, clock: Clock, *, random: Callable[[], float] = lambda: 0.0, **more: Any) -> BinanceFeed:
    """The feed, connected to the exchange of the test."""
    return BinanceFeed(
        History(exchange.client(clock)), stream_url=STREAMS, connect=exchange.connect, random=random, **more
    )
