"""The command line: options, commands, and how each error becomes an exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from robson.domain.errors import RuleError
from robsonctl.connection import Daemon, find_socket
from robsonctl.exits import Ended, Exit
from robsonctl.options import build_parser
from robsonctl.output import Output, OutputLost, complain, flush, forget_stdout
from robsonctl.paint import Paint, screen_width, wants_colour
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
    except OutputLost as loss:
        code = _without_output(loss, code)
    try:
        flush()
    except OutputLost as loss:
        code = _without_output(loss, code)
    return code


def _without_output(loss: OutputLost, code: int) -> int:
    """A reader that has gone had enough; anything else that takes no output is worth a word."""
    forget_stdout()
    if loss.unread:
        return code
    complain(
        f"standard output could not be written: {loss}",
        code="output_lost",
        hint="what was asked may have been done: look with `robsonctl status`",
    )
    return Exit.OUTPUT_LOST


def _obey(arguments: Sequence[str]) -> int:
    parser = build_parser(arguments)
    options = parser.parse_args(arguments)
    if options.command == "help" or (options.command is None and (sys.stdin is None or sys.stdin.isatty())):
        return _help(parser, options)
    locate = partial(find_socket, options.socket, os.environ, os.getcwd())
    with Daemon(locate, options.timeout) as daemon:
        if options.command is None:
            from robsonctl.pipe import pipe

            return pipe(daemon)
        terminal = sys.stdout is not None and sys.stdout.isatty()
        paint = Paint(
            coloured=wants_colour(options.color, os.environ, terminal=terminal), width=screen_width(os.environ)
        )
        command: Callable[[Session], int] = options.run
        return command(Session(daemon, Output(options.form), paint, options))


def _help(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    topic = getattr(options, "topic", None)
    (options.verbs[topic] if topic else parser).print_help()
    if options.command is None:
        sys.stdout.write("\nThe interactive shell is not there yet: name a command, or pipe JSON lines in.\n")
    return Exit.OK
