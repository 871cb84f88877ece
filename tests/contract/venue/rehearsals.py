"""The venues that the contract runs over, each with collateral, a clock, and a market that the test moves."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import trio

from robson.domain.values import ClientOrderId, OrderSide, Role
from robson.emulator.exchange import Exchange
from robson.emulator.process import Doors, Listening
from robson.emulator.router import Request
from robson.emulator.wire import Reply
from robson.ports.venue import OrderReport, OrderRequest, Venue
from robson.venue.binance.client import Client
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.secret import Secret
from robson.venue.binance.signing import HmacSigner
from robson.venue.binance.venue import BinanceVenue
from robson.venue.ledger.units import to_ms
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings
from tests.unit.emulator.bench import KEY, SECRET, Bench, opened
from tests.unit.venue.clocks import VirtualClock

BUY, SELL, ENTRY, EXIT = OrderSide.BUY, OrderSide.SELL, Role.ENTRY, Role.EXIT
SYMBOL = "BTCUSDT"
HOUR_SECONDS = 3600
PRICES = {SYMBOL: Decimal(60000), "ETHUSDT": Decimal(3000)}
SETTINGS = PaperSettings(
    collateral=Decimal(500),
    spread_bps=Decimal(0),
    slippage_bps=Decimal(0),
    base_hourly_interest_rate=Decimal("0.000011"),
    quote_hourly_interest_rate=Decimal("0.00001"),
    fills_max=1,
)


@dataclass
class Rehearsal:
    """A venue with 500 USDT of collateral on BTCUSDT, a clock, and a market whose price the test sets.

    The fee is 0.1 %, an hour costs 0.0011 % on base and 0.001 % on quote; orders trade at the market's price.
    `lose_books` takes the venue's own disk away.
    """

    venue: Venue
    clock: VirtualClock
    set_price: Callable[[Decimal], None]
    lose_books: Callable[[], None]

    async def place(
        self,
        side: OrderSide,
        role: Role,
        quantity: str,
        client_order_id: str = "order-1",
        *,
        age_ms: int = 0,
        symbol: str = SYMBOL,
    ) -> OrderReport:
        """Send a market order that was signed `age_ms` ago."""
        return await self.venue.place(
            OrderRequest(
                symbol=symbol,
                client_order_id=ClientOrderId(client_order_id),
                role=role,
                order_side=side,
                quantity=Decimal(quantity),
                timestamp_ms=to_ms(self.clock.now()) - age_ms,
                receive_window_ms=5000,
            )
        )


@dataclass
class Connected:
    """The connector, the exchange's address, and method and path of each request that has reached it."""

    venue: BinanceVenue
    address: str
    asked: list[str]


class NotingDoors(Doors):
    """The exchange's doors, with a list of who came."""

    def __init__(self, exchange: Exchange, listening: Listening) -> None:
        super().__init__(exchange, listening)
        self.asked: list[str] = []

    async def _answer(self, request: Request) -> Reply:
        self.asked.append(f"{request.method} {request.path}")
        return await super()._answer(request)


@asynccontextmanager
async def on_paper(directory: Path) -> AsyncIterator[Rehearsal]:
    """The paper venue."""
    prices = dict(PRICES)
    clock = VirtualClock()
    path = directory / "paper-account.db"
    with closing(PaperVenue.open(path, clock=clock, prices=prices.get, settings=SETTINGS, seed=7)) as venue:
        yield Rehearsal(venue, clock, lambda price: prices.update({SYMBOL: price}), venue.close)


@asynccontextmanager
async def at_the_emulator(directory: Path) -> AsyncIterator[Rehearsal]:
    """The connector to Binance, over a socket to the emulator."""
    with opened(directory, SETTINGS, price=None) as bench:
        for symbol, price in PRICES.items():
            bench.tick(str(price), symbol)
        async with connected(bench) as here:
            yield Rehearsal(here.venue, bench.clock, lambda price: bench.tick(str(price)), bench.exchange.close)


@asynccontextmanager
async def connected(bench: Bench) -> AsyncIterator[Connected]:
    """The connector to a bench's exchange, whose control endpoint is open."""
    doors = NotingDoors(bench.exchange, Listening("127.0.0.1", 0, control=True, patience=1.0))
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    async with trio.open_nursery() as nursery:
        bench.exchange.work_in(nursery)
        nursery.start_soon(trio.serve_listeners, doors.serve, listeners)
        client = Client(address, keys(), bench.clock)
        try:
            await client.read_clock()
            yield Connected(BinanceVenue(client, bench.clock), address, doors.asked)
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()
        nursery.cancel_scope.cancel()


def keys() -> Credentials:
    """What the bench's exchange lets in."""
    return Credentials(Secret(KEY.encode()), HmacSigner(Secret(SECRET.encode())))


VENUES = {"paper": on_paper, "binance": at_the_emulator}
