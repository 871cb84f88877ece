"""The command line: options, commands, and how each error becomes an exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from robson.domain.errors import RuleError
from robsonctl.connection import Daemon, find_socket
from robsonctl.exits import Ended, Exit
from robsonctl.options import build_parser
from robsonctl.output import Output, complain, forget_stdout
from robsonctl.paint import Paint, wants_colour
from robsonctl.session import Session


def run(arguments: Sequence[str]) -> int:
    """Obey one command line; returns the exit code."""
    code: int = Exit.OK
    try:
        code = _obey(arguments)
    except Ended as end:
        code = end.exit_code
        complain(end.message, code=end.code, hint=end.hint)
    except RuleError as refusal:
        code = Exit.REFUSED
        complain(refusal.message, code=refusal.code, hint=refusal.hint)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        forget_stdout()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
    return code


def _obey(arguments: Sequence[str]) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command == "help" or (options.command is None and sys.stdin.isatty()):
        return _help(parser, options)
    locate = partial(find_socket, options.socket, os.environ, Path.cwd())
    with Daemon(locate, options.timeout) as daemon:
        if options.command is None:
            from robsonctl.pipe import pipe

            return pipe(daemon)
        paint = Paint(coloured=wants_colour(options.color, os.environ, terminal=sys.stdout.isatty()))
        command: Callable[[Session], int] = options.run
        return command(Session(daemon, Output(options.form), paint, options))


def _help(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    topic = getattr(options, "topic", None)
    (options.verbs[topic] if topic else parser).print_help()
    if options.command is None:
        sys.stdout.write("\nThe interactive shell is not there yet: name a command, or pipe JSON lines in.\n")
    return Exit.OK
