"""The lane of orders: one request at a time on a connection, none after a doubtful end, and kept open by the clock."""

import trio
import trio.testing
from trio.testing import MockClock

from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.order_lane import KEEP_ALIVE_SECONDS, OrderLane, Request
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
