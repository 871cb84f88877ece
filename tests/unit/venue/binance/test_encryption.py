"""Whoever cannot prove to be the exchange hears nothing: neither a request with its key nor a subscription."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from robson.config import Binance
from robson.domain.errors import Unreachable
from robson.feed.binance.wire import SocketLost, open_socket
from robson.venue.binance.client import Client
from robson.venue.binance.credentials import Credentials
from tests.unit.notify.test_mail import certificate
from tests.unit.venue.clocks import VirtualClock

PATIENCE_SECONDS = 60
__all__ = ["certificate"]


@asynccontextmanager
async def impostor(certificate: Path, heard: list[bytes]) -> AsyncIterator[int]:
    """A server with a certificate of its own making, until the block ends; what it is told is `heard`."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)

    async def listen(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            heard.append(bytes(await stream.receive_some()))
        except (trio.BrokenResourceError, ssl.SSLError):
            await trio.aclose_forcefully(stream)

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                partial(trio.serve_ssl_over_tcp, listen, 0, tls, host="127.0.0.1", https_compatible=True)
            )
            yield listeners[0].transport_listener.socket.getsockname()[1]
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("vouched", [False, True])
async def test_an_impostor_gets_no_request(
    certificate: Path, credentials: Credentials, monkeypatch: pytest.MonkeyPatch, *, vouched: bool
) -> None:
    """Not even where the environment names its certificate, or asks for no verification at all."""
    if vouched:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    heard: list[bytes] = []
    async with impostor(certificate, heard) as port:
        client = Client(f"https://127.0.0.1:{port}", credentials, VirtualClock())
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.read_clock()
        await client.aclose()
    assert not any(heard)


async def test_an_impostor_gets_no_subscription(certificate: Path) -> None:
    heard: list[bytes] = []
    async with impostor(certificate, heard) as port:
        with pytest.raises(SocketLost, match="CERTIFICATE_VERIFY_FAILED"):
            async with open_socket(f"wss://127.0.0.1:{port}/stream"):
                pass
    assert not any(heard)


def test_no_key_of_the_configuration_switches_it_off() -> None:
    assert set(Binance.__struct_fields__) == {"rest_url", "stream_url", "ws_api_url"}
