"""Stands between a client and the venue and tells the time: when a price went out, when an order's first byte came.

It passes bytes on, in a process of its own, and prints a line for each order: both readings of the steady clock (ns).
"""

import selectors
import socket
import sys
import time

_ORDER = b"POST /sapi/v1/margin/order"
_PRICES = (b"GET /stream", b"GET /ws/", b"GET /ws ")


class _Side:
    """One end of a pair of connections."""

    def __init__(self, own: socket.socket, is_client: bool) -> None:
        self.own = own
        self.is_client = is_client
        self.other: _Side = self
        self.is_new = True
        self.gives_prices = False


def main(port: int) -> None:
    """Serve until killed; its own port is printed first."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    price_at = 0
    while True:
        for key, _ in ready.select():
            side: _Side | None = key.data
            if side is None:
                _join(listener, port, ready)
                continue
            try:
                received = side.own.recv(1 << 16)
                now = time.monotonic_ns()
                if side.gives_prices:
                    price_at = now
                if received:
                    side.other.own.sendall(received)
            except OSError:
                received = b""
            if not received:
                _end(side, ready)
            elif side.is_client:
                if received.startswith(_ORDER):
                    print(price_at, now, flush=True)
                if side.is_new:
                    side.is_new = False
                    side.other.gives_prices = received.startswith(_PRICES)


def _join(listener: socket.socket, port: int, ready: selectors.BaseSelector) -> None:
    client, venue = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
    sides = _Side(client, is_client=True), _Side(venue, is_client=False)
    sides[0].other, sides[1].other = sides[1], sides[0]
    for side in sides:
        side.own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(side.own, selectors.EVENT_READ, side)


def _end(side: _Side, ready: selectors.BaseSelector) -> None:
    for one in (side, side.other):
        if one.own.fileno() >= 0:
            ready.unregister(one.own)
            one.own.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
