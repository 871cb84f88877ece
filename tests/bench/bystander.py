"""One client that asks little, and how long it waits: `python -m tests.bench.bystander SOCKET YARDSTICK`.

YARDSTICK is a socket that it serves itself from a second process, a bare Trio echo: what that one is late by is the
machine's doing. It writes one line of JSON for each pair of questions until SIGTERM.
"""

import json
import select
import signal
import socket
import subprocess
import sys
import time

import trio

PAUSE_SECONDS = 0.002
PING = b'{"cmd":"ping"}\n'


async def _echo(stream: trio.SocketStream) -> None:
    async for chunk in stream:
        await stream.send_all(chunk)


async def _serve(place: str) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.bind(place)
        raw.listen()
        raw.setblocking(False)
        print("ready", flush=True)
        await trio.serve_listeners(_echo, [trio.SocketListener(trio.socket.from_stdlib_socket(raw))])


def _connect(place: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(place)
    return client


def _ask(client: socket.socket) -> float:
    began = time.monotonic()
    client.sendall(PING)
    while not client.recv(4096).endswith(b"\n"):
        pass
    return time.monotonic() - began


def _watch(place: str, yardstick: str) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bystander", "--serve", yardstick], stdout=subprocess.PIPE
    ) as echo:
        assert echo.stdout is not None
        assert echo.stdout.readline() == b"ready\n"
        with _connect(place) as daemon, _connect(yardstick) as bare:
            print("ready", flush=True)
            try:
                while True:
                    at = time.monotonic()
                    print(json.dumps([at, _ask(daemon), _ask(bare)]))
                    select.select([], [], [], PAUSE_SECONDS)
            except KeyboardInterrupt:
                sys.stdout.flush()
            finally:
                echo.kill()


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        trio.run(_serve, sys.argv[2])
    else:
        _watch(sys.argv[1], sys.argv[2])
