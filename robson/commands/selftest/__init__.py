"""Kill a real daemon again and again, on this machine and disk: nothing may be done twice, nothing be lost."""

import argparse
import sys

KILLS = 60
KILLS_MOST = 100_000
LIVES, LIVE_KILLS, VENUE_KILLS = 1000, 100, 20
_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson selftest`."""
    parser.add_argument(
        "--kills", type=_count, metavar="N", help=f"how many ({KILLS} on paper, {LIVE_KILLS} with --live)"
    )
    parser.add_argument(
        "--live", action="store_true", help="in live mode, against an emulator of its own with every fault at random"
    )
    parser.add_argument(
        "--lives", type=_count, metavar="N", help=f"with --live: positions from entry to exit ({LIVES})"
    )
    parser.add_argument(
        "--venue-kills", type=_count, metavar="N", help=f"with --live: how often the emulator is killed ({VENUE_KILLS})"
    )
    parser.add_argument("--seed", metavar="TEXT", help="which kills, trades and markets (another one each time)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a name and a value a line")
    parser.add_argument(
        "--state-dir", metavar="DIR", help="an existing directory on the disk to test (the place for temporary files)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the files where they are, to look at")


def run(arguments: argparse.Namespace) -> int:
    """Run the self-test.

    Exit codes: 0 when nothing was violated and the account ended flat, 1 when not, 128 + n when signal n ended it: then
    no process and no file of it is left; 2 for options that only mean something with --live.
    """
    if not arguments.live and (arguments.lives or arguments.venue_kills):
        print("robson selftest: --lives and --venue-kills are for --live", file=sys.stderr)
        return _USAGE
    arguments.kills = arguments.kills or (LIVE_KILLS if arguments.live else KILLS)
    arguments.lives = arguments.lives or LIVES
    arguments.venue_kills = arguments.venue_kills or VENUE_KILLS
    # Imported here: it takes half a second on a slow machine, in which Ctrl-C must not end in a traceback.
    from robson.commands.selftest.performance import perform

    return perform(arguments)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= KILLS_MOST:
        raise argparse.ArgumentTypeError(f"was {text!r}, which must be a number from 1 to {KILLS_MOST}")
    return int(text)
