"""The dashboard through the HTTP door: what it shows, what it refuses, and that its readers hold nobody up."""

import re
from collections.abc import AsyncGenerator
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
import trio

from robson.web.dashboard import BEHIND_MAX, STREAMS_MAX
from robson.web.exchange import PART_SECONDS, Asked, Exchange, Reply
from robson.web.markup import EVENTS_SHOWN, ROWS_MAX
from robson.web.pages import Pages
from tests.hall import Hall, drain, hall
from tests.unit.web.scraping import sources_of

VOID = {"meta", "link", "img", "br", "source"}
# How long a reader on simulated time waits for a part of the stream.
PATIENCE_SECONDS = 60


class Page(HTMLParser):
    """What a browser without script and style would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


async def page_of(served: Hall, target: str = "/") -> tuple[str, Page]:
    status, headers, body = await served.get(target)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    return body, Page(body)


async def test_the_table_needs_no_script(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        rig = served.rig
        position_id = await rig.active()
        await rig.arm(symbol="ETHUSDT")
        body, page = await page_of(served)
        rows = re.findall(r"<tr><th scope=\"row\".*?</tr>", body, re.DOTALL)
        assert "BTCUSDT" in rows[0]
        assert position_id[:8] in rows[0]
        assert "Active" in rows[0]
        assert "Armed" in rows[1]
        view = await rig.view(position_id)
        assert f">{view.trailing_stop:.2f}<" in rows[0]
        # An exchange writes its tick with zeros at the end.
        known = rig.around.instruments
        known["BTCUSDT"] = msgspec.structs.replace(known["BTCUSDT"], tick_size=Decimal("0.01000000"))
        served.door._pages = Pages(sources_of(rig, tmp_path), trio.current_time)
        assert f">{view.trailing_stop:.2f}<" in (await served.get("/now"))[2]
        assert f'href="#chart-{position_id}"' in rows[0]
        assert "position armed" in body
        assert "entry filled" in body
        assert ("meta", {"http-equiv": "refresh", "content": "10"}) in page.tags


async def test_nothing_comes_from_elsewhere_and_nothing_is_inline(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        await served.rig.active()
        _, page = await page_of(served)
        addresses = [
            value for _, found in page.tags for name, value in found.items() if name in {"src", "srcset", "href"}
        ]
        assert addresses
        assert all(str(address).startswith(("/", "#")) for address in addresses)
        assert not page.all("style")
        assert not [name for _, found in page.tags for name in found if name == "style" or name.startswith("on")]
        assert [found.get("src") for found in page.all("script")] == ["/dashboard.js"]
        _, headers, _ = await served.get("/")
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["img-src"] == policy["connect-src"] == "'self'"
        assert headers["referrer-policy"] == "no-referrer"
        for target in ("/dashboard.css", "/dashboard.js", "/icon.svg"):
            status, headers, content = await served.get(target)
            assert (status, headers["x-content-type-options"]) == (200, "nosniff")
            assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", content)


async def test_a_chart_for_each_position_that_has_entered(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        position_id = await served.rig.active()
        _, page = await page_of(served)
        (image,) = page.all("img")
        assert str(image["alt"]).startswith("Price and stop of the long in BTCUSDT since its entry: entered at ")
        status, headers, picture = await served.get(str(image["src"]))
        assert (status, headers["content-type"]) == (200, "image/svg+xml")
        assert "script" not in picture
        assert "BTCUSDT long Active" in picture
        (narrow,) = page.all("source")
        status, _, small = await served.get(str(narrow["srcset"]))
        assert (status, 'viewBox="0 0 400 320"' in small, 'viewBox="0 0 960 480"' in picture) == (200, True, True)
        for target in ("/chart/nobody.svg", f"/chart/{position_id}", f"/chart/../{position_id}.svg", "/chart/a/b.svg"):
            assert (await served.get(target))[0] == 404, target


async def test_what_is_wrong_is_said_first_and_in_words(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        await served.rig.active()
        assert "alert" not in (await served.get("/now"))[2]
    async with hall(tmp_path) as served:
        served.rig.record.degrade("No space left on device")
        await served.rig.panic()
        body, page = await page_of(served, "/now")
        assert page.all("div")[0]["role"] == "alert"
        alert = body.partition('role="alert"')[2].partition("</ul>")[0]
        assert "PANIC is latched" in alert
        assert "journal: No space left on device" in alert


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp.exe"])
async def test_what_others_write_stays_text(tmp_path: Path, hostile: str) -> None:
    async with hall(tmp_path) as served:
        await served.rig.arm()
        served.rig.record.degrade(hostile)
        body, page = await page_of(served)
        assert hostile not in body
        assert [found.get("src") for found in page.all("script")] == ["/dashboard.js"]
        assert not page.all("img")


async def test_many_positions_are_counted_and_not_all_shown(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        for _ in range(ROWS_MAX + 3):
            await served.rig.arm()
        body, _ = await page_of(served)
        assert body.count('<tr><th scope="row" data-label="Position">') == ROWS_MAX
        assert "3 more: <code>robsonctl status</code>" in body
        assert body.count("<li>") <= EVENTS_SHOWN + 5


async def test_it_can_be_left_out(tmp_path: Path) -> None:
    async with hall(tmp_path) as served:
        served.door._pages = Pages(sources_of(served.rig, tmp_path), trio.current_time, dashboard=False)
        for target in ("/", "/now", "/live", "/dashboard.js", "/chart/a.svg"):
            assert (await served.get(target))[0] == 404
        assert (await served.get("/metrics"))[0] == 200


# --- the stream ------------------------------------------------------------------------------------------------------


async def follow(served: Hall, target: str = "/live", *, last_event: str = "") -> trio.SocketStream:
    stream = await served.connect()
    seen = f"Last-Event-ID: {last_event}\r\n" if last_event else ""
    await stream.send_all(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{seen}\r\n".encode())
    return stream


async def until(stream: trio.SocketStream, wanted: bytes) -> bytes:
    received = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while wanted not in received:
            chunk = await stream.receive_some()
            assert chunk, received
            received += bytes(chunk)
    return received


def ids(received: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"^id: (\d+)$", received, re.MULTILINE)]


async def test_events_come_as_they_happen_each_once_and_in_order(tmp_path: Path) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        body, _ = await page_of(served)
        first = re.search(r'data-next="(\d+)"', body)
        assert first is not None
        async with await follow(served, f"/live?from={first[1]}") as stream:
            head = await until(stream, b"retry: 2000")
            assert b"text/event-stream" in head
            await served.rig.arm()
            one = await until(stream, b"position armed")
            await served.rig.arm()
            two = await until(stream, b"position armed")
            assert b"event: look" in await until(stream, b"event: look")
        assert ids(one + two) == [int(first[1]), int(first[1]) + 1]
        await served.until_clients(0)


async def test_a_reader_that_comes_back_misses_nothing(tmp_path: Path) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        for _ in range(5):
            await served.rig.arm()
        async with await follow(served, "/live?from=1", last_event="2") as stream:
            assert ids(await until(stream, b"id: 5\n"))[:3] == [3, 4, 5]


async def test_a_reader_far_behind_is_told_how_many_it_missed(tmp_path: Path) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        for _ in range(BEHIND_MAX + 10):
            await served.rig.arm()
        last = served.rig.desk.last_seq()
        async with await follow(served, "/live?from=1") as stream:
            received = await until(stream, b"id: %d\n" % last)
        missed = last - BEHIND_MAX
        assert b"data: %d events before are not shown: robsonctl events --from 1\n" % missed in received
        assert ids(received) == list(range(missed + 1, last + 1))


@pytest.mark.parametrize("seen", ["-1", "abc", "9" * 30, "１"])
async def test_a_last_event_that_is_none_is_not_looked_at(tmp_path: Path, seen: str) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        await served.rig.arm()
        stream = await served.connect()
        async with stream:
            head = f"GET /live?from=1 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {seen}\r\n\r\n"
            await stream.send_all(head.encode())
            received = await until(stream, b"\r\n\r\n")
            if b" 400 " not in received:
                received += await until(stream, b"\n\n") if not ids(received) else b""
                assert ids(received)[0] == 1


async def test_streams_are_few_and_leave_room_for_others(tmp_path: Path) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        streams = []
        for _ in range(STREAMS_MAX):
            streams.append(await follow(served))
            await until(streams[-1], b"retry")
            await until(streams[-1], b"event: look")
        status, _, body = await served.get("/live")
        assert (status, body) == (503, "too many dashboards are open\n")
        assert await served.is_well()
        for stream in streams:
            await stream.aclose()
        await served.until_clients(0)
        async with await follow(served) as stream:
            await until(stream, b"retry")


async def test_a_reader_that_stops_reading_is_cut() -> None:
    ended = trio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                await trio.lowlevel.checkpoint()
                yield b"x" * 65_536
        finally:
            ended.set()

    async def respond(asked: Asked) -> Reply:
        return Reply(200, b"", parts=endless)

    async def serve(stream: trio.SocketStream) -> None:
        await Exchange(stream, respond, trio.current_time).run()
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        async with await trio.open_tcp_stream(*listener.socket.getsockname()) as stream:
            await stream.send_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with trio.fail_after(2 * PART_SECONDS):
                await ended.wait()
        nursery.cancel_scope.cancel()


async def test_head_of_the_stream_ends(tmp_path: Path) -> None:
    async with hall(tmp_path, steady=trio.current_time) as served:
        assert (await served.get("/live", method="HEAD"))[0] == 200
        assert (await served.get("/live", host="trader.example"))[0] == 421
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"POST /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 405 " in await drain(stream)
