"""What the shell does with a line: its own commands, and those that every robsonctl has."""

import argparse
import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle

from robson.domain.errors import RuleError
from robsonctl.connection import Daemon
from robsonctl.exits import Ended, Exit
from robsonctl.obeying import locating
from robsonctl.paint import Paint, wants_colour
from robsonctl.session import Session
from robsonctl.shell import guide
from robsonctl.shell.attendance import Attendance
from robsonctl.shell.harmless import folded
from robsonctl.shell.lines import Grammar, Told
from robsonctl.shell.link import Link
from robsonctl.shell.near import whole
from robsonctl.shell.news import Level
from robsonctl.shell.own import OWN
from robsonctl.shell.picture import Picture
from robsonctl.shell.records import Records
from robsonctl.shell.running import Run, Voice
from robsonctl.shell.terminal import Terminal
from robsonctl.shell.watching import Watch
from robsonctl.shell.words import commands_of

_WATCH_SECONDS = 2.0
_WATCHABLE = frozenset({"status", "health", "show", "why", "journal", "events", "plan", "hello", "version", "ping"})
_RECORDED = frozenset({"status", "why"})
_UPRIGHT = ("auto", "on", "off")


class Shell(Protocol):
    """What obedience needs of the conversation."""

    environment: dict[str, str]
    grammar: Grammar
    picture: Picture
    terminal: Terminal
    link: Link
    level: Level
    paint: Paint
    depth: ColorDepth

    async def ask(self, question: str) -> str:
        """The person's answer."""

    def bar(self) -> AnyFormattedText:
        """The toolbar."""

    def style(self) -> BaseStyle:
        """The colours."""


class Obedience:
    """Obeys one line at a time."""

    def __init__(self, shell: Shell, attendance: Attendance) -> None:
        self._shell = shell
        self._attendance = attendance
        self._upright = "auto"
        # The last change whose outcome is unknown, with its key.
        self._doubtful: argparse.Namespace | None = None

    async def obey(self, line: str) -> bool:
        """Obey the commands of a line, up to the first that fails; False to leave the shell."""
        try:
            for words in commands_of(line):
                if not await self._one(words):
                    return False
        except Ended as end:
            await self._complain(end)
        except Told as told:
            await self._shell.terminal.show(told.text)
        return True

    async def _complain(self, end: Ended) -> None:
        if not end.message:
            return
        code = f" ({end.code})" if end.code not in {"", "usage"} else ""
        lines = [self._shell.paint("red", end.message + code)]
        lines += [f"  {end.hint}"] if end.hint else []
        text = _without_program("\n".join(lines))
        await self._shell.terminal.write(folded(text, self._shell.terminal.columns()))

    async def _one(self, words: list[str]) -> bool:
        """Raises Ended when the command failed."""
        if words[0] == "robsonctl" and len(words) > 1:
            words = words[1:]
        name = self._name(words[0])
        match [name, *words[1:]]:
            case ["exit" | "quit", *_]:
                return False
            case ["help", *topics]:
                await self._help(topics)
            case ["events", "on" | "off" | "warn" as level]:
                self._shell.level = level
                await self._shell.terminal.write(f"events above the prompt: {level}")
            case ["\\x", *choice]:
                await self._turn(choice)
            case ["again"]:
                await self._again()
            case ["watch", *rest]:
                await self._watch(rest)
            case _:
                await self._command(self._shell.grammar.parse([name, *words[1:]]), name)
        return True

    def _name(self, word: str) -> str:
        match word:
            case "\\q":
                return "exit"
            case "\\?":
                return "help"
            case _:
                return whole(word, {*self._shell.grammar.verbs, *OWN}, "command")

    async def _help(self, topics: list[str]) -> None:
        columns = self._shell.terminal.columns()
        grammar = self._shell.grammar
        await self._shell.terminal.show(
            guide.topic(grammar, self._name(topics[0])) if topics else guide.overview(grammar, columns)
        )

    async def _turn(self, choice: list[str]) -> None:
        wanted = choice[0] if choice else ("off" if self._upright == "on" else "on")
        if wanted not in _UPRIGHT:
            raise Ended(Exit.USAGE, f"\\x was {wanted!r}, which must be auto, on or off", code="usage")
        self._upright = wanted
        told = {"auto": "as the width of the window asks for", "on": "one field under the other", "off": "tables"}
        await self._shell.terminal.write(f"results: {told[wanted]}")

    async def _again(self) -> None:
        if self._doubtful is None:
            raise Ended(Exit.USAGE, "there is no change whose outcome is unknown", code="usage")
        await self._command(self._doubtful, self._doubtful.command)

    async def _command(self, options: argparse.Namespace, words: str) -> None:
        if getattr(options, "watch", None) is not None:
            await self._watching(options, words, options.watch)
            return
        if getattr(options, "direct", False):
            raise Ended(
                Exit.USAGE,
                "panic --direct runs another program, which needs the terminal to itself",
                code="usage",
                hint="leave with Ctrl-D, then: robsonctl panic --direct",
            )
        if getattr(options, "key", "") is None:
            # Known here, so that the same change can be asked for again.
            options.key = os.urandom(16).hex()
        end, text = await self._attended(options, words)
        self._shell.link.hurry()
        if text:
            await self._shell.terminal.show(_without_program(text) if options.form == "table" else text)
        if isinstance(end, Ended):
            if end.code == "outcome_unknown":
                self._doubtful = options
                end.hint = "look with `status`; `again` repeats it with the same key, so that it is done at most once"
            raise end
        if options is self._doubtful:
            self._doubtful = None
        if end:
            # It has said itself what is wrong; the rest of the line is not obeyed.
            raise Ended(Exit(end), "")

    async def _attended(self, options: argparse.Namespace, words: str) -> tuple[int | Ended, str]:
        """How the command ended, and what it wrote."""
        follow = bool(getattr(options, "follow", False))
        voice = Voice(self._streamed() if follow else None)
        action, interrupt = self._prepared(options)
        level = self._shell.level
        if follow:
            # What it lists needs no telling twice.
            self._shell.level = "off"
        try:
            end = await self._attendance.attend(action, interrupt, voice, words)
        finally:
            self._shell.level = level
        return end, voice.taken().rstrip("\n")

    def _prepared(self, options: argparse.Namespace) -> tuple[Callable[[], int], Callable[[], None]]:
        """The command on a connection of its own, and what wakes it."""
        daemon = Daemon(locating(options), options.timeout)
        # What does not fit is written record by record; what has no records is fitted to the window.
        paint = Paint(
            coloured=wants_colour(options.color, self._shell.environment, terminal=True),
            width=None if options.command in _RECORDED else self._shell.terminal.columns(),
        )
        output = Records(options.form, paint, self._upright, self._shell.terminal.columns)
        run: Callable[[Session], int] = options.run

        def action() -> int:
            with daemon:
                try:
                    return run(Session(daemon, output, paint, options))
                except RuleError as refusal:
                    raise Ended(Exit.REFUSED, refusal.message, code=refusal.code, hint=refusal.hint) from refusal

        return action, daemon.interrupt

    def _streamed(self) -> Callable[[str], None]:
        loop = asyncio.get_running_loop()

        def write(text: str) -> None:
            # The command waits until it is written: who reads slowly is not overrun.
            writing: Coroutine[Any, Any, None] = self._shell.terminal.write(text)
            asyncio.run_coroutine_threadsafe(writing, loop).result()

        return write

    # --- watch -------------------------------------------------------------------------------------------------------

    async def _watch(self, words: list[str]) -> None:
        every = _WATCH_SECONDS
        if words and _is_number(words[0]):
            every = float(words[0])
            words = words[1:]
        if not 0.1 <= every <= 86_400:
            raise Ended(Exit.USAGE, f"watch was every {every:g} s, which must be 0.1 to 86400", code="usage")
        await self._watching(self._shell.grammar.parse(words or ["status"]), " ".join(words) or "status", every)

    async def _watching(self, options: argparse.Namespace, words: str, every: float) -> None:
        # Asked for with --watch, it would repeat itself.
        options.watch = None
        if options.command not in _WATCHABLE or getattr(options, "follow", False):
            raise Ended(
                Exit.USAGE,
                f"watch was {words!r}, and it only looks",
                code="usage",
                hint=f"it repeats {', '.join(sorted(_WATCHABLE))}",
            )
        if self._shell.terminal.dumb:
            raise Ended(
                Exit.USAGE, "watch needs a terminal that can be redrawn", code="usage", hint="`status` looks once"
            )

        async def look() -> str:
            return await self._look(options)

        watch = Watch(words, every, look, self._shell.bar, self._shell.style(), self._shell.depth)
        async with self._shell.terminal.held():
            await watch.run()

    async def _look(self, options: argparse.Namespace) -> str:
        voice = Voice()
        action, interrupt = self._prepared(options)
        run = Run(action, interrupt, voice, _nobody_answers)
        run.start()
        try:
            end = await asyncio.shield(run.done)
        except asyncio.CancelledError:
            run.interrupt()
            raise
        if isinstance(end, Ended):
            return self._shell.paint("red", end.message) + (f"\n  {end.hint}" if end.hint else "")
        return _without_program(voice.taken())


async def _nobody_answers(question: str) -> str:
    return ""


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _without_program(text: str) -> str:
    """Advice is written for a command line; in the shell the program's name is not typed."""
    return text.replace("`robsonctl ", "`").replace("`panic --direct", "`robsonctl panic --direct")
