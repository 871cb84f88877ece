"""The wait for a command: nothing at first, then a line that counts; a question of the command comes between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle

from robsonctl.exits import Ended
from robsonctl.shell.running import Run, Voice
from robsonctl.shell.waiting import Waiting

# Answers that come sooner need no line that says that they are waited for.
_AT_ONCE_SECONDS = 0.3


class Attendance:
    """Attends one command after another; `ask` puts a question to the person."""

    def __init__(
        self,
        toolbar: Callable[[], AnyFormattedText],
        style: BaseStyle,
        depth: ColorDepth,
        ask: Callable[[str], Awaitable[str]],
        *,
        drawn: bool,
    ) -> None:
        self._toolbar = toolbar
        self._style = style
        self._depth = depth
        self._put = ask
        self._drawn = drawn
        self._run: Run | None = None
        # Whoever draws at the place of the prompt: the line that counts, or a question.
        self._screen = asyncio.Lock()
        self._give_way = asyncio.Event()

    def interrupt(self) -> None:
        """End the waiting for the command under way, if there is one."""
        if self._run is not None:
            self._run.interrupt()

    async def attend(
        self, action: Callable[[], int], interrupt: Callable[[], None], voice: Voice, words: str
    ) -> int | Ended:
        """Run the command to its end; gives its exit code, or what ended it."""
        run = self._run = Run(action, interrupt, voice, self._ask)
        run.start()
        try:
            while not run.done.done():
                await asyncio.wait({run.done}, timeout=_AT_ONCE_SECONDS if self._drawn else None)
                async with self._screen:
                    if not run.done.done():
                        await self._wait_visibly(run, words)
        finally:
            self._run = None
        return run.done.result()

    async def _wait_visibly(self, run: Run, words: str) -> None:
        waiting = Waiting(words, self._toolbar, run.interrupt, self._style, self._depth)
        asked = asyncio.ensure_future(self._give_way.wait())
        try:
            either: set[asyncio.Future[Any]] = {run.done, asked}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            await waiting.end()

    async def _ask(self, question: str) -> str:
        self._give_way.set()
        async with self._screen:
            self._give_way.clear()
            return await self._put(question)
