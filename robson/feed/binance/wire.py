"""A WebSocket as the streams need it: text in, text out, pings, and one way to be lost."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

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
    try:
        async with trio_websocket.open_websocket_url(
            url,
            message_queue_size=MESSAGES_QUEUED,
            max_message_size=MESSAGE_BYTES_MOST,
            receive_buffer_size=RECEIVE_BYTES,
            disconnect_timeout=CLOSE_SECONDS,
        ) as connection:
            yield WebSocket(connection)
    except trio_websocket.DisconnectionTimeout:
        pass  # it did not say goodbye: it is closed all the same
    except (trio_websocket.HandshakeError, OSError, trio.BrokenResourceError) as error:
        raise SocketLost(f"no connection to {url}: {error.__cause__ or error or type(error).__name__}") from error


def _lost(error: Exception) -> SocketLost:
    reason = getattr(error, "reason", None)
    if reason is None:
        return SocketLost(f"the connection is over: {error or type(error).__name__}")
    return SocketLost(f"the connection was closed with {reason.code} {reason.reason or reason.name}")
