"""A WebSocket as the streams need it: text in, text out, pings, and one way to be lost."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import trio
import trio_websocket
from wsproto.utilities import LocalProtocolError

from robson.domain.errors import RobsonError

CLOSE_SECONDS = 2.0
MESSAGE_BYTES_MOST = 1 << 20
# Frames that wait while a tick is being observed; the kernel's buffer comes on top.
MESSAGES_QUEUED = 64
RECEIVE_BYTES = 1 << 16


class SocketLost(RobsonError):
    """The connection could not be made, or it is over; the message says what was heard of it last."""


class Socket(Protocol):
    """One open connection; each method raises SocketLost."""

    async def receive(self) -> str | bytes:
        """The next message."""

    async def send(self, text: str) -> None:
        """Send a text message."""

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""


Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
# Opens a connection to an address and closes it at the end of the block; raises SocketLost.
Connect = Callable[[str], AbstractAsyncContextManager[Socket]]


class WebSocket:
    """A Socket over trio-websocket, which answers the server's pings by itself."""

    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes:
        """The next message."""
        try:
            return await self._connection.get_message()
        except trio_websocket.ConnectionClosed as error:
            raise _lost(error) from error

    async def send(self, text: str) -> None:
        """Send a text message."""
        try:
            await self._connection.send_message(text)
        except (trio_websocket.ConnectionClosed, LocalProtocolError) as error:
            raise _lost(error) from error

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""
        try:
            await self._connection.ping()
        except (trio_websocket.ConnectionClosed, LocalProtocolError) as error:
            raise _lost(error) from error


@asynccontextmanager
async def open_socket(url: str) -> AsyncIterator[Socket]:
    """Connect to a ws: or wss: address; how long that may take is for the caller to say."""
    place = urlsplit(url)
    try:
        stream = await _open_stream(place)
    except (OSError, trio.BrokenResourceError) as error:
        raise SocketLost(f"no connection to {url}: {error.__cause__ or error}") from error
    async with speak(stream, place.netloc, f"{place.path or '/'}{'?' if place.query else ''}{place.query}") as socket:
        yield socket


async def _open_stream(place: SplitResult) -> Stream:
    host, is_safe = place.hostname or "", place.scheme == "wss"
    plain = await trio.open_tcp_stream(host, place.port or (443 if is_safe else 80))
    if not is_safe:
        return plain
    stream = trio.SSLStream(plain, ssl.create_default_context(), server_hostname=host, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(plain)
        raise
    return stream


@asynccontextmanager
async def speak(stream: Stream, host: str, resource: str) -> AsyncIterator[Socket]:
    """The WebSocket protocol over a stream, which is closed at the end of the block."""
    lost: SocketLost | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                connection = await trio_websocket.wrap_client_stream(
                    nursery,
                    stream,
                    host,
                    resource,
                    message_queue_size=MESSAGES_QUEUED,
                    max_message_size=MESSAGE_BYTES_MOST,
                    receive_buffer_size=RECEIVE_BYTES,
                )
                try:
                    yield WebSocket(connection)
                finally:
                    with trio.move_on_after(CLOSE_SECONDS):
                        await connection.aclose()
            except SocketLost as error:
                lost = error
            except trio_websocket.HandshakeError as error:
                lost = SocketLost(f"no WebSocket at {host}{resource}: {error or type(error).__name__}")
            nursery.cancel_scope.cancel()
    finally:
        # After an abnormal end trio-websocket leaves it open.
        await trio.aclose_forcefully(stream)
    if lost is not None:
        raise lost


def _lost(error: Exception) -> SocketLost:
    reason = getattr(error, "reason", None)
    if reason is None:
        return SocketLost(f"the connection is over: {error or type(error).__name__}")
    return SocketLost(f"the connection was closed with {reason.code} {reason.reason or reason.name}")
