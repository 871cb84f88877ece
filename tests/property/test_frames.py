"""What our WebSocket makes of any frames, cut anywhere, is what wsproto alone makes of them."""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError

from robson.feed.binance.frames import Frames


@dataclass
class Heard:
    """What came of it; `said` is how many bytes were answered, for a mask makes each answer different."""

    messages: list[str | bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    said: int = 0
    closed: int | None = None


def frame(
    opcode: int, payload: bytes, *, is_last: bool = True, reserved: int = 0, is_masked: bool = False, wide: int = 0
) -> bytes:
    """One frame; `wide` says the length in more bytes than are allowed."""
    length = len(payload)
    if length < 126 and wide == 0:
        said = bytes((length,))
    elif length < 1 << 16 and wide < 2:
        said = bytes((126,)) + length.to_bytes(2, "big")
    else:
        said = bytes((127,)) + length.to_bytes(8, "big")
    mask = b"\x01\x02\x03\x04" if is_masked else b""
    payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if is_masked else payload
    return bytes((is_last << 7 | reserved << 4 | opcode, said[0] | is_masked << 7)) + said[1:] + mask + payload


def joined(parts: list[Any]) -> Any:
    return parts[0][:0].join(parts)


def by_wsproto_alone(chunks: list[bytes]) -> Heard:
    heard, protocol = Heard(), Connection(ConnectionType.CLIENT)
    parts: list[Any] = []
    for chunk in chunks:
        if heard.closed is not None:
            break
        protocol.receive_data(chunk or None)
        for event in protocol.events():
            match event:
                case TextMessage() | BytesMessage():
                    parts.append(event.data)
                    if event.message_finished:
                        heard.messages.append(joined(parts))
                        parts = []
                case Ping():
                    heard.said += len(protocol.send(event.response()))
                case Pong():
                    heard.pongs.append(bytes(event.payload))
                case CloseConnection():
                    heard.closed = event.code
                    with suppress(LocalProtocolError):
                        heard.said += len(protocol.send(event.response()))
                    break
                case _:
                    raise AssertionError(event)
    return heard


def by_ours(chunks: list[bytes]) -> Heard:
    frames = Frames(Connection(ConnectionType.CLIENT))
    messages = [message for chunk in chunks for message in frames.take(chunk)]
    return Heard(messages, frames.pongs, len(frames.due), frames.closed[0] if frames.closed is not None else None)


_texts = st.one_of(
    st.text(max_size=20).map(str.encode),
    st.sampled_from([0, 1, 125, 126, 127, 200, 65535, 65536]).map(lambda size: b"x" * size),
    st.binary(max_size=8),
)
_usual = st.builds(frame, st.just(1), _texts)
_fragments = st.builds(
    lambda parts, opcode, between: b"".join(
        frame(opcode if at == 0 else 0, part, is_last=at == len(parts) - 1) + between for at, part in enumerate(parts)
    ),
    st.lists(_texts, min_size=2, max_size=4),
    st.sampled_from([1, 2]),
    st.sampled_from([b"", b"", frame(9, b"now"), frame(10, b"then"), frame(1, b"in between")]),
)
_control = st.builds(
    frame, st.sampled_from([8, 9, 10]), st.one_of(_texts, st.just(b"\x03\xe8bye"), st.just(b"\x0b\xb8"))
)
_odd = st.builds(
    frame,
    st.integers(0, 15),
    _texts,
    is_last=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 4, 1]),
    is_masked=st.booleans(),
    wide=st.sampled_from([0, 0, 1, 2]),
)
# A whole text, but for one thing.
_wrong = st.one_of(
    st.builds(frame, st.just(1), _texts, wide=st.sampled_from([1, 2])),
    st.builds(frame, st.just(1), _texts, is_masked=st.just(True)),
    st.builds(frame, st.just(1), _texts, reserved=st.sampled_from([1, 2, 4])),
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.one_of(_usual, _usual, _fragments, _control, _odd, _wrong), max_size=8),
    st.lists(st.floats(0, 1), max_size=6),
    st.booleans(),
)
def test_frames_are_taken_as_wsproto_takes_them(frames: list[bytes], cuts: list[float], ends: bool) -> None:
    whole = b"".join(frames)
    places = sorted({0, len(whole), *(round(cut * len(whole)) for cut in cuts)})
    chunks = [whole[start:stop] for start, stop in pairwise(places)] + [b""] * ends
    assert by_ours(chunks) == by_wsproto_alone(chunks)


@given(st.lists(_usual, max_size=4))
def test_byte_by_byte_is_the_same(frames: list[bytes]) -> None:
    whole = b"".join(frames)[:3000]
    assert by_ours([bytes((byte,)) for byte in whole]) == by_ours([whole] if whole else [])
