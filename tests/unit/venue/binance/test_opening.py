"""Opening the exchange: at once, whether it answers or not, with a clock that is kept."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from robson.config import Binance
from robson.domain.errors import ConfigurationError, Unreachable
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.opening import CLOCK_READ_SECONDS, check_encrypted, open_binance
from tests.unit.venue.binance.exchange import HANG_UP, Exchange
from tests.unit.venue.clocks import START, VirtualClock

TIME = "/api/v3/time"


async def test_the_clock_is_read_at_once_and_again_every_minute(
    exchange: Exchange, credentials: Credentials, virtual_time: MockClock
) -> None:
    async with open_binance(Binance(rest_url=exchange.url), credentials, VirtualClock()) as venue:
        await trio.sleep(1)
        assert len(exchange.of("GET", TIME)) == 1
        assert venue.client.server_clock.wall_offset_ms(trio.current_time(), VirtualClock().now()) == pytest.approx(
            60_000, abs=50
        )
        await trio.sleep(2 * CLOCK_READ_SECONDS)
        assert len(exchange.of("GET", TIME)) == 3
    asked = len(exchange.asked)
    await trio.sleep(600)
    assert len(exchange.asked) == asked


async def test_a_clock_that_does_not_answer_is_asked_again_less_and_less_often(
    exchange: Exchange, credentials: Credentials, virtual_time: MockClock
) -> None:
    exchange.always("GET", TIME, HANG_UP)
    async with open_binance(Binance(rest_url=exchange.url), credentials, VirtualClock()) as venue:
        wall_ms = int(START.timestamp() * 1000)
        for _ in range(300):
            # Who signs in the meantime is given the machine's clock, and does not make the asking any denser.
            assert venue.timestamp_ms() - wall_ms == pytest.approx(trio.current_time() * 1000, abs=2)
            await trio.sleep(1)
        assert 10 <= len(exchange.of("GET", TIME)) <= 20


async def test_a_doubted_clock_is_read_at_once(
    exchange: Exchange, credentials: Credentials, virtual_time: MockClock
) -> None:
    async with open_binance(Binance(rest_url=exchange.url), credentials, VirtualClock()) as venue:
        await trio.sleep(1)
        assert len(exchange.of("GET", TIME)) == 1
        venue.client.server_clock.doubt()
        venue.timestamp_ms()
        await trio.sleep(1)
        assert len(exchange.of("GET", TIME)) == 2


async def test_an_exchange_out_of_reach_is_opened_all_the_same(
    credentials: Credentials, virtual_time: MockClock
) -> None:
    async with open_binance(Binance(rest_url="http://127.0.0.1:9"), credentials, VirtualClock()) as venue:
        with pytest.raises(Unreachable):
            await venue.price("BTCUSDT")


@pytest.mark.parametrize(
    "rest_url",
    ["", "api.binance.com", "ftp://x", "http://", "https://user:pw@host", "https://host/?a=b", "http://[::1", "\x00"],
)
async def test_what_is_no_address_is_refused(credentials: Credentials, rest_url: str) -> None:
    with pytest.raises(ConfigurationError, match="binance.rest_url"):
        async with open_binance(Binance(rest_url=rest_url), credentials, VirtualClock()):
            pass


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("rest_url", "http://api.binance.com"),
        ("rest_url", "http://192.0.2.1:9000"),
        ("rest_url", "http://127.0.0.1.example.com"),
        ("stream_url", "ws://stream.binance.com:9443"),
        ("ws_api_url", "ws://ws-api.binance.com:443/ws-api/v3"),
        ("stream_url", "stream.binance.com:9443"),
        ("ws_api_url", "wss://[::1"),
    ],
)
def test_with_keys_no_other_machine_is_spoken_to_in_the_clear(key: str, address: str) -> None:
    with pytest.raises(ConfigurationError, match=f"binance.{key} was"):
        check_encrypted(Binance(**{key: address}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "[::1]", "localhost"])
def test_this_machine_and_the_exchanges_own_addresses_are_spoken_to(host: str) -> None:
    check_encrypted(Binance())
    check_encrypted(Binance(rest_url=f"http://{host}:9", stream_url=f"ws://{host}:9", ws_api_url=f"ws://{host}:9/ws"))


def test_the_real_addresses_are_the_defaults() -> None:
    defaults: Callable[[], Binance] = Binance
    assert defaults().rest_url == "https://api.binance.com"
