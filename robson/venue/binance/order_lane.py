"""The way of orders to the exchange: HTTP/1.1 over sockets that stay open, one request at a time on each (h11 on Trio).

httpx takes five times as long for the same bytes; reads, which nobody waits for within a millisecond, stay with it.
On a connection that idles a request leaves at once, before any other task has its turn.
"""

import select
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

import h11
import trio

from robson.streams import TcpStream, TlsStream
from robson.venue.binance.errors import Answer

# A connection that idles longer than this may be dropped on the way without a word.
KEEP_ALIVE_SECONDS = 30.0
CONNECTIONS = 100
_RECEIVE_BYTES = 65_536
# What an exchange's headers never reach.
_HEAD_BYTES_MOST = 262_144
# An order's answer has some thousand.
_BODY_BYTES_MOST = 8_388_608

Headers = Sequence[tuple[bytes, bytes]]


class Request(NamedTuple):
    """One request, its bytes as they are signed."""

    method: str
    target: bytes
    headers: Headers
    content: bytes = b""

    @property
    def message(self) -> bytes:
        """All of it as it goes over the wire: the very bytes that h11 would make of it, at a tenth of the time."""
        head = b"".join([b"%b: %b\r\n" % header for header in self.headers])
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (self.method.encode(), self.target, head, self.content)


class ConnectionLost(Exception):
    """The other side went before its answer was whole, or spoke no HTTP."""


class ConnectError(Exception):
    """There was no connection, so that nothing can have been sent."""


class _Connection:
    """One socket and where it stands in the protocol."""

    def __init__(self, stream: TcpStream | TlsStream, raw: trio.socket.SocketType) -> None:
        self.stream = stream
        self.protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MOST)
        self.idle_since = 0.0
        self._raw = raw
        self._unnoted: Request | None = None

    def is_usable(self, now: float) -> bool:
        """Whether it may carry another request: not idle for too long, and nothing, no end either, has come unasked."""
        return now - self.idle_since < KEEP_ALIVE_SECONDS and not _is_readable(self._raw)

    def close(self) -> None:
        """Let the socket go without a word."""
        self._raw.close()

    def send(self, request: Request, on_first_byte: Callable[[], None]) -> None:
        """Send a request in one piece, as far as the kernel takes it at once."""
        message = request.message
        self._unnoted = request
        on_first_byte()
        self.stream.send_now(message)

    async def answer(self) -> Answer:
        """Send what has not left yet, and read the answer."""
        await self.stream.send_rest()
        self._note_sent()
        return await self._answer()

    def _note_sent(self) -> None:
        """Let the protocol know what has left: its checks and its state take longer than all the rest of a request."""
        request, self._unnoted = self._unnoted, None
        assert request is not None
        for event in (
            h11.Request(method=request.method, target=request.target, headers=list(request.headers)),
            h11.Data(data=request.content),
            h11.EndOfMessage(),
        ):
            self.protocol.send(event)

    async def _answer(self) -> Answer:
        head: h11.Response | None = None
        body: list[bytes] = []
        size = 0
        while True:
            event: Any = self.protocol.next_event()
            match event:
                case h11.NEED_DATA:
                    received = bytes(await self.stream.receive_some(_RECEIVE_BYTES))
                    if not received and head is None:
                        raise ConnectionLost("the server went without an answer")
                    self.protocol.receive_data(received)
                case h11.Response():
                    head = event
                case h11.Data():
                    body.append(bytes(event.data))
                    if (size := size + len(event.data)) > _BODY_BYTES_MOST:
                        raise ConnectionLost(f"the answer had more than {_BODY_BYTES_MOST} bytes")
                case h11.EndOfMessage() if head is not None:
                    return Answer(status=head.status_code, headers=_joined(head.headers), body=b"".join(body))
                case h11.InformationalResponse():
                    continue
                case _:
                    raise ConnectionLost("the server went without an answer")

    def is_over(self) -> bool:
        """Whether the last exchange left it so that no other may follow."""
        if self.protocol.our_state is not h11.DONE or self.protocol.their_state is not h11.DONE:
            return True
        self.protocol.start_next_cycle()
        return False


class OrderLane:
    """Requests over connections of its own to one server; nothing is sent twice, no redirect is followed."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """With `tls` the server's certificate is checked against its name."""
        self._host, self._port, self._tls = host, port, tls
        self._idle: list[_Connection] = []
        # What was sent at once and whose answer nobody waits for yet.
        self._begun: set[_Connection] = set()
        self._free = trio.Semaphore(CONNECTIONS)

    async def exchange(self, request: Request, on_first_byte: Callable[[], None], connect_seconds: float) -> Answer:
        """The whole answer; `on_first_byte` is called when a byte may leave, `connect_seconds` is for what is before.

        Raises ConnectError before that, then OSError, BrokenResourceError, ConnectionLost or h11's errors. Cancelled or
        failed it closes the connection, so that no late answer is taken for another request's.
        """
        connection = await self._take(connect_seconds)
        try:
            connection.send(request, on_first_byte)
        except BaseException:
            await self._end(connection)
            raise
        return await self._concluded(connection)

    @property
    def is_warm(self) -> bool:
        """Whether a request could leave at once."""
        if not self._idle or not self._free.value:
            return False
        connection = self._take_idle()
        if connection is not None:
            self._idle.append(connection)
        return connection is not None

    def begin(self, request: Request, on_first_byte: Callable[[], None]) -> Callable[[], Awaitable[Answer]]:
        """Send a request at once, which `is_warm` must allow; what is given waits for the answer, once, as `exchange`.

        What fails meanwhile is raised there.
        """
        self._free.acquire_nowait()
        connection = self._idle.pop()
        fault: Exception | None = None
        try:
            connection.send(request, on_first_byte)
        except Exception as error:  # noqa: BLE001  whoever waits for the answer judges it
            fault = error
        self._begun.add(connection)
        return lambda: self._awaited(connection, fault)

    async def _awaited(self, connection: _Connection, fault: Exception | None) -> Answer:
        self._begun.discard(connection)
        if fault is not None:
            await self._end(connection)
            raise fault
        return await self._concluded(connection)

    async def _concluded(self, connection: _Connection) -> Answer:
        try:
            answer = await connection.answer()
        except BaseException:
            await self._end(connection)
            raise
        if connection.is_over():
            await self._end(connection)
        else:
            connection.idle_since = trio.current_time()
            self._idle.append(connection)
            self._free.release()
        return answer

    async def aclose(self) -> None:
        """Close what is open and what nobody waits for any more."""
        for connections in (self._idle, self._begun):
            while connections:
                connections.pop().close()
        await trio.lowlevel.checkpoint()

    def _take_idle(self) -> _Connection | None:
        now = trio.current_time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable(now):
                return connection
            # Nothing is under way on it: its socket may go at once.
            connection.close()
        return None

    async def _take(self, connect_seconds: float) -> _Connection:
        try:
            with trio.fail_after(connect_seconds):
                try:
                    self._free.acquire_nowait()
                except trio.WouldBlock:
                    await self._free.acquire()
                try:
                    return self._take_idle() or await self._connect()
                except BaseException:
                    self._free.release()
                    raise
        except trio.TooSlowError:
            raise ConnectError(f"no connection within {connect_seconds:g} s") from None
        except (OSError, trio.BrokenResourceError) as error:
            raise ConnectError from error

    async def _connect(self) -> _Connection:
        plain = await trio.open_tcp_stream(self._host, self._port)
        tcp = TcpStream(plain)
        if self._tls is None:
            return _Connection(tcp, plain.socket)
        stream = TlsStream(tcp, self._tls, self._host)
        try:
            await stream.shake_hands()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return _Connection(stream, plain.socket)

    async def _end(self, connection: _Connection) -> None:
        self._free.release()
        await trio.aclose_forcefully(connection.stream)


def _is_readable(raw: trio.socket.SocketType) -> bool:
    looked = select.poll()
    looked.register(raw.fileno(), select.POLLIN)
    return bool(looked.poll(0))


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        text, key = value.decode("latin-1"), name.decode("ascii").lower()
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
