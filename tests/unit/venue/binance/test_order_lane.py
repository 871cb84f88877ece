"""The lane of orders: one request at a time on a connection, none after a doubtful end, and kept open by the clock."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import h11
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from robson.domain.errors import RateLimited, Rejected
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.order_lane import KEEP_ALIVE_SECONDS, OrderLane, Request
from robson.venue.binance.weights import Priority
from tests.unit.venue.binance.exchange import SILENCE, Exchange, Say

ORDER = endpoints.PLACE_ORDER


def request(exchange: Exchange) -> Request:
    headers = ((b"Host", b"127.0.0.1"), (b"Content-Length", b"3"))
    assert exchange.port
    return Request("POST", ORDER.path.encode(), headers, b"a=b")


async def test_a_cancelled_request_takes_its_connection_along(exchange: Exchange, virtual_time: MockClock) -> None:
    lane, left = OrderLane("127.0.0.1", exchange.port, None), []
    exchange.always(ORDER.method, ORDER.path, SILENCE)
    with trio.move_on_after(2):
        await lane.exchange(request(exchange), lambda: left.append(1), 4)
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 2}))
    answer = await lane.exchange(request(exchange), lambda: left.append(2), 4)
    assert answer.body == b'{"orderId":2}'
    assert left == [1, 2]
    assert [asked.connection for asked in exchange.asked] == [1, 2]
    await lane.aclose()


async def test_a_connection_serves_until_it_has_idled_too_long(exchange: Exchange, virtual_time: MockClock) -> None:
    lane = OrderLane("127.0.0.1", exchange.port, None)
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))
    for pause in (KEEP_ALIVE_SECONDS / 2, KEEP_ALIVE_SECONDS * 2, 0):
        await lane.exchange(request(exchange), lambda: None, 4)
        await trio.sleep(pause)
    assert [asked.connection for asked in exchange.asked] == [1, 1, 2]
    await lane.aclose()


async def test_the_clock_is_asked_by_the_way_of_orders(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    exchange.always("GET", endpoints.SERVER_TIME.path, Say({"serverTime": 1_782_909_000_000}))
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))
    await client.read_clock()
    await client.call(ORDER, [("symbol", "BTCUSDT")], lambda document: document)
    assert [asked.connection for asked in exchange.asked] == [1, 1]


async def test_a_request_is_written_as_h11_would_write_it(exchange: Exchange) -> None:
    for one in (request(exchange), Request("GET", b"/api/v3/time?a=1", ((b"Host", b"a.b:9"), (b"User-Agent", b"c")))):
        judge = h11.Connection(h11.CLIENT)
        events = (
            h11.Request(method=one.method, target=one.target, headers=list(one.headers)),
            h11.Data(data=one.content),
            h11.EndOfMessage(),
        )
        assert one.message == b"".join(judge.send(event) or b"" for event in events)


async def test_what_is_begun_with_leaves_before_anybody_waits(exchange: Exchange, virtual_time: MockClock) -> None:
    lane, left = OrderLane("127.0.0.1", exchange.port, None), []
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))
    assert not lane.is_warm
    await lane.exchange(request(exchange), lambda: None, 4)
    assert lane.is_warm
    answered = lane.begin(request(exchange), lambda: left.append(1))
    assert left == [1]
    # Its connection is taken, and there is no other.
    assert not lane.is_warm
    await trio.testing.wait_all_tasks_blocked()
    assert len(exchange.asked) == 2
    assert (await answered()).body == b'{"orderId":1}'
    assert lane.is_warm
    assert [asked.connection for asked in exchange.asked] == [1, 1]
    await lane.aclose()
    assert not lane.is_warm


async def test_a_connection_that_the_server_has_left_is_not_warm(exchange: Exchange, virtual_time: MockClock) -> None:
    lane = OrderLane("127.0.0.1", exchange.port, None)
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}, after="close"))
    await lane.exchange(request(exchange), lambda: None, 4)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert not lane.is_warm
    await lane.exchange(request(exchange), lambda: None, 4)
    await lane.aclose()


async def test_what_fails_at_once_is_raised_to_whoever_waits(
    exchange: Exchange, virtual_time: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane, left = OrderLane("127.0.0.1", exchange.port, None), []
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))
    await lane.exchange(request(exchange), lambda: None, 4)

    def broken(*_: object) -> int:
        raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        answered = lane.begin(request(exchange), lambda: left.append(1))
    with pytest.raises(trio.BrokenResourceError):
        await answered()
    assert left == [1]
    assert not lane.is_warm
    # Its place is free again, and nobody's answer is read on it.
    await lane.exchange(request(exchange), lambda: None, 4)
    assert [asked.connection for asked in exchange.asked] == [1, 2]
    await lane.aclose()


async def test_what_the_kernel_does_not_take_at_once_is_sent_by_whoever_waits(
    exchange: Exchange, virtual_time: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = OrderLane("127.0.0.1", exchange.port, None)
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))
    await lane.exchange(request(exchange), lambda: None, 4)
    write = os.write
    for taken in (0, 7):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda descriptor, content, most=taken: some(write, descriptor, content[:most]))
            answered = lane.begin(request(exchange), lambda: None)
        assert (await answered()).body == b'{"orderId":1}'
    assert [asked.connection for asked in exchange.asked] == [1, 1, 1]
    assert {asked.body for asked in exchange.asked} == {b"a=b"}
    await lane.aclose()


def some(write: Callable[[int, bytes], int], descriptor: int, content: bytes) -> int:
    if not content:
        raise BlockingIOError
    return write(descriptor, content)


async def test_nobody_waits_any_more(exchange: Exchange, virtual_time: MockClock) -> None:
    lane = OrderLane("127.0.0.1", exchange.port, None)
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))
    await lane.exchange(request(exchange), lambda: None, 4)
    lane.begin(request(exchange), lambda: None)
    await lane.aclose()
    assert not lane.is_warm


async def test_a_client_begins_only_what_its_connection_and_its_budget_allow(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    exchange.always(ORDER.method, ORDER.path, Say({"orderId": 1}))

    def begin(sent_at: list[float]) -> Callable[[], Awaitable[Any]] | None:
        return client.begin(
            ORDER,
            [("symbol", "BTCUSDT")],
            lambda document: document,
            priority=Priority.EXIT,
            timestamp_ms=1_782_909_000_000,
            receive_window_ms=2000,
            sent_at=sent_at,
        )

    sent_at: list[float] = []
    assert begin(sent_at) is None
    await client.read_clock()
    answered = begin(sent_at)
    assert answered is not None
    assert len(sent_at) == 1
    assert await answered() == {"orderId": 1}
    (asked,) = exchange.of(ORDER.method, ORDER.path)
    assert asked.parameters["timestamp"] == "1782909000000"
    assert asked.parameters["recvWindow"] == "2000"
    assert asked.parameters["signature"]
    used = client.traffic.weights_used()
    exchange.always(
        ORDER.method, ORDER.path, Say({"code": -1003, "msg": "slow"}, status=429, headers={"Retry-After": "5"})
    )
    answered = begin(sent_at)
    assert answered is not None
    with pytest.raises(RateLimited):
        await answered()
    # Now the exchange wants silence: nothing leaves, and nothing is counted.
    spent = client.traffic.weights_used()
    assert begin(sent_at) is None
    assert len(sent_at) == 2
    assert client.traffic.weights_used() == spent != used


async def test_a_timestamp_that_was_refused_mends_the_clock_and_sends_nothing_again(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    await client.read_clock()
    exchange.always(ORDER.method, ORDER.path, Say({"code": -1021, "msg": "outside of the recvWindow"}, status=400))
    answered = client.begin(
        ORDER, [], lambda document: document, priority=Priority.EXIT, timestamp_ms=1, receive_window_ms=2000, sent_at=[]
    )
    assert answered is not None
    asked = len(exchange.of("GET", endpoints.SERVER_TIME.path))
    with pytest.raises(Rejected):
        await answered()
    assert len(exchange.of("GET", endpoints.SERVER_TIME.path)) == asked + 1
    assert len(exchange.of(ORDER.method, ORDER.path)) == 1
