"""A command on a thread of its own, so that the toolbar lives and Ctrl-C ends the waiting, not the shell."""

import asyncio
import io
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from robsonctl.exits import Ended, Exit

Ask = Callable[[str], Awaitable[str]]


class Voice(io.TextIOBase):
    """What a command writes: kept until it ends, or given away line by line."""

    def __init__(self, line: Callable[[str], None] | None = None) -> None:
        self._line = line
        self._text: list[str] = []

    def write(self, text: str, /) -> int:
        """Take text; a text that is not kept is given away as soon as its line is whole."""
        self._text.append(text)
        if self._line is not None and "\n" in text:
            whole, _, rest = self.taken().rpartition("\n")
            self._text.append(rest)
            self._line(whole)
        return len(text)

    def taken(self) -> str:
        """What was kept; it is kept no longer."""
        text = "".join(self._text)
        self._text.clear()
        return text

    @property
    def encoding(self) -> str:  # type: ignore[override]  # None, for typeshed
        """What the terminal behind it shows."""
        return (sys.__stdout__ and sys.__stdout__.encoding) or "ascii"

    def isatty(self) -> bool:
        """Behind it is a person."""
        return True

    def writable(self) -> bool:
        """It is there to be written to."""
        return True


class Listener(io.TextIOBase):
    """What a command reads: the person is asked, with what the command has just written as the question."""

    def __init__(self, voice: Voice, ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        self._voice = voice
        self._ask = ask
        self._loop = loop

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]  # bytes or text, for typeshed
        """The person's answer; empty, as at the end of a file, when there is none."""
        question = asyncio.run_coroutine_threadsafe(self._answer(self._voice.taken()), self._loop)
        return question.result()

    async def _answer(self, question: str) -> str:
        return await self._ask(question)

    def isatty(self) -> bool:
        """Behind it is a person."""
        return True

    def readable(self) -> bool:
        """It is there to be read from."""
        return True


class Run:
    """One command under way; `done` has its exit code, or what ended it."""

    def __init__(self, action: Callable[[], int], interrupt: Callable[[], None], voice: Voice, ask: Ask) -> None:
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[int | Ended] = loop.create_future()
        self.voice = voice
        self._interrupt = interrupt
        self._action = action
        self._loop = loop
        self._listener = Listener(voice, ask, loop)

    def start(self) -> None:
        """Begin; ends by itself, or soon after `interrupt`."""
        threading.Thread(target=self._work, name="command", daemon=True).start()

    def interrupt(self) -> None:
        """End the waiting for the daemon: what was sent goes on there."""
        self._interrupt()

    def _work(self) -> None:
        end: int | Ended
        try:
            with _speaking(self.voice, self._listener):
                end = self._action()
        except Ended as fault:
            end = fault
        except KeyboardInterrupt:
            end = Ended(Exit.INTERRUPTED, "interrupted")
        except Exception as fault:  # noqa: BLE001 - a command's bug must not end the shell
            end = Ended(Exit.REFUSED, f"{type(fault).__name__}: {fault}", code="bug", hint="this is a bug of robsonctl")
        self._loop.call_soon_threadsafe(self._finish, end)

    def _finish(self, end: int | Ended) -> None:
        if not self.done.done():
            self.done.set_result(end)


@contextmanager
def _speaking(voice: Voice, listener: Listener) -> Iterator[None]:
    """Commands write to standard output and read standard input: here these are the shell's."""
    stdin = sys.stdin
    sys.stdin = listener
    try:
        with redirect_stdout(voice), redirect_stderr(voice):
            yield
    finally:
        sys.stdin = stdin
