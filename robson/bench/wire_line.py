"""What the stage stands on: a line to the control socket, processes that print, and waiting until they are quiet."""

import json
import select
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

PATIENCE_SECONDS = 60.0
# How much of a processor each of those who are quiet may still use, in so many looks in a row; and how many are enough.
# Who waits for a slow disk again and again uses little, too: a few syncs go into one look.
QUIET_SHARE, LOOK_SECONDS, LOOKS, LOOKS_MOST = 0.02, 0.1, 2, 40


class Told:
    """One connection to the daemon's control socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_SECONDS)
        until(lambda: self._socket.connect_ex(str(path)) == 0)
        self._lines = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, **request: object) -> Any:
        """The result of a request that must succeed."""
        self.send(request)
        return self.result()

    def send(self, request: Mapping[str, object]) -> None:
        """One request, whose result is taken later."""
        self._lines.write(json.dumps(request).encode() + b"\n")
        self._lines.flush()

    def result(self) -> Any:
        """The result of the oldest request that was sent; it must have succeeded."""
        reply = json.loads(self._lines.readline())
        assert reply["ok"], reply
        return reply["result"]

    def event(self, wanted: str) -> None:
        """Return at the next event, which must be of this kind."""
        event = json.loads(self._lines.readline())
        assert event["event"] == wanted, event


def pause(seconds: float) -> None:
    """Wait, in real time."""
    select.select([], [], [], seconds)


def until(is_true: Callable[[], bool]) -> None:
    """Ask until it is so; AssertionError when it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        pause(0.02)


def start(command: Sequence[str], log: BinaryIO | None, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process whose lines `line` reads, its errors in the log.

    Nothing is read ahead: whoever looks whether a line waits would not see what a buffer holds.
    """
    return subprocess.Popen(command, bufsize=0, stdout=subprocess.PIPE, stderr=log, env=environment)


def has_line(process: subprocess.Popen[bytes], seconds: float = 0) -> bool:
    """Whether a process has printed something that was not read, or does so in that time."""
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], seconds)[0])


def line(process: subprocess.Popen[bytes]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    assert has_line(process, PATIENCE_SECONDS), f"{process.args!r} said nothing"
    return process.stdout.readline().decode().strip()


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a process end, and see to it."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def quiet(processes: Sequence[int]) -> bool:
    """Wait until those processes have hardly anything to do any longer; whether they came to rest in time.

    What follows on an entry (account, loan, events, notes in the journal) is over then, and is in no figure.
    """
    rested = 0
    before = _processor_seconds(processes)
    for _ in range(LOOKS_MOST):
        began = time.monotonic()
        pause(LOOK_SECONDS)
        used = _processor_seconds(processes)
        share = max(now - then for now, then in zip(used, before, strict=True)) / (time.monotonic() - began)
        before = used
        rested = rested + 1 if share <= QUIET_SHARE else 0
        if rested == LOOKS:
            return True
    return False


def _processor_seconds(processes: Sequence[int]) -> list[float]:
    """By the kernel's clock of each process, which is finer than the ticks of /proc/PID/stat."""
    return [time.clock_gettime((~process << 3) | 2) for process in processes]
