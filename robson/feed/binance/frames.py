"""A client's side of the WebSocket protocol as bytes in, messages out; nothing here waits.

Almost everything that a market stream sends are whole, plain text frames: they are cut out here. Whatever else comes
(control frames, fragments, what the standard forbids) is handed over, frame by frame, to wsproto, which judges it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress

from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

MESSAGE_BYTES_MOST = 1 << 20
HEAD_BYTES_MOST = 1 << 16
# Of the answer of a server that refuses: what a log can use.
# A pause of more than so many digits of seconds is none that anybody means.
DIGITS_MOST = 9
REFUSAL_BYTES_MOST = 1 << 12
REFUSAL_BYTES_SHOWN = 200

# The end of a message, unfragmented, no reserved bit: text.
_WHOLE_TEXT = 0x81
# Smaller lengths are the frame's own; after 126 two bytes with the length follow, after 127 eight.
_LENGTH_IN_2 = 126
_MASKED = 0x80
_END_OF_HEAD = re.compile(rb"\n\r?\n")


class NoWebSocket(Exception):
    """What the server said is no agreement to speak WebSocket; the message says what it was.

    `retry_after_seconds` is how long the server wants silence, 0 where it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Opening:
    """The handshake: `request` is to be sent, `take` given what comes back, until `frames` is there.

    No extension is offered: one that is used all the same (compression) ends the connection.
    """

    def __init__(self, host: str, resource: str) -> None:
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self.request = self._protocol.send(Request(host=host, target=resource))
        self.frames: Frames | None = None
        # The messages that came right behind the handshake.
        self.messages: Sequence[str | bytes] = ()
        self._head: bytearray | None = bytearray()
        self._refusal: RejectConnection | None = None
        self._body = bytearray()

    def take(self, chunk: bytes) -> None:
        """Take what came, nothing at the end of the connection; raises NoWebSocket."""
        if not chunk:
            raise self._refused() if self._refusal is not None else NoWebSocket("the connection was closed")
        rest = b""
        if self._head is not None:
            self._head += chunk
            end = _END_OF_HEAD.search(self._head)
            if end is None:
                if len(self._head) > HEAD_BYTES_MOST:
                    raise NoWebSocket(f"the answer's head was longer than {HEAD_BYTES_MOST} bytes")
                return
            # wsproto would keep what follows the head to itself.
            chunk, rest = bytes(self._head[: end.end()]), bytes(self._head[end.end() :])
            self._head = None
        self._take_part(chunk)
        if rest and self.frames is not None:
            self.messages = self.frames.take(rest)
        elif rest:
            self._take_part(rest)

    def _take_part(self, part: bytes) -> None:
        try:
            self._protocol.receive_data(part)
        except RemoteProtocolError as error:
            raise self._refused() if self._refusal is not None else NoWebSocket(str(error)) from error
        for event in self._protocol.events():
            match event:
                case AcceptConnection():
                    assert self._protocol.connection is not None
                    self.frames = Frames(self._protocol.connection)
                case RejectConnection():
                    self._refusal = event
                    if not event.has_body:
                        raise self._refused()
                case RejectData():
                    self._body += event.data
                    if event.body_finished or len(self._body) >= REFUSAL_BYTES_MOST:
                        raise self._refused()
                case _:
                    pass

    def _refused(self) -> NoWebSocket:
        assert self._refusal is not None
        told = [f"it was refused with {self._refusal.status_code}"]
        waits = [value.decode("latin-1") for name, value in self._refusal.headers if name.lower() == b"retry-after"]
        told += [f"retry after {text} s" for text in waits]
        # The other form, a date, is one that Binance does not use.
        seconds = [int(text) for text in waits if text.isascii() and text.isdigit() and len(text) <= DIGITS_MOST]
        if self._body:
            told.append(ascii(self._body[:REFUSAL_BYTES_SHOWN].decode("utf-8", "replace")))
        return NoWebSocket(", ".join(told), max(seconds, default=0))


class Frames:
    """An open connection: `take` what comes, send what is in `due` and what the other methods give."""

    def __init__(self, protocol: Connection) -> None:
        self._protocol = protocol
        # A frame that has not come whole.
        self._rest = bytearray()
        # The fragments of a message that has not come whole.
        self._parts: list[str | bytes] = []
        self._part_length = 0
        self._is_in_parts = False
        # Answers to what came: pongs, a farewell.
        self.due = b""
        self.pongs: list[bytes] = []
        # Code and reason once the connection is over, whoever ended it.
        self.closed: tuple[int, str] | None = None

    def take(self, chunk: bytes) -> list[str | bytes]:
        """Take what came, nothing at its end; gives the messages that are whole now, in order."""
        messages: list[str | bytes] = []
        if not chunk and self.closed is None:
            self.closed = (CloseReason.ABNORMAL_CLOSURE, "")
        if self.closed is not None:
            return messages
        if self._rest:
            self._rest += chunk
            del self._rest[: self._cut(self._rest, messages)]
        else:
            self._rest += chunk[self._cut(chunk, messages) :]
        return messages

    def ping(self, payload: bytes) -> bytes:
        """A ping that is to be sent."""
        return self._send(Ping(payload=payload))

    def text(self, text: str) -> bytes:
        """A text message that is to be sent."""
        return self._send(TextMessage(data=text))

    def farewell(self) -> bytes:
        """What is to be sent to end it in good order; nothing where it is over."""
        return self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE)) if self.closed is None else b""

    def _send(self, event: TextMessage | Ping | CloseConnection) -> bytes:
        return bytes(self._protocol.send(event))

    def _cut(self, buffer: bytes | bytearray, messages: list[str | bytes]) -> int:
        """Take all whole frames; gives where the first one begins that is not."""
        at, end = 0, len(buffer)
        while end - at > 1:
            length = buffer[at + 1]
            start, is_plain = at + 2, buffer[at] == _WHOLE_TEXT
            if length >= _LENGTH_IN_2:
                start, length, is_as_it_must = _long_length(buffer, at)
                if start > end:
                    return at
                is_plain = is_plain and is_as_it_must
            if length > MESSAGE_BYTES_MOST:
                self._end(CloseReason.MESSAGE_TOO_BIG, f"a frame had {length} bytes, of {MESSAGE_BYTES_MOST} allowed")
                return end
            stop = start + length
            if stop > end:
                return at
            if is_plain and not self._is_in_parts:
                try:
                    messages.append(buffer[start:stop].decode())
                except UnicodeDecodeError:
                    self._judge(bytes(buffer[at:stop]), messages)
            else:
                self._judge(bytes(buffer[at:stop]), messages)
            if self.closed is not None:
                return end
            at = stop
        return at

    def _judge(self, frame: bytes, messages: list[str | bytes]) -> None:
        self._protocol.receive_data(frame)
        for event in self._protocol.events():
            match event:
                case TextMessage() | BytesMessage():
                    self._join(event, messages)
                case Ping():
                    self.due += self._protocol.send(event.response())
                case Pong():
                    self.pongs.append(bytes(event.payload))
                case CloseConnection():
                    self._end(event.code, event.reason or "")
                case _:
                    pass
            if self.closed is not None:
                return

    def _join(self, part: TextMessage | BytesMessage, messages: list[str | bytes]) -> None:
        self._parts.append(part.data if isinstance(part.data, str) else bytes(part.data))
        self._part_length += len(part.data)
        self._is_in_parts = not part.message_finished
        if self._part_length > MESSAGE_BYTES_MOST:
            told = f"a message had more than the {MESSAGE_BYTES_MOST} bytes that are allowed"
            self._end(CloseReason.MESSAGE_TOO_BIG, told)
        elif not self._is_in_parts:
            messages.append(_joined(self._parts))
            self._parts, self._part_length = [], 0

    def _end(self, code: int, reason: str) -> None:
        """It is over: the peer is told so, or that its farewell was heard."""
        self.closed = (code, reason)
        # Where our own farewell was answered there is nothing more to say.
        with suppress(LocalProtocolError):
            self.due += self._protocol.send(CloseConnection(code=code, reason=reason))


def _long_length(buffer: bytes | bytearray, at: int) -> tuple[int, int, bool]:
    """Where a payload begins, its length, and whether the frame is unmasked and says its length as it must."""
    mask, kind = buffer[at + 1] & _MASKED, buffer[at + 1] & ~_MASKED
    # A mask counts as a part of its payload.
    beside = 4 if mask else 0
    if kind < _LENGTH_IN_2:
        return at + 2, kind + beside, False
    start, least = (at + 4, _LENGTH_IN_2) if kind == _LENGTH_IN_2 else (at + 10, 1 << 16)
    length = int.from_bytes(buffer[at + 2 : start], "big")
    return start, length + beside, not mask and length >= least


def _joined(parts: Sequence[str | bytes]) -> str | bytes:
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in parts if not isinstance(part, str))
