"""The interactive shell: what is alive while somebody sits at it, and how it begins and ends."""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from datetime import datetime

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, get_app_or_none
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.input import create_input
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.plain_text import PlainTextOutput
from prompt_toolkit.styles import BaseStyle, DynamicStyle
from prompt_toolkit.utils import is_dumb_terminal

import robson
from robson.protocol.results import EventLine
from robsonctl.exits import Exit
from robsonctl.obeying import locating
from robsonctl.paint import Paint, wants_colour
from robsonctl.shell.attendance import Attendance
from robsonctl.shell.completion import Completions
from robsonctl.shell.harmless import folded
from robsonctl.shell.history import history_path, open_history
from robsonctl.shell.lines import Grammar
from robsonctl.shell.link import Link
from robsonctl.shell.look import depth, look
from robsonctl.shell.news import Level, news_text, wanted
from robsonctl.shell.obedience import Obedience
from robsonctl.shell.picture import Picture
from robsonctl.shell.terminal import Terminal, real_stdout
from robsonctl.shell.toolbar import toolbar


def converse(options: argparse.Namespace) -> int:
    """Hold the conversation until the person leaves; the options hold for every command in it."""
    stdout = real_stdout()
    output: Output = PlainTextOutput(stdout) if is_dumb_terminal() else create_output(stdout)
    with create_app_session(input=create_input(sys.__stdin__), output=output):
        return asyncio.run(Conversation(options).run())


class Conversation:
    """The prompt, the toolbar, the news above, and one command at a time."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.environment = dict(os.environ)
        self.options = options
        self.coloured = wants_colour(options.color, self.environment, terminal=True)
        self.paint = Paint(coloured=self.coloured)
        self.depth = depth(coloured=self.coloured)
        self.grammar = Grammar(options)
        self.picture = Picture()
        self.level: Level = "on"
        self.terminal = Terminal(real_stdout(), self.environment)
        history, self._complaint = open_history(history_path(self.environment))
        self._prompt: PromptSession[str] = PromptSession(
            self.words,
            history=history,
            completer=Completions(self.grammar, self.picture),
            auto_suggest=AutoSuggestFromHistory(),
            complete_while_typing=True,
            reserve_space_for_menu=6,
            bottom_toolbar=self.bar,
            refresh_interval=1.0,
            style=DynamicStyle(self.style),
            color_depth=self.depth,
            mouse_support=False,
        )
        self._question: PromptSession[str] = PromptSession(
            bottom_toolbar=self.bar, refresh_interval=1.0, style=DynamicStyle(self.style), color_depth=self.depth
        )
        self.link = Link(locating(options), self.picture, told=self._told, skipped=self._skipped, changed=self._changed)
        self._attendance = Attendance(
            self.bar, DynamicStyle(self.style), self.depth, self.ask, drawn=not self.terminal.dumb
        )
        self._obedience = Obedience(self, self._attendance)
        self._leaving = False

    async def run(self) -> int:
        """Read lines and obey them until Ctrl-D; returns the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._attendance.interrupt)
        for ending in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(ending, self._end)
        alive = [asyncio.ensure_future(work) for work in (self.link.run(), self.terminal.run())]
        for task in alive:
            task.add_done_callback(self._failed)
        try:
            await self._greet()
            await self._read_on()
        finally:
            for task in alive:
                task.cancel()
            await asyncio.gather(*alive, return_exceptions=True)
        return Exit.OK

    async def _greet(self) -> None:
        words = f"robsonctl {robson.__version__}: `help` tells the commands, Tab completes, Ctrl-D leaves."
        text = "\n".join(filter(None, (words, self._complaint)))
        await self.terminal.write(folded(text, self.terminal.columns()))

    async def _read_on(self) -> None:
        while not self._leaving:
            await self.terminal.write_news()
            try:
                line = await self._next_line()
                if not line.strip():
                    continue
                if not await self._obedience.obey(line):
                    return
            except KeyboardInterrupt:
                continue
            except EOFError:
                return

    async def _next_line(self) -> str:
        if not self.terminal.dumb:
            return await self._prompt.prompt_async(handle_sigint=False)
        # Nothing can be drawn above a line that is being typed: news wait for the end of it.
        async with self.terminal.held():
            return await self._prompt.prompt_async(handle_sigint=False)

    async def ask(self, question: str) -> str:
        """What the person answers to a question of a command; empty for Ctrl-C and Ctrl-D."""
        before, _, last = question.rpartition("\n")
        if before:
            await self.terminal.write(before)
        self._question.message = [("class:prompt", last)]
        with suppress(KeyboardInterrupt, EOFError):
            return await self._question.prompt_async(handle_sigint=False) + "\n"
        return ""

    def words(self) -> AnyFormattedText:
        """The prompt."""
        return [("class:prompt", f"robson[{self.picture.mode}]> ")]

    def bar(self) -> AnyFormattedText:
        """The toolbar as it is now."""
        return toolbar(
            self.picture,
            loop_time=asyncio.get_running_loop().time(),
            local_time=datetime.now().astimezone(),
            columns=self.terminal.columns(),
        )

    def style(self) -> BaseStyle:
        """The colours as the mode asks for them."""
        return look(self.picture.mode, coloured=self.coloured)

    def _told(self, event: EventLine) -> None:
        if wanted(event, self.level):
            line = news_text(event, self.picture.symbol_of(event.position_id), self.paint)
            self.terminal.tell(folded(line, self.terminal.columns()))
        if event.event != "trailing_stop_updated":
            self.link.look_soon()

    def _skipped(self, count: int) -> None:
        if self.level != "off":
            self.terminal.tell(f"… {count} events passed meanwhile: `events` lists them")

    def _changed(self) -> None:
        self._prompt.app.invalidate()

    def _failed(self, task: "asyncio.Future[None]") -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.picture.connected = False
            self.picture.trouble = f"bug of robsonctl: {type(fault).__name__}: {fault}"

    def _end(self) -> None:
        """Leave as if Ctrl-D had been typed, so that the terminal is given back as it was."""
        self._leaving = True
        self._attendance.interrupt()
        app = get_app_or_none()
        if app is not None and app.is_running and not app.is_done:
            app.exit(exception=EOFError())
