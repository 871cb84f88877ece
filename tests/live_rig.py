"""The daemon on simulated time at the emulator: requests are signed, sent and answered, only sockets are missing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import trio

from robson.domain.market import Tick
from robson.emulator.credentials import Credentials as Accepted
from robson.emulator.credentials import HmacVerifier
from robson.emulator.exchange import Exchange
from robson.emulator.market import Market
from robson.emulator.refusals import Cut
from robson.emulator.router import Request, answer
from robson.venue.binance.client import Client
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.secret import Secret
from robson.venue.binance.signing import HmacSigner
from robson.venue.binance.venue import BinanceVenue
from robson.venue.settings import PaperSettings
from tests.exchange import Answering
from tests.rig import Rig, SimulatedClock
from tests.unit.emulator.bench import StillFeed

KEY, SECRET = b"key-of-the-rig", b"secret-of-the-rig"


class LiveRig(Rig):
    """One run of the daemon, and the exchange that it trades at."""

    def __init__(self, directory: Path, settings: PaperSettings, **more: Any) -> None:
        clock = SimulatedClock()
        self.exchange = Exchange(
            clock=clock,
            market=Market(StillFeed(), ["BTCUSDT"], settings.spread_bps),
            settings=settings,
            keys=Accepted(KEY.decode(), HmacVerifier(SECRET)),
            path=directory / "emulator.db",
            seed=1,
        )
        credentials = Credentials(Secret(KEY), HmacSigner(Secret(SECRET)))
        self.client = Client("http://emulator", credentials, clock, transport=Answering(self._answer))
        venue = BinanceVenue(self.client, clock)
        super().__init__(directory, clock=clock, wrap=lambda _paper: venue, **more)

    @asynccontextmanager
    async def trading(self) -> AsyncIterator["LiveRig"]:
        """Everything runs inside."""
        async with trio.open_nursery() as nursery:
            self.exchange.work_in(nursery)
            await self.client.read_clock()
            async with self.running():
                yield self
            nursery.cancel_scope.cancel()
        await self.client.aclose()
        self.exchange.close()

    def tick(self, price: str | Decimal, symbol: str = "BTCUSDT", *, polled: bool = False) -> bool:
        """One trade at a price, at the exchange and in the daemon's feed."""
        at = self.clock.now()
        quantity = Decimal("0.1")
        self.exchange.market.observe(Tick(symbol=symbol, price=Decimal(price), quantity=quantity, trade_id=None, at=at))
        return super().tick(price, symbol, polled=polled)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        url, headers = request.url, {name.lower(): value for name, value in request.headers.items()}
        query = url.query.decode("latin-1")
        try:
            reply = await answer(self.exchange, Request(request.method, url.path, query, headers, request.content))
        except Cut:
            raise httpx.RemoteProtocolError("the connection ended") from None
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.content())
