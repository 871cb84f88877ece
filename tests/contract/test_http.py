"""The HTTP door, from outside: what it answers, what it refuses, and that no client can hold it or another one up."""

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
import trio
from trio.testing import MockClock

from robson.domain.errors import ConfigurationError
from robson.web import door as doors
from robson.web.door import CONNECTIONS_MAX, parse_address, serve_http
from robson.web.exchange import EXCHANGE_SECONDS, HEAD_BYTES_MAX, HEAD_SECONDS, Reply
from robson.web.pages import KEPT_SECONDS
from tests.hall import LIVEZ, drain, hall
from tests.rig import Rig
from tests.unit.web.scraping import sources_of, values_in

Logs = list[MutableMapping[str, Any]]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """What the door logs, whatever an earlier test has configured."""
    monkeypatch.setattr(doors, "_log", structlog.wrap_logger(None, wrapper_class=structlog.BoundLogger))
    with structlog.testing.capture_logs() as found:
        yield found


async def test_the_pages_and_their_kinds(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        await served.rig.arm()
        assert (await served.get("/livez"))[::2] == (200, "ok\n")
        assert (await served.get("/readyz"))[::2] == (200, "ok\n")
        status, headers, body = await served.get("/readyz?verbose")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body)["checks"]["journal"] == {"ok": True, "detail": "writable"}
        status, headers, body = await served.get("/metrics")
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert values_in(body)['robson_positions{state="Armed"}'] == 1
        assert int(headers["content-length"]) == len(body.encode())
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


async def test_readiness_is_that_of_the_health_command_and_liveness_depends_on_nothing(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        served.rig.record.degrade("No space left on device")
        assert (await served.get("/livez"))[0] == 200
        assert (await served.get("/readyz"))[::2] == (503, "not ready: journal\n")
        status, _, body = await served.get("/readyz?verbose")
        assert (status, json.loads(body)["ready"]) == (503, False)
        assert json.loads(body)["checks"]["journal"]["detail"] == "No space left on device"


async def test_head_is_get_without_the_body(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        got, headed = await served.get("/livez"), await served.get("/livez", method="HEAD")
        assert headed == (200, got[1], "")


@pytest.mark.parametrize(
    "target", ["/index.html", "/metrics/", "/../livez", "//livez", "/livez%00", "/events", "/chart/.svg"]
)
async def test_there_is_nothing_else(tmp_path: Path, target: str) -> None:
    async with hall(tmp_path) as served:
        assert (await served.get(target))[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_nothing_can_be_changed(tmp_path: Path, method: str) -> None:
    async with hall(tmp_path) as served:
        status, headers, _ = await served.get("/livez", method=method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", 200),
        ("[::1]:9464", 200),
        ("[::1]", 200),
        ("10.1.2.3", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("server.lan:9464", 421),
        ("evil.example", 421),
        ("evil.example:9464", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1:80@evil.example", 421),
        ("127.0.0.1:x", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_a_page_of_somebody_else_cannot_reach_it_under_its_own_name(
    tmp_path: Path, host: str, status: int
) -> None:
    async with hall(tmp_path) as served:
        assert (await served.get("/livez", host=host))[0] == status


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * 2 * HEAD_BYTES_MAX + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"431"),
        (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * HEAD_BYTES_MAX + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", b"400"),
        (b"GET http://localhost/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.0\r\n\r\n", b"421"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"405"),
    ],
    ids=range(14),
)
async def test_nonsense_is_answered_and_ends_alone(tmp_path: Path, raw: bytes, status: bytes) -> None:
    async with hall(tmp_path) as served:
        assert (await served.say(raw)).startswith(b"HTTP/1.1 " + status)
        assert await served.is_well()


async def test_a_connection_is_for_one_request(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        answered = await served.say(LIVEZ * 3)
        assert answered.count(b"HTTP/1.1 200") == 1
        assert b"\r\nConnection: close\r\n" in answered


async def test_a_head_may_come_in_pieces(tmp_path: Path) -> None:
    async with hall(tmp_path) as served, await served.connect() as stream:
        for octet in LIVEZ:
            await stream.send_all(bytes([octet]))
            await trio.lowlevel.checkpoint()
        assert (await drain(stream)).endswith(b"ok\n")


async def test_who_says_nothing_or_too_slowly_is_let_go(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        async with await served.connect() as silent:
            assert await drain(silent) == b""
        began = trio.current_time()
        assert HEAD_SECONDS <= began <= HEAD_SECONDS + 2
        async with await served.connect() as slow, trio.open_nursery() as nursery:

            async def drip() -> None:
                await slow.send_all(b"GET /livez HTTP/1.1\r\n")
                for number in range(1000):
                    await slow.send_all(b"X-%d: y\r\n" % number)
                    await trio.sleep(0.3)

            nursery.start_soon(drip)
            assert (await drain(slow)).startswith(b"HTTP/1.1 408")
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began <= HEAD_SECONDS + 2
        assert await served.is_well()


async def test_who_does_not_hang_up_is_hung_up_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served, await served.connect() as stream:
        await stream.send_all(LIVEZ)
        assert (await drain(stream)).endswith(b"ok\n")
        with pytest.raises(trio.BrokenResourceError):  # noqa: PT012  which send is the first to fail is the kernel's choice
            while trio.current_time() < EXCHANGE_SECONDS:
                await stream.send_all(b"more")
                await trio.sleep(0.1)
        assert trio.current_time() < EXCHANGE_SECONDS


async def test_who_asks_and_never_reads_is_let_go(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        served.door._pages._makers["/livez"] = huge_page
        async with await served.connect() as stream:
            await stream.send_all(LIVEZ)
            await served.until_clients(1)
            await served.until_clients(0)
            assert EXCHANGE_SECONDS - 1 <= trio.current_time() <= EXCHANGE_SECONDS + 2


async def huge_page() -> Reply:
    return Reply(200, b"x" * (64 << 20))


async def test_too_many_are_told_so_and_the_next_ones_are_served(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        crowd = [await served.connect() for _ in range(CONNECTIONS_MAX)]
        await served.until_clients(CONNECTIONS_MAX)
        assert (await served.say(LIVEZ)).startswith(b"HTTP/1.1 503")
        flood = [await served.connect() for _ in range(4 * CONNECTIONS_MAX)]
        await trio.sleep(0.1)
        assert served.door._clients <= 2 * CONNECTIONS_MAX
        for stream in (*crowd, *flood):
            await stream.aclose()
        await served.until_clients(0)
        assert await served.is_well()


async def test_a_page_is_made_once_a_second_however_often_it_is_read(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        first = await served.get("/metrics")
        await served.rig.arm()
        assert await served.get("/metrics") == first
        await trio.sleep(KEPT_SECONDS)
        assert values_in((await served.get("/metrics"))[2])['robson_positions{state="Armed"}'] == 1


async def test_a_page_that_cannot_be_made_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    async with hall(tmp_path) as served:
        monkeypatch.setattr(served.rig.market, "states", None)
        assert (await served.get("/metrics"))[0] == 500
        assert [line["event"] for line in logs] == ["http_page_failed"]
        assert await served.is_well()


async def test_an_address_that_is_taken_is_tried_again(tmp_path: Path, autojump_clock: MockClock, logs: Logs) -> None:
    async with Rig(tmp_path).running() as rig, trio.open_nursery() as nursery:
        (taken,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = taken.socket.getsockname()[1]
        nursery.start_soon(serve_http, ("127.0.0.1", port), sources_of(rig, tmp_path))
        await trio.sleep(10)
        assert {line["event"] for line in logs} == {"http_not_listening"}
        assert 3 <= len(logs) <= 5
        await taken.aclose()
        await trio.sleep(doors.RETRY_MOST_SECONDS)
        assert logs[-1] == {"event": "http_listening", "host": "127.0.0.1", "port": port, "log_level": "info"}
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(LIVEZ)
            assert (await drain(stream)).endswith(b"ok\n")
        nursery.cancel_scope.cancel()


async def test_a_door_that_breaks_is_opened_again(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    served: list[float] = []

    async def fragile(_admit: object, listeners: list[trio.SocketListener]) -> None:
        served.append(trio.current_time())
        await listeners[0].aclose()
        await trio.sleep(1)
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(trio, "serve_listeners", fragile)
    async with Rig(tmp_path).running() as rig, trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, ("127.0.0.1", 0), sources_of(rig, tmp_path))
        await trio.sleep(3)
        nursery.cancel_scope.cancel()
    assert len(served) == 2
    assert "http_door_failed" in {line["event"] for line in logs}


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:80", ("127.0.0.1", 80)),
        ("[::1]:0", ("::1", 0)),
        ("127.1.2.3:65535", ("127.1.2.3", 65535)),
    ],
)
def test_where_it_listens(listen: str, address: tuple[str, int]) -> None:
    assert parse_address(listen) == address


@pytest.mark.parametrize(
    "listen",
    [
        "9464",
        ":9464",
        "127.0.0.1",
        "127.0.0.1:",
        "trader.example:80",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:²",
    ],
)
def test_what_is_no_address_of_this_machine_is_refused(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http\.listen was .* such as 127\.0\.0\.1:9464"):
        parse_address(listen)


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "[::]:9464", "192.0.2.7:80"])
def test_an_address_that_others_can_reach_has_to_be_wanted_twice(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http\.listen was .* say `expose = true` in \[http\]"):
        parse_address(listen)
    host, _, port = listen.rpartition(":")
    assert parse_address(listen, expose=True) == (host.strip("[]"), int(port))


@pytest.mark.parametrize("listen", ["trader.example:80", "0.0.0.0:65536", "0.0.0.0", "::9464"])
def test_what_is_no_address_stays_refused_when_exposed(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http\.listen was .* such as 127\.0\.0\.1:9464"):
        parse_address(listen, expose=True)
