"""A scripted HTTP server on loopback that speaks raw bytes: it answers, stalls, truncates, resets and keeps count."""

import socket
import struct
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import h11
import msgspec
import trio

After = Literal["keep", "close", "stall", "reset"]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: bytes
    body: bytes
    headers: dict[str, str]
    connection: int
    at: float

    @property
    def signed(self) -> bytes:
        """What carries the parameters."""
        return self.query or self.body

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.signed.decode(), keep_blank_values=True))


@dataclass
class Say:
    """What is answered: a whole HTTP answer, or `raw` bytes in its place, and what becomes of the connection."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    raw: bytes | None = None
    after: After = "keep"
    delay_seconds: float = 0.0

    def bytes_out(self) -> bytes:
        if self.raw is not None:
            return self.raw
        body = msgspec.json.encode(self.document) if self.body is None else self.body
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **self.headers}.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


SILENCE = Say(raw=b"", after="stall")
HANG_UP = Say(raw=b"", after="close")
RESET = Say(raw=b"", after="reset")

Answering = Say | Callable[[Asked], Say]


class Exchange:
    """Answers each path by its script in turn, then by what always holds for it."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0
        self._turns: dict[tuple[str, str], deque[Answering]] = defaultdict(deque)
        self._always: dict[tuple[str, str], Answering] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def then(self, method: str, path: str, *answers: Answering) -> None:
        """The next answers to this."""
        self._turns[method, path].extend(answers)

    def always(self, method: str, path: str, answer: Answering) -> None:
        """What is answered when no next answer is planned."""
        self._always[method, path] = answer

    def of(self, method: str, path: str) -> list[Asked]:
        """The requests that came for this."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def _answer(self, asked: Asked) -> Say:
        key = (asked.method, asked.path)
        turns = self._turns[key]
        chosen = turns.popleft() if turns else self._always.get(key, Say(status=404, body=b"<html>not here</html>"))
        return chosen(asked) if callable(chosen) else chosen

    async def talk(self, stream: trio.SocketStream) -> None:
        """One connection, until either side ends it."""
        self.connections += 1
        number = self.connections
        connection = h11.Connection(h11.SERVER)
        with stream.socket:
            while True:
                asked = await _next_request(connection, stream, number)
                if asked is None:
                    return
                self.asked.append(asked)
                say = self._answer(asked)
                await trio.sleep(say.delay_seconds)
                try:
                    await stream.send_all(say.bytes_out())
                except trio.BrokenResourceError:
                    return
                match say.after:
                    case "keep":
                        connection = h11.Connection(h11.SERVER)
                    case "close":
                        return
                    case "stall":
                        await _until_gone(stream)
                        return
                    case "reset":
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return


async def _next_request(connection: h11.Connection, stream: trio.SocketStream, number: int) -> Asked | None:
    request: h11.Request | None = None
    body = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(await stream.receive_some())
            except trio.BrokenResourceError:
                return None
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            path, _, query = bytes(request.target).partition(b"?")
            headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
            return Asked(
                bytes(request.method).decode(), path.decode(), query, body, headers, number, trio.current_time()
            )
        else:
            return None


async def _until_gone(stream: trio.SocketStream) -> None:
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass


@asynccontextmanager
async def serving(exchange: Exchange) -> AsyncIterator[Exchange]:
    """The exchange on a port of its own."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        exchange.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, exchange.talk, listeners)
        yield exchange
        nursery.cancel_scope.cancel()
