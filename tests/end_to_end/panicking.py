"""`robson panic` and `robsonctl panic` as processes of their own, also on a terminal, and what they leave behind."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.end_to_end import evidence
from tests.end_to_end.daemon import Daemon, environment

# An entry in doubt is believed to be absent after half a minute; a loaded machine must not fail a test.
DIRECT_SECONDS = 240.0
ROBSONCTL = (str(Path(sys.executable).with_name("robsonctl")),)
ROBSON = (sys.executable, "-m", "robson")


def direct(
    program: Sequence[str], *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that panics without a daemon, to its end."""
    return subprocess.run(
        [*program, *arguments],
        env=environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DIRECT_SECONDS,
        check=False,
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What became of each position, by id, from `-o json`."""
    result = json.loads(done.stdout)
    assert result["latched"] is True
    return {position["position_id"]: position["outcome"] for position in result["positions"]}


def is_latched(state: Path) -> bool:
    """Whether the latch is on disk."""
    return evidence.rows(state / "robson.db", "SELECT latched FROM latches WHERE name = 'panic'") == [(1,)]


def assert_over(running: Daemon, expected: Mapping[str, str]) -> None:
    """Started again it is latched, has nothing open, and its files tell one story; `expected` is the exit reasons."""
    running.start()
    status = running.ok("status", all=True)
    assert status["panic_latched"] is True
    assert {view["position_id"]: view["exit_reason"] for view in status["positions"]} == expected
    assert {view["state"] for view in status["positions"]} == {"Closed"}
    assert running.error("arm", symbol="BTCUSDT", side="long", strategy="signal")["code"] == "panic_latched"


def ask_on_terminal(command: Sequence[str], typed: bytes, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a program on a terminal of its own, type once it asks; its exit code and all that it showed."""
    near, far = pty.openpty()
    process = subprocess.Popen(list(command), env=dict(env), stdin=far, stdout=far, stderr=far, start_new_session=True)
    os.close(far)
    shown = bytearray()
    deadline = time.monotonic() + DIRECT_SECONDS
    has_typed = False
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([near], [], [], 1.0)
            chunk = b""
            if ready:
                # Linux says so when the other end is closed.
                with suppress(OSError):
                    chunk = os.read(near, 65_536)
                if not chunk:
                    break
            shown += chunk
            if not has_typed and b" to go on: " in shown:
                has_typed = True
                os.write(near, typed)
        return process.wait(DIRECT_SECONDS), shown.decode("utf-8", "replace")
    finally:
        os.close(near)
        if process.poll() is None:
            process.kill()
            process.wait()


def tables(text: str) -> list[list[str]]:
    """The lines that a program printed, in words."""
    return [line.split() for line in text.splitlines()]


Json = dict[str, Any]
