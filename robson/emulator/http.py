"""The connection shell: bytes to requests and answers to bytes by h11, upgrades handed to the WebSocket doors.

A client that sends nonsense, too much or nothing for too long is answered or cut, alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import h11
import structlog
import trio

from robson.emulator.refusals import Cut
from robson.emulator.router import Request
from robson.emulator.wire import Reply, html

LARGEST_HEAD_BYTES = 16 * 1024
LARGEST_BODY_BYTES = 256 * 1024
# A head or a body must be whole, a next request begun, an answer taken after so long.
REQUEST_SECONDS = 30.0
IDLE_SECONDS = 120.0
SEND_SECONDS = 30.0

_CHUNK = 16_384
_METHODS = {"GET", "POST", "PUT", "DELETE"}
_log = structlog.get_logger("robson.emulator")

Answering = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True)
class Upgrade:
    """A request to speak WebSocket, with what the client has sent beyond it."""

    request: Request
    raw_headers: list[tuple[bytes, bytes]]
    target: bytes
    trailing: bytes


class _TooLarge(Exception):
    """A body beyond the limit."""


async def serve(
    stream: trio.abc.Stream,
    answer: Answering,
    upgrade: Callable[[trio.abc.Stream, Upgrade], Awaitable[None]],
    patience: float,
) -> None:
    """Serve one connection to its end; `patience` stretches the time limits, for a clock that runs fast."""
    connection = _Connection(stream, patience)
    async with stream:
        try:
            await connection.run(answer, upgrade)
        except (trio.BrokenResourceError, trio.ClosedResourceError, Cut):
            pass
        except h11.RemoteProtocolError as error:
            await connection.apologise(error.error_status_hint)
        except _TooLarge:
            await connection.apologise(413)
        except trio.TooSlowError:
            await connection.apologise(408)


class _Connection:
    """One client's h11 state."""

    def __init__(self, stream: trio.abc.Stream, patience: float) -> None:
        self._stream = stream
        self._patience = patience
        self._is_head = False
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)

    async def run(self, answer: Answering, upgrade: Callable[[trio.abc.Stream, Upgrade], Awaitable[None]]) -> None:
        """Answer one request after the other until the client leaves or asks for a WebSocket."""
        while True:
            head = await self._next_head()
            if head is None:
                return
            self._is_head = head.method == b"HEAD"
            if _wants_websocket(head):
                trailing = self._http.trailing_data[0]
                await upgrade(
                    self._stream, Upgrade(_request(head, b""), head.headers.raw_items(), head.target, trailing)
                )
                return
            with trio.fail_after(REQUEST_SECONDS * self._patience):
                body = await self._body()
            request = _request(head, body)
            if request.method not in _METHODS:
                reply = html(405, "405 Not Allowed")
            else:
                reply = await answer(request)
            await self._send(reply)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def apologise(self, status: int) -> None:
        """Say what was wrong, if the connection still takes it."""
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        try:
            await self._send(html(status, f"{status} Bad Request"), close=True)
        except (h11.LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            return

    async def _next_head(self) -> h11.Request | None:
        with trio.move_on_after(IDLE_SECONDS * self._patience) as idle:
            event = await self._event(idle)
            if isinstance(event, h11.Request):
                if event.http_version not in {b"1.0", b"1.1"}:
                    raise h11.RemoteProtocolError("unknown version", error_status_hint=505)
                return event
            return None
        if self._http.trailing_data[0]:
            raise trio.TooSlowError
        return None

    async def _event(self, idle: trio.CancelScope | None = None) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            received = await self._stream.receive_some(_CHUNK)
            self._http.receive_data(bytes(received))
            if idle is not None:
                # The first byte of a head starts a shorter time.
                idle.deadline = min(idle.deadline, trio.current_time() + REQUEST_SECONDS * self._patience)

    async def _body(self) -> bytes:
        body = bytearray()
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > LARGEST_BODY_BYTES:
                    raise _TooLarge
            elif isinstance(event, h11.EndOfMessage):
                return bytes(body)
            else:
                raise trio.BrokenResourceError

    async def _send(self, reply: Reply, *, close: bool = False) -> None:
        content = reply.content()
        headers = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(content))),
            ("Server", "robson-emulator"),
            *reply.headers.items(),
        ]
        if close:
            headers.append(("Connection", "close"))
        raw = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers]
        head = self._http.send(h11.Response(status_code=reply.status, headers=raw))
        body = b"" if self._is_head else self._http.send(h11.Data(data=content))
        await self._write((head or b"") + (body or b"") + (self._http.send(h11.EndOfMessage()) or b""))

    async def _write(self, raw: bytes | None) -> None:
        with trio.fail_after(SEND_SECONDS * self._patience):
            await self._stream.send_all(raw or b"")


def _wants_websocket(head: h11.Request) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in head.headers)


def _request(head: h11.Request, body: bytes) -> Request:
    headers: Mapping[str, str] = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers
    }
    target = head.target.decode("latin-1")
    if target.startswith("http://"):
        target = "/" + target.removeprefix("http://").partition("/")[2]
    path, _, query = target.partition("?")
    return Request(head.method.decode("ascii", "replace"), path, query, headers, body)
