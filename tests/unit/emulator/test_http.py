"""Hostile and clumsy clients: each is answered or cut, and nobody else notices."""

from pathlib import Path
from random import Random

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from robson.emulator.http import IDLE_SECONDS, LARGEST_BODY_BYTES, REQUEST_SECONDS
from robson.emulator.refusals import Cut
from tests.unit.emulator.bench import ORDER, PAIR
from tests.unit.emulator.doors import Hall, drain, hall

PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n"


async def is_well(doors: Hall) -> bool:
    """Whether another client is served."""
    return (await doors.say(PING)).startswith(b"HTTP/1.1 200")


async def test_one_connection_serves_request_after_request(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors:
        raw = await doors.say(PING * 3)
        assert raw.count(b"HTTP/1.1 200") == 3
        assert raw.count(b"\r\n\r\n{}") == 3


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 9_000 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /api/v3/ping HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /api/v3/ping HTTP/9.9\r\nHost: x\r\n\r\n", b"505"),
        (b"POST /api/v3/ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nno\r\n", b"400"),
        (b"POST /api/v3/ping HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /api/v3/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"BREW /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"POST /api/v3/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"HEAD /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /control/faults HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /api/v3/klines?symbol=%ff&interval=1m HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /api/v3/ticker/price?symbol=" + b"9" * 4000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /api/v3/ticker/price?symbol=A&symbol=B HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /api/v3/exchangeInfo?symbols=[[[ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /api/v3/aggTrades?symbol=BTCUSDT&limit=0 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /api/v3/aggTrades?symbol=BTCUSDT&fromId=" + b"9" * 30 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    ],
    ids=range(19),
)
async def test_nonsense_is_answered_and_ends_alone(tmp_path: Path, raw: bytes, status: bytes) -> None:
    async with hall(tmp_path) as doors:
        assert (await doors.say(raw)).startswith(b"HTTP/1.1 " + status)
        assert await is_well(doors)


async def test_a_body_has_a_largest_size_however_it_is_announced(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors:
        size = LARGEST_BODY_BYTES + 1
        head = b"POST " + ORDER.encode() + b" HTTP/1.1\r\nHost: x\r\n"
        announced = head + b"Content-Length: %d\r\n\r\n" % size + b"a" * size
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b"a" * size + b"\r\n0\r\n\r\n"
        for raw in (announced, chunked):
            assert (await doors.say(raw)).startswith(b"HTTP/1.1 413")
        assert await is_well(doors)


@pytest.mark.parametrize(
    ("beginning", "seconds", "answer"),
    [
        (b"GET /api", REQUEST_SECONDS, b"HTTP/1.1 408"),
        (b"POST /api/v3/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", REQUEST_SECONDS, b"HTTP/1.1 408"),
        (b"", IDLE_SECONDS, b""),
    ],
)
async def test_a_client_that_dawdles_is_cut_in_time(
    tmp_path: Path, beginning: bytes, seconds: float, answer: bytes, autojump_clock: object
) -> None:
    async with hall(tmp_path) as doors:
        stream = doors.connect()
        if beginning:
            await stream.send_all(beginning)
        started = trio.current_time()
        assert (await drain(stream)).startswith(answer)
        assert trio.current_time() - started == pytest.approx(seconds)
        assert await is_well(doors)


async def test_random_bytes_never_end_more_than_their_connection(tmp_path: Path) -> None:
    source = Random(4711)
    async with hall(tmp_path) as doors:
        for _ in range(50):
            await doors.say(source.randbytes(source.randrange(1, 2_000)))
        handshake = (
            b"GET /ws-api/v3 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        for _ in range(50):
            await doors.say(handshake + source.randbytes(source.randrange(1, 2_000)))
        await doors.say(handshake.replace(b"Version: 13", b"Version: 7"))
        await doors.say(handshake.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""))
        assert await is_well(doors)


async def test_a_message_has_a_largest_size(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws-api/v3") as api:
        await api.send_message("x" * 70_000)
        with trio.fail_after(5):
            assert await _closes(api) == 1009
        assert await is_well(doors)


async def _closes(connection: WebSocketConnection) -> int:
    try:
        while True:
            await connection.get_message()
    except ConnectionClosed as closed:
        return closed.reason.code


async def test_a_dropped_reply_ends_the_connection_without_a_byte(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors:
        doors.bench.arm("drop_reply", endpoint="*")
        with pytest.raises(Cut):
            await doors.bench.ask("GET", "/sapi/v1/margin/openOrders", symbol=PAIR, isIsolated="TRUE")
        doors.bench.arm("drop_request", endpoint="*")
        assert await doors.say(b"GET /sapi/v1/margin/allPairs HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        assert await is_well(doors)
