"""The daemon under test: a real `robson run` that is started, killed and started again."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from robson.commands.demo.processes import calm, own_code
from robson.commands.selftest.line import Gone, Line, connected
from robson.protocol.results import HealthResult, HelloResult, PanicResult, StatusResult

# Market seconds per second. The venue's delays below then last some 15 ms, and a clock fence a third of a second.
SPEED = "50"
# A slow venue, so that many orders are on their way at any moment; a thin one, so that some execute in part; little
# money, so that longs borrow, too; and low fees, so that it lasts.
_SETTINGS = {
    "ROBSON_PAPER_COLLATERAL": "20000",
    "ROBSON_PAPER_FEE_RATE": "0.0002",
    "ROBSON_PAPER_LATENCY_MS": "600",
    "ROBSON_PAPER_LATENCY_JITTER_MS": "400",
    "ROBSON_PAPER_PARTIAL_FILL_PROBABILITY": "0.15",
}
PROTECTED_SECONDS = 60.0
STOP_SECONDS = 12.0
_LOOK_SECONDS = 0.01
_LOG_LINES = 12


class SelftestFailed(Exception):
    """The test cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the daemon under test keeps its state, its socket and its log."""

    state: Path
    socket: Path
    log: Path


class Subject:
    """One state directory and the process that uses it; the process never outlives `running`."""

    def __init__(self, places: Places, seed: str) -> None:
        self.places = places
        self.starts = 0
        self._seed = seed
        self._environment = {**calm(os.environ), **_SETTINGS, "PYTHONPATH": own_code(os.environ)}
        self._process: trio.Process | None = None
        self._started_at = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Whatever was started in the block is killed at its end."""
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await self.kill()

    async def start(self) -> None:
        """Start the next process, in a session of its own: a Ctrl-C on the terminal reaches the test alone."""
        assert self._process is None, "started twice"
        # Each run has a market and paper luck of its own.
        feed = ("--feed", "synthetic", "--speed", SPEED, "--seed", f"{self._seed}-{self.starts}")
        places = ("--state-dir", str(self.places.state), "--socket", str(self.places.socket))
        self._started_at = trio.current_time()
        with self.places.log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [sys.executable, "-P", "-m", "robson", "run", *places, *feed, "--log-level", "warning"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self.starts += 1

    async def protected(self) -> float:
        """Wait until no stop is unwatched any more; gives the seconds since the process was started."""
        with trio.move_on_after(PROTECTED_SECONDS):
            while True:
                self._must_live()
                try:
                    async with connected(self.places.socket) as line:
                        if await _is_protected(line):
                            return trio.current_time() - self._started_at
                except Gone:
                    pass
                # Nothing tells of a socket that appears, nor of a recovery that ends.
                await trio.sleep(_LOOK_SECONDS)
        raise SelftestFailed(f"stops were not watched within {PROTECTED_SECONDS:g} s of a start:\n{self.log_tail()}")

    async def strike(self) -> None:
        """SIGKILL the daemon, which must have lived until then; raises SelftestFailed."""
        self._must_live()
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and wait for the end; harmless when nothing runs."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            await process.wait()

    async def stop(self) -> None:
        """SIGTERM as systemd would; raises SelftestFailed unless it ends in time and with 0."""
        assert self._process is not None, "not running"
        self._process.terminate()
        with trio.move_on_after(STOP_SECONDS):
            code = await self._process.wait()
            self._process = None
            if code == 0:
                return
            raise SelftestFailed(f"robson run ended with {code} when told to stop:\n{self.log_tail()}")
        raise SelftestFailed(f"robson run did not end within {STOP_SECONDS:g} s of SIGTERM:\n{self.log_tail()}")

    async def leave_market(self) -> None:
        """Panic, and wait until nothing is open any more or a person would be needed."""
        with trio.move_on_after(PROTECTED_SECONDS):
            async with connected(self.places.socket) as line:
                await line.ask(PanicResult, "panic")
                while True:
                    status = await line.ask(StatusResult, "status")
                    if all(view.state == "Error" for view in status.positions):
                        return
                    await trio.sleep(_LOOK_SECONDS)

    def log_tail(self) -> str:
        """The last lines that the daemon wrote."""
        try:
            lines = self.places.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:]) or "  (it said nothing)"

    def _must_live(self) -> None:
        assert self._process is not None, "not started"
        code = self._process.poll()
        if code is not None:
            raise SelftestFailed(f"robson run ended with {code} by itself:\n{self.log_tail()}")


async def _is_protected(line: Line) -> bool:
    """Whether the daemon says that every stop is rebuilt and watched."""
    if (await line.ask(HelloResult, "hello")).state == "recovering":
        return False
    return (await line.ask(HealthResult, "health")).checks["monitors"].ok
