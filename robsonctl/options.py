"""The options and commands of robsonctl, as argparse sees them."""

import argparse
import os
from collections.abc import Callable, Collection, Sequence
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

import robson
from robsonctl import ranges, usage
from robsonctl.session import Session

Run = Callable[[Session], int]
SIDES = ("long", "short")
PICTURE_PIXELS = 1600
WATCH_SECONDS = 2.0

_EPILOGUE = """\
Without a command, a terminal gets the interactive shell; JSON lines on standard input are answered with JSON lines:
robsonctl < commands.jsonl
exit codes: 0 ok, 1 refused, 2 usage, 3 not found, 4 not confirmed, 5 partly done, 64 confirmation needed but no
terminal, 69 daemon unreachable, 74 output could not be written, 75 outcome unknown, 130 interrupted
"""


class Verb(NamedTuple):
    """A command: the module of robsonctl that has a function of its name, and what it takes."""

    module: str
    takes: Callable[[argparse.ArgumentParser], None] = lambda _: None
    # Changes something: takes an idempotency key.
    mutating: bool = False
    # May be asked again and again.
    watched: bool = False


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse makes one for every option; asking the terminal each time costs a script as much as the options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_help_width())


@cache
def _help_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    try:
        return (int(columns) if columns.isdecimal() and int(columns) else os.get_terminal_size(1).columns) - 2
    except OSError:
        return 98


def build_parser(arguments: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The command line; with the arguments at hand only the commands that they could mean, or all for a help of all."""
    parser = argparse.ArgumentParser(
        prog="robsonctl",
        description="Talk to a running Robson.",
        epilog=_EPILOGUE,
        formatter_class=_Formatter,
        parents=[_shared(defaults=True)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"robsonctl {robson.__version__}")
    parser.add_argument(
        "-c", dest="listed", metavar="COMMANDS", help="obey these, with `;` between; the exit code of the first failure"
    )
    parser.set_defaults(run=None)
    # Named, for argparse would ask the terminal's width to find it out.
    verbs = parser.add_subparsers(title="commands", metavar="command", dest="command", prog="robsonctl")
    for name in _meant(arguments):
        _add(verbs, name)
    parser.set_defaults(verbs=verbs.choices)
    return parser


def _meant(arguments: Sequence[str] | None) -> Collection[str]:
    words = arguments or ()
    first = next((place for place, word in enumerate(words) if word in usage.COMMANDS), None)
    if first is None and "--version" in words:
        return ()
    if first is None or words[first] == "help" or any(word in {"-h", "--help"} for word in words[:first]):
        return usage.COMMANDS
    # More than one may look like a command: a socket can be called `status`.
    return [name for name in usage.COMMANDS if name in words]


@cache
def _shared(*, defaults: bool, pictures: bool = False) -> argparse.ArgumentParser:
    """Options that may stand before and after the command; the second time without defaults, which would win."""
    shared = argparse.ArgumentParser(add_help=False, argument_default=None if defaults else argparse.SUPPRESS)
    group = shared.add_argument_group("common options")
    group.add_argument("--socket", metavar="PATH", help="the daemon's socket (or $ROBSON_SOCKET)")
    forms = group.add_mutually_exclusive_group()
    forms.add_argument(
        "--json", dest="form", action="store_const", const="json", help="the result as the daemon sent it"
    )
    if pictures:
        told = "the form of results (table), or a file to draw to that ends in .svg or .png"
        forms.add_argument("-o", "--output", dest="form", metavar="FORM|FILE", type=ranges.form_or_file, help=told)
    else:
        forms.add_argument("-o", "--output", dest="form", choices=ranges.FORMS, help="the form of results (table)")
    group.add_argument("--timeout", type=ranges.seconds, metavar="SECONDS", help="how long to wait for the daemon")
    group.add_argument("--color", choices=("auto", "always", "never"), help="auto heeds NO_COLOR and pipes")
    if defaults:
        shared.set_defaults(form="table", color="auto")
    return shared


def _add(verbs: Any, name: str) -> None:
    told = usage.COMMANDS[name]
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=told.summary,
        description=told.summary,
        epilog=usage.examples_block(told.examples),
        formatter_class=_Formatter,
        parents=[_shared(defaults=False, pictures=name == "chart")],
        allow_abbrev=False,
    )
    if name == "help":
        parser.add_argument("topic", nargs="?", metavar="COMMAND", choices=sorted(usage.COMMANDS))
        return
    verb = VERBS[name]
    verb.takes(parser)
    if verb.mutating:
        parser.add_argument("--key", metavar="KEY", help="idempotency key: the same command is done at most once")
    if verb.watched:
        parser.add_argument(
            "--watch",
            nargs="?",
            type=ranges.seconds,
            const=WATCH_SECONDS,
            metavar="SECONDS",
            help=f"again every so many seconds ({WATCH_SECONDS:g}) until Ctrl-C",
        )
    parser.set_defaults(run=partial(_run, verb.module, name), watch=None)


def _run(module: str, name: str, session: Session) -> int:
    """Run a command, of a module that nothing else has needed yet."""
    run: Run = getattr(import_module(f"robsonctl.{module}"), name)
    if session.options.watch is None:
        return run(session)
    from robsonctl.follow import repeat

    return repeat(session, run, session.options.watch)


def _status(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("position", nargs="?", metavar="ID", help="this position only; a unique beginning will do")
    verb.add_argument("--all", action="store_true", help="Closed positions too")


def _plan(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("symbol", metavar="SYMBOL", help="the pair, such as BTCUSDT")
    verb.add_argument("side", type=str.lower, choices=SIDES, help="which way it earns")
    _prices(verb)
    _account(verb)


def _events(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--position", metavar="ID", help="this position's only")
    verb.add_argument("--from", dest="first", type=ranges.count_from_zero, metavar="N", help="from this seq on")
    verb.add_argument(
        "-n", dest="count", type=ranges.count, metavar="N", help="at most so many (the last 50 without --from)"
    )
    verb.add_argument("--follow", action="store_true", help="go on with new ones until Ctrl-C")
    verb.add_argument("--prices", action="store_true", help="with --follow: the newest prices as well")


def _watch(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "seconds", nargs="?", type=ranges.seconds, default=WATCH_SECONDS, metavar="SECONDS", help="how often (2)"
    )


def _arm(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("symbol", metavar="SYMBOL", help="the pair, such as BTCUSDT")
    verb.add_argument("side", nargs="?", type=str.lower, choices=SIDES, help="long if omitted")
    verb.add_argument("--strategy", metavar="NAME", help="the detector (signal: waits for `robsonctl signal`)")
    _account(verb)
    verb.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the strategy")


def _signal(verb: argparse.ArgumentParser) -> None:
    _position(verb)
    _prices(verb)
    verb.add_argument("--id", metavar="SIGNAL_ID", help="yours; an accepted one is executed only once")


def _adjust(verb: argparse.ArgumentParser) -> None:
    _position(verb)
    verb.add_argument("--stop", required=True, metavar="PRICE", help="the new, tighter trailing stop")


def _adopt(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("symbol", metavar="SYMBOL", help="the pair, such as BTCUSDT")
    verb.add_argument("side", nargs="?", type=str.lower, choices=SIDES, help="long if omitted")
    verb.add_argument("--quantity", required=True, metavar="Q", help="base that the account holds (or owes) already")
    verb.add_argument("--stop", required=True, metavar="PRICE", help="the technical stop, quote per base")
    verb.add_argument(
        "--entry-price", metavar="PRICE", help="what it cost, quote per base; the present price if omitted"
    )


def _chart(verb: argparse.ArgumentParser) -> None:
    _position(verb)
    verb.add_argument(
        "--width", type=ranges.pixels, default=PICTURE_PIXELS, metavar="PIXELS", help=f"of a file ({PICTURE_PIXELS})"
    )


def _notify(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("kind", choices=("test", "status"), help="try every channel, or see how far each is")


def _panic(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--yes", action="store_true", help="do not ask")
    instead = verb.add_mutually_exclusive_group()
    instead.add_argument("--preview", action="store_true", help="only show what it would do")
    instead.add_argument("--direct", action="store_true", help="the daemon is dead: run `robson panic` in its place")
    passed = verb.add_argument_group("with --direct", "passed on to `robson panic`")
    passed.add_argument("--config", metavar="FILE", help="robson.toml")
    passed.add_argument("--state-dir", metavar="DIR", help="where the journal is")
    passed.add_argument("--credentials-dir", metavar="DIR", help="where the exchange's keys are")
    passed.add_argument("--mode", choices=("paper", "live"), help="the journal's mode")


def _schema(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("of", nargs="?", choices=("requests", "replies", "events"), help="requests if omitted")


def _position(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("position", metavar="ID", help="a position's id, or the unique beginning of one")


def _prices(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--entry", required=True, metavar="PRICE", help="quote per base")
    verb.add_argument("--stop", required=True, metavar="PRICE", help="the technical stop, quote per base")


def _account(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--capital", metavar="AMOUNT", help="quote; the daemon's default if omitted")
    verb.add_argument(
        "--risk", metavar="PERCENT", help="percent of capital, at most 5; the daemon's default if omitted"
    )


VERBS: dict[str, Verb] = {
    "status": Verb("queries", _status, watched=True),
    "show": Verb("queries", _position, watched=True),
    "why": Verb("queries", _position, watched=True),
    "chart": Verb("chart", _chart),
    "plan": Verb("commands", _plan, watched=True),
    "events": Verb("follow", _events),
    "watch": Verb("follow", _watch),
    "arm": Verb("commands", _arm, mutating=True),
    "signal": Verb("commands", _signal, mutating=True),
    "disarm": Verb("commands", _position, mutating=True),
    "close": Verb("commands", _position, mutating=True),
    "adjust": Verb("commands", _adjust, mutating=True),
    "adopt": Verb("commands", _adopt, mutating=True),
    "release": Verb("commands", _position, mutating=True),
    "panic": Verb("panic", _panic, mutating=True),
    "resume": Verb("commands", mutating=True),
    "pause": Verb("commands", mutating=True),
    "unpause": Verb("commands", mutating=True),
    "health": Verb("queries", watched=True),
    "hello": Verb("queries", watched=True),
    "ping": Verb("queries", watched=True),
    "journal": Verb("queries", watched=True),
    "notify": Verb("telling", _notify, mutating=True),
    "schema": Verb("queries", _schema),
    "version": Verb("queries"),
}
