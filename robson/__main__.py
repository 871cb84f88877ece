"""The `robson` program: one subcommand, one module of `robson.commands`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from robson import __version__

EXIT_INTERRUPTED = 130

COMMANDS = {
    "run": "look after positions until told to stop",
    "panic": "with the daemon dead: latch, and close everything in its place",
    "demo": "watch a long and a short live from armed to closed, without keys or network",
    "replay": "what-if over recorded trades",
    "emulator": "a venue on loopback that speaks Binance's protocols, to rehearse without money",
    "doctor": "look whether everything is ready to trade, and change nothing",
    "selftest": "kill a daemon, on paper or in live mode, again and again: nothing is done twice, nothing lost",
    "backup": "copy the journal, also while the daemon runs",
    "restore": "put a copy of the journal in its place",
    "report": "write a page about what was traded, from the journal, also while the daemon runs",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and give its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="robson", description="The position daemon.")
    parser.add_argument("--version", action="version", version=f"robson {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        # Only the chosen one is imported: `robson replay` needs no daemon.
        if name == chosen:
            module = importlib.import_module(f"robson.commands.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
