"""The sockets under the client: how many, how long they idle, and an answer taken from one byte by byte."""

import ssl

import httpx

from robson.venue.binance.errors import Answer

# A connection that idles longer than this may be dropped on the way without a word.
_KEEP_ALIVE_SECONDS = 30.0


def open_connections(
    tls: ssl.SSLContext, transport: httpx.AsyncBaseTransport | None, *, connections: int
) -> httpx.AsyncClient:
    """That many connections at most; `transport` takes the place of sockets."""
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEP_ALIVE_SECONDS
    )
    # Each request brings its own limits, and a cancel scope bounds the whole of it.
    timeout = httpx.Timeout(None)
    return httpx.AsyncClient(
        verify=tls, limits=limits, transport=transport, trust_env=False, follow_redirects=False, timeout=timeout
    )


async def exchanged(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """The whole answer, its bytes as they came."""
    response = await client.send(request, stream=True)
    try:
        body = b"".join([part async for part in response.aiter_raw()])
    finally:
        await response.aclose()
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=body,
    )


def said(error: BaseException) -> str:
    """What failed, in words: httpx leaves them to the error beneath (a certificate that is not trusted)."""
    beneath: BaseException | None = error
    while beneath is not None and not str(beneath):
        beneath = beneath.__cause__ or beneath.__context__
    return f"{type(error).__name__}: {beneath}" if beneath is not None else type(error).__name__
