"""The physical work alone, over blocking sockets: a frame in, decoded, compared, a row on disk, an order signed, sent.

No task, no state, no rule; one row for each order. It is what the daemon's way is compared with.
"""

import hmac
import os
import socket
import sqlite3
import ssl
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

_PRIMED_ROWS = 300
_TABLE = (
    "CREATE TABLE intents (id TEXT PRIMARY KEY, status TEXT, symbol TEXT, side TEXT, quantity TEXT, at INTEGER,"
    " receive_window_ms INTEGER) STRICT"
)
_TEXT, _PING, _PONG = 1, 9, 10
_TWO_BYTES = 126


class _Trade(msgspec.Struct):
    p: str
    a: int


def main(port: int, state: Path, credentials: Path, limit: float, certificate: Path | None = None) -> None:
    """Send an order for each price at or below `limit`, until the venue goes; prints a line when it is ready.

    With a certificate it speaks TLS, and trusts that one.
    """
    key = (credentials / "binance-api-key").read_bytes().strip()
    secret = (credentials / "binance-api-secret").read_bytes().strip()
    journal = _journal(state / "bare.db")
    prices = _connect(port, certificate)
    prices.sendall(
        b"GET /ws/ethusdt@aggTrade HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    received = prices.recv(1 << 16)
    assert received.startswith(b"HTTP/1.1 101"), received
    orders = _connect(port, certificate)
    decoder = msgspec.json.Decoder(_Trade)
    print("ready", flush=True)
    for frame in _frames(prices, received.partition(b"\r\n\r\n")[2]):
        trade = decoder.decode(frame)
        if float(trade.p) <= limit:
            _send(orders, journal, key, secret, trade)


def _send(orders: socket.socket, journal: sqlite3.Connection, key: bytes, secret: bytes, trade: _Trade) -> None:
    order_id = f"bare-{os.getpid()}-{trade.a}"
    at = time.time_ns() // 1_000_000
    journal.execute("BEGIN IMMEDIATE")
    journal.execute("INSERT INTO intents VALUES (?, 'sent', 'ETHUSDT', 'sell', '0.01', ?, 2000)", (order_id, at))
    journal.execute("COMMIT")
    body = (
        f"symbol=ETHUSDT&side=SELL&type=MARKET&isIsolated=TRUE&quantity=0.01&newClientOrderId={order_id}"
        f"&newOrderRespType=FULL&sideEffectType=AUTO_REPAY&recvWindow=2000&timestamp={at}"
    ).encode()
    body += b"&signature=" + hmac.new(secret, body, sha256).hexdigest().encode()
    orders.sendall(
        b"POST /sapi/v1/margin/order HTTP/1.1\r\nHost: 127.0.0.1\r\nX-MBX-APIKEY: " + key + b"\r\nContent-Type: "
        b"application/x-www-form-urlencoded\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
    answer = b""
    while b"\r\n\r\n" not in answer or not _is_whole(answer):
        part = orders.recv(1 << 16)
        assert part, answer
        answer += part


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


def _journal(path: Path) -> sqlite3.Connection:
    """In WAL mode, its blocks allocated by earlier rows, as in a file that has been in use."""
    journal = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        _TABLE,
    ):
        journal.execute(statement)
    for number in range(_PRIMED_ROWS):
        journal.execute("INSERT INTO intents VALUES (?, 'sent', 'ETHUSDT', 'sell', '0.01', 0, 2000)", (str(number),))
    journal.execute("PRAGMA wal_checkpoint(RESTART)")
    return journal


def _connect(port: int, certificate: Path | None) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if certificate is None:
        return made
    return ssl.create_default_context(cafile=certificate).wrap_socket(made, server_hostname="127.0.0.1")


def _frames(prices: socket.socket, unread: bytes) -> Iterator[bytes]:
    while True:
        while len(unread) >= 2 and len(unread) >= _length(unread):  # noqa: PLR2004  a frame's first two bytes
            whole, head = _length(unread), 2 if unread[1] < _TWO_BYTES else 4
            content, kind, unread = unread[head:whole], unread[0] & 15, unread[whole:]
            if kind == _TEXT:
                yield content
            elif kind == _PING:
                prices.sendall(bytes((0x80 | _PONG, 0x80 | len(content), 0, 0, 0, 0)) + content)
        received = prices.recv(1 << 16)
        if not received:
            return
        unread += received


def _length(frame: bytes) -> int:
    """Of the first frame, as far as that is known yet; a venue's frames are not masked."""
    if frame[1] < _TWO_BYTES:
        return 2 + frame[1]
    return 4 + int.from_bytes(frame[2:4], "big") if len(frame) >= 4 else 4  # noqa: PLR2004


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), *map(Path, sys.argv[5:]))
