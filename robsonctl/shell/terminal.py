"""The one writer on the terminal: above the prompt, in order, and not while something else has the screen."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TextIO

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.utils import is_dumb_terminal

from robsonctl.shell.harmless import harmless, width

# Lines of news that may wait while a pager or a full screen is up; older ones are only counted.
_WAITING_MAX = 200
_LINES_KEPT_FREE = 2


class Terminal:
    """Writes text, and pages what is longer than the window."""

    def __init__(self, stdout: TextIO, environment: Mapping[str, str]) -> None:
        self._stdout = stdout
        self._environment = environment
        self.dumb = is_dumb_terminal(environment.get("TERM", ""))
        self._news: list[str] = []
        self._dropped = 0
        self._holders = 0
        self._stir = asyncio.Event()
        self._turn = asyncio.Lock()

    def columns(self) -> int:
        """The width of the window, at least 20."""
        return max(20, self._size()[0])

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stdout.fileno())
        except (OSError, ValueError):
            return 80, 24
        return size.columns or 80, size.lines or 24

    async def write(self, text: str) -> None:
        """Write text above the prompt, if there is one, with what a terminal would obey made harmless."""
        shown = harmless(text)

        def put() -> None:
            self._stdout.write(shown + "\n")
            self._stdout.flush()

        async with self._turn:
            if self.dumb:
                put()
            else:
                await run_in_terminal(put)

    async def show(self, text: str) -> None:
        """Write a result, through the pager when it is longer than the window."""
        pager = self._pager() if self._taller(text) else []
        if not pager or not await self._page(pager, harmless(text)):
            await self.write(text)

    def tell(self, line: str) -> None:
        """Write a line of news as soon as the screen is free."""
        self._news.append(line)
        if len(self._news) > _WAITING_MAX:
            self._dropped += 1
            del self._news[0]
        self._stir.set()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """While this lasts, news wait."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._stir.set()

    async def run(self) -> None:
        """Write the news until cancelled."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            if not self._holders:
                await self.write_news()

    async def write_news(self) -> None:
        """Write what waits."""
        if not self._news:
            return
        lines, self._news = self._news, []
        if self._dropped:
            lines.insert(0, f"… {self._dropped} events passed: `events -n {self._dropped + len(lines)}`")
            self._dropped = 0
        await self.write("\n".join(lines))

    def _taller(self, text: str) -> bool:
        columns, rows = self._size()
        taken = sum(max(1, -(-width(line) // max(1, columns))) for line in text.splitlines())
        return not self.dumb and self._stdout.isatty() and taken > rows - _LINES_KEPT_FREE

    def _pager(self) -> list[str]:
        """`$PAGER` as words, never through a shell; `less` without it; nothing when it is empty or not there."""
        try:
            words = shlex.split(self._environment.get("PAGER", "less"))
        except ValueError:
            return []
        return words if words and shutil.which(words[0], path=self._environment.get("PATH")) else []

    async def _page(self, pager: list[str], text: str) -> bool:
        # Colours pass, the screen is left alone, and nobody runs a command or opens a file from within the pager.
        environment = {**self._environment, "LESSSECURE": "1"}
        environment.setdefault("LESS", "-FRX")
        environment.setdefault("LV", "-c")
        async with self.held(), self._turn:
            try:
                running = await asyncio.create_subprocess_exec(*pager, stdin=asyncio.subprocess.PIPE, env=environment)
            except OSError:
                return False
            with suppress(BrokenPipeError, ConnectionResetError):
                await running.communicate(text.encode() + b"\n")
            await running.wait()
        return True


def real_stdout() -> TextIO:
    """Standard output as it was before anybody redirected it."""
    assert sys.__stdout__ is not None
    return sys.__stdout__
