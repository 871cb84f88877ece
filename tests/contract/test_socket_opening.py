"""How a WebSocket is opened, refused and given up, the same over memory, over TCP and over TLS."""

import re
from pathlib import Path

import pytest
import trio

from robson.feed.binance import frames, wire
from robson.feed.binance.wire import SocketLost
from tests.contract.test_socket import Peer, Way, certificate, way

__all__ = ["certificate", "way"]


def answer(head: bytes, body: bytes = b"", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (head, len(body), more, body)


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            answer(b"429 Too Many Requests", b'{"code":-1003}', b"Retry-After: 30\r\n"),
            "it was refused with 429, retry after 30 s, '{\"code\":-1003}'",
        ),
        (answer(b"418 I'm a teapot", b"", b"retry-after: 7200\r\n"), "it was refused with 418, retry after 7200 s"),
        (answer(b"403 Forbidden", b"<html>Request blocked</html>"), "403, '<html>Request blocked</html>'"),
        (answer(b"502 Bad Gateway", b"x" * 10**6), "it was refused with 502, 'xxxxx"),
        (b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "refused with 503, 'no'"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * (frames.REFUSAL_BYTES_MOST + 1), "it was refused with 200, 'yyy"),
        (SWITCHING + b"Sec-WebSocket-Accept: no\r\n\r\n", "Bad accept token"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "Connection: Upgrade"),
        (b"220 mail.example.org ESMTP\r\n\r\n", "Bad HTTP message"),
        (b"z" * (frames.HEAD_BYTES_MOST + 1), "the answer's head was longer than 65536 bytes"),
    ],
)
async def test_a_refusal_is_told_in_the_servers_words(way: Way, said: bytes, told: str) -> None:
    async def far(peer: Peer) -> None:
        await peer.hear()
        try:
            await peer.say(said)
            await peer.has_gone()
        except trio.BrokenResourceError:
            pass  # it need not listen to the end

    with pytest.raises(SocketLost) as caught:
        async with way.to(far):
            pass
    assert told in str(caught.value)
    assert "no WebSocket at " in str(caught.value)
    assert len(str(caught.value)) < 400
    wanted = re.search(r"retry after (\d+) s", told)
    assert caught.value.retry_after_seconds == (int(wanted[1]) if wanted else 0)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Switch", answer(b"500 Oh", b"no")[:-1]])
async def test_a_server_that_goes_during_the_handshake_is_told_of(way: Way, said: bytes) -> None:
    async def far(peer: Peer) -> None:
        await peer.hear()
        await peer.say(said)
        await trio.aclose_forcefully(peer.stream)

    with pytest.raises(SocketLost, match="no WebSocket at "):
        async with way.to(far):
            pass


async def test_an_extension_that_was_not_offered_is_refused(way: Way) -> None:
    async def far(peer: Peer) -> None:
        await peer.greet(extra=(b"Sec-WebSocket-Extensions", b"permessage-deflate"))
        await peer.has_gone()

    with pytest.raises(SocketLost, match="unrecognized extension permessage-deflate"):
        async with way.to(far):
            pass


async def test_a_server_that_never_answers_is_left_when_the_caller_says_so(way: Way) -> None:
    scope, gone = trio.CancelScope(), trio.Event()

    async def far(peer: Peer) -> None:
        await peer.hear()
        scope.cancel()
        with trio.CancelScope(shield=True):
            assert await peer.has_gone()
        gone.set()

    with scope:
        async with way.to(far):
            raise AssertionError("it was opened")
    assert gone.is_set()


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    """Without the fixture that trusts it."""
    wire.trusted.cache_clear()

    async def far(peer: Peer) -> None:
        assert await peer.has_gone()

    with pytest.raises(SocketLost, match=r"no connection to wss://127.0.0.1:\d+/stream: .*certificate verify failed"):
        async with Way("tls", certificate).to(far):
            pass
