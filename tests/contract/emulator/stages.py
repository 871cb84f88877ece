"""The connector at an emulator whose faults are switched over its control endpoint, with a list of what was asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import trio

from robson.domain.values import ClientOrderId, OrderSide, Role
from robson.emulator.faults import ORDER
from robson.ports.venue import OrderReport, OrderRequest
from robson.venue.binance.venue import BinanceVenue
from robson.venue.ledger import Order
from robson.venue.ledger.units import to_ms
from tests.contract.venue.rehearsals import PRICES, SETTINGS, SYMBOL, connected
from tests.unit.emulator.bench import Bench, opened

REPAY = "POST /sapi/v1/margin/borrow-repay"


class Stage:
    """One exchange and our connection to it."""

    def __init__(self, bench: Bench, venue: BinanceVenue, asked: list[str], address: str) -> None:
        self.bench = bench
        self.venue = venue
        self.asked = asked
        self.began: datetime = bench.clock.now()
        self._control = httpx.AsyncClient(base_url=address, trust_env=False)

    async def arm(self, fault: str, **more: Any) -> None:
        """Switch a fault on as its user does."""
        response = await self._control.post("/control/faults", json={"fault": fault, **more})
        assert response.status_code == 200, response.text

    async def place(self, side: OrderSide, role: Role, quantity: str, client_order_id: str = "order-1") -> OrderReport:
        """Send a market order that is signed now."""
        return await self.venue.place(
            OrderRequest(
                symbol=SYMBOL,
                client_order_id=ClientOrderId(client_order_id),
                role=role,
                order_side=side,
                quantity=Decimal(quantity),
                timestamp_ms=to_ms(self.bench.clock.now()),
                receive_window_ms=5000,
            )
        )

    def orders(self) -> list[Order]:
        """What the exchange has executed."""
        return list(self.bench.exchange.file.orders(SYMBOL))

    async def assert_asked_once(self) -> None:
        """One order was sent, and none follows by itself."""
        await trio.sleep(60)
        assert self.asked.count(ORDER) == 1, self.asked

    async def aclose(self) -> None:
        await self._control.aclose()


@asynccontextmanager
async def on_stage(directory: Path) -> AsyncIterator[Stage]:
    """A stage with prices, and 500 USDT of collateral on BTCUSDT."""
    with opened(directory, SETTINGS, price=None) as bench:
        for symbol, price in PRICES.items():
            bench.tick(str(price), symbol)
        async with connected(bench) as here:
            stage = Stage(bench, here.venue, here.asked, here.address)
            try:
                yield stage
            finally:
                await stage.aclose()
