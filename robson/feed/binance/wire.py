"""A WebSocket as the streams need it: messages out, text in, pings, and one way to be lost."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import trio

from robson.domain.errors import RobsonError
from robson.feed.binance.frames import Frames, NoWebSocket, Opening
from robson.streams import RECEIVE_BYTES, TcpStream, TlsStream

CLOSE_SECONDS = 2.0
_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


class SocketLost(RobsonError):
    """The connection could not be made, or it is over; the message says what was heard of it last.

    `retry_after_seconds` is how long the server wants silence, 0 where it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Socket(Protocol):
    """One open connection; each method raises SocketLost. Somebody must be receiving for as long as it is open."""

    async def receive(self) -> Sequence[str | bytes]:
        """The messages that have come, in order, at least one."""

    async def send(self, text: str) -> None:
        """Send a text message."""

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""


# Opens a connection to an address and closes it at the end of the block; raises SocketLost.
Connect = Callable[[str], AbstractAsyncContextManager[Socket]]


class WebSocket:
    """A Socket over any stream; who receives answers the server's pings by the way."""

    def __init__(self, stream: trio.abc.Stream, frames: Frames, messages: Sequence[str | bytes]) -> None:
        """`messages` have come already."""
        self._stream = stream
        self._frames = frames
        self._come = list(messages)
        self._sending = trio.Lock()
        self._pings: dict[bytes, trio.Event] = {}
        self._pings_sent = 0

    async def receive(self) -> Sequence[str | bytes]:
        """The messages that have come, in order, at least one."""
        while not self._come:
            self._check()
            await self._read()
        come, self._come = self._come, []
        return come

    async def send(self, text: str) -> None:
        """Send a text message."""
        self._check()
        await self._send(self._frames.text(text))

    async def ping(self) -> None:
        """Send a ping and wait for its pong, or for one to a later ping."""
        self._check()
        self._pings_sent += 1
        payload = self._pings_sent.to_bytes(4, "big")
        answered = self._pings[payload] = trio.Event()
        try:
            await self._send(self._frames.ping(payload))
            await answered.wait()
        finally:
            self._pings.pop(payload, None)
        self._check()

    async def aclose(self) -> None:
        """Say farewell and hear the other side's out; messages that come meanwhile are dropped."""
        try:
            farewell = self._frames.farewell()
            if farewell:
                await self._send(farewell)
            while self._frames.closed is None:
                await self._read()
        except SocketLost:
            pass

    async def answer(self) -> None:
        """Send what the messages that have come ask for by themselves: pongs, a farewell."""
        if self._frames.due:
            due, self._frames.due = self._frames.due, b""
            await self._send(due)

    async def _read(self) -> None:
        frames = self._frames
        try:
            chunk = await self._stream.receive_some(RECEIVE_BYTES)
        except _BROKEN as error:
            raise self._lost(error) from error
        # Kept before anything waits: whoever is cancelled while a pong is sent has lost no message.
        self._come += frames.take(bytes(chunk))
        if frames.pongs:
            self._heed_pongs()
        await self.answer()
        if frames.closed is not None:
            for answered in self._pings.values():
                answered.set()

    def _heed_pongs(self) -> None:
        for payload in self._frames.pongs:
            if payload in self._pings:
                for sent in [one for one in self._pings if one <= payload]:
                    self._pings.pop(sent).set()
        self._frames.pongs.clear()

    async def _send(self, some: bytes) -> None:
        async with self._sending:
            try:
                await self._stream.send_all(some)
            except _BROKEN as error:
                raise self._lost(error) from error

    def _check(self) -> None:
        closed = self._frames.closed
        if closed is not None:
            raise SocketLost(_told(*closed))

    def _lost(self, error: Exception) -> SocketLost:
        """What broke; where the other side had said farewell before that, its own words."""
        before = self._frames.closed
        self._frames.take(b"")
        for answered in self._pings.values():
            answered.set()
        return SocketLost(
            _told(*before) if before is not None else f"the connection is over: {error.__cause__ or error}"
        )


def _told(code: int, reason: str) -> str:
    return f"the connection was closed with {code:d} {reason or getattr(code, 'name', '')}".rstrip()


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


async def _open_stream(place: SplitResult) -> trio.abc.Stream:
    host, is_safe = place.hostname or "", place.scheme == "wss"
    plain = TcpStream(await trio.open_tcp_stream(host, place.port or (443 if is_safe else 80)))
    if not is_safe:
        return plain
    try:
        stream = TlsStream(plain, trusted(), host)
        await stream.shake_hands()
    except BaseException:
        await trio.aclose_forcefully(plain)
        raise
    return stream


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts, as they were at first: reading them holds everybody up."""
    return ssl.create_default_context()


@asynccontextmanager
async def speak(stream: trio.abc.Stream, host: str, resource: str) -> AsyncIterator[Socket]:
    """The WebSocket protocol over a stream, which is closed at the end of the block."""
    try:
        socket = await _shake_hands(stream, host, resource)
        try:
            yield socket
        finally:
            with trio.move_on_after(CLOSE_SECONDS):
                await socket.aclose()
    finally:
        await trio.aclose_forcefully(stream)


async def _shake_hands(stream: trio.abc.Stream, host: str, resource: str) -> WebSocket:
    opening = Opening(host, resource)
    try:
        await stream.send_all(opening.request)
        while opening.frames is None:
            opening.take(bytes(await stream.receive_some(RECEIVE_BYTES)))
    except _BROKEN as error:
        raise SocketLost(f"no WebSocket at {host}{resource}: {error.__cause__ or error}") from error
    except NoWebSocket as error:
        raise SocketLost(f"no WebSocket at {host}{resource}: {error}", error.retry_after_seconds) from error
    socket = WebSocket(stream, opening.frames, opening.messages)
    await socket.answer()
    return socket
