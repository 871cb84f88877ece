"""What stands in the prompt's place while a command waits: the toolbar lives on, and Ctrl-C ends the waiting."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from prompt_toolkit.application import Application
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle

_REFRESH_SECONDS = 0.5


def bar(toolbar: Callable[[], AnyFormattedText]) -> Window:
    """The toolbar as a window of one line."""
    return Window(FormattedTextControl(toolbar), height=1, style="class:bottom-toolbar", dont_extend_height=True)


class Waiting:
    """A line that counts the seconds; what is typed meanwhile is kept for the next prompt."""

    def __init__(
        self,
        words: str,
        toolbar: Callable[[], AnyFormattedText],
        interrupt: Callable[[], None],
        style: BaseStyle,
        depth: ColorDepth,
    ) -> None:
        self._words = words
        self._begun = asyncio.get_running_loop().time()
        self._typed: list[KeyPress] = []
        self._interrupted = False
        self._over = False
        self._app: Application[None] = Application(
            layout=Layout(HSplit([Window(FormattedTextControl(self._line), height=1), Window(), bar(toolbar)])),
            key_bindings=self._keys(interrupt),
            style=style,
            color_depth=depth,
            refresh_interval=_REFRESH_SECONDS,
            erase_when_done=True,
        )
        self._task = asyncio.ensure_future(self._app.run_async(handle_sigint=False))

    async def end(self) -> None:
        """Give the screen back."""
        self._over = True
        if self._app.is_running and not self._app.is_done:
            self._app.exit()
        with suppress(EOFError):
            await self._task
        store_typeahead(self._app.input, self._typed)

    def _line(self) -> AnyFormattedText:
        past = int(asyncio.get_running_loop().time() - self._begun)
        told = "no longer waiting" if self._interrupted else "Ctrl-C stops waiting"
        return [("", f"… {self._words}, {past} s; {told}")]

    def _keys(self, interrupt: Callable[[], None]) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c", eager=True)
        def stop(event: KeyPressEvent) -> None:
            self._interrupted = True
            self._typed.clear()
            interrupt()

        @keys.add(Keys.Any, filter=Condition(lambda: not self._over))
        def keep(event: KeyPressEvent) -> None:
            self._typed += event.key_sequence

        @keys.add("enter")
        @keys.add("c-d")
        def keep_this(event: KeyPressEvent) -> None:
            self._typed += event.key_sequence

        return keys
