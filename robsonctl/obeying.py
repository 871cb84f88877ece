"""How a command is obeyed, and how each way in which it can end becomes an exit code."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from robson.domain.errors import RuleError
from robsonctl.connection import Daemon, find_socket
from robsonctl.exits import Ended, Exit
from robsonctl.output import Output, complain, forget_stdout
from robsonctl.paint import Paint, wants_colour
from robsonctl.session import Session


def reported(action: Callable[[], int]) -> int:
    """The exit code of an action; what went wrong is told on standard error."""
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
    except BrokenPipeError:
        forget_stdout()
    return code


def locating(options: argparse.Namespace) -> Callable[[], Path]:
    """Where the daemon's socket is looked for, each time it is needed."""
    return partial(find_socket, options.socket, os.environ, Path.cwd())


def obey(options: argparse.Namespace) -> int:
    """Obey one command, on a connection of its own; returns its exit code, raises as the commands do."""
    with Daemon(locating(options), options.timeout) as daemon:
        paint = Paint(coloured=wants_colour(options.color, os.environ, terminal=sys.stdout.isatty()))
        command: Callable[[Session], int] = options.run
        return command(Session(daemon, Output(options.form), paint, options))
