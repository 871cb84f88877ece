"""The shell on a real socket: exact bytes out, each failure judged by what was sent and heard, nothing sent twice."""

import hmac
import logging
import re
import ssl
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from robson.domain.errors import Banned, Fatal, InDoubt, RateLimited, Rejected, Unreachable, VenueError
from robson.venue.binance import client as shell
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.endpoints import Endpoint, Security
from robson.venue.binance.secret import Secret
from robson.venue.binance.signing import HmacSigner
from robson.venue.binance.weights import Priority
from tests.unit.venue.binance.conftest import START_MS
from tests.unit.venue.binance.exchange import HANG_UP, RESET, SILENCE, Exchange, Say
from tests.unit.venue.clocks import VirtualClock

WRITE, READ = endpoints.PLACE_ORDER, endpoints.ACCOUNT
PARAMETERS: list[Any] = [("symbol", "BTCUSDT"), ("newClientOrderId", "a+b")]
HTML = b"<html><body>Request blocked.</body></html>"


def as_it_came(document: Any) -> Any:
    return document


async def call(client: Client, endpoint: Endpoint, **more: Any) -> Any:
    return await client.call(endpoint, PARAMETERS, as_it_came, **more)


def script(exchange: Exchange, endpoint: Endpoint, *answers: Say) -> None:
    exchange.then(endpoint.method, endpoint.path, *answers)


def signature(payload: bytes) -> bytes:
    return hmac.new(b"the-secret-hunter2", payload, "sha256").hexdigest().encode()


async def test_a_write_is_a_signed_form_and_nothing_in_the_address(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, WRITE, Say({"orderId": 1}))
    assert await call(client, WRITE, timestamp_ms=1_700_000_000_000, receive_window_ms=2000) == {"orderId": 1}
    (asked,) = exchange.asked
    payload = b"symbol=BTCUSDT&newClientOrderId=a%2Bb&recvWindow=2000&timestamp=1700000000000"
    assert (asked.method, asked.path, asked.query) == ("POST", "/sapi/v1/margin/order", b"")
    assert asked.body == payload + b"&signature=" + signature(payload)
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["content-length"] == str(len(asked.body))
    assert asked.headers["x-mbx-apikey"] == "the-key-hunter1"
    assert asked.headers["host"] == f"127.0.0.1:{exchange.port}"
    assert set(asked.headers) == {
        *("host", "user-agent", "accept", "accept-encoding", "content-type", "content-length", "x-mbx-apikey"),
    }


async def test_a_read_is_a_signed_query_without_a_body(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, READ, Say({}))
    await call(client, READ)
    (asked,) = exchange.asked
    payload = f"symbol=BTCUSDT&newClientOrderId=a%2Bb&recvWindow=5000&timestamp={START_MS}".encode()
    assert (asked.method, asked.query, asked.body) == ("GET", payload + b"&signature=" + signature(payload), b"")


async def test_what_needs_no_signature_gets_none(exchange: Exchange, client: Client, virtual_time: MockClock) -> None:
    script(exchange, endpoints.LAST_PRICE, Say({}))
    script(exchange, endpoints.PAIRS, Say([]))
    await call(client, endpoints.LAST_PRICE)
    await call(client, endpoints.PAIRS)
    price, pairs = exchange.asked
    assert price.query == pairs.query == b"symbol=BTCUSDT&newClientOrderId=a%2Bb"
    assert "x-mbx-apikey" not in price.headers
    assert pairs.headers["x-mbx-apikey"] == "the-key-hunter1"


async def test_a_path_in_front_of_the_exchanges_is_kept(
    exchange: Exchange, credentials: Credentials, virtual_time: MockClock
) -> None:
    client = Client(exchange.url + "/behind/", credentials, VirtualClock())
    exchange.always("GET", "/behind/api/v3/ticker/price", Say({}))
    await call(client, endpoints.LAST_PRICE)
    await client.aclose()


# What came back, or did not; for a write that may have been executed, and for a read.
BROKEN: dict[str, Say] = {
    "hangs up": HANG_UP,
    "resets": RESET,
    "stays silent": SILENCE,
    "stalls in its headers": Say(raw=b"HTTP/1.1 200 OK\r\nContent-Le", after="stall"),
    "stalls in its body": Say(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"orderId":', after="stall"),
    "hangs up in its body": Say(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"orderId":', after="close"),
    "hangs up in a chunk": Say(
        raw=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"orderId":', after="close"
    ),
    "resets in its body": Say(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"orderId":', after="reset"),
    "speaks another language": Say(raw=b"SSH-2.0-OpenSSH_9.6\r\n\r\n", after="close"),
    "says yes in half a document": Say(body=b'{"orderId":'),
    "says yes in nothing": Say(body=b""),
    "says yes in HTML": Say(body=HTML, headers={"Content-Type": "text/html"}),
    "says yes in gzip": Say(body=b"\x1f\x8bnot asked for", headers={"Content-Encoding": "gzip"}),
    "says yes and means no": Say({"code": -2010, "msg": "Account has insufficient balance."}),
    "leads elsewhere": Say(status=307, headers={"Location": "/elsewhere"}, body=b""),
    "fails": Say(status=500, body=b""),
    "fails in HTML": Say(status=502, body=HTML, headers={"Content-Type": "text/html"}),
    "fails with a definite code": Say({"code": -2010, "msg": "Account has insufficient balance."}, status=503),
    "does not know": Say({"code": -1007, "msg": "Timeout waiting for response from backend server."}, status=408),
    "is busy": Say({"code": -3044, "msg": "System busy."}, status=400),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_write_that_may_have_been_executed_is_in_doubt_and_not_sent_again(
    exchange: Exchange, client: Client, broken: str, virtual_time: MockClock
) -> None:
    exchange.always(WRITE.method, WRITE.path, BROKEN[broken])
    with pytest.raises(InDoubt) as refused:
        await call(client, WRITE)
    assert type(refused.value) is InDoubt
    await trio.sleep(60)
    assert len(exchange.of("POST", WRITE.path)) == len(exchange.asked) == 1


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_read_that_failed_has_told_nothing(
    exchange: Exchange, client: Client, broken: str, virtual_time: MockClock
) -> None:
    exchange.always(READ.method, READ.path, BROKEN[broken])
    with pytest.raises(Unreachable):
        await call(client, READ)
    assert len(exchange.asked) == 1


@pytest.mark.parametrize(("endpoint", "seconds"), [(WRITE, 12.0), (READ, 10.0)])
async def test_patience_is_bounded_body_and_all(
    exchange: Exchange, client: Client, endpoint: Endpoint, seconds: float, virtual_time: MockClock
) -> None:
    for say in (SILENCE, BROKEN["stalls in its headers"], BROKEN["stalls in its body"]):
        script(exchange, endpoint, say)
        began = trio.current_time()
        with pytest.raises(VenueError, match=f"no answer within {seconds:g} s"):
            await call(client, endpoint)
        assert trio.current_time() - began == pytest.approx(seconds)


async def test_a_late_answer_is_still_heard(exchange: Exchange, client: Client, virtual_time: MockClock) -> None:
    script(exchange, WRITE, Say({"orderId": 1}, delay_seconds=11.9))
    assert await call(client, WRITE) == {"orderId": 1}


@pytest.mark.parametrize("endpoint", [WRITE, READ])
async def test_nobody_there_means_not_sent(
    credentials: Credentials, endpoint: Endpoint, virtual_time: MockClock
) -> None:
    with trio.socket.socket() as reserved:
        await reserved.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{reserved.getsockname()[1]}", credentials, VirtualClock())
        with pytest.raises(Unreachable):
            await call(client, endpoint)
        await client.aclose()


async def test_a_connection_that_is_not_accepted_means_not_sent(
    credentials: Credentials, virtual_time: MockClock
) -> None:
    """Nobody takes connections out of a full queue: the kernel lets the next one wait."""
    with trio.socket.socket() as full:
        await full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with trio.socket.socket() as first:
            await first.connect(address)
            client = Client(f"http://127.0.0.1:{address[1]}", credentials, VirtualClock())
            began = trio.current_time()
            with pytest.raises(Unreachable):
                await call(client, WRITE, receive_window_ms=2000)
            # No longer than its timestamp is worth.
            assert trio.current_time() - began == pytest.approx(2.0)
            await client.aclose()


async def test_a_failed_handshake_means_not_sent(
    exchange: Exchange, credentials: Credentials, virtual_time: MockClock
) -> None:
    client = Client(f"https://127.0.0.1:{exchange.port}", credentials, VirtualClock(), tls=ssl.create_default_context())
    with pytest.raises(Unreachable, match="ConnectError: .*SSL"):
        await call(client, WRITE)
    assert exchange.asked == []
    await client.aclose()


async def test_an_idle_connection_that_the_exchange_closed_is_not_used(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, WRITE, Say({"orderId": 1}, after="close"), Say({"orderId": 2}))
    assert await call(client, WRITE) == {"orderId": 1}
    # Until the end of the connection has come, nobody can know of it.
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert await call(client, WRITE) == {"orderId": 2}
    assert [asked.connection for asked in exchange.asked] == [1, 2]


async def test_connections_are_kept_and_reads_cannot_take_those_of_writes(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    exchange.always(READ.method, READ.path, SILENCE)
    exchange.always(WRITE.method, WRITE.path, Say({"orderId": 1}))
    async with trio.open_nursery() as nursery:
        for _ in range(60):
            nursery.start_soon(_until_refused, client)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert exchange.connections == 40
        for _ in range(3):
            assert await call(client, WRITE, priority=Priority.EXIT) == {"orderId": 1}
        assert exchange.connections == 41
        nursery.cancel_scope.cancel()


async def _until_refused(client: Client) -> None:
    with pytest.raises(Unreachable):
        await call(client, READ)


async def test_neither_redirects_nor_the_environments_proxies_are_followed(
    exchange: Exchange, credentials: Credentials, monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client = Client(exchange.url, credentials, VirtualClock())
    exchange.always("GET", "/elsewhere", Say({}))
    script(exchange, READ, Say(status=302, headers={"Location": "/elsewhere"}, body=b""), Say({"fine": True}))
    with pytest.raises(Unreachable):
        await call(client, READ)
    assert await call(client, READ) == {"fine": True}
    assert {asked.path for asked in exchange.asked} == {READ.path}
    await client.aclose()


async def test_a_definite_refusal_keeps_code_and_text(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, WRITE, Say({"code": -1013, "msg": "Filter failure: LOT_SIZE"}, status=400))
    with pytest.raises(Rejected, match="-1013: Filter failure: LOT_SIZE"):
        await call(client, WRITE)
    script(exchange, WRITE, Say({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, status=401))
    with pytest.raises(Fatal, match="-2015"):
        await call(client, WRITE)


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (418, Banned)])
async def test_after_a_limit_nothing_leaves_until_it_has_passed(
    exchange: Exchange, client: Client, status: int, kind: type[RateLimited], virtual_time: MockClock
) -> None:
    for endpoint in (WRITE, READ):
        exchange.always(endpoint.method, endpoint.path, Say({}))
    script(exchange, READ, Say({"code": -1003, "msg": "slow"}, status=status, headers={"Retry-After": "30"}))
    with pytest.raises(kind):
        await call(client, READ)
    await trio.sleep(29.9)
    for endpoint in (WRITE, READ):
        with pytest.raises(kind) as refused:
            await call(client, endpoint, priority=Priority.EXIT)
        assert 0 < refused.value.retry_after_seconds < 0.2
    assert len(exchange.asked) == 1
    await trio.sleep(0.2)
    assert await call(client, WRITE) == {}


async def test_too_many_orders_leaves_reads_alone(exchange: Exchange, client: Client, virtual_time: MockClock) -> None:
    script(exchange, WRITE, Say({"code": -1015, "msg": "Too many new orders."}, status=429))
    script(exchange, READ, Say({}))
    for _ in range(2):
        with pytest.raises(RateLimited, match="-1015"):
            await call(client, WRITE)
    assert await call(client, READ) == {}
    assert len(exchange.asked) == 2


async def test_a_firewall_leaves_an_order_in_doubt_and_silences_what_does_not_protect(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, WRITE, Say(status=403, body=HTML), Say({"orderId": 2}))
    with pytest.raises(InDoubt, match="Request blocked"):
        await call(client, WRITE, priority=Priority.EXIT)
    with pytest.raises(RateLimited, match="403"):
        await call(client, WRITE, priority=Priority.ENTRY)
    assert await call(client, WRITE, priority=Priority.EXIT) == {"orderId": 2}


async def test_headers_teach_what_others_have_used(exchange: Exchange, client: Client, virtual_time: MockClock) -> None:
    used = {"X-SAPI-USED-UID-WEIGHT-1M": "179000"}
    script(exchange, WRITE, Say({}, headers=used), Say({}))
    await call(client, WRITE)
    with pytest.raises(RateLimited, match="179000 of 108000"):
        await call(client, WRITE, priority=Priority.ENTRY)
    assert len(exchange.asked) == 1


REFUSED_TIME = Say({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, status=400)


async def test_a_read_refused_for_its_timestamp_is_asked_once_more_by_a_fresh_clock(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, READ, REFUSED_TIME, Say({"fine": True}))
    assert await call(client, READ) == {"fine": True}
    first, again = (int(asked.parameters["timestamp"]) for asked in exchange.of("GET", READ.path))
    assert again - first == pytest.approx(60_000, abs=50)
    script(exchange, READ, REFUSED_TIME, REFUSED_TIME)
    with pytest.raises(Rejected, match="-1021"):
        await call(client, READ)


async def test_a_write_refused_for_its_timestamp_is_not_sent_again_but_the_clock_is_set(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, WRITE, REFUSED_TIME)
    before = client.timestamp_ms()
    with pytest.raises(Rejected, match="-1021"):
        await call(client, WRITE, timestamp_ms=before)
    assert len(exchange.of("POST", WRITE.path)) == 1
    assert client.timestamp_ms() - before == pytest.approx(60_000, abs=50)


async def test_a_silent_clock_does_not_hold_up_the_refusal_of_an_exit(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    script(exchange, WRITE, REFUSED_TIME)
    exchange.always("GET", "/api/v3/time", SILENCE)
    began = trio.current_time()
    with pytest.raises(Rejected, match="-1021"):
        await call(client, WRITE)
    assert trio.current_time() - began <= shell.MEND_SECONDS + 0.01


async def test_the_clock_is_read_without_counting_the_time_to_connect(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    exchange.always("GET", "/api/v3/time", Say({"serverTime": "1700000000000"}, delay_seconds=0.1))
    assert await client.read_clock() == 1_700_000_000_000
    assert client.server_clock.uncertainty_ms == pytest.approx(101, abs=1)


async def test_without_credentials_only_public_requests_are_made(exchange: Exchange, virtual_time: MockClock) -> None:
    client = Client(exchange.url, None, VirtualClock())
    exchange.always("GET", endpoints.LAST_PRICE.path, Say({}))
    assert await call(client, endpoints.LAST_PRICE) == {}
    with pytest.raises(Fatal, match="needs an API key"):
        await call(client, WRITE)
    await client.aclose()


@pytest.mark.parametrize("key", [b"hunter1\nX-Evil: 1", b"hunter1\x00", b" hunter1", b"hunter1\r"])
async def test_a_key_that_no_header_can_carry_is_fatal_and_not_shown(
    exchange: Exchange, key: bytes, virtual_time: MockClock
) -> None:
    client = Client(exchange.url, Credentials(Secret(key), HmacSigner(Secret(b"x"))), VirtualClock())
    with pytest.raises(Fatal) as refused:
        await call(client, WRITE)
    assert "hunter1" not in _everything_of(refused.value)
    assert exchange.asked == []
    await client.aclose()


@pytest.mark.parametrize("endpoint", [WRITE, READ])
async def test_no_failure_shows_a_secret(
    exchange: Exchange, client: Client, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, virtual_time: MockClock
) -> None:
    def echo(asked: Any) -> Say:
        return Say(status=502, body=str(asked.headers).encode())

    def echo_all(asked: Any) -> Say:
        words = asked.signed.decode()
        assert endpoint.security is not Security.SIGNED or "&signature=" in words
        return Say({"code": -1102, "msg": f"bad: {words}"[-150:]}, status=400)

    failures: list[Say | Callable[[Any], Say]] = [echo, echo_all, Say({"code": -1022, "msg": "bad"}, status=400)]
    with caplog.at_level(logging.DEBUG):
        for say in [*failures, *BROKEN.values()]:
            exchange.then(endpoint.method, endpoint.path, say)
            with pytest.raises(VenueError) as refused:
                await call(client, endpoint)
            assert "hunter" not in _everything_of(refused.value)
            assert not re.search("[0-9a-f]{64}", str(refused.value)), "a signature"
            # An error of httpx holds the request, and that the key.
            assert refused.value.__context__ is None
    assert "hunter" not in caplog.text


def _everything_of(error: BaseException) -> str:
    """The error as the most talkative traceback would show it: with every chained error and all local variables.

    The tests' own frames hold what the test knows; they are left out.
    """
    shown = traceback.TracebackException.from_exception(error, capture_locals=True).format(chain=True)
    return "".join(part for part in shown if "/tests/" not in part)
