"""`robson` with a stopwatch on its loop: `python -m tests.bench.paced FILE run …` writes FILE when it ends.

A turn of the loop is what runs between two looks at the network: nobody is served meanwhile. Both its wall time and the
processor time of this one thread are kept, for only the first is also the fault of whatever else the machine does.
"""

import gc
import json
import sys
import time
from functools import partial
from pathlib import Path
from types import CoroutineType
from typing import Any

import trio

from robson.__main__ import main

# What is shorter is not worth a line.
WORTH_SECONDS = 0.002


class Stopwatch(trio.abc.Instrument):
    """Keeps every long turn of the loop and every long step of a task; times in seconds."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float, float, str]] = []
        self.turns: list[tuple[float, float, float]] = []
        self._turn = self._step = (time.monotonic(), time.thread_time())
        self.collections: list[tuple[float, float, int]] = []
        self._collecting = 0.0
        gc.callbacks.append(self._collect)

    def _collect(self, phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        elif (cpu := time.thread_time() - self._collecting) > WORTH_SECONDS:
            self.collections.append((time.monotonic(), cpu, told["generation"]))

    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        self._turn = (time.monotonic(), time.thread_time())

    def before_io_wait(self, timeout: float) -> None:
        """A turn ends."""
        wall, cpu = time.monotonic() - self._turn[0], time.thread_time() - self._turn[1]
        if cpu > WORTH_SECONDS or wall > WORTH_SECONDS:
            self.turns.append((self._turn[0], cpu, wall))

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task goes on."""
        self._step = (time.monotonic(), time.thread_time())

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task waits again."""
        wall, cpu = time.monotonic() - self._step[0], time.thread_time() - self._step[1]
        if cpu > WORTH_SECONDS or wall > WORTH_SECONDS:
            self.steps.append((self._step[0], cpu, wall, place_of(task)))

    def write(self, path: Path) -> None:
        """Write what was kept."""
        path.write_text(json.dumps({"steps": self.steps, "turns": self.turns, "collections": self.collections}))


def place_of(task: trio.lowlevel.Task) -> str:
    """Where in Robson's code a task stands now."""
    coroutine: Any = task.coro
    found = task.name
    while isinstance(coroutine, CoroutineType):
        code = coroutine.cr_code
        if "/robson/" in code.co_filename and coroutine.cr_frame is not None:
            found = f"{code.co_filename.rpartition('/')[2]}:{coroutine.cr_frame.f_lineno} {code.co_name}"
        coroutine = coroutine.cr_await
    return found


if __name__ == "__main__":
    watch = Stopwatch()
    trio.run = partial(trio.run, instruments=[watch])  # type: ignore[assignment]
    try:
        code = main(sys.argv[2:])
    finally:
        watch.write(Path(sys.argv[1]))
    sys.exit(code)
