"""One client: lines in, replies out in the same order, and the event lines it subscribed to in between."""

import math
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

import trio

from robson.control.commands import Commands
from robson.control.lines import LINE_BYTES_MAX, LineSplitter, LineTooLong
from robson.control.peer import hang_up, peer_of
from robson.control.prices import LOOK_SECONDS, Prices
from robson.control.rules import Allowance, Idleness, Rules
from robson.control.sequence import Cursor
from robson.domain.errors import RuleError
from robson.protocol import requests as ask
from robson.protocol.fields import RequestId
from robson.protocol.operations import Operations
from robson.protocol.oversight import ShowRequest, WhyRequest
from robson.protocol.reading import read_request
from robson.protocol.replies import ErrorBody, address, error_body, failure, success
from robson.protocol.results import SubscribeResult
from robson.protocol.table import COMMANDS
from robson.protocol.unions import AnyMutation, AnyQuery, AnyRequest

# A client that takes nothing of a reply for so long is cut off. Events wait for ever: a subscriber may fall behind.
# Real seconds: the run may be on a tape's clock, which races past its readers.
REPLY_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 5.0
_CHUNK_BYTES = 65_536
# A longer line, which nobody needs for an order, waits for its turn among all such: one is read in a turn of the loop.
_SHORT_BYTES = 4096
# Blank lines are answered by nothing, and nothing would let others in between.
_BLANKS_AT_ONCE = 256
# What a client may still send after its line was refused; closing at once would lose it the reply.
_DRAIN_BYTES_MAX = 16 * 1024 * 1024
_DRAIN_SECONDS = 5.0


T = TypeVar("T")
_LONG = (ask.EventsRequest, ask.StatusRequest, ShowRequest, WhyRequest)


class ClientLost(Exception):
    """The client closed its end, or left a reply unread for too long."""


class ClientIdle(Exception):
    """The client has asked for nothing for too long, and waits for nothing either."""


class Connection:
    """Serves one client until it leaves."""

    def __init__(
        self, stream: trio.SocketStream, commands: Commands, operations: Operations, work: trio.Nursery, rules: Rules
    ) -> None:
        self._stream = stream
        self._commands = commands
        self._operations = operations
        self._work = work
        self._rules = rules
        self._allowance = Allowance(rules.requests_per_second)
        self._idleness = Idleness(rules.idle_seconds)
        self._caller = peer_of(stream)
        self._writing = trio.Lock()
        self._subscribed = False

    async def run(self) -> None:
        """Answer until the client's end of input; a subscription goes on until the client hangs up."""
        async with trio.open_nursery() as nursery:
            with suppress(ClientLost):
                if await self._answer_lines(nursery) and self._subscribed:
                    await hang_up(self._stream.socket)
            nursery.cancel_scope.cancel()

    async def _answer_lines(self, nursery: trio.Nursery) -> bool:
        splitter = LineSplitter()
        try:
            while chunk := await self._receive():
                splitter.receive(chunk)
                while (line := splitter.next_line()) is not None:
                    await self._answer(line, nursery)
                    # Neither reading on nor sending lets the others in.
                    if splitter.taken % _BLANKS_AT_ONCE == 0 or (splitter.holds_more and line.strip()):
                        await trio.lowlevel.checkpoint()
            # A line feed may be missing at the very end; a request that was cut short is not valid JSON.
            await self._answer(splitter.rest(), nursery)
        except LineTooLong:
            await self._part(
                "line_too_long",
                f"a request line was longer than {LINE_BYTES_MAX} bytes",
                hint="one request a line; the connection is closed",
            )
            return False
        except ClientIdle:
            await self._part("idle", self._idleness.words, hint="connect again; a subscription may stay silent")
            return False
        return True

    async def _answer(self, line: bytes, nursery: trio.Nursery) -> None:
        if not line.strip():
            return
        request_id, request = await self._read(line)
        refusal = self._refusal(request)
        if refusal is not None:
            request = refusal
        match request:
            case RuleError():
                await self._reply(request_id, failure(error_body(request)))
            case ask.SubscribeRequest():
                await self._subscribe(request_id, request, nursery)
            case ask.Mutation():
                await self._reply(request_id, await self._mutate(request))
            case _:
                await self._reply(request_id, await self._query(request))
        self._idleness.asked()

    async def _read(self, line: bytes) -> tuple[RequestId, AnyRequest | RuleError]:
        if len(line) <= _SHORT_BYTES:
            return read_request(line)
        async with self._commands.heavy:
            return read_request(line)

    def _refusal(self, request: AnyRequest | RuleError) -> RuleError | None:
        """Why this request is not obeyed on this connection now."""
        try:
            if isinstance(request, RuleError):
                self._allowance.take()
                return None
            # What takes out of the market is never too much.
            if COMMANDS[str(request.__struct_config__.tag)].right != "panic":
                self._allowance.take()
            self._rules.check(request, self._caller)
        except RuleError as refusal:
            return refusal
        return None

    async def _query(self, request: AnyQuery) -> bytes:
        """Look something up; a long page is given up when its client hangs up, and its place is free."""
        if not isinstance(request, _LONG):
            return await self._commands.query(request, self._caller)
        async with trio.open_nursery() as nursery:

            async def give_up() -> None:
                await hang_up(self._stream.socket)
                nursery.cancel_scope.cancel()

            nursery.start_soon(give_up)
            body = await self._commands.query(request, self._caller)
            nursery.cancel_scope.cancel()
            return body
        raise ClientLost

    async def _mutate(self, request: AnyMutation) -> bytes:
        """Run a mutation where it outlives this client, and wait for its reply."""
        ends, reply = trio.open_memory_channel[bytes](1)

        async def run() -> None:
            async with ends:
                body = await self._commands.mutate(request, self._caller)
                # The client may have left meanwhile; the journal and the log know what was done.
                with suppress(trio.BrokenResourceError):
                    ends.send_nowait(body)

        self._work.start_soon(run)
        async with reply:
            return await reply.receive()

    async def _subscribe(self, request_id: RequestId, request: ask.SubscribeRequest, nursery: trio.Nursery) -> None:
        if self._subscribed:
            error = ErrorBody(
                code="already_subscribed",
                message="this connection has a subscription already",
                hint="open another connection",
            )
            await self._reply(request_id, failure(error))
            return
        try:
            cursor = Cursor(self._operations, request, self._commands.heavy)
        except RuleError as fault:
            await self._reply(request_id, failure(error_body(fault)))
            return
        self._subscribed = True
        await self._reply(request_id, success(SubscribeResult(from_seq=cursor.from_seq, oldest_seq=cursor.oldest_seq)))
        nursery.start_soon(self._stream_events, request_id, cursor, nursery.cancel_scope)
        if request.prices:
            nursery.start_soon(self._stream_prices, nursery.cancel_scope)

    async def _stream_events(self, request_id: RequestId, cursor: Cursor, connection: trio.CancelScope) -> None:
        self._operations.followers.add(cursor)
        try:
            while True:
                await self._send_events(await cursor.next_lines())
        except RuleError as fault:
            with suppress(ClientLost):
                await self._reply(request_id, failure(error_body(fault)))
            connection.cancel()
        except ClientLost:
            connection.cancel()
        finally:
            self._operations.followers.discard(cursor)

    async def _stream_prices(self, connection: trio.CancelScope) -> None:
        prices = Prices(self._operations)
        try:
            while True:
                # A reader that has not taken the last ones gets the newest when it has.
                if lines := prices.next_lines():
                    await self._send_events(lines)
                await trio.sleep(LOOK_SECONDS)
        except ClientLost:
            connection.cancel()

    async def _reply(self, request_id: RequestId, body: bytes) -> None:
        rest = memoryview(address(request_id, body))
        try:
            # Waiting for nothing would only cost a turn of the loop.
            self._writing.acquire_nowait()
        except trio.WouldBlock:
            await _patiently(self._writing.acquire)
        try:
            rest = rest[self._send_now(rest) :]
            while rest:
                sent = await _patiently(partial(self._send_some, rest))
                rest = rest[sent:]
        finally:
            self._writing.release()

    async def _send_events(self, lines: bytes) -> None:
        rest = memoryview(lines)
        async with self._writing:
            while rest:
                sent = await self._send_some(rest)
                rest = rest[sent:]

    def _send_now(self, octets: memoryview) -> int:
        """Send what the socket takes at once; most replies it takes whole."""
        try:
            return os.write(self._stream.socket.fileno(), octets)
        except BlockingIOError:
            return 0
        except OSError:
            raise ClientLost from None

    async def _send_some(self, octets: memoryview) -> int:
        """Send what the socket takes now, at least something; cancelled, it has sent nothing."""
        try:
            return await self._stream.socket.send(octets)
        except OSError:
            raise ClientLost from None

    async def _receive(self) -> bytes:
        try:
            while True:
                # The run's clock may race ahead of the real one, by which a client is judged: then it is looked again.
                with trio.move_on_after(math.inf if self._subscribed else self._idleness.left):
                    # Who has just been answered has nothing to say yet: trying first would be in vain.
                    await trio.lowlevel.wait_readable(self._stream.socket)
                    with suppress(BlockingIOError):
                        return os.read(self._stream.socket.fileno(), _CHUNK_BYTES)
                if self._idleness.left <= 0:
                    raise ClientIdle
        except OSError:
            raise ClientLost from None

    async def _part(self, code: str, message: str, *, hint: str) -> None:
        """Say why nothing more is answered, and close."""
        await self._reply(None, failure(ErrorBody(code=code, message=message, hint=hint)))
        await see_off(self._stream)


async def _patiently(step: Callable[[], Awaitable[T]]) -> T:
    """Take a step that may be cancelled without harm; raises ClientLost when the client does not let it happen."""
    began = monotonic()
    while True:
        with trio.move_on_after(_LOOK_SECONDS):
            return await step()
        if monotonic() - began >= REPLY_PATIENCE_SECONDS:
            raise ClientLost


async def see_off(stream: trio.SocketStream) -> None:
    """Say that nothing more comes, and swallow for a while what the client is still sending.

    A client that is told something in the middle of its own sending would otherwise get a broken pipe instead.
    """
    swallowed = 0
    with suppress(trio.BrokenResourceError), trio.move_on_after(_DRAIN_SECONDS):
        await stream.send_eof()
        while swallowed < _DRAIN_BYTES_MAX and (chunk := await stream.receive_some(_CHUNK_BYTES)):
            swallowed += len(chunk)
