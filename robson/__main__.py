"""The `robson` program: one subcommand, one module of `robson.commands`."""

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence

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
    "bench": "how fast it is on this machine and disk, beside bare scripts",
    "backup": "copy the journal, also while the daemon runs",
    "restore": "put a copy of the journal in its place",
    "report": "write a page about what was traded, from the journal, also while the daemon runs",
}


# Lines to copy, under the help of each subcommand and in the manual.
EXAMPLES = {
    "run": (
        ("robson run", "on paper, at Binance's public prices"),
        ("robson run --feed synthetic --speed 60", "on paper, in an invented market, a minute a second"),
        ("robson run --config /etc/robson/robson.toml", "as the file says"),
    ),
    "panic": (
        ("robson panic", "shows what is open, and asks"),
        ("robson panic --yes --config /etc/robson/robson.toml", "from a script: does not ask"),
    ),
    "demo": (("robson demo", "a quarter of a minute"), ("robson demo --replay BTCUSDT.csv", "over recorded trades")),
    "replay": (
        (
            "robson replay BTCUSDT.csv --side long --entry-row 0 --stop-distance 500",
            "a long at the first price, its stop 500 away",
        ),
        ("robson replay BTCUSDT.csv --cases cases.jsonl", "many at once"),
    ),
    "emulator": (("robson emulator --control", "a venue at 127.0.0.1:9000 whose faults can be switched"),),
    "doctor": (("robson doctor --config robson.toml", "before the first start, and when something is odd"),),
    "selftest": (("robson selftest --kills 10", "a daemon on paper, killed ten times"),),
    "bench": (
        ("robson bench", "everything, in a quarter of an hour"),
        ("robson bench start --json now.json --compare before.json", "one of them, beside an earlier run"),
    ),
    "backup": (("robson backup robson-copy.db", "also while the daemon runs"),),
    "restore": (("robson restore robson-copy.db", "after the daemon was stopped"),),
    "report": (("robson report --since 30d -o report.html", "the last thirty days, and a CSV beside the page"),),
}


def build_parser(*, only: Iterable[str] | None = None) -> argparse.ArgumentParser:
    """The command line; `only`: the options of those subcommands alone, for each costs the import of its module."""
    parser = argparse.ArgumentParser(
        prog="robson",
        description="The position daemon, and what is kept beside it.",
        epilog="`robson COMMAND --help` tells more, with examples. To talk to a running daemon: robsonctl.\n"
        "exit codes: 0 ok, 2 usage, 74 storage, 78 configuration, 130 interrupted",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"robson {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        examples = [f"  {line}\n      {words}" for line, words in EXAMPLES.get(name, ())]
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=summary,
            epilog="\n".join(["examples:", *examples]) if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if only is None or name in only:
            module = importlib.import_module(f"robson.commands.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and give its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    # Only the chosen one is imported: `robson replay` needs no daemon.
    arguments = build_parser(only=() if chosen is None else (chosen,)).parse_args(words)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
