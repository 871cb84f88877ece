"""The command line: what it asks for, and who obeys it."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from robsonctl.connection import Daemon
from robsonctl.exits import Exit
from robsonctl.interrupting import interrupt_once
from robsonctl.obeying import locating, obey, reported
from robsonctl.options import build_parser


def run(arguments: Sequence[str]) -> int:
    """Obey one command line; returns the exit code."""
    return reported(partial(_obey, arguments))


def _obey(arguments: Sequence[str]) -> int:
    parser = build_parser(arguments)
    options = parser.parse_args(arguments)
    if options.listed is not None:
        if options.command is not None:
            parser.error("-c and a command were given: one or the other")
        from robsonctl.shell.listed import obey_list

        return obey_list(options.listed, options)
    if options.command == "help":
        (options.verbs[options.topic] if options.topic else parser).print_help()
        return Exit.OK
    if options.command is not None:
        interrupt_once()
        return obey(options)
    if sys.stdin is None or sys.stdin.isatty():
        return _converse(parser, options)
    from robsonctl.pipe import pipe

    interrupt_once()
    with Daemon(locating(options), options.timeout) as daemon:
        return pipe(daemon)


def _converse(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if sys.stdin is None or sys.stdout is None or not sys.stdout.isatty():
        # A person who types cannot see what a file or a pipe is told.
        parser.print_help()
        return Exit.OK
    from robsonctl.shell.conversation import converse

    return converse(options)
