"""The real processes of a demonstration: one `robson run`, and a `robsonctl` for everything that is asked of it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

import robson

READY_SECONDS = 10.0
# The daemon promises ten; what it has not done then is cut short.
STOP_SECONDS = 12.0
_LOOK_SECONDS = 0.05
_LOG_LINES = 6
_CHUNK_BYTES = 65_536

# A demonstration is the same whatever the operator has set up; these would lead it to another daemon's places.
_PLACES = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "CONFIGURATION_DIRECTORY")


class DemoFailed(Exception):
    """The demonstration cannot go on; the message says why."""


def calm(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the demonstration's processes: without anything that configures another Robson."""
    return {
        name: value for name, value in environment.items() if not name.startswith("ROBSON_") and name not in _PLACES
    }


def own_code(environment: Mapping[str, str]) -> str:
    """The search path by which a process is this very Robson, whatever the working directory holds."""
    root, others = str(Path(robson.__file__).parents[1]), environment.get("PYTHONPATH")
    return f"{root}{os.pathsep}{others}" if others else root


class Processes:
    """Starts processes that live no longer than the demonstration.

    Each has a session of its own: a Ctrl-C on the terminal reaches the demonstration alone, which then ends them.
    """

    def __init__(self, directory: Path, hurry: trio.Event) -> None:
        """`directory` is the state directory; once `hurry` is set nothing is waited for any more."""
        self.directory = directory
        self.socket = directory / "robson.sock"
        self._log = directory / "daemon.log"
        self._hurry = hurry
        self._environment = {**calm(os.environ), "PYTHONPATH": own_code(os.environ)}

    @asynccontextmanager
    async def daemon(self, feed: Sequence[str]) -> AsyncIterator[trio.Process]:
        """A daemon that is stopped at the end of the block, by SIGTERM as systemd would; raises DemoFailed."""
        command = [sys.executable, "-P", "-m", "robson", "run", "--state-dir", str(self.directory), *feed]
        # Whoever reads the log reads it on the spot or not at all: a blocking write is what the daemon's own is, too.
        with self._log.open("wb") as log:
            process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            await self._stop(process)

    async def ready(self, daemon: trio.Process) -> None:
        """Return once the daemon answers; raises DemoFailed when it has ended or takes too long."""
        with trio.move_on_after(READY_SECONDS):
            while daemon.poll() is None:
                # Nothing tells of a socket that appears; the daemon itself says when it is there.
                if self.socket.is_socket() and (await self._run("hello", "--json")).returncode == 0:
                    return
                await trio.sleep(_LOOK_SECONDS)
            raise DemoFailed(f"robson run ended with {daemon.returncode} at once:\n{self.log_tail()}")
        raise DemoFailed(f"robson run did not answer within {READY_SECONDS:g} s:\n{self.log_tail()}")

    async def watch(self, daemon: trio.Process) -> None:
        """Raise DemoFailed when the daemon ends."""
        code = await daemon.wait()
        raise DemoFailed(f"robson run ended with {code} in the middle of the demonstration:\n{self.log_tail()}")

    async def ask(self, *words: str, allowed: Sequence[int] = (0,)) -> bytes:
        """Run one robsonctl and give what it printed; raises DemoFailed with its words for any other exit code."""
        done = await self._run(*words)
        if done.returncode not in allowed:
            said = (done.stderr or b"").decode("utf-8", "replace").strip()
            raise DemoFailed(f"robsonctl {' '.join(words)} ended with {done.returncode}: {said}")
        return done.stdout or b""

    @asynccontextmanager
    async def conversation(self, *words: str) -> AsyncIterator["Conversation"]:
        """A robsonctl that goes on until the end of the block."""
        process = await trio.lowlevel.open_process(
            self._robsonctl(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        try:
            yield Conversation(process)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                await _close(process)

    def log_tail(self) -> str:
        """The last lines that the daemon wrote."""
        return last_lines(self._log, _LOG_LINES)

    def _robsonctl(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "robsonctl", "--socket", str(self.socket), *words]

    async def _run(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return await trio.run_process(
            self._robsonctl(*words),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=self._environment,
            start_new_session=True,
            deliver_cancel=_kill,
        )

    async def _stop(self, process: trio.Process) -> None:
        process.terminate()
        with trio.move_on_after(STOP_SECONDS, shield=True):
            async with trio.open_nursery() as race:
                race.start_soon(_cut_short, self._hurry, race.cancel_scope)
                await process.wait()
                race.cancel_scope.cancel()
        if process.poll() is None:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


class Conversation:
    """Lines to and from a robsonctl that goes on."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._received = bytearray()

    async def send(self, lines: bytes) -> None:
        """Write to its standard input; what it no longer takes is lost, which the next line tells."""
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(lines)
        except trio.BrokenResourceError:
            return

    async def line(self) -> bytes:
        """The next line, empty once it has ended."""
        assert self._process.stdout is not None
        while (end := self._received.find(b"\n")) < 0:
            chunk = await self._process.stdout.receive_some(_CHUNK_BYTES)
            if not chunk:
                return b""
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


async def _cut_short(hurry: trio.Event, waiting: trio.CancelScope) -> None:
    await hurry.wait()
    waiting.cancel()


async def _kill(process: trio.Process) -> None:
    process.kill()


async def _close(process: trio.Process) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await stream.aclose()


def last_lines(log: Path, count: int) -> str:
    """The last lines of a process's log, indented, as part of a message."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(f"  {line}" for line in lines[-count:]) or "  (it said nothing)"
