"""One program of this package that is started, killed and started again."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from robson.commands.demo.processes import calm, last_lines, own_code

STOP_SECONDS = 12.0
_LOG_LINES = 12


class SelftestFailed(Exception):
    """The test cannot go on; the message says why."""


class Child:
    """`robson NAME`, at most one at a time; what it prints goes to a log, and nothing configures it but its words."""

    def __init__(self, name: str, log: Path, settings: Mapping[str, str]) -> None:
        """`settings` are environment variables."""
        self.starts = 0
        self.started_at = 0.0
        self._name = name
        self._log = log
        self._environment = {**calm(os.environ), **settings, "PYTHONPATH": own_code(os.environ)}
        self._process: trio.Process | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended since."""
        return self._process is not None and self._process.poll() is None

    async def start(self, *words: str, settings: Mapping[str, str] | None = None) -> None:
        """Start the next one, in a session of its own: a Ctrl-C on the terminal reaches the test alone."""
        assert not self.is_running, "started twice"
        self.started_at = trio.current_time()
        with self._log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [sys.executable, "-P", "-m", "robson", self._name, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, **(settings or {})},
                start_new_session=True,
            )
        self.starts += 1

    async def strike(self) -> None:
        """SIGKILL what must have lived until then; raises SelftestFailed."""
        self.must_live()
        await self.kill()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Whatever was started in the block is killed at its end."""
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
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
            raise SelftestFailed(f"robson {self._name} ended with {code} when told to stop:\n{self.log_tail()}")
        raise SelftestFailed(
            f"robson {self._name} did not end within {STOP_SECONDS:g} s of SIGTERM:\n{self.log_tail()}"
        )

    def must_live(self) -> None:
        """Raise SelftestFailed when it has ended by itself."""
        assert self._process is not None, "not started"
        code = self._process.poll()
        if code is not None:
            raise SelftestFailed(f"robson {self._name} ended with {code} by itself:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return last_lines(self._log, _LOG_LINES)
