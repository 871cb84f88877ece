"""Kill a real daemon on paper again and again, on this machine and disk: nothing may be done twice, nothing be lost."""

import argparse

KILLS = 60
KILLS_MOST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson selftest`."""
    parser.add_argument("--kills", type=_count, default=KILLS, metavar="N", help=f"how many ({KILLS})")
    parser.add_argument("--seed", metavar="TEXT", help="which kills, trades and markets (another one each time)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a name and a value a line")
    parser.add_argument(
        "--state-dir", metavar="DIR", help="an existing directory on the disk to test (the place for temporary files)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the files where they are, to look at")


def run(arguments: argparse.Namespace) -> int:
    """Run the self-test.

    Exit codes: 0 when nothing was violated and the account ended flat, 1 when not, 128 + n when signal n ended it: then
    no process and no file of it is left.
    """
    # Imported here: it takes half a second on a slow machine, in which Ctrl-C must not end in a traceback.
    from robson.commands.selftest.performance import perform

    return perform(arguments)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= KILLS_MOST:
        raise argparse.ArgumentTypeError(f"was {text!r}, which must be a number from 1 to {KILLS_MOST}")
    return int(text)
