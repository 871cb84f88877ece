"""What the client notes of its requests: how long they took by the run's clock, and how each call ended."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Unreachable, VenueError
from robson.venue.binance import endpoints
from robson.venue.binance.client import READ_DEADLINE_SECONDS, Client
from robson.venue.binance.credentials import Credentials
from tests.unit.venue.binance.exchange import SILENCE, Exchange, Say
from tests.unit.venue.clocks import VirtualClock

READ = endpoints.ACCOUNT
NAME = f"{READ.method} {READ.path}"


async def ask(client: Client) -> Any:
    return await client.call(READ, [("symbols", "BTCUSDT")], lambda document: document)


async def test_each_call_is_timed_and_its_end_is_counted(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    refusal = Say({"code": -1121, "msg": "Invalid symbol."}, status=400)
    limited = Say({"code": -1003, "msg": "Too many requests."}, status=429)
    exchange.then(READ.method, READ.path, Say({}), SILENCE, refusal, limited)
    await ask(client)
    for _ in range(3):
        with pytest.raises(VenueError):
            await ask(client)
    ends = {end: count for (name, end), count in client.traffic.ends.items() if name == NAME}
    assert ends == {"answered": 1, "unreachable": 1, "refused": 1, "limited": 1}
    timed = client.traffic.seconds[NAME]
    assert timed.count == 4
    assert READ_DEADLINE_SECONDS <= timed.total <= READ_DEADLINE_SECONDS + 1
    with pytest.raises(VenueError):
        await ask(client)  # the venue wants silence: nothing is sent
    assert timed.count == 4
    assert client.traffic.ends[NAME, "limited"] == 2


async def test_weight_and_clock_are_as_the_client_knows_them(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    assert client.traffic.clock_offset_seconds() is None
    assert client.traffic.weights_used() == {}
    exchange.then(READ.method, READ.path, Say({}))
    await ask(client)
    assert client.traffic.weights_used() == {READ.bucket: READ.weight}
    known = client.server_clock
    known.read(
        asked=0.0, heard=0.0, server_ms=int(client._clock.now().timestamp() * 1000) + 1500, wall=client._clock.now()
    )
    offset = client.traffic.clock_offset_seconds()
    assert offset is not None
    assert 1.4 <= offset <= 1.5


async def test_what_never_left_took_no_time(credentials: Credentials, virtual_time: MockClock) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    client = Client(f"http://127.0.0.1:{port}", credentials, VirtualClock())
    with pytest.raises(Unreachable):
        await ask(client)
    assert client.traffic.seconds == {}
    assert client.traffic.ends == {(NAME, "unreachable"): 1}
    await client.aclose()
