"""TLS over a stream that stops, breaks or ends; what goes well is in the contract of sockets."""

import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MemorySendStream, memory_stream_pair

from robson.streams import TcpStream, TlsStream
from tests.contract.test_socket import certificate

__all__ = ["certificate"]
HOST = "127.0.0.1"


@asynccontextmanager
async def agreed(
    certificate: Path,
) -> AsyncIterator[tuple[TlsStream, trio.SSLStream[trio.abc.Stream], MemorySendStream]]:
    """Both ends, and where ours writes to."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    ours, theirs = memory_stream_pair()
    stream = TlsStream(ours, ssl.create_default_context(cafile=str(certificate)), HOST)
    peer: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(theirs, server, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.do_handshake)
        nursery.start_soon(stream.shake_hands)
    yield stream, peer, ours.send_stream


async def test_all_that_has_come_is_given_at_once(certificate: Path) -> None:
    async with agreed(certificate) as (stream, peer, _):
        for part in (b"one ", b"two ", b"x" * 40_000):
            await peer.send_all(part)
        assert await stream.receive_some() == b"one two " + b"x" * 40_000


async def test_after_half_a_record_nothing_more_leaves(certificate: Path, autojump_clock: object) -> None:
    async with agreed(certificate) as (stream, _, below):
        below.send_all_hook = trio.sleep_forever
        with trio.move_on_after(1) as waiting:
            await stream.send_all(b"half of it")
        assert waiting.cancelled_caught
        below.send_all_hook = None
        with pytest.raises(trio.BrokenResourceError, match="did not leave"):
            await stream.send_all(b"more")


async def test_what_is_no_tls_breaks_it_after_what_was(certificate: Path) -> None:
    async with agreed(certificate) as (stream, peer, _):
        await peer.send_all(b"good")
        await peer.transport_stream.send_all(b"\x17\x03\x03\x00\x20" + b"j" * 32)
        assert await stream.receive_some() == b"good"
        with pytest.raises(trio.BrokenResourceError, match="TLS was broken"):
            await stream.receive_some()


@pytest.mark.parametrize("says_farewell", [True, False])
async def test_an_end_is_an_end_with_or_without_a_farewell(certificate: Path, says_farewell: bool) -> None:
    async with agreed(certificate) as (stream, peer, _), trio.open_nursery() as nursery:
        nursery.start_soon(peer.aclose if says_farewell else peer.transport_stream.aclose)
        assert await stream.receive_some() == b""
        await stream.aclose()


async def test_a_host_that_the_certificate_does_not_name_is_refused(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    ours, theirs = memory_stream_pair()
    peer: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(theirs, server, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.do_handshake)
        with pytest.raises(ssl.SSLCertVerificationError):
            await TlsStream(ours, trusting, "exchange.test").shake_hands()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def over_tcp(certificate: Path) -> AsyncIterator[tuple[TlsStream, trio.SSLStream[trio.SocketStream]]]:
    """Both ends over a socket, hands shaken."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    (listener,) = await trio.open_tcp_listeners(0, host=HOST)
    ours = await trio.open_tcp_stream(HOST, listener.socket.getsockname()[1])
    peer = trio.SSLStream(await listener.accept(), server, server_side=True)
    stream = TlsStream(TcpStream(ours), ssl.create_default_context(cafile=str(certificate)), HOST)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.do_handshake)
        nursery.start_soon(stream.shake_hands)
    try:
        yield stream, peer
    finally:
        for one in (stream, peer):
            await trio.aclose_forcefully(one)
        await listener.aclose()


async def test_what_is_sent_at_once_has_left_without_a_turn(certificate: Path) -> None:
    async with over_tcp(certificate) as (stream, peer):
        stream.send_now(b"now")
        assert await peer.receive_some() == b"now"
        await stream.send_rest()
        await stream.send_all(b"then")
        assert await peer.receive_some() == b"then"


async def test_the_rest_is_sent_later_and_nothing_in_between(certificate: Path) -> None:
    async with over_tcp(certificate) as (stream, peer):
        much = b"x" * 20_000_000
        stream.send_now(much)
        with pytest.raises(trio.BrokenResourceError, match="did not leave"):
            await stream.send_all(b"between")
        heard = bytearray()

        async def hear() -> None:
            while len(heard) < len(much):
                heard.extend(await peer.receive_some())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await stream.send_rest()
        assert heard == much


async def test_a_rest_that_was_given_up_is_the_end(certificate: Path) -> None:
    async with over_tcp(certificate) as (stream, _):
        stream.send_now(b"x" * 20_000_000)
        with trio.move_on_after(0):
            await stream.send_rest()
        with pytest.raises(trio.BrokenResourceError, match="did not leave"):
            stream.send_now(b"more")


async def test_nothing_is_sent_at_once_over_what_is_closed_or_broken(certificate: Path) -> None:
    async with over_tcp(certificate) as (stream, peer):
        peer.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(peer)
        await trio.lowlevel.wait_readable(stream._beneath._connection.socket)  # type: ignore[attr-defined]
        with pytest.raises(trio.BrokenResourceError):
            stream.send_now(b"late")
    async with over_tcp(certificate) as (stream, _):
        await trio.aclose_forcefully(stream)
        with pytest.raises(trio.ClosedResourceError):
            stream.send_now(b"late")
