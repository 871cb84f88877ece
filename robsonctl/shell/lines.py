"""A command as it is typed, read by the same parser as a command line; nothing in it ends the process."""

import argparse
import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from copy import copy

from robsonctl.exits import Ended, Exit
from robsonctl.options import build_parser
from robsonctl.shell.near import meant, whole

# What the options before the first command say holds for each of them.
COMMON = ("socket", "form", "timeout", "color")


class Told(Exception):
    """The parser was asked for a text (`--help`, `--version`), not for a command."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Grammar:
    """The commands, their options and arguments."""

    def __init__(self, common: argparse.Namespace | None = None) -> None:
        self._parser = build_parser()
        self._common = common
        self.verbs: dict[str, argparse.ArgumentParser] = self._parser.get_default("verbs")
        for name, verb in self.verbs.items():
            verb.prog = name

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options of one command.

        Unique beginnings of commands and long options will do. Raises Ended (2) with a hint, or Told.
        """
        if words[0] == "robsonctl" and len(words) > 1:
            # Copied from a document.
            words = words[1:]
        if words[0].startswith("-"):
            raise Ended(Exit.USAGE, f"a command was expected, and there was {words[0]!r}", code="usage")
        name = whole(words[0], self.verbs, "command")
        rest = list(self._in_full(name, words[1:]))
        if name == "help" and rest and not rest[0].startswith("-"):
            rest[0] = whole(rest[0], self.verbs, "command")
        return self._parse(name, rest)

    def overview(self) -> str:
        """The whole command line in one text."""
        return self._parser.format_help().rstrip()

    def _parse(self, name: str, rest: Sequence[str]) -> argparse.Namespace:
        namespace = argparse.Namespace()
        for option in COMMON:
            if self._common is not None:
                setattr(namespace, option, getattr(self._common, option))
        said, complaint = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(said), redirect_stderr(complaint):
                return self._parser.parse_args([name, *rest], copy(namespace))
        except SystemExit as end:
            if not end.code:
                raise Told(said.getvalue().rstrip()) from None
            message = complaint.getvalue().rpartition("error: ")[2].strip()
            raise Ended(Exit.USAGE, f"{name}: {message}", code="usage", hint=self._hint(name, rest)) from None

    def options(self, name: str) -> dict[str, argparse.Action]:
        """The options of a command, each under every spelling."""
        # argparse offers no public list of them.
        actions: Sequence[argparse.Action] = self.verbs[name]._actions  # noqa: SLF001
        return {spelling: action for action in actions for spelling in action.option_strings}

    def arguments(self, name: str) -> list[argparse.Action]:
        """The arguments of a command in their order."""
        return [action for action in self.verbs[name]._actions if not action.option_strings]  # noqa: SLF001

    def _in_full(self, name: str, words: Sequence[str]) -> Iterator[str]:
        known = self.options(name)
        for word in words:
            option, equals, value = word.partition("=")
            begun = [spelling for spelling in known if spelling.startswith(option)]
            if option.startswith("--") and option not in known and len(option) > 2 and len(begun) == 1:
                yield begun[0] + equals + value
            else:
                yield word

    def _hint(self, name: str, words: Sequence[str]) -> str:
        known = self.options(name)
        for word in words:
            option = word.partition("=")[0]
            if option.startswith("--") and option not in known and (near := meant(option, sorted(known))):
                return near
        arguments = [word for word in words if not word.startswith("-")]
        for action in self.arguments(name):
            for word in arguments:
                if action.choices and word not in action.choices and (near := meant(word, sorted(action.choices))):
                    return near
        return " ".join(self.verbs[name].format_usage().split())
