"""Watch a long and a short live from Armed to Closed, played by real `robson run` and `robsonctl` processes."""

import argparse
import io
import signal
import sys

# In this market the long is carried up and the short is caught early, whatever the hour: a gain and a smaller loss,
# both with a stop that visibly moved.
SEED = "demo-158"
SPEED = "300"

_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson demo`."""
    parser.add_argument("--replay", metavar="FILE", help="recorded trades instead of the synthetic market")
    parser.add_argument("--symbol", metavar="SYMBOL", help="the pair of a recording whose name does not tell it")
    parser.add_argument("--speed", metavar="N", help=f"market seconds per second ({SPEED}; a recording: what fits)")
    parser.add_argument("--seed", metavar="TEXT", help=f"which synthetic market ({SEED})")
    parser.add_argument("--keep", action="store_true", help="leave the journal where it is, to look at")


def run(arguments: argparse.Namespace) -> int:
    """Play the demonstration.

    Exit codes: 0 when both positions went from Armed to Closed, 1 when not, 128 + n when signal n ended it: then no
    process and no file of it is left.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        # Only before the play has begun or after it has tidied up: in between, signals are held.
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        # Whoever presses Ctrl-C again has nothing left to interrupt, and shall not see a traceback for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


def _run(arguments: argparse.Namespace) -> int:
    # Imported here: it takes half a second on a slow machine, in which Ctrl-C must not end in a traceback.
    from pathlib import Path

    from robson.commands.demo import programme
    from robson.commands.demo.performance import fail, play
    from robson.domain.errors import RobsonError

    try:
        if arguments.replay is not None:
            if arguments.seed is not None:
                return fail("--seed chooses a synthetic market: it does not go with --replay")
            chosen = programme.recorded(Path(arguments.replay), arguments.speed, arguments.symbol)
        elif arguments.symbol is not None:
            return fail("--symbol names the pair of a recording: it needs --replay")
        else:
            chosen = programme.synthetic(arguments.seed or SEED, arguments.speed or SPEED)
    except RobsonError as error:
        return fail(str(error))
    return play(chosen, keep=arguments.keep)
