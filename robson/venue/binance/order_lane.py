"""The way of orders to the exchange: HTTP/1.1 over sockets that stay open, one request at a time on each (h11 on Trio).

httpx takes five times as long for the same bytes; reads, which nobody waits for within a millisecond, stay with it.
"""

import select
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import h11
import trio

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


class ConnectionLost(Exception):
    """The other side went before its answer was whole, or spoke no HTTP."""


class ConnectError(Exception):
    """There was no connection, so that nothing can have been sent."""


class _Connection:
    """One socket and where it stands in the protocol."""

    def __init__(self, stream: trio.abc.Stream, raw: trio.socket.SocketType) -> None:
        self.stream = stream
        self.protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MOST)
        self.idle_since = 0.0
        self._raw = raw

    def is_usable(self, now: float) -> bool:
        """Whether it may carry another request: not idle for too long, and nothing, no end either, has come unasked."""
        return now - self.idle_since < KEEP_ALIVE_SECONDS and not _is_readable(self._raw)

    def close(self) -> None:
        """Let the socket go without a word."""
        self._raw.close()

    async def exchange(self, request: Request, on_first_byte: Callable[[], None]) -> Answer:
        """Send a request in one piece and read its answer."""
        message = b"".join(
            self.protocol.send(event) or b""
            for event in (
                h11.Request(method=request.method, target=request.target, headers=list(request.headers)),
                h11.Data(data=request.content),
                h11.EndOfMessage(),
            )
        )
        on_first_byte()
        await self.stream.send_all(message)
        return await self._answer()

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
        self._free = trio.Semaphore(CONNECTIONS)

    async def exchange(self, request: Request, on_first_byte: Callable[[], None], connect_seconds: float) -> Answer:
        """The whole answer; `on_first_byte` is called when a byte may leave, `connect_seconds` is for what is before.

        Raises ConnectError before that, then OSError, BrokenResourceError, ConnectionLost or h11's errors. Cancelled or
        failed it closes the connection, so that no late answer is taken for another request's.
        """
        connection = await self._take(connect_seconds)
        try:
            answer = await connection.exchange(request, on_first_byte)
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
        """Close what is open."""
        while self._idle:
            self._idle.pop().close()
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
        if self._tls is None:
            return _Connection(plain, plain.socket)
        stream = trio.SSLStream(plain, self._tls, server_hostname=self._host, https_compatible=True)
        try:
            await stream.do_handshake()
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
