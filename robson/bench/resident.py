"""A daemon in a process of its own, for what is measured from outside, and a bare Trio server beside it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

import robson
from robson.bench.setting import PATIENCE_SECONDS

_START_SECONDS = 120.0
ARMING_CLIENTS = 16
_CHUNK = 1 << 20
_OTHERS = ("ROBSON_", "STATE_", "RUNTIME_", "CREDENTIALS_", "CONFIGURATION_", "XDG_", "PYTHON", "COVERAGE")
_ECHO = """
import os, socket, sys, trio
async def answer(stream):
    reply = memoryview(open(sys.argv[2], "rb").read())
    async for chunk in stream:
        for _ in range(chunk.count(b"\\n")):
            await stream.send_all(reply)
async def serve():
    with socket.socket(socket.AF_UNIX) as raw:
        raw.bind(sys.argv[1]), raw.listen(), raw.setblocking(False)
        print("ready", flush=True)
        await trio.serve_listeners(answer, [trio.SocketListener(trio.socket.from_stdlib_socket(raw))])
trio.run(serve)
"""


class Line:
    """A blocking client: the leanest there is, so that what is measured is the other end."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(place))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def ask(self, line: bytes) -> bytes:
        """Send one line, with its line feed, and give the whole reply."""
        self.socket.sendall(line)
        return self.reply()

    def reply(self) -> bytes:
        """One reply, however long; the asker has only one under way."""
        received = self.socket.recv(_CHUNK)
        while not received.endswith(b"\n"):
            chunk = self.socket.recv(_CHUNK)
            if not chunk:
                raise RuntimeError("the other end hung up")
            received += chunk
        return received

    def result(self, cmd: str, **fields: object) -> Any:
        """The result of a request that must be obeyed."""
        reply = msgspec.json.decode(self.ask(msgspec.json.encode({"cmd": cmd, **fields}) + b"\n"))
        if not reply["ok"]:
            raise RuntimeError(f"{cmd}: {reply['error']['message']}")
        return reply["result"]


class Resident:
    """A running daemon; `ready_seconds` is from its start to READY=1."""

    def __init__(self, process: subprocess.Popen[bytes], socket_place: Path, state: Path, ready_seconds: float) -> None:
        self.process = process
        self.socket = socket_place
        self.state = state
        self.ready_seconds = ready_seconds

    def arm(self, positions: int) -> None:
        """Arm so many, from several clients at once: each waits a while for its pair's terms."""
        lines = [Line(self.socket) for _ in range(min(ARMING_CLIENTS, positions))]
        request = b'{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}\n'
        for begin in range(0, positions, len(lines)):
            asked = lines[: positions - begin]
            for line in asked:
                line.socket.sendall(request)
            for line in asked:
                if b'"ok":true' not in (reply := line.reply()):
                    raise RuntimeError(f"arm: {reply.decode()}")
        for line in lines:
            line.socket.close()

    def memory(self) -> dict[str, int]:
        """KiB by the kernel's names: Rss, Pss, Private_Dirty and so on."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text("ascii").splitlines()[1:]
        return {name: int(words.split()[0]) for name, _, words in (line.partition(":") for line in lines)}

    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def resident(
    place: Path, *words: str, cores: Sequence[int] = (), settings: Mapping[str, str] | None = None
) -> Iterator[Resident]:
    """A daemon on that state directory until the end of the block, on those cores, once it is ready.

    Its clients may ask as often as they like. Raises RuntimeError when it does not get ready.
    """
    state = place / "state"
    # A socket's path has room for 107 bytes, and a disk to be measured may lie deep.
    with tempfile.TemporaryDirectory(prefix="rb-") as doors, (place / "daemon.log").open("ab") as log:
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(f"{doors}/notify")
        told.settimeout(_START_SECONDS)
        door = Path(doors) / "robson.sock"
        command = [
            sys.executable,
            "-P",
            "-m",
            "robson",
            "run",
            "--state-dir",
            str(state),
            "--socket",
            str(door),
            *words,
        ]
        environment = {
            **environment_alone(),
            "ROBSON_CONTROL_REQUESTS_PER_SECOND": "1000000",
            "NOTIFY_SOCKET": f"{doors}/notify",
            **(settings or {}),
        }
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            if cores:
                os.sched_setaffinity(process.pid, cores)
            _await_ready(told, process, place / "daemon.log")
            yield Resident(process, door, state, time.perf_counter() - began)
        finally:
            told.close()
            process.kill()
            process.wait()


def environment_alone() -> dict[str, str]:
    """This process's environment without anything that configures a Robson, for processes of this very code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(Path(robson.__file__).parents[1]), *sys.path[1:]])}


def _await_ready(told: socket.socket, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    told.settimeout(0.2)
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if b"READY=1" in told.recv(4096):
                return
        except TimeoutError:
            continue
    said = log.read_text("utf-8", "replace").splitlines()[-6:]
    raise RuntimeError("\n".join([f"the daemon did not get ready, its code was {process.returncode}:", *said]))


@contextmanager
def bare_server(place: Path, reply: bytes, cores: Sequence[int] = ()) -> Iterator[Path]:
    """A Trio server that answers each line with those bytes, on those cores; gives its socket."""
    (place / "reply").write_bytes(reply)
    with tempfile.TemporaryDirectory(prefix="rb-") as doors:
        door = Path(doors) / "bare.sock"
        command = [sys.executable, "-c", _ECHO, str(door), str(place / "reply")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            if cores:
                os.sched_setaffinity(process.pid, cores)
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"the bare server ended with {process.wait()}")
            yield door
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """This process on those cores alone until the end of the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
