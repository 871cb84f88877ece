"""How a command is obeyed, and how each way in which it can end becomes an exit code."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

from robson.domain.errors import RuleError
from robsonctl.connection import Daemon, find_socket
from robsonctl.exits import Ended, Exit
from robsonctl.output import Output, OutputLost, complain, flush, forget_stdout
from robsonctl.paint import Paint, screen_width, wants_colour
from robsonctl.session import Session


def reported(action: Callable[[], int]) -> int:
    """The exit code of an action whose output was handed over; what went wrong is told on standard error.

    A reader that has gone is no fault, but it ends a list: `forget_stdout` has been called then.
    """
    code: int = Exit.OK
    try:
        code = action()
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


def locating(options: argparse.Namespace) -> Callable[[], str]:
    """Where the daemon's socket is looked for, each time it is needed."""
    return partial(_located, options.socket)


def _located(named: str | None) -> str:
    try:
        here = os.getcwd()
    except FileNotFoundError:
        # Whoever stands in a directory that was removed still has the other places.
        here = os.sep
    return find_socket(named, os.environ, here)


def obey(options: argparse.Namespace) -> int:
    """Obey one command, on a connection of its own; returns its exit code, raises as the commands do."""
    with Daemon(locating(options), options.timeout) as daemon:
        terminal = sys.stdout is not None and sys.stdout.isatty()
        paint = Paint(
            coloured=wants_colour(options.color, os.environ, terminal=terminal), width=screen_width(os.environ)
        )
        command: Callable[[Session], int] = options.run
        return command(Session(daemon, Output(options.form), paint, options))
