"""Stands between a client and the venue and tells the time: when a price went out, when an order's first byte came.

It passes bytes on, in a process of its own, and prints a line for each order: both readings of the steady clock (ns).
With a certificate it speaks TLS to the clients; the readings are before a price is encrypted, after an order is clear.
"""

import selectors
import socket
import ssl
import sys
import time

_ORDER = b"POST /sapi/v1/margin/order"
_HANDSHAKE_SECONDS = 10.0
_PRICES = (b"GET /stream", b"GET /ws/", b"GET /ws ")


class _Side:
    """One end of a pair of connections."""

    def __init__(self, own: socket.socket, is_client: bool) -> None:
        self.own = own
        self.is_client = is_client
        self.other: _Side = self
        self.is_new = True
        self.gives_prices = False

    def has_more(self) -> bool:
        """Whether TLS holds bytes that have come already, of which the kernel says nothing any longer."""
        return isinstance(self.own, ssl.SSLSocket) and self.own.fileno() >= 0 and self.own.pending() > 0


class _Front:
    """Everything that is connected."""

    def __init__(self, port: int, certificate: str | None) -> None:
        self._port = port
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._price_at = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        print(self._listener.getsockname()[1], flush=True)
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until killed."""
        while True:
            for key, _ in self._ready.select():
                side: _Side | None = key.data
                if side is None:
                    self._join()
                    continue
                self._pass_on(side)
                while side.has_more():
                    self._pass_on(side)

    def _pass_on(self, side: _Side) -> None:
        try:
            received = side.own.recv(1 << 16)
            now = time.monotonic_ns()
            if side.gives_prices:
                self._price_at = now
            if received:
                side.other.own.sendall(received)
        except OSError:
            received = b""
        if not received:
            _end(side, self._ready)
        elif side.is_client:
            if received.startswith(_ORDER):
                print(self._price_at, now, flush=True)
            if side.is_new:
                side.is_new = False
                side.other.gives_prices = received.startswith(_PRICES)

    def _join(self) -> None:
        client = self._listener.accept()[0]
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            client.settimeout(_HANDSHAKE_SECONDS)
            try:
                client = self._tls.wrap_socket(client, server_side=True)
            except OSError:
                client.close()
                return
            client.settimeout(None)
        venue = socket.create_connection(("127.0.0.1", self._port))
        venue.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sides = _Side(client, is_client=True), _Side(venue, is_client=False)
        sides[0].other, sides[1].other = sides[1], sides[0]
        for side in sides:
            self._ready.register(side.own, selectors.EVENT_READ, side)


def _end(side: _Side, ready: selectors.BaseSelector) -> None:
    for one in (side, side.other):
        if one.own.fileno() >= 0:
            ready.unregister(one.own)
            one.own.close()


if __name__ == "__main__":
    _Front(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None).serve()  # noqa: PLR2004  a certificate
