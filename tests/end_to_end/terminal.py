"""A person at a terminal: `robsonctl` in a real pseudo-terminal, its screen as a terminal would show it."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pyte

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon

# How long one look at the terminal waits for something new.
_GLANCE_SECONDS = 0.2


class Screen(pyte.HistoryScreen):
    """pyte's screen, which answers the terminal's questions and knows the alternate screen."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, lines, history=2000, ratio=0.5)
        self._answer = answer
        self.alternate = False

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def set_mode(self, *modes: int, **private: Any) -> None:
        self.alternate |= 1049 in modes
        super().set_mode(*modes, **private)

    def reset_mode(self, *modes: int, **private: Any) -> None:
        if 1049 in modes:
            self.alternate = False
            self.erase_in_display(2)
        super().reset_mode(*modes, **private)


class Person:
    """Types, looks at the screen, and waits for what stands on it: never for a time."""

    def __init__(self, command: str, arguments: list[str], env: Mapping[str, str], columns: int, lines: int) -> None:
        self.child: Any = pexpect.spawn(command, arguments, env=dict(env), dimensions=(lines, columns), timeout=None)
        self.child.delaybeforesend = None
        self.screen = Screen(columns, lines, self.type)
        self._stream = pyte.ByteStream(self.screen)
        self.octets = b""

    def type(self, text: str) -> None:
        """Type without Enter."""
        self.child.send(text)

    def enter(self, line: str) -> None:
        """Type a line."""
        self.child.send(line + "\r")

    def resize(self, columns: int, lines: int) -> None:
        """Drag the window's corner."""
        self.screen.resize(lines, columns)
        self.child.setwinsize(lines, columns)

    def glance(self) -> bool:
        """Take in what has come; False once the program has gone."""
        try:
            octets: bytes = self.child.read_nonblocking(65_536, _GLANCE_SECONDS)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.octets += octets
        self._stream.feed(octets)
        return True

    def display(self) -> list[str]:
        """The screen's lines."""
        return [line.rstrip() for line in self.screen.display]

    def text(self) -> str:
        """What has scrolled away, and the screen."""
        past = ["".join(row[x].data for x in range(self.screen.columns)).rstrip() for row in self.screen.history.top]
        return "\n".join([*past, *self.display()])

    def toolbar(self) -> str:
        """The lowest line that holds anything."""
        return next((line for line in reversed(self.display()) if line), "")

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Look until the condition holds of the screen."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            alive = self.glance()
            assert alive or condition(), f"the program ended while waiting for {what}\n" + "\n".join(self.display())
            assert time.monotonic() < deadline, f"waited for {what}\n" + "\n".join(self.display())

    def see(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern stands somewhere on the screen or above it; the match."""
        self.wait_for(lambda: re.search(pattern, self.text()), pattern)
        found = re.search(pattern, self.text())
        assert found
        return found

    def see_now(self, pattern: str) -> None:
        """Wait until the pattern stands on the screen itself."""
        self.wait_for(lambda: re.search(pattern, "\n".join(self.display())), pattern)

    def see_toolbar(self, pattern: str) -> None:
        """Wait until the toolbar matches."""
        self.wait_for(lambda: re.search(pattern, self.toolbar()), f"the toolbar: {pattern}")

    def see_prompt(self) -> None:
        """Wait until the cursor stands behind an empty prompt."""
        self.wait_for(lambda: re.fullmatch(r"(robson\[.+\]>|\$)", self.line()), "an empty prompt")

    def line(self) -> str:
        """The line in which the cursor stands."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    def ended(self) -> int | None:
        """Wait for the program's end; its exit code."""
        self.wait_for(lambda: not self.glance(), "the end")
        self.child.wait()
        status: int | None = self.child.exitstatus
        return status

    def close(self) -> None:
        """Take the terminal away."""
        self.child.close(force=True)


def surroundings(running: Daemon, home: Path, **extra: str) -> dict[str, str]:
    """The environment of somebody who sits before that daemon."""
    env = {**running.env, "ROBSON_SOCKET": str(running.socket), "XDG_STATE_HOME": str(home), "HOME": str(home)}
    env |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PAGER": "cat", **extra}
    if not env["NO_COLOR"]:
        del env["NO_COLOR"]
    return env


@contextmanager
def person(
    running: Daemon, home: Path, *arguments: str, columns: int = 80, lines: int = 24, **extra: str
) -> Iterator[Person]:
    """Somebody at the shell of that daemon."""
    sitting = Person(
        sys.executable, ["-m", "robsonctl", *arguments], surroundings(running, home, **extra), columns, lines
    )
    try:
        yield sitting
    finally:
        sitting.close()
