"""Opening the exchange: connections, the clock's keeper, and the venue, for as long as the caller's block lasts."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import structlog
import trio

from robson.config import Binance
from robson.domain.errors import ConfigurationError, VenueError
from robson.ports.clock import Clock
from robson.venue.binance.client import Client
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.venue import BinanceVenue

# Often enough that the way of orders, by which it is asked, is never left idle for too long.
CLOCK_READ_SECONDS = 20.0
CLOCK_RETRY_SECONDS = 1.0
CLOCK_RETRY_MOST_SECONDS = 30.0

_log = structlog.get_logger("robson.binance")


@asynccontextmanager
async def open_binance(
    settings: Binance, credentials: Credentials | None, clock: Clock, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[BinanceVenue]:
    """The exchange at `settings.rest_url`, its clock kept fresh until the block ends.

    Does not wait for the exchange: one that is out of reach is tried again, and its venue raises Unreachable. Without
    credentials only public prices and filters can be asked for. Raises ConfigurationError for an address that is none.
    """
    async with keep(make_client(settings, credentials, clock, tls=tls)) as client:
        yield BinanceVenue(client, clock)


def make_client(
    settings: Binance, credentials: Credentials | None, clock: Clock, *, tls: ssl.SSLContext | None = None
) -> Client:
    """The process's one client of the exchange: one address has one budget, whatever the requests are for.

    It is to be kept (`keep`) while it is used. Raises ConfigurationError for an address that is none.
    """
    check_rest_url(settings.rest_url)
    return Client(settings.rest_url, credentials, clock, tls=tls)


@asynccontextmanager
async def keep(client: Client) -> AsyncIterator[Client]:
    """Keep a client's clock fresh until the block ends; then its connections are closed."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_clock, client)
            yield client
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await client.aclose()


def check_rest_url(rest_url: str) -> None:
    """Raise ConfigurationError for what is no address of an HTTP server; name one that would show the key to all."""
    try:
        url = httpx.URL(rest_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigurationError(f"binance.rest_url was {rest_url!r}, which is no address: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ConfigurationError(f"binance.rest_url was {rest_url!r}, which must be https://HOST or http://HOST:PORT")
    if url.userinfo:
        raise ConfigurationError("binance.rest_url held a user name, which the exchange does not take")
    if url.scheme == "http" and not _is_here(url.host):
        _log.warning("rest_url_not_encrypted", host=url.host)


def check_encrypted(settings: Binance) -> None:
    """Raise ConfigurationError for an address of another machine without encryption; to be called where keys are used.

    The network would read the key or a listenToken there, or make up the prices that stops are held against.
    """
    for name in ("rest_url", "stream_url", "ws_api_url"):
        address: str = getattr(settings, name)
        try:
            parts = urlsplit(address)
            is_open = parts.scheme not in {"https", "wss"} and not _is_here(parts.hostname or "")
        except ValueError as error:
            raise ConfigurationError(f"binance.{name} was {address!r}, which is no address: {error}") from error
        if is_open:
            raise ConfigurationError(
                f"binance.{name} was {address!r}: in live mode another machine is asked by https: or wss: only"
            )


def _is_here(host: str) -> bool:
    """Whether it is this machine, which needs no encryption."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _keep_clock(client: Client) -> None:
    """Read the exchange's clock now, then every minute, and at once when a timestamp was refused."""
    failures = 0
    while True:
        client.clock_doubted = trio.Event()
        try:
            await client.read_clock()
        except VenueError as error:
            failures += 1
            pause = min(CLOCK_RETRY_MOST_SECONDS, CLOCK_RETRY_SECONDS * 2.0 ** min(failures - 1, 16))
            _log.warning("clock_not_read", failures=failures, pause_seconds=pause, error=str(error))
            await trio.sleep(pause)
            continue
        failures = 0
        with trio.move_on_after(CLOCK_READ_SECONDS):
            await client.clock_doubted.wait()
