"""A market in a process of its own: sends trades over a WebSocket as fast as it is told, and says when it was done.

Each path is /RATE/COUNT/stream: trades a second (0: all at once), and how many. An offer of compression is refused.
"""

import base64
import hashlib
import json
import random
import socket
import ssl
import sys
import time
from collections.abc import Iterator

FIRST_ID = 3_251_234_568
_STAMP_MS = 1_732_300_000_000
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BLOCK = 64 * 1024
_BURST_A_MILLISECOND = 10
_LONG = 126


def main() -> None:
    """Listen, over TLS where a certificate's file is named; ends with its standard input."""
    tls: ssl.SSLContext | None = None
    if len(sys.argv) > 1:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _say(port=listener.getsockname()[1])
        # One line for each connection that is going to come.
        while sys.stdin.readline():
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with tls.wrap_socket(accepted, server_side=True) if tls is not None else accepted as peer:
                _serve(peer)


def _say(**what: float) -> None:
    print(json.dumps(what), flush=True)


def _serve(peer: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(_BLOCK)
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
    _, rate, count, _ = lines[0].split()[1].decode().split("/")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    if b"sec-websocket-extensions" in headers:
        peer.sendall(b"HTTP/1.1 400 No Extensions Here\r\nContent-Length: 0\r\n\r\n")
        return
    frames = list(_frames(int(count), int(rate)))
    accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + _MAGIC, usedforsecurity=False).digest())
    told = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    peer.sendall(told + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    # Whatever it asks for.
    peer.recv(_BLOCK)
    peer.sendall(_frame(b'{"result":null,"id":1}'))
    (_send_paced if int(rate) else _send_burst)(peer, frames, int(rate))
    _say(sent_at=time.monotonic(), bytes=sum(map(len, frames)))
    # It has had enough, and says goodbye.
    if peer.recv(_BLOCK):
        peer.sendall(bytes((0x88, 0)))


def _send_paced(peer: socket.socket, frames: list[bytes], rate: int) -> None:
    began = time.monotonic()
    for number, frame in enumerate(frames):
        wait = began + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)  # noqa: TID251  there is no loop here
        peer.sendall(frame)


def _send_burst(peer: socket.socket, frames: list[bytes], _rate: int) -> None:
    whole = b"".join(frames)
    for start in range(0, len(whole), _BLOCK):
        peer.sendall(whole[start : start + _BLOCK])


def _frames(count: int, rate: int) -> Iterator[bytes]:
    """Aggregate trades of a combined stream, in the exchange's own form; a price that wanders by its tick."""
    walk = random.Random(7)  # noqa: S311  a market that is the same in each round
    cents = 9_712_345
    for number in range(count):
        cents += walk.choice((-1, 0, 0, 1))
        ms = _STAMP_MS + (number * 1000 // rate if rate else number // _BURST_A_MILLISECOND)
        trade_id = FIRST_ID + number
        yield _frame(
            b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":%d,"s":"BTCUSDT","a":%d,"p":"%d.%02d000000",'
            b'"q":"0.00%03d000","f":%d,"l":%d,"T":%d,"m":%s,"M":true}}'
            % (
                *(ms + 1, trade_id, cents // 100, cents % 100, walk.randrange(1, 1000)),
                *(trade_id * 2, trade_id * 2 + 1, ms, walk.choice((b"true", b"false"))),
            )
        )


def _frame(text: bytes) -> bytes:
    if len(text) < _LONG:
        return bytes((0x81, len(text))) + text
    return bytes((0x81, _LONG)) + len(text).to_bytes(2, "big") + text


if __name__ == "__main__":
    main()
