"""Servers on loopback that take notifications, and misbehave on request."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import trio


@dataclass
class Got:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers 200 unless `script` says otherwise: (status, headers, body), or "hang", "cut", "close"."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    script: deque[Any] = field(default_factory=deque)
    arrived: trio.Event = field(default_factory=trio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            http = h11.Connection(h11.SERVER)
            request, body = None, b""
            while True:
                try:
                    event = http.next_event()
                except h11.RemoteProtocolError:
                    return
                if event is h11.NEED_DATA:
                    http.receive_data(bytes(await stream.receive_some(4096)))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    break
            if request is None:
                return
            headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
            self.got.append(Got(request.method.decode(), request.target.decode(), headers, body))
            self.arrived.set()
            todo: Any = self.script.popleft() if self.script else (200, {}, b"{}")
            if todo == "hang":
                await trio.sleep_forever()
            if todo == "close":
                return
            if todo == "cut":
                await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                return
            status, extra, content = todo
            fields = {"Content-Length": str(len(content)), "Connection": "close", **extra}
            sent = http.send(h11.Response(status_code=status, headers=list(fields.items())))
            await stream.send_all((sent or b"") + (http.send(h11.Data(data=content)) or b""))


@asynccontextmanager
async def http_server(*script: object) -> AsyncIterator[Server]:
    """A server for the block."""
    server = Server(script=deque(script))
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()
