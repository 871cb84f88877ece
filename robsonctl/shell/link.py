"""The shell's own connection: the status once a second, and every event; lost, it is made again with back-off."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from robson.domain.codec import decode
from robson.protocol.replies import Reply
from robson.protocol.requests import EventsRequest, Request, StatusRequest, SubscribeRequest
from robson.protocol.results import EventLine, EventsResult, StatusResult
from robsonctl.exits import Ended
from robsonctl.shell.picture import Picture

_FIRST_BACKOFF_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 5.0
_STATUS_SECONDS = 1.0
# A daemon that says nothing for so long is as good as gone.
_PATIENCE_SECONDS = 15.0
_LINE_BYTES_MAX = 1 << 28
_BEYOND_THE_END = 2**63 - 1
# Of what happened while the connection was lost, at most so much is told.
_CATCH_UP_MAX = 20


class _Kind(msgspec.Struct):
    event: str | None = None


class Link:
    """Keeps the picture up to date; `told` gets each event, `skipped` how many were too many."""

    def __init__(
        self,
        locate: Callable[[], str],
        picture: Picture,
        *,
        told: Callable[[EventLine], None],
        skipped: Callable[[int], None],
        changed: Callable[[], None],
    ) -> None:
        self._locate = locate
        self._picture = picture
        self._told = told
        self._skipped = skipped
        self._changed = changed
        self._next_seq: int | None = None
        self._hurry = asyncio.Event()
        self._ask_now = asyncio.Event()

    def hurry(self) -> None:
        """A command was answered: the daemon is there, and something may be different."""
        self._hurry.set()
        self._ask_now.set()

    def look_soon(self) -> None:
        """Something has happened: the next status is not waited for."""
        self._ask_now.set()

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        loop = asyncio.get_running_loop()
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._converse()
            except (Ended, OSError, EOFError, TimeoutError, ValueError, msgspec.MsgspecError) as fault:
                if self._picture.connected:
                    backoff = _FIRST_BACKOFF_SECONDS
                self._picture.connected = False
                self._picture.trouble = _words(fault)
            self._picture.next_try_at = loop.time() + backoff
            self._hurry.clear()
            self._changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

    async def _converse(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._locate(), limit=_LINE_BYTES_MAX)
        try:
            await self._begin(reader, writer)
            while True:
                await self._look(reader, writer)
        finally:
            writer.close()

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Subscribe where the last connection ended, or at the end."""
        if self._next_seq is not None:
            page = await self._ask(reader, writer, EventsRequest(from_seq=_BEYOND_THE_END, limit=1))
            last_seq = decode(page, EventsResult).last_seq
            # The journal may be another one by now, and shorter.
            missed = max(0, last_seq + 1 - self._next_seq)
            if missed > _CATCH_UP_MAX:
                self._skipped(missed - _CATCH_UP_MAX)
            self._next_seq = last_seq + 1 - min(missed, _CATCH_UP_MAX)
        await self._ask(reader, writer, SubscribeRequest(from_seq=self._next_seq))

    async def _look(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ask for the status; then listen until the next one is due, or somebody wants it now."""
        loop = asyncio.get_running_loop()
        self._ask_now.clear()
        begun = loop.time()
        status = decode(await self._ask(reader, writer, StatusRequest()), StatusResult)
        self._picture.saw(status, loop.time())
        self._picture.connected = True
        self._changed()
        # A status of thousands of positions is asked for less often: it must not keep the daemon busy.
        due = loop.time() + max(_STATUS_SECONDS, 10 * (loop.time() - begun))
        await self._listen(reader, due)

    async def _listen(self, reader: asyncio.StreamReader, due: float) -> None:
        loop = asyncio.get_running_loop()
        wanted: asyncio.Future[bool] = asyncio.ensure_future(self._ask_now.wait())
        line: asyncio.Future[bytes] | None = None
        try:
            while (left := due - loop.time()) > 0 and not wanted.done():
                line = line or asyncio.ensure_future(reader.readline())
                both: set[asyncio.Future[Any]] = {wanted, line}
                await asyncio.wait(both, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if line.done():
                    self._hear(line.result())
                    line = None
        finally:
            wanted.cancel()
            if line is not None:
                # A line that is not complete yet stays in the reader: nothing of it is lost.
                line.cancel()
                with suppress(asyncio.CancelledError):
                    await line

    def _hear(self, line: bytes) -> None:
        if not line:
            raise EOFError("the daemon closed the connection")
        event = decode(line, EventLine)
        self._next_seq = event.seq + 1
        self._told(event)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bytes:
        writer.write(msgspec.json.encode(request) + b"\n")
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await writer.drain()
            while True:
                line = await reader.readline()
                if line and decode(line, _Kind).event is None:
                    break
                self._hear(line)
        reply = msgspec.json.decode(line, type=Reply)
        if not reply.ok:
            raise OSError(reply.error.message if reply.error else "the daemon refused")
        if isinstance(request, SubscribeRequest) and self._next_seq is None:
            self._next_seq = msgspec.json.decode(reply.result, type=dict[str, int])["from_seq"]
        return bytes(reply.result)


def _words(fault: Exception) -> str:
    match fault:
        case Ended():
            return "no daemon's socket was found"
        case TimeoutError():
            return "the daemon does not answer"
        case OSError(strerror=str(words)):
            return words
        case _:
            return str(fault) or type(fault).__name__
