"""`robsonctl -c 'a; b'`: a list of commands, all read before the first one is obeyed."""

import argparse
import sys
from functools import partial

from robsonctl.exits import Exit
from robsonctl.obeying import obey, reported
from robsonctl.shell.lines import Grammar, Told
from robsonctl.shell.words import commands_of


def obey_list(text: str, common: argparse.Namespace) -> int:
    """Obey each command in turn; gives the exit code of the first that failed.

    A mistake in any of them is found before anything is done: Ended (2). Ctrl-C ends the list; output that
    nobody takes does not: what was asked for is done.
    """
    grammar = Grammar(common)
    read = [_read(grammar, words) for words in commands_of(text)]
    first: int = Exit.OK
    for command in read:
        code = reported(partial(_obey, grammar, command))
        first = first or code
        if code == Exit.INTERRUPTED:
            break
    return first


def _read(grammar: Grammar, words: list[str]) -> argparse.Namespace | str:
    try:
        return grammar.parse(words)
    except Told as told:
        return told.text


def _obey(grammar: Grammar, command: argparse.Namespace | str) -> int:
    if isinstance(command, str):
        sys.stdout.write(command + "\n")
        return Exit.OK
    if command.command == "help":
        sys.stdout.write((grammar.verbs[command.topic].format_help() if command.topic else grammar.overview()) + "\n")
        return Exit.OK
    return obey(command)
