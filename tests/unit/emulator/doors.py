"""The emulator's doors over connections in memory: raw bytes, and WebSocket clients of another library."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing
from trio_websocket import WebSocketConnection, wrap_client_stream

from robson.emulator.process import Doors, Listening
from tests.unit.emulator.bench import Bench, opened


class Hall:
    """The doors with everything behind them running."""

    def __init__(self, bench: Bench, doors: Doors, nursery: trio.Nursery) -> None:
        self.bench = bench
        self.doors = doors
        self.nursery = nursery

    def connect(self) -> trio.StapledStream[Any, Any]:
        """A connection as a client holds it."""
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.doors.serve, theirs)
        return ours

    async def say(self, raw: bytes) -> bytes:
        """Send raw bytes and read until the other side ends the connection."""
        stream = self.connect()
        async with stream:
            try:
                await stream.send_all(raw)
                await stream.send_eof()
            except trio.BrokenResourceError:
                pass
            return await drain(stream)

    @asynccontextmanager
    async def websocket(self, path: str) -> AsyncIterator[WebSocketConnection]:
        """A WebSocket to a path."""
        async with trio.open_nursery() as nursery:
            connection = await wrap_client_stream(nursery, cast("Any", self.connect()), "127.0.0.1", path)
            try:
                yield connection
            finally:
                await connection.aclose()
                nursery.cancel_scope.cancel()


async def drain(stream: trio.abc.Stream) -> bytes:
    """Everything up to the end of a connection, however it ends."""
    found = bytearray()
    try:
        while received := await stream.receive_some(65_536):
            found += received
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    return bytes(found)


async def hear(connection: WebSocketConnection) -> Any:
    """The next message as JSON."""
    return json.loads(await connection.get_message())


async def request(connection: WebSocketConnection, **message: Any) -> Any:
    """Send a message and give the next one that comes."""
    await connection.send_message(json.dumps(message))
    return await hear(connection)


@asynccontextmanager
async def hall(directory: Path, *, control: bool = False) -> AsyncIterator[Hall]:
    """A hall whose market has a price."""
    with opened(directory) as bench:
        doors = Doors(bench.exchange, Listening("127.0.0.1", 0, control, 1.0))
        async with trio.open_nursery() as nursery:
            bench.exchange.work_in(nursery)
            nursery.start_soon(doors.run_tasks)
            yield Hall(bench, doors, nursery)
            nursery.cancel_scope.cancel()
