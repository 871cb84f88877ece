"""Panic in the place of a dead daemon: its own parts, put together without a door, close everything and end."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import trio
from msgspec.structs import replace

from robson import __version__, config, log, places
from robson.clock import RunClock
from robson.commands.run import add_arguments as add_run_arguments
from robson.commands.run import exit_code, look_after, settings_of
from robson.daemon.foresight import quantity_left, will_of
from robson.daemon.life import Life
from robson.daemon.panicking import ended, outcome_of
from robson.daemon.supervisor import Supervisor
from robson.domain.codec import encode
from robson.domain.errors import JournalHeld, JournalUnusable
from robson.domain.position import Position
from robson.domain.values import plain
from robson.protocol.results import PanicOutcome, PanicResult
from robson.store.journal import SqliteJournal
from robson.store.lock import holder_of

EXIT_NOT_CONFIRMED = 4
EXIT_PARTLY_DONE = 5
EXIT_NO_TERMINAL = 64
TIMEOUT_SECONDS = 120.0
_TIMEOUT_MOST = 86_400.0
# Every position is out by then; a loan that cannot be repaid now is the next daemon's.
LOANS_SECONDS = 15.0

_WILL = {
    "disarm": "disarm",
    "close": "close at market",
    "close_after_fill": "find out about its entry, then close",
    "join": "finish its exit",
}


class Panic:
    """The errand (app.Errand): latch before anything moves, then wait until everything is out, or time is up."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._supervisor: Supervisor | None = None
        self._lives: list[Life] = []

    def begin(self, supervisor: Supervisor) -> None:
        """Latch durably: no detector runs yet, and no entry is sent any more."""
        self._supervisor, self._lives = supervisor, list(supervisor.lives.values())
        supervisor.latch()

    async def carry_out(self, supervisor: Supervisor) -> None:
        """Ask every position to leave, now or as soon as the venue tells its filters, and wait for them."""
        with trio.move_on_after(self._timeout_seconds):
            supervisor.panic()
            await supervisor.recovered.wait()
            for life in self._lives:
                await ended(life)
            with trio.move_on_after(LOANS_SECONDS):
                await supervisor.loans_repaid()

    @property
    def is_durable(self) -> bool:
        """Whether all of it is on disk."""
        return self._supervisor is not None and self._supervisor.around.record.degraded is None

    def result(self) -> PanicResult:
        """What became of each position that was open."""
        latched = self._supervisor is not None and self._supervisor.around.record.latched
        return PanicResult(latched=latched, positions=tuple(_as_left(life) for life in self._lives))


def _as_left(life: Life) -> PanicOutcome:
    """How far a position came; nothing goes on by itself any more."""
    outcome = outcome_of(life, None)
    if outcome.outcome != "pending":
        return outcome
    why = life.detail or life.trouble
    left = f"it is left {life.position.state_name} to the next daemon"
    return replace(outcome, detail=f"{left}: {why}" if why else left)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson run`, and how it is confirmed, how long it may take and how it is told."""
    add_run_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="after which what is pending is left to the next daemon (%(default)g)",
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="the form of the result")


def run(arguments: argparse.Namespace) -> int:
    """Latch and close everything.

    0 when all of it is closed or disarmed, 5 when something is left to the next daemon, 4 when it was not confirmed, 64
    when it could not be, 74 when there is no usable journal or a daemon has it, 78 when the settings cannot be obeyed.
    """
    if not arguments.yes and not _is_terminal():
        print("robson: panic wants to be confirmed, and there is no terminal to ask on: --yes", file=sys.stderr)
        return EXIT_NO_TERMINAL
    return exit_code(lambda: _panic(arguments))


def _panic(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    log.configure(arguments.log_level or "warning")
    state = places.state_directory(arguments.state_dir, os.environ, here=Path.cwd())
    path = state / "robson.db"
    _refuse_missing(path)
    if not arguments.yes:
        if (holder := holder_of(state)) is not None:
            raise JournalHeld(_held(f"the journal in {state} was held by {holder}"))
        if not _confirmed(path, settings):
            print("robson: nothing was done", file=sys.stderr)
            return EXIT_NOT_CONFIRMED
    signal.signal(signal.SIGHUP, _outlive_terminal)
    errand = Panic(arguments.timeout)
    try:
        look_after(arguments, settings, state, errand=errand)
    except JournalHeld as error:
        raise JournalHeld(_held(str(error))) from error
    return _tell(errand, arguments.output)


def _refuse_missing(path: Path) -> None:
    """Raise JournalUnusable where there is none: a mistyped directory must not look like one without positions."""
    try:
        path.stat()
    except OSError as error:
        raise JournalUnusable(
            f"the journal {path} could not be found ({error.strerror}): nothing was done; see --state-dir"
        ) from error


def _outlive_terminal(_number: int, _frame: FrameType | None) -> None:
    """A connection that breaks must not end this half way: go on, and write nothing where nobody reads."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _held(what: str) -> str:
    return f"{what}: a daemon that lives closes its own positions, use `robsonctl panic`"


def _confirmed(path: Path, settings: config.Settings) -> bool:
    """Show what is open and ask; the journal is only read, so that a daemon may start meanwhile and win."""
    phrase = "y" if settings.mode == "paper" else "CLOSE ALL"
    asked = f"{_preview(path, settings)}\nNothing enters before `robsonctl resume`. Type {phrase} to go on: "
    print(asked, end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip() == phrase
    except UnicodeDecodeError:
        return False


def _preview(path: Path, settings: config.Settings) -> str:
    mode = "LIVE" if settings.mode == "live" else "paper"
    try:
        journal = SqliteJournal.open(
            path, mode=settings.mode, clock=RunClock(), machine_id="", version=__version__, read_only=True
        )
    except JournalUnusable as error:
        return f"{mode}: what is open could not be read before it is taken over: {error}"
    try:
        positions = journal.recover().positions
    finally:
        journal.close()
    if not positions:
        return f"{mode}: no open positions, panic only latches."
    head = ("POSITION", "SYMBOL", "SIDE", "STATE", "QUANTITY", "WHAT HAPPENS")
    table = _grid([head, *(_planned(position) for position in positions)])
    return f"{mode}: no daemon runs. At market, at whatever price there is (nobody estimates the slippage):\n{table}"


def _planned(position: Position) -> tuple[str, ...]:
    quantity = quantity_left(position)
    return (
        position.position_id,
        position.symbol,
        position.side.value,
        position.state_name,
        "" if quantity is None else plain(quantity),
        _WILL[will_of(position)],
    )


def _tell(errand: Panic, form: str) -> int:
    result = errand.result()
    done = all(position.outcome in {"closed", "disarmed"} for position in result.positions)
    try:
        print(encode(result).decode() if form == "json" else _text(result), flush=True)
    except OSError:
        # Its reader has gone; what was done is done.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not errand.is_durable:
        print("robson: the journal could not be written: the latch ended with this process", file=sys.stderr)
    return 0 if done and result.latched and errand.is_durable else EXIT_PARTLY_DONE


def _text(result: PanicResult) -> str:
    """A row a position, and what holds from now on."""
    latch = "the latch holds: nothing enters before `robsonctl resume`" if result.latched else "the latch does NOT hold"
    if not result.positions:
        return f"no open positions\n{latch}"
    rows = [("POSITION", "SYMBOL", "SIDE", "OUTCOME", "EXIT", "NET PNL", "DETAIL")]
    rows += [
        (
            outcome.position_id,
            outcome.symbol,
            outcome.side or "",
            outcome.outcome,
            "" if outcome.exit_price is None else plain(outcome.exit_price),
            "" if outcome.net_pnl is None else plain(outcome.net_pnl),
            outcome.detail,
        )
        for outcome in result.positions
    ]
    left = sum(outcome.outcome in {"pending", "failed"} for outcome in result.positions)
    told = [_grid(rows), latch]
    if left:
        told.append(f"{left} of {len(result.positions)} are left: start the daemon, or run this again; both go on")
    return "\n".join(told)


def _grid(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _is_terminal() -> bool:
    # Closed by whoever started this, it is None.
    return sys.stdin is not None and sys.stdin.isatty()


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= _TIMEOUT_MOST:
        raise argparse.ArgumentTypeError(f"was {text}, which must be above 0 and at most {_TIMEOUT_MOST:g} seconds")
    return number
