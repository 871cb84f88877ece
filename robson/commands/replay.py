"""What would a trailing stop have done: pure arithmetic over recorded trades.

FILE is a Binance CSV file (trades or aggTrades), a CSV file with a header, or recorded frames; plain, gzip or zip. Each
case enters at the price of its row and is trailed over all rows after it, by the same code as in the daemon.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from robson.domain.codec import encode
from robson.domain.errors import ConfigurationError, RobsonError, RuleError
from robson.domain.values import Side, Value, parse_amount
from robson.engine.what_if import Trial, replay, stretches
from robson.feed.tape import Tape

# Where the pair of a CSV file has no name at all: no case ever asks for it.
_UNNAMED = "UNNAMED"
_DONE, _SOME_MISSING, _UNUSABLE = 0, 1, 2


class Case(Value, forbid_unknown_fields=True):
    """A position to try: entered at the price of row `entry_row` (0-based), its stop `stop_distance` (quote) away."""

    id: str | int | None
    side: Side
    entry_row: int
    stop_distance: msgspec.Raw


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson replay`."""
    parser.add_argument("file", metavar="FILE", help="the recorded trades")
    parser.add_argument("--symbol", help="the pair, of a recording with several (default: the first one in it)")
    parser.add_argument(
        "--cases",
        metavar="CASES",
        help='one case a line, {"id","side","entry_row","stop_distance"}; "-" reads standard input',
    )
    parser.add_argument("--side", help="long or short")
    parser.add_argument("--entry-row", metavar="N", help="the row to enter at, counted from 0 over the trades")
    parser.add_argument("--stop-distance", metavar="D", help="from the best price to the stop, in quote currency")


def run(arguments: argparse.Namespace) -> int:
    """Print one JSON line a case.

    Exit codes: 0, 1 when the tape ends before some case's entry row (the others are answered), 2 when the file, a case
    or an option cannot be used: then nothing is answered.
    """
    try:
        trials = _from_options(arguments) if arguments.cases is None else _from_file(arguments)
        tape = Tape(Path(arguments.file), arguments.symbol, unnamed=_UNNAMED)
        rows = replay(trials, stretches(tape.prices(arguments.symbol or tape.symbols[0])))
    except RobsonError as error:
        print(f"robson replay: {error}", file=sys.stderr)
        return _UNUSABLE
    for trial in trials:
        if trial.outcome is not None:
            print(encode(trial.outcome).decode())
        else:
            print(
                f"robson replay: case {trial.id!r}: entry_row was {trial.entry_row}, but {arguments.file} has {rows}"
                f" trades (rows 0 to {rows - 1})",
                file=sys.stderr,
            )
    return _DONE if all(trial.outcome is not None for trial in trials) else _SOME_MISSING


def _from_options(arguments: argparse.Namespace) -> list[Trial]:
    given = {"--side": arguments.side, "--entry-row": arguments.entry_row, "--stop-distance": arguments.stop_distance}
    missing = [name for name, text in given.items() if text is None]
    if missing:
        raise ConfigurationError(f"{' and '.join(missing)} must be given, or else --cases")
    sides = [side.value for side in Side]
    if arguments.side not in sides:
        raise ConfigurationError(f"--side was {arguments.side[:40]!r}, which must be {' or '.join(sides)}")
    if not (
        arguments.entry_row.isascii() and arguments.entry_row.isdigit() and len(arguments.entry_row) <= len("1" * 18)
    ):
        raise ConfigurationError(f"--entry-row was {arguments.entry_row[:40]!r}, which must be a row number, 0 or more")
    distance = parse_amount("--stop-distance", arguments.stop_distance)
    return [Trial(None, Side(arguments.side), int(arguments.entry_row), distance)]


def _from_file(arguments: argparse.Namespace) -> list[Trial]:
    if any(one is not None for one in (arguments.side, arguments.entry_row, arguments.stop_distance)):
        raise ConfigurationError("--cases cannot be given together with --side, --entry-row or --stop-distance")
    if arguments.cases == "-":
        trials = list(_read_cases("standard input", sys.stdin.buffer))
    else:
        try:
            with Path(arguments.cases).open("rb") as lines:
                trials = list(_read_cases(arguments.cases, lines))
        except OSError as error:
            raise ConfigurationError(f"{arguments.cases} cannot be read: {error.strerror}") from error
    if not trials:
        raise ConfigurationError(f"{arguments.cases} holds no case")
    return trials


def _read_cases(name: str, lines: Iterable[bytes]) -> Iterator[Trial]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _read_case(line)
        except (msgspec.MsgspecError, RuleError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}, line {number}: {error}") from error


def _read_case(line: bytes) -> Trial:
    case = msgspec.json.decode(line, type=Case)
    if case.entry_row < 0:
        raise RuleError("out_of_range", f"entry_row was {case.entry_row}, which must be 0 or more")
    raw = bytes(case.stop_distance)
    # A number is taken by its digits as well: read as a float it would not be the price that was written.
    text = msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()
    return Trial(case.id, case.side, case.entry_row, parse_amount("stop_distance", text))
