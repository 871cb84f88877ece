"""One request on its way: orders by the lane that is kept open for them, all else by httpx; the bytes as signed."""

import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import httpx

from robson import __version__
from robson.domain.errors import Fatal
from robson.ports.clock import Clock
from robson.venue.binance import endpoints
from robson.venue.binance.connections import exchanged, open_connections
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.endpoints import Endpoint, Security
from robson.venue.binance.errors import Answer
from robson.venue.binance.order_lane import OrderLane, Request

# From here on a byte of the request may have left.
_FIRST_BYTE = ".send_request_headers.started"
_HEADER_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_HEADERS = (
    (b"User-Agent", f"robson/{__version__}".encode()),
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
)
_FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
_PORTS = {"http": 80, "https": 443}

Send = Callable[[], Awaitable[Answer]]


class Sending:
    """Connections to the exchange; writes have their own, so that no read can keep an exit waiting for one."""

    def __init__(
        self,
        base: httpx.URL,
        credentials: Credentials | None,
        clock: Clock,
        tls: ssl.SSLContext,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """`transport` takes the place of sockets."""
        self._base = base
        self._path = base.raw_path.rstrip(b"/")
        self._credentials = credentials
        self._clock = clock
        self._reads = open_connections(tls, transport, connections=40)
        # One lane; what takes the place of sockets serves all requests alike.
        self._lane: OrderLane | None = None
        if transport is None:
            is_plain = base.scheme == "http"
            self._lane = OrderLane(
                base.raw_host.decode("ascii"), base.port or _PORTS[base.scheme], None if is_plain else tls
            )
        # Made beforehand: a stop waits for it.
        self._lane_headers = ((b"Host", base.netloc), *_HEADERS)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._reads.aclose()
        if self._lane is not None:
            await self._lane.aclose()

    def prepared(self, endpoint: Endpoint, query: bytes, connect_seconds: float, sent_at: list[float]) -> Send:
        """What sends the request, once; `sent_at` gets the steady time at which the first byte may have left."""
        # The clock is asked by the way of orders, too: that keeps it open.
        if self._lane is not None and (endpoint.is_write or endpoint is endpoints.SERVER_TIME):
            return self._by_lane(self._lane, endpoint, query, connect_seconds, sent_at)
        return self._by_httpx(endpoint, query, connect_seconds, sent_at)

    @property
    def is_warm(self) -> bool:
        """Whether a write could leave at once."""
        return self._lane is not None and self._lane.is_warm

    def begun(self, endpoint: Endpoint, query: bytes, sent_at: list[float]) -> Send:
        """Send a write at once, which `is_warm` must allow, once; what is given waits for its answer, or its fault."""
        assert self._lane is not None
        return self._lane.begin(self._order(endpoint, query), lambda: sent_at.append(self._clock.monotonic()))

    def _by_lane(
        self, lane: OrderLane, endpoint: Endpoint, query: bytes, connect_seconds: float, sent_at: list[float]
    ) -> Send:
        request = self._order(endpoint, query)
        # Not a partial, which shows its arguments, the key among them.
        return lambda: lane.exchange(request, lambda: sent_at.append(self._clock.monotonic()), connect_seconds)

    def _order(self, endpoint: Endpoint, query: bytes) -> Request:
        headers: tuple[tuple[bytes, bytes], ...] = self._lane_headers
        if endpoint.security is not Security.NONE:
            headers = (*headers, *self._key_header())
        if endpoint.is_write:
            headers = (*headers, _FORM, (b"Content-Length", str(len(query)).encode()))
        return Request(endpoint.method, self._path + endpoint.path.encode(), headers, query)

    def _by_httpx(self, endpoint: Endpoint, query: bytes, connect_seconds: float, sent_at: list[float]) -> Send:
        async def trace(event: str, _: Mapping[str, Any]) -> None:
            if event.endswith(_FIRST_BYTE):
                sent_at.append(self._clock.monotonic())

        return partial(exchanged, self._reads, self._request(endpoint, query, trace, connect_seconds))

    def _key_header(self) -> list[tuple[bytes, bytes]]:
        if self._credentials is None:
            return []
        # Never in a variable: a traceback with its variables shows no key.
        if not _HEADER_VALUE.fullmatch(self._credentials.api_key.reveal()):
            # What h11 would say quotes the key.
            raise Fatal("bad_key", "the API key holds characters that no HTTP header can carry")
        return [(b"X-MBX-APIKEY", self._credentials.api_key.reveal())]

    def _request(
        self, endpoint: Endpoint, query: bytes, trace: Callable[..., Any], connect_seconds: float
    ) -> httpx.Request:
        target = self._path + endpoint.path.encode()
        content = b""
        raw_headers = [*_HEADERS]
        if endpoint.is_write:
            raw_headers.append(_FORM)
            content = query
        elif query:
            target += b"?" + query
        url = self._base.copy_with(raw_path=target)
        assert url.raw_path == target, "the signed bytes were re-encoded"
        if endpoint.security is not Security.NONE:
            raw_headers += self._key_header()
        return httpx.Request(
            endpoint.method,
            url,
            headers=raw_headers,
            content=content,
            extensions={
                "trace": trace,
                "timeout": {"connect": connect_seconds, "pool": connect_seconds, "read": None, "write": None},
            },
        )
