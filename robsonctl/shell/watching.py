"""`watch`: a command again and again on the alternate screen, until q."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import ANSI, AnyFormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle

from robsonctl.paint import seconds as length_words
from robsonctl.shell.harmless import harmless
from robsonctl.shell.waiting import bar

_FRAME_ROWS = 2


class Watch:
    """The full screen; `look` gives the text of the moment."""

    def __init__(
        self,
        words: str,
        every_seconds: float,
        look: Callable[[], Awaitable[str]],
        toolbar: Callable[[], AnyFormattedText],
        style: BaseStyle,
        depth: ColorDepth,
    ) -> None:
        self._words = words
        self._every = every_seconds
        self._look = look
        self._lines: list[str] = []
        self._top = 0
        self._at = ""
        self._app: Application[None] = Application(
            layout=Layout(
                HSplit(
                    [
                        Window(FormattedTextControl(self._head), height=1, style="class:bottom-toolbar"),
                        Window(FormattedTextControl(self._body), wrap_lines=False, always_hide_cursor=True),
                        bar(toolbar),
                    ]
                )
            ),
            key_bindings=self._keys(),
            style=style,
            color_depth=depth,
            full_screen=True,
            refresh_interval=1.0,
        )

    async def run(self) -> None:
        """Show it until q."""
        looking = asyncio.ensure_future(self._keep_looking())
        try:
            await self._app.run_async(handle_sigint=False)
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def _keep_looking(self) -> None:
        while True:
            self._lines = harmless(await self._look()).splitlines()
            self._at = f"{datetime.now().astimezone():%H:%M:%S}"
            self._scroll(0)
            self._app.invalidate()
            await asyncio.sleep(self._every)

    def _room(self) -> int:
        return max(1, self._app.output.get_size().rows - _FRAME_ROWS)

    def _scroll(self, lines: int) -> None:
        self._top = max(0, min(self._top + lines, len(self._lines) - self._room()))

    def _head(self) -> AnyFormattedText:
        columns = self._app.output.get_size().columns
        left = f" {self._words}  every {length_words(self._every)}"
        hidden = len(self._lines) - self._room() - self._top
        more = f"  ↓ {hidden} more" if hidden > 0 else ""
        right = f"{self._at}  q leaves "
        room = columns - len(right)
        return [("bold", f"{(left + more)[:room]:<{max(0, room)}}{right}"[:columns])]

    def _body(self) -> AnyFormattedText:
        return ANSI("\n".join(self._lines[self._top : self._top + self._room()]))

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("q")
        @keys.add("Q")
        @keys.add("c-c")
        @keys.add("c-d")
        def leave(event: KeyPressEvent) -> None:
            event.app.exit()

        def scrolling(lines: Callable[[], int]) -> Callable[[KeyPressEvent], None]:
            return lambda event: self._scroll(lines())

        for key, step in (
            ("down", lambda: 1),
            ("j", lambda: 1),
            ("up", lambda: -1),
            ("k", lambda: -1),
            ("pagedown", self._room),
            (" ", self._room),
            ("pageup", lambda: -self._room()),
            ("home", lambda: -len(self._lines)),
            ("end", lambda: len(self._lines)),
        ):
            keys.add(key)(scrolling(step))
        return keys
