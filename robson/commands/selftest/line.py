"""A script's view of the daemon: one connection to its socket, one request at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio

from robson.domain.codec import decode, encode
from robson.protocol.replies import ErrorBody, Reply
from robson.protocol.results import EventLine

_CHUNK_BYTES = 1 << 16

T = TypeVar("T")


class Gone(Exception):
    """The daemon is not there, or went away before it answered."""


class Declined(Exception):
    """The daemon answered and said no."""

    def __init__(self, error: ErrorBody) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


class Line:
    """One connection; every method raises Gone when the daemon is."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._received = bytearray()

    async def send(self, cmd: str, **fields: Any) -> None:
        """Send one request without waiting for its reply."""
        try:
            await self._stream.send_all(encode({"cmd": cmd, **fields}) + b"\n")
        except trio.BrokenResourceError as error:
            raise Gone(str(error)) from error

    async def reply(self, kind: type[T]) -> T:
        """The result of the oldest request without a reply; raises Declined."""
        reply = decode(await self._line(), Reply)
        if not reply.ok:
            assert reply.error is not None, reply
            raise Declined(reply.error)
        return decode(bytes(reply.result), kind)

    async def ask(self, kind: type[T], cmd: str, **fields: Any) -> T:
        """Send one request and give its result; raises Declined."""
        await self.send(cmd, **fields)
        return await self.reply(kind)

    async def event(self) -> EventLine:
        """The next event of a subscription."""
        return decode(await self._line(), EventLine)

    async def _line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            try:
                chunk = await self._stream.receive_some(_CHUNK_BYTES)
            except trio.BrokenResourceError as error:
                raise Gone(str(error)) from error
            if not chunk:
                raise Gone("the daemon closed the connection")
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Line]:
    """A connection for the block; raises Gone when nobody listens."""
    try:
        stream = await trio.open_unix_socket(str(path))
    except OSError as error:
        raise Gone(str(error)) from error
    async with stream:
        yield Line(stream)
