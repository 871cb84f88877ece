"""The options and commands of robsonctl, as argparse sees them."""

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import robson
from robsonctl import usage
from robsonctl.session import Session

Run = Callable[[Session], int]

_EPILOGUE = """\
Without a command, a terminal gets the interactive shell; JSON lines on standard input are answered with JSON lines:
robsonctl < commands.jsonl
exit codes: 0 ok, 1 refused, 2 usage, 3 not found, 4 not confirmed, 5 partly done, 64 confirmation needed but no
terminal, 69 daemon unreachable, 75 outcome unknown, 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="robsonctl",
        description="Talk to a running Robson.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_shared(defaults=True)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"robsonctl {robson.__version__}")
    parser.add_argument(
        "-c", dest="listed", metavar="COMMANDS", help="obey these, with `;` between; the exit code of the first failure"
    )
    parser.set_defaults(run=None)
    verbs = parser.add_subparsers(title="commands", metavar="command", dest="command")
    _add_positions(verbs)
    _add_mutations(verbs)
    _add_daemon(verbs)
    helping = _verb(verbs, "help", None)
    helping.add_argument("topic", nargs="?", metavar="COMMAND", choices=sorted(verbs.choices))
    parser.set_defaults(verbs=verbs.choices)
    return parser


def _shared(*, defaults: bool) -> argparse.ArgumentParser:
    """Options that may stand before and after the command; the second time without defaults, which would win."""
    shared = argparse.ArgumentParser(add_help=False, argument_default=None if defaults else argparse.SUPPRESS)
    group = shared.add_argument_group("common options")
    group.add_argument("--socket", metavar="PATH", help="the daemon's socket (or $ROBSON_SOCKET)")
    forms = group.add_mutually_exclusive_group()
    forms.add_argument(
        "--json", dest="form", action="store_const", const="json", help="the result as the daemon sent it"
    )
    forms.add_argument(
        "-o", "--output", dest="form", choices=("table", "json", "jsonl", "csv"), help="the form of results (table)"
    )
    group.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="how long to wait for the daemon")
    group.add_argument("--color", choices=("auto", "always", "never"), help="auto heeds NO_COLOR and pipes")
    if defaults:
        shared.set_defaults(form="table", color="auto")
    return shared


def _verb(verbs: Any, name: str, module: str | None) -> argparse.ArgumentParser:
    told = usage.COMMANDS[name]
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=told.summary,
        description=told.summary,
        epilog=usage.examples_block(told.examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_shared(defaults=False)],
        allow_abbrev=False,
    )
    if module is not None:
        verb.set_defaults(run=partial(_run, module, name))
    return verb


def _run(module: str, name: str, session: Session) -> int:
    """Run a command of a module that nothing else has needed yet."""
    run: Run = getattr(import_module(f"robsonctl.{module}"), name)
    return run(session)


def _add_positions(verbs: Any) -> None:
    status = _verb(verbs, "status", "commands")
    status.add_argument("position", nargs="?", metavar="ID", help="this position only; a unique beginning will do")
    status.add_argument("--all", action="store_true", help="Closed positions too")
    for name in ("show", "why"):
        _add_position(_verb(verbs, name, "oversight"))
    plan = _verb(verbs, "plan", "commands")
    plan.add_argument("symbol", metavar="SYMBOL")
    plan.add_argument("side", type=str.lower, choices=("long", "short"))
    _add_prices(plan)
    _add_account(plan)
    events = _verb(verbs, "events", "follow")
    events.add_argument("--position", metavar="ID", help="this position's only")
    events.add_argument("--from", dest="first", type=_count_from_zero, metavar="N", help="from this seq on")
    events.add_argument(
        "-n", dest="count", type=_count, metavar="N", help="at most so many (the last 50 without --from)"
    )
    events.add_argument("--follow", action="store_true", help="go on with new ones until Ctrl-C")
    events.add_argument("--prices", action="store_true", help="with --follow: the newest prices as well")
    watch = _verb(verbs, "watch", "follow")
    watch.add_argument("seconds", nargs="?", type=_seconds, default=2.0, metavar="SECONDS", help="how often (2)")


def _add_mutations(verbs: Any) -> None:
    arm = _verb(verbs, "arm", "commands")
    arm.add_argument("symbol", metavar="SYMBOL")
    arm.add_argument("side", nargs="?", type=str.lower, choices=("long", "short"), help="long if omitted")
    arm.add_argument("--strategy", metavar="NAME", help="the detector (signal: waits for `robsonctl signal`)")
    _add_account(arm)
    arm.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the strategy")
    signal = _verb(verbs, "signal", "commands")
    _add_position(signal)
    _add_prices(signal)
    signal.add_argument("--id", metavar="SIGNAL_ID", help="yours; an accepted one is executed only once")
    disarm = _verb(verbs, "disarm", "commands")
    _add_position(disarm)
    close = _verb(verbs, "close", "commands")
    _add_position(close)
    adjust = _verb(verbs, "adjust", "oversight")
    _add_position(adjust)
    adjust.add_argument("--stop", required=True, metavar="PRICE", help="the new, tighter trailing stop")
    adopt = _verb(verbs, "adopt", "commands")
    adopt.add_argument("symbol", metavar="SYMBOL")
    adopt.add_argument("side", nargs="?", type=str.lower, choices=("long", "short"), help="long if omitted")
    adopt.add_argument("--quantity", required=True, metavar="Q", help="base that the account holds (or owes) already")
    adopt.add_argument("--stop", required=True, metavar="PRICE", help="the technical stop, quote per base")
    adopt.add_argument(
        "--entry-price", metavar="PRICE", help="what it cost, quote per base; the present price if omitted"
    )
    release = _verb(verbs, "release", "commands")
    _add_position(release)
    panicking = _verb(verbs, "panic", "panic")
    panicking.add_argument("--yes", action="store_true", help="do not ask")
    resume = _verb(verbs, "resume", "commands")
    pause = _verb(verbs, "pause", "oversight")
    unpause = _verb(verbs, "unpause", "oversight")
    for mutation in (arm, signal, disarm, close, adjust, adopt, release, panicking, resume, pause, unpause):
        mutation.add_argument("--key", metavar="KEY", help="idempotency key: the same command is done at most once")


def _add_daemon(verbs: Any) -> None:
    for name in ("health", "hello", "ping"):
        _verb(verbs, name, "commands")
    _verb(verbs, "journal", "oversight")
    schema = _verb(verbs, "schema", "commands")
    schema.add_argument("of", nargs="?", choices=("requests", "replies", "events"), default="requests")
    _verb(verbs, "version", "commands")


def _add_position(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("position", metavar="ID", help="a position's id, or the unique beginning of one")


def _add_prices(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--entry", required=True, metavar="PRICE", help="quote per base")
    verb.add_argument("--stop", required=True, metavar="PRICE", help="the technical stop, quote per base")


def _add_account(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--capital", metavar="AMOUNT", help="quote; the daemon's default if omitted")
    verb.add_argument(
        "--risk", metavar="PERCENT", help="percent of capital, at most 5; the daemon's default if omitted"
    )


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"was {text}, which must be above 0 and at most 86400 seconds")
    return number


def _count(text: str) -> int:
    return _within(text, 1, 1_000_000)


def _count_from_zero(text: str) -> int:
    return _within(text, 0, 2**63 - 1)


def _within(text: str, low: int, high: int) -> int:
    number = int(text)
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"was {text}, which must be {low} to {high}")
    return number
