"""A client, and a venue, in front of a scripted exchange on loopback, on virtual time."""

from collections.abc import AsyncIterator

import pytest
from trio.testing import MockClock

from robson.venue.binance.client import Client
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.secret import Secret
from robson.venue.binance.signing import HmacSigner
from robson.venue.binance.venue import BinanceVenue
from tests.unit.venue.binance.exchange import Exchange, Say, serving
from tests.unit.venue.clocks import START, VirtualClock

START_MS = int(START.timestamp() * 1000)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(Secret(b"the-key-hunter1"), HmacSigner(Secret(b"the-secret-hunter2")))


@pytest.fixture
def virtual_time() -> MockClock:
    """Each test has to name it itself; time jumps only when the sockets, too, have nothing left to say."""
    return MockClock(autojump_threshold=0.01)


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with serving(Exchange()) as one:
        clock = VirtualClock()
        one.always(
            "GET", "/api/v3/time", lambda _asked: Say({"serverTime": int(clock.now().timestamp() * 1000) + 60_000})
        )
        yield one


@pytest.fixture
async def client(exchange: Exchange, credentials: Credentials) -> AsyncIterator[Client]:
    one = Client(exchange.url, credentials, VirtualClock())
    yield one
    await one.aclose()


@pytest.fixture
def venue(client: Client) -> BinanceVenue:
    return BinanceVenue(client, VirtualClock())
