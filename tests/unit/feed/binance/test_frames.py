"""The WebSocket's shell when it is cancelled anywhere, and streams that do not do what they should."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio
from trio.testing import memory_stream_pair
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import Pong, TextMessage

from robson.feed.binance import wire
from robson.feed.binance.frames import Frames
from robson.feed.binance.wire import WebSocket, speak
from tests.contract.test_socket import Gone, Peer
from tests.property.test_frames import frame


class Counting(trio.abc.Stream):
    """A stream that cancels its user at one of its operations, before or after that has been carried out."""

    def __init__(self, beneath: trio.abc.Stream, at: int, scope: trio.CancelScope, *, before: bool) -> None:
        self.beneath, self.at, self.scope, self.before = beneath, at, scope, before
        self.operations = 0
        self.is_closed = False

    def _count(self) -> None:
        self.operations += 1
        if self.operations == self.at:
            self.scope.cancel()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self.before:
            self._count()
        chunk = await self.beneath.receive_some(max_bytes)
        if not self.before:
            self._count()
        return chunk

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.before:
            self._count()
        await self.beneath.send_all(data)
        if not self.before:
            self._count()

    async def wait_send_all_might_not_block(self) -> None:
        await self.beneath.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self.is_closed = True
        await self.beneath.aclose()


async def one_life(stream: Counting, theirs: trio.abc.Stream, done: list[str]) -> None:
    """Everything that a connection does, in a row."""

    async def far() -> None:
        with suppress(Gone, trio.BrokenResourceError):
            await talk(Peer(theirs))

    async def talk(peer: Peer) -> None:
        await peer.greet(behind=frame(9, b"early"))
        assert isinstance(await peer.hear(), Pong)
        await peer.say(frame(1, b"one"))
        assert isinstance(await peer.hear(), TextMessage)
        ping = await peer.hear()
        await peer.say(frame(10, bytes(ping.payload)) + frame(1, b"two"))
        await peer.hear()
        await peer.say(frame(8, b"\x03\xe8"))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(far)
        with stream.scope:
            async with speak(stream, "exchange.test", "/stream") as socket:
                done += map(str, await socket.receive())
                await socket.send("hello")
                async with trio.open_nursery() as inner:
                    inner.start_soon(socket.ping)
                    done += map(str, await socket.receive())
            done.append("over")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("before", [True, False])
async def test_whoever_is_cancelled_anywhere_leaves_a_closed_stream(before: bool, autojump_clock: object) -> None:
    at, done = 0, list[str]()
    while "over" not in done:
        at, done = at + 1, []
        ours, theirs = memory_stream_pair()
        stream = Counting(ours, at, trio.CancelScope(), before=before)
        await one_life(stream, theirs, done)
        assert stream.is_closed
        assert done == ["one", "two", "over"][: len(done)]
    # The last life was not cancelled before its end; those before were, each one operation later.
    assert at >= 10


class Scripted(trio.abc.Stream):
    """A stream that gives these chunks; nothing ever leaves."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self.chunks = list(chunks)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.chunks.pop(0)

    async def send_all(self, data: object) -> None:
        await trio.sleep_forever()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.sleep_forever()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_messages_survive_whoever_is_cancelled_while_a_pong_is_sent(autojump_clock: object) -> None:
    socket = WebSocket(Scripted([frame(1, b"kept") + frame(9, b"ping")]), fresh(), ())
    with trio.move_on_after(1) as waiting:
        await socket.receive()
    assert waiting.cancelled_caught
    assert await socket.receive() == ["kept"]


async def test_a_peer_that_takes_no_farewell_is_left(autojump_clock: object) -> None:
    began = trio.current_time()
    socket = WebSocket(Scripted([]), fresh(), ())
    with trio.move_on_after(wire.CLOSE_SECONDS):
        await socket.aclose()
    assert trio.current_time() == began + wire.CLOSE_SECONDS


def fresh() -> Frames:

    return Frames(Connection(ConnectionType.CLIENT))
