"""What a WebSocket must do for the streams, over memory, TCP and TLS; the far side speaks in bytes."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Pong, Request, TextMessage

from robson.feed.binance import frames, wire
from robson.feed.binance.wire import Socket, SocketLost, open_socket, speak
from tests.property.test_frames import frame

PATIENCE = 60.0
HEAD = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n"


class Gone(Exception):
    """The client has left."""


class Peer:
    """The far side of one connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.say = stream.send_all
        self.request: Request | None = None
        self._protocol = WSConnection(ConnectionType.SERVER)

    async def greet(self, behind: bytes = b"", extra: tuple[bytes, bytes] | None = None) -> None:
        """Take the handshake; `behind` goes out in one piece with the answer."""
        self.request = await self.hear()
        accepted = AcceptConnection(extra_headers=[extra] if extra is not None else [])
        await self.say(self._protocol.send(accepted) + behind)

    async def hear(self) -> Any:
        """The next thing that the client says."""
        while True:
            for event in self._protocol.events():
                return event
            chunk = await self.stream.receive_some()
            if not chunk:
                raise Gone
            self._protocol.receive_data(bytes(chunk))

    async def has_gone(self) -> bool:
        """Whether the client ends the connection without another word."""
        try:
            return not await self.stream.receive_some()
        except trio.BrokenResourceError:
            return True


Far = Callable[[Peer], Awaitable[object]]


class Way:
    """One kind of stream."""

    def __init__(self, kind: str, certificate: Path) -> None:
        self.kind = kind
        self._certificate = certificate

    @asynccontextmanager
    async def to(self, far: Far) -> AsyncIterator[Socket]:
        """A connection to somebody who does this; when both are done, it is over."""
        over, lost = trio.Event(), None

        async def serve(stream: trio.abc.Stream) -> None:
            await far(Peer(stream))
            over.set()
            await trio.sleep_forever()

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                try:
                    async with await self._opened(nursery, serve) as socket:
                        yield socket
                except SocketLost as error:
                    lost = error
                await over.wait()
                nursery.cancel_scope.cancel()
        if lost is not None:
            raise lost

    async def _opened(self, nursery: trio.Nursery, serve: Callable[[Any], Awaitable[None]]) -> Any:
        match self.kind:
            case "memory":
                ours, theirs = memory_stream_pair()
                nursery.start_soon(serve, theirs)
                return speak(ours, "exchange.test", "/stream")
            case "tcp":
                listen: Any = partial(trio.serve_tcp, serve, 0, host="127.0.0.1")
                scheme = "ws"
            case _:
                safe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                safe.load_cert_chain(self._certificate)
                listen = partial(trio.serve_ssl_over_tcp, serve, 0, safe, host="127.0.0.1")
                scheme = "wss"
        (listener,) = await nursery.start(listen)
        socket = getattr(listener, "transport_listener", listener).socket
        return open_socket(f"{scheme}://127.0.0.1:{socket.getsockname()[1]}/stream")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


@pytest.fixture(params=["memory", "tcp", "tls"])
def way(request: pytest.FixtureRequest, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Way:
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(wire, "trusted", lambda: trusting)
    return Way(request.param, certificate)


async def take(socket: Socket, count: int) -> list[str | bytes]:
    taken: list[str | bytes] = []
    while len(taken) < count:
        batch = await socket.receive()
        assert batch
        taken += batch
    return taken


async def test_messages_of_every_length_come_in_order(way: Way) -> None:
    texts = ["x" * size for size in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20)] + [str(n) for n in range(2000)]

    async def far(peer: Peer) -> None:
        await peer.greet()
        await peer.say(b"".join(frame(1, text.encode()) for text in texts))

    async with way.to(far) as socket:
        assert await take(socket, len(texts)) == texts


async def test_what_comes_with_the_handshake_or_byte_by_byte_is_not_lost(way: Way) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet(behind=frame(1, b"one") + frame(1, b"two")[:3])
        for byte in frame(1, b"two")[3:] + frame(2, b"three"):
            await peer.say(bytes((byte,)))

    async with way.to(far) as socket:
        assert await take(socket, 3) == ["one", "two", b"three"]


async def test_fragments_are_joined_and_a_ping_between_them_is_answered(way: Way) -> None:
    euro = "€".encode()

    async def far(peer: Peer) -> None:
        await peer.greet()
        await peer.say(frame(1, b"5 " + euro[:1], is_last=False) + frame(9, b"there?"))
        assert await peer.hear() == Pong(payload=b"there?")
        await peer.say(frame(0, euro[1:]) + frame(1, b"next"))

    async with way.to(far) as socket:
        assert await take(socket, 2) == ["5 €", "next"]


async def test_what_is_said_arrives_and_a_later_pong_answers_each_ping(way: Way) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet()
        assert peer.request is not None
        # Nothing is compressed.
        assert peer.request.extensions == []
        assert await peer.hear() == TextMessage(data="subscribe")
        first, second = await peer.hear(), await peer.hear()
        assert isinstance(first, Ping)
        assert isinstance(second, Ping)
        assert first != second
        await peer.say(frame(10, b"unasked") + frame(10, bytes(second.payload)) + frame(1, b"done"))

    async with way.to(far) as socket:
        await socket.send("subscribe")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.ping)
            nursery.start_soon(socket.ping)
            assert await take(socket, 1) == ["done"]


async def test_a_server_that_says_farewell_is_answered_and_told_of(way: Way) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet(behind=frame(1, b"last") + frame(8, b"\x03\xe9maintenance") + frame(1, b"too late"))
        assert await peer.hear() == CloseConnection(code=1001, reason="maintenance")

    async with way.to(far) as socket:
        assert await take(socket, 1) == ["last"]
        for use in (socket.receive, socket.ping, lambda: socket.send("x")):
            with pytest.raises(SocketLost, match="the connection was closed with 1001 maintenance"):
                await use()


async def test_whoever_waits_for_a_pong_hears_of_the_end(way: Way) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet()
        assert isinstance(await peer.hear(), Ping)
        await trio.aclose_forcefully(peer.stream)

    async def reads(socket: Socket) -> None:
        with pytest.raises(SocketLost):
            await socket.receive()

    async with way.to(far) as socket, trio.open_nursery() as nursery:
        nursery.start_soon(reads, socket)
        with pytest.raises(SocketLost, match="1006"):
            await socket.ping()


async def test_we_say_farewell_and_hear_the_other_side_out(way: Way) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet()
        farewell = await peer.hear()
        assert isinstance(farewell, CloseConnection)
        assert farewell.code == 1000
        await peer.say(frame(1, b"nobody reads this") + frame(8, b"\x03\xe8"))
        assert await peer.has_gone()

    async with way.to(far):
        pass


async def test_a_deaf_peer_is_left_without_an_answer(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CLOSE_SECONDS", 0.05)

    async def far(peer: Peer) -> None:
        await peer.greet()
        assert isinstance(await peer.hear(), CloseConnection)
        assert await peer.has_gone()

    async with way.to(far):
        pass


TOO_LONG = b"x" * (frames.MESSAGE_BYTES_MOST + 1)
HALF = b"x" * (frames.MESSAGE_BYTES_MOST // 2 + 1)


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        (frame(1, TOO_LONG)[:20], 1009, "a frame had 1048577 bytes, of 1048576 allowed"),
        (b"\x82\xff" + bytes((0x7F,)) * 8 + b"mask", 1009, "allowed"),
        (frame(1, HALF, is_last=False) + frame(0, HALF, is_last=False), 1009, "a message had more than"),
        (frame(1, b"\xff\xfe"), 1007, "decode"),
        (frame(1, b"x", is_masked=True), 1002, "masked"),
        (frame(1, b"x", reserved=4), 1002, "Reserved"),
        (frame(3, b"x"), 1002, "opcode"),
        (frame(0, b"x"), 1002, "CONTINUATION"),
        (frame(9, b"x" * 126), 1002, "len"),
        (frame(1, b"x", wide=1), 1002, "2 bytes"),
    ],
)
async def test_what_is_forbidden_ends_it_with_its_code(way: Way, said: bytes, code: int, told: str) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet(behind=frame(1, b"good"))
        await peer.say(said)
        farewell = await peer.hear()
        assert isinstance(farewell, CloseConnection)
        assert farewell.code == code

    async with way.to(far) as socket:
        assert await take(socket, 1) == ["good"]
        with pytest.raises(SocketLost, match=f"closed with {code} .*{told}"):
            await socket.receive()
