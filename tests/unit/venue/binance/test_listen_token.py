"""Tokens for the user's own events: asked for with a signature, read in either unit, quoted nowhere."""

from datetime import UTC, datetime, timedelta

import pytest
from trio.testing import MockClock

from robson.domain.errors import InDoubt, Rejected
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.listen_token import ListenToken, ListenTokens
from tests.unit.venue.binance.conftest import START_MS
from tests.unit.venue.binance.exchange import Exchange, Say

PATH = "/sapi/v1/userListenToken"
TOKEN = "6xXxePXwZRjVSHKhzUCCGnmN3fkvMTXru+pYJS8RwijXk9Vcyr3rkwfVOTcP2OkONqciYA"  # the documentation's own example


@pytest.mark.parametrize(
    "stamp", [1758792204196, "1758792204196", 1758792204196000], ids=["number", "text", "microseconds"]
)
async def test_a_token_of_a_pairs_isolated_account(
    exchange: Exchange, client: Client, virtual_time: MockClock, stamp: object
) -> None:
    exchange.then("POST", PATH, Say({"token": TOKEN, "expirationTime": stamp}))
    token = await ListenTokens(client).listen_token("BTCUSDT")
    ends = datetime(2025, 9, 25, 9, 23, 24, 196_000, tzinfo=UTC)
    assert token == ListenToken(token=TOKEN, expires_at=ends)
    assert TOKEN not in repr(token)
    (asked,) = exchange.of("POST", PATH)
    assert {name: asked.parameters[name] for name in ("symbol", "isIsolated")} == {
        "symbol": "BTCUSDT",
        "isIsolated": "true",
    }
    assert asked.parameters["signature"]
    assert client._budgets.used(endpoints.LISTEN_TOKEN, client.timestamp_ms()) == 1


@pytest.mark.parametrize("more", [{}, {"expirationTime": "soon"}, {"expirationTime": 10**30}])
async def test_an_end_that_cannot_be_read_does_not_make_the_token_useless(
    exchange: Exchange, client: Client, virtual_time: MockClock, more: dict[str, object]
) -> None:
    exchange.then("POST", PATH, Say({"token": TOKEN, **more}))
    assert (await ListenTokens(client).listen_token("BTCUSDT")).expires_at is None


async def test_what_is_no_token_is_refused(exchange: Exchange, client: Client, virtual_time: MockClock) -> None:
    exchange.then("POST", PATH, Say({}), Say({"code": -11001, "msg": "Isolated margin account does not exist."}, 400))
    with pytest.raises(InDoubt):
        await ListenTokens(client).listen_token("BTCUSDT")
    with pytest.raises(Rejected, match="-11001"):
        await ListenTokens(client).listen_token("BTCUSDT")


async def test_an_answer_that_is_not_understood_is_not_quoted(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    exchange.then("POST", PATH, Say({"listenToken": TOKEN}))
    with pytest.raises(InDoubt) as refused:
        await ListenTokens(client).listen_token("BTCUSDT")
    assert TOKEN not in str(refused.value)
    assert "secret" in str(refused.value)


async def test_its_time_is_the_exchanges(exchange: Exchange, client: Client, virtual_time: MockClock) -> None:
    await client.read_clock()
    ahead = ListenTokens(client).now() - datetime.fromtimestamp(START_MS / 1000, UTC)
    assert abs(ahead - timedelta(seconds=60)) < timedelta(seconds=0.1)
