"""The HTTP door on loopback before a whole daemon on simulated time, and clients that talk to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import trio

from robson.web.door import Door
from robson.web.pages import Pages
from tests.rig import Rig
from tests.unit.web.scraping import sources_of

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost:9464\r\n\r\n"


class Hall:
    """A door on loopback, and clients of it."""

    def __init__(self, rig: Rig, port: int, door: Door) -> None:
        self.rig = rig
        self.port = port
        self.door = door

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def say(self, raw: bytes) -> bytes:
        """Everything that is answered to some bytes, up to the end."""
        async with await self.connect() as stream:
            await stream.send_all(raw)
            return await drain(stream)

    async def get(
        self, target: str, *, host: str = "127.0.0.1", method: str = "GET"
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, body."""
        raw = await self.say(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = raw.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        return int(lines[0].split()[1]), headers, body

    async def until_clients(self, number: int) -> None:
        """Return once so many are inside; on simulated time."""
        while self.door._clients != number:  # noqa: ASYNC110  only the kernel knows when they come and go
            await trio.sleep(0.01)

    async def is_well(self) -> bool:
        """Whether another client is served."""
        return (await self.say(LIVEZ)).endswith(b"\r\n\r\nok\n")


async def drain(stream: trio.SocketStream) -> bytes:
    received = b""
    while chunk := await stream.receive_some():
        received += bytes(chunk)
    return received


@asynccontextmanager
async def hall(tmp_path: Path, *, steady: Callable[[], float] = monotonic) -> AsyncIterator[Hall]:
    async with Rig(tmp_path).running() as rig, trio.open_nursery() as nursery:
        door = Door(Pages(sources_of(rig, tmp_path), steady), steady)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, door.admit, [listener])
        yield Hall(rig, listener.socket.getsockname()[1], door)
        nursery.cancel_scope.cancel()
