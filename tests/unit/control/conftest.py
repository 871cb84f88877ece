"""A served socket and its clients."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from robson.control import serve
from tests.unit.control.fake_operations import FakeOperations, StillClock


class Lines:
    """Lines of JSON that somebody writes."""

    def __init__(self, source: trio.abc.ReceiveStream) -> None:
        self._source = source
        self._received = b""

    async def line(self) -> bytes:
        """The next line, empty at the end."""
        with trio.fail_after(5):
            while b"\n" not in self._received:
                chunk = await self._source.receive_some()
                if not chunk:
                    assert not self._received, self._received
                    return b""
                self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    async def reply(self) -> dict[str, Any]:
        return msgspec.json.decode(await self.line(), type=dict[str, Any])


class Client(Lines):
    """A client's end of one connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self.stream = stream

    async def send(self, *lines: str | bytes) -> None:
        for line in lines:
            await self.stream.send_all((line.encode() if isinstance(line, str) else line) + b"\n")

    async def ask(self, line: str | bytes) -> dict[str, Any]:
        await self.send(line)
        return await self.reply()


class Served:
    """A running server with its daemon."""

    def __init__(self, path: Path, operations: FakeOperations) -> None:
        self.path = path
        self.operations = operations
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        raw = trio.socket.socket(socket.AF_UNIX)
        await raw.connect(str(self.path))
        client = Client(trio.SocketStream(raw))
        self._clients.append(client)
        return client

    async def aclose(self) -> None:
        for client in self._clients:
            await trio.aclose_forcefully(client.stream)


@pytest.fixture
async def served(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Served]:
    operations = FakeOperations()
    path = tmp_path / "r.sock"
    await nursery.start(serve, path, operations, StillClock())
    server = Served(path, operations)
    yield server
    await server.aclose()


@pytest.fixture
async def client(served: Served) -> Client:
    return await served.connect()
