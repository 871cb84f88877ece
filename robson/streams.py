"""The streams beneath a protocol: TCP, and TLS over it, each with as few turns of the loop as there can be.

Trio's own do more for a message than it needs: reading in vain before waiting, one record of TLS at a time, and no
sending without a turn of the loop.
"""

import os
import ssl
from contextlib import suppress

import trio

# Of one look at a socket; what is more waits in the kernel.
RECEIVE_BYTES = 1 << 16


class TcpStream(trio.abc.Stream):
    """A connection that waits for bytes before it reads."""

    def __init__(self, connection: trio.SocketStream) -> None:
        self._connection = connection
        self._unsent = b""

    def send_now(self, data: bytes) -> None:
        """Hand over what the kernel takes at once; `send_rest` sends what it did not. Nobody else may be sending."""
        assert not self._unsent, "the rest of what was sent before is still here"
        socket = self._connection.socket
        if socket.fileno() < 0:
            raise trio.ClosedResourceError("this connection was closed already")
        self._unsent = data
        try:
            self._unsent = data[os.write(socket.fileno(), data) :]
        except BlockingIOError:
            return
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    async def send_rest(self) -> None:
        """Send what `send_now` could not."""
        if self._unsent:
            await self._connection.send_all(self._unsent)
            self._unsent = b""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has come, nothing at the end."""
        socket = self._connection.socket
        while True:
            if socket.fileno() < 0:
                raise trio.ClosedResourceError("this connection was closed already")
            await trio.lowlevel.wait_readable(socket)
            try:
                return os.read(socket.fileno(), max_bytes or RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        await self._connection.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        await self._connection.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close it."""
        await self._connection.aclose()


class TlsStream(trio.abc.Stream):
    """TLS over a stream, as its client; `shake_hands` comes first.

    What has come is read out whole. An end without a farewell counts as an end, as it does for everybody on the web:
    what is above has its own. Raises ssl.SSLError where the other side is not trusted, BrokenResourceError afterwards.
    """

    def __init__(self, beneath: trio.abc.Stream, context: ssl.SSLContext, host: str) -> None:
        self._beneath = beneath
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._sending = trio.Lock()
        # What was decrypted and not yet given: nothing of it is lost to whoever is cancelled on the way.
        self._parts: list[bytes] = []
        self._is_over = False
        self._fault: ssl.SSLError | None = None
        self._is_broken = False

    async def shake_hands(self) -> None:
        """Agree on keys, and look whether it is the host that was asked for."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fetch()
            else:
                await self._flush()
                return

    def send_now(self, data: bytes) -> None:
        """The same as of the stream beneath, which must be a TcpStream, once hands are shaken."""
        assert isinstance(self._beneath, TcpStream), self._beneath
        assert not self._sending.locked(), "somebody else is sending"
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError(f"TLS was broken: {error}") from error
        self._refuse_half_sent()
        # Half a record that has left is the end of all others; `send_rest` sends the other half.
        self._is_broken = True
        self._beneath.send_now(self._outgoing.read())

    async def send_rest(self) -> None:
        """Send what `send_now` could not."""
        assert isinstance(self._beneath, TcpStream), self._beneath
        await self._beneath.send_rest()
        self._is_broken = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """All that has come, nothing at the end; `max_bytes` bounds what is asked of the stream beneath."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._decrypt()
        if self._parts or self._is_over:
            await trio.lowlevel.cancel_shielded_checkpoint()
        while not self._parts and not self._is_over:
            await self._fetch(max_bytes)
            self._decrypt()
        if self._outgoing.pending:
            # New keys that the other side wants to be confirmed, or a complaint: who sends hears if it is stuck.
            with suppress(trio.BrokenResourceError):
                await self._flush()
        if self._fault is not None and not self._parts:
            raise trio.BrokenResourceError(f"TLS was broken: {self._fault}") from self._fault
        parts, self._parts = self._parts, []
        return b"".join(parts)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError(f"TLS was broken: {error}") from error
        await self._flush()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        await self._beneath.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close it; whoever wants to say farewell has done so in the protocol above."""
        await self._beneath.aclose()

    def _decrypt(self) -> None:
        if self._is_over:
            return
        try:
            while part := self._tls.read(RECEIVE_BYTES):
                self._parts.append(part)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLEOFError:
            pass
        except ssl.SSLError as error:
            self._fault = error
        self._is_over = True

    async def _fetch(self, max_bytes: int | None = None) -> None:
        chunk = await self._beneath.receive_some(max_bytes or RECEIVE_BYTES)
        if chunk:
            self._incoming.write(chunk)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        async with self._sending:
            self._refuse_half_sent()
            some = self._outgoing.read()
            if some:
                # Half a record that has left is the end of all others.
                self._is_broken = True
                await self._beneath.send_all(some)
                self._is_broken = False

    def _refuse_half_sent(self) -> None:
        if self._is_broken:
            raise trio.BrokenResourceError("a part of what was sent did not leave")
