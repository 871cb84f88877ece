"""The emulator without sockets: an exchange on a virtual clock, a market that moves when told, signed requests."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import trio

from robson.domain.errors import RuleError
from robson.domain.market import Candle, Tick, Trades
from robson.emulator.credentials import Credentials, HmacVerifier
from robson.emulator.exchange import Exchange
from robson.emulator.faults import Fault
from robson.emulator.market import Market
from robson.emulator.router import Request, answer
from robson.ports.feed import Market as Sink
from robson.venue.settings import PaperSettings
from tests.unit.venue.clocks import VirtualClock

KEY, SECRET = "key-of-the-bench", "secret-of-the-bench"
PAIR, ORDER = "BTCUSDT", "/sapi/v1/margin/order"
# No spread, no slippage, one fill: what an order costs can be told beforehand.
EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


class StillFeed:
    """A feed that delivers nothing by itself (ports.MarketFeed)."""

    source: ClassVar[str] = "still"

    def __init__(self) -> None:
        self.subscribed: set[str] = set()

    async def run(self, market: Sink) -> None:
        await trio.sleep_forever()

    async def subscribe(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        if symbol == "XRPUSDT":
            raise RuleError("unknown_symbol", "not here")
        self.subscribed.add(symbol)

    async def unsubscribe(self, symbol: str) -> None:
        self.subscribed.discard(symbol)

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        return ()

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        return ()

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        return Trades()

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        return Trades()


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> tuple[int, str]:
        """The refusal's code and text."""
        return self.json["code"], self.json["msg"]


class Bench:
    """One exchange and one client of it."""

    def __init__(self, directory: Path, settings: PaperSettings = EXACT) -> None:
        self.clock = VirtualClock()
        self.feed = StillFeed()
        self.market = Market(self.feed, [PAIR, "ETHUSDT"], settings.spread_bps)
        self.exchange = Exchange(
            clock=self.clock,
            market=self.market,
            settings=settings,
            keys=Credentials(KEY, HmacVerifier(SECRET.encode())),
            path=directory / "emulator.db",
            seed=1,
        )

    @property
    def now_ms(self) -> int:
        return self.exchange.now_ms()

    def tick(self, price: str, symbol: str = PAIR, quantity: str = "0.1") -> None:
        """One trade of the market."""
        tick = Tick(symbol=symbol, price=Decimal(price), quantity=Decimal(quantity), trade_id=None, at=self.clock.now())
        self.market.observe(tick)

    async def send(self, method: str, path: str, query: str = "", body: str = "", *, key: str = KEY) -> Answer:
        """One request exactly as given; Cut comes through."""
        request = Request(method, path, query, {"x-mbx-apikey": key} if key else {}, body.encode())
        reply = await answer(self.exchange, request)
        return Answer(reply.status, dict(reply.headers), reply.content())

    async def get(self, path: str, **parameters: object) -> Answer:
        """An unsigned request for market data."""
        return await self.send("GET", path, urlencode(parameters), key="")

    async def ask(self, method: str, path: str, **parameters: object) -> Answer:
        """A signed request; `timestamp` is now unless given."""
        query = urlencode({"timestamp": self.now_ms, **parameters})
        return await self.send(method, path, f"{query}&signature={sign(query)}")

    async def order(self, side: str, quantity: str, effect: str = "NO_SIDE_EFFECT", **more: object) -> Answer:
        """A market order on the isolated pair."""
        asked = {"symbol": PAIR, "side": side, "type": "MARKET", "quantity": quantity, "isIsolated": "TRUE"}
        return await self.ask("POST", ORDER, **{**asked, "sideEffectType": effect, **more})

    async def account(self) -> dict[str, Any]:
        """The pair's account."""
        reply = await self.ask("GET", "/sapi/v1/margin/isolated/account", symbols=PAIR)
        found: dict[str, Any] = reply.json["assets"][0]
        return found

    def arm(self, name: str, **more: Any) -> None:
        self.exchange.faults.arm(Fault(fault=name, **more))


def sign(payload: str) -> str:
    return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()


@contextmanager
def opened(directory: Path, settings: PaperSettings = EXACT, price: str | None = "95000") -> Iterator[Bench]:
    """A bench whose market has a price already."""
    bench = Bench(directory, settings)
    try:
        if price is not None:
            bench.tick(price)
        yield bench
    finally:
        bench.exchange.close()
