"""One request and one answer on one connection, by h11; whatever else a client does ends it, alone.

Time limits are in real seconds: the run may be on a tape's clock, which races past its readers.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

import h11
import trio

HEAD_BYTES_MAX = 8 * 1024
# A head must be whole, and everything over, so many seconds after the client came.
HEAD_SECONDS = 5.0
EXCHANGE_SECONDS = 15.0
# A part of an endless answer must be taken within so many seconds.
PART_SECONDS = 10.0
# What a client may still send after its answer; closing at once would lose it that.
DRAIN_BYTES_MAX = 64 * 1024
DRAIN_SECONDS = 1.0

_CHUNK = 4096
_LOOK_SECONDS = 0.5
_SAFE = (
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Connection", b"close"),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A GET or HEAD whose host is an address or localhost; `last_event` is what a stream's reader has seen."""

    target: str
    last_event: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `allow` names the methods where another one was asked for, `policy` what a browser may do with it.

    With `parts` the body has no end: they follow it until the client leaves.
    """

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    allow: str = ""
    policy: str = "default-src 'none'"
    parts: Callable[[], AsyncGenerator[bytes, None]] | None = None


Respond = Callable[[Asked], Awaitable[Reply]]


class _Late(Exception):
    """The client took too long."""


class Exchange:
    """Serves one connection; `respond` gets what may be asked for at all."""

    def __init__(self, stream: trio.SocketStream, respond: Respond, steady: Callable[[], float]) -> None:
        self._stream = stream
        self._respond = respond
        self._steady = steady
        self._began = steady()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._is_head = False

    async def run(self) -> None:
        """Answer once, then see the client off."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError, _Late):
            reply = await self._reply()
            if reply is not None:
                await self._send(reply)
                if reply.parts is not None and not self._is_head:
                    await self._send_parts(reply.parts())
                await self._see_off()

    async def turn_away(self) -> None:
        """Answer without reading: there are too many."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError, _Late):
            await self._send(Reply(503, b"too many connections\n"))
            await self._see_off()

    async def _reply(self) -> Reply | None:
        """What to answer; None for a client that left without a word."""
        try:
            head = await self._head()
        except h11.RemoteProtocolError as error:
            return Reply(error.error_status_hint, b"this is no request\n")
        except _Late:
            return Reply(408, b"the request took too long\n") if self._http.trailing_data[0] else None
        if head is None:
            return None
        self._is_head = head.method == b"HEAD"
        refusal = self._refusal(head)
        last_event = dict(head.headers).get(b"last-event-id", b"")
        return refusal or await self._respond(Asked(head.target.decode("latin-1"), last_event.decode("latin-1")))

    async def _head(self) -> h11.Request | None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            received = await self._patiently(lambda: self._stream.receive_some(_CHUNK), HEAD_SECONDS)
            self._http.receive_data(bytes(received))

    def _refusal(self, head: h11.Request) -> Reply | None:
        headers = dict(head.headers)
        if head.method not in {b"GET", b"HEAD"}:
            return Reply(405, b"only GET and HEAD\n", allow="GET, HEAD")
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            return Reply(400, b"no body is taken\n")
        if not head.target.startswith(b"/"):
            return Reply(400, b"the target must be a path\n")
        if not _is_ours(headers.get(b"host", b"").decode("latin-1")):
            return Reply(421, b"this is asked for by the address of this machine\n")
        return None

    async def _send(self, reply: Reply) -> None:
        headers = [
            (b"Content-Type", reply.content_type.encode()),
            (b"Content-Security-Policy", reply.policy.encode()),
            *([(b"Content-Length", b"%d" % len(reply.body))] if reply.parts is None else []),
            *_SAFE,
            *([(b"Allow", reply.allow.encode())] if reply.allow else []),
        ]
        http = self._http
        if http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        sent = http.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        body = b"" if self._is_head or not reply.body else http.send(h11.Data(data=reply.body)) or b""
        await self._push(sent + body, EXCHANGE_SECONDS)

    async def _send_parts(self, parts: AsyncGenerator[bytes, None]) -> None:
        """Send on until the parts end or the client does not take one in time."""
        async with aclosing(parts):
            async for part in parts:
                sent = self._http.send(h11.Data(data=part)) or b""
                await self._push(sent, self._steady() - self._began + PART_SECONDS)
            await self._push(self._http.send(h11.EndOfMessage()) or b"", self._steady() - self._began + PART_SECONDS)

    async def _push(self, what: bytes, until: float) -> None:
        rest = memoryview(what)
        while rest:
            part = rest
            taken = await self._patiently(lambda part=part: self._stream.socket.send(part), until)  # type: ignore[misc]
            rest = rest[taken:]

    async def _see_off(self) -> None:
        """Say that nothing more comes, and swallow for a while what the client is still sending."""
        swallowed = 0
        await self._stream.send_eof()
        until = min(self._steady() - self._began + DRAIN_SECONDS, EXCHANGE_SECONDS)
        while swallowed < DRAIN_BYTES_MAX:
            chunk = await self._patiently(lambda: self._stream.receive_some(_CHUNK), until)
            if not chunk:
                return
            swallowed += len(chunk)

    async def _patiently(self, step: Callable[[], Awaitable[T]], until: float) -> T:
        """Take a step that may be cancelled without harm, within so many seconds since the client came."""
        while self._steady() - self._began < until:
            with trio.move_on_after(_LOOK_SECONDS):
                return await step()
        raise _Late


def _is_ours(host: str) -> bool:
    """Whether a Host header names an address, which no foreign page can make its own, or localhost."""
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    if port and not port.isdecimal():
        return False
    if name.lower() == "localhost":
        return True
    try:
        ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True
