"""Standard output in the hands of a shell: full, closed, cut short, a terminal; and a daemon that restarts."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("out") / "state", "--feed", "synthetic") as started:
        started.arm("SOLUSDT")
        yield started


def environment(running: Daemon) -> dict[str, str]:
    return {**running.env, "ROBSON_SOCKET": str(running.socket)}


def in_bash(running: Daemon, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line.replace("robsonctl", f"{sys.executable} -m robsonctl")],
        env=environment(running),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("robsonctl status >/dev/full", "74 No space left on device"),
        ("robsonctl status >&-", "74 Bad file descriptor"),
        ("robsonctl ping --json >/dev/full", "74 No space left on device"),
        ("""echo '{"cmd":"ping"}' | robsonctl >/dev/full""", "74 No space left on device"),
        ("""echo '{"cmd":"ping"}' | robsonctl >&-""", "74 Bad file descriptor"),
        ("robsonctl version <&- >/dev/null", "0"),
        ("robsonctl ping >&- 2>&-", "74"),
    ],
)
def test_an_output_that_takes_nothing(running: Daemon, line: str, said: str) -> None:
    ended = in_bash(running, f"{line}; echo code $?")
    code, _, words = said.partition(" ")
    assert ended.stdout == f"code {code}\n"
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("command", ["schema", "events -o csv", "status", "status --watch 0.05 -o jsonl"])
def test_a_reader_that_has_seen_enough(running: Daemon, command: str) -> None:
    ended = in_bash(running, f"robsonctl {command} | head -c 1; echo code ${{PIPESTATUS[0]}}")
    assert ended.stdout.endswith("code 0\n")
    assert ended.stderr == ""


def test_watching_outlives_a_restart_of_the_daemon(running: Daemon) -> None:
    command = [sys.executable, "-m", "robsonctl", "status", "--watch", "0.05", "--json"]
    with subprocess.Popen(
        command, env=environment(running), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert json.loads(watching.stdout.readline())["mode"] == "paper"
        running.kill()
        # It is said once, with what is done about it.
        assert watching.stderr.readline().startswith("robsonctl: ")
        assert "waiting for it" in watching.stderr.readline()
        running.start()
        said = watching.stderr.readline()
        while "answers again" not in said:
            assert said
            said = watching.stderr.readline()
        assert json.loads(watching.stdout.readline())["mode"] == "paper"
        watching.send_signal(signal.SIGINT)
        _, rest = watching.communicate(timeout=PATIENCE_SECONDS)
    assert watching.returncode == 130
    assert "Traceback" not in rest


def screen(running: Daemon, columns: int, *arguments: str) -> str:
    """What a command writes on a terminal so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in environment(running).items() if name not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-m", "robsonctl", *arguments], env={**env, "TERM": "xterm"}, stdout=theirs
    ) as showing:
        os.close(theirs)
        seen, deadline = b"", time.monotonic() + 2 * PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                try:
                    chunk = os.read(ours, 65_536)
                except OSError:
                    break
                seen += chunk
                if seen.count(b"\x1b[H") > 2:
                    # Impatiently, as people do: what comes after the first must not turn its end into a death.
                    for _ in range(5):
                        showing.send_signal(signal.SIGINT)
                        select.select([], [], [], 0.002)
        os.close(ours)
    assert showing.returncode in {0, 130}
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_is_not_run_over(running: Daemon, columns: int) -> None:
    shown = screen(running, columns, "status", "--color", "never")
    assert max(map(len, shown.splitlines())) <= columns
    assert "SOLUSDT" in shown
    assert ("POSITION                          SYMBOL" in shown) is (columns == 200)


def test_watching_repaints_a_terminal_and_ends_with_ctrl_c(running: Daemon) -> None:
    shown = screen(running, 80, "health", "--watch", "0.05")
    assert shown.count("\x1b[H\x1b[2J") >= 3
    assert "\x1b[32mok\x1b[0m" in shown
