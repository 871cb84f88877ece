"""How fast Robson is on this machine and disk, each figure beside a bare script that does only the physical work."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from robson.bench.suite import BENCHMARKS

if TYPE_CHECKING:
    from robson.bench.figure import Report
    from robson.bench.setting import Setting

ROUNDS_LEAST, ROUNDS, ROUNDS_MOST = 1, 5, 1000
_USAGE, _FAILED = 2, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson bench`."""
    told = "; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure (all of it). {told}")
    parser.add_argument("--rounds", type=_rounds, default=ROUNDS, metavar="N", help=f"how many rounds each ({ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="a look whether everything runs; figures worth little")
    parser.add_argument("--json", metavar="FILE", help="also write the report there, for --compare")
    parser.add_argument("--compare", metavar="FILE", help="an earlier report, to show what changed")
    parser.add_argument("--state-dir", metavar="DIR", help="an existing directory on the disk to measure (.)")
    parser.add_argument("--no-awake", action="store_true", help="let idle processors sleep, as they do on a quiet day")


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmarks.

    Exit codes: 0 when each was measured, whether its target was met or missed; 1 when one could not be; 2 for a name,
    a directory or a report that is none.
    """
    from robson.bench.setting import Setting

    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    directory = Path(arguments.state_dir or ".")
    if unknown:
        return _refuse(f"{unknown[0]!r} is no benchmark; there are {', '.join(BENCHMARKS)}")
    if not directory.is_dir():
        return _refuse(f"--state-dir was {str(directory)!r}, which is no directory")
    try:
        older = _report(Path(arguments.compare)) if arguments.compare else None
    except (OSError, ValueError) as error:
        return _refuse(f"--compare {arguments.compare!r} was not read: {error}")
    with tempfile.TemporaryDirectory(prefix="rbench-", dir=directory) as made:
        setting = Setting(
            directory=Path(made).resolve(),
            rounds=arguments.rounds,
            quick=arguments.quick,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        return _measured(arguments, setting, older)


def _measured(arguments: argparse.Namespace, setting: "Setting", older: "Report | None") -> int:
    import msgspec

    from robson.bench.suite import run as run_suite
    from robson.bench.table import compared, table
    from robson.clock import RunClock

    names = tuple(dict.fromkeys(arguments.names or BENCHMARKS))
    report = run_suite(names, setting, at=RunClock().now(), keep_awake=not arguments.no_awake)
    if arguments.json:
        Path(arguments.json).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    print(table(report))
    if older is not None:
        print()
        print(compared(older, report))
    return _FAILED if report.failed else 0


def _report(path: Path) -> "Report":
    import msgspec

    from robson.bench.figure import Report

    return msgspec.json.decode(path.read_bytes(), type=Report)


def _refuse(why: str) -> int:
    print(f"robson bench: {why}", file=sys.stderr)
    return _USAGE


def _rounds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not ROUNDS_LEAST <= int(text) <= ROUNDS_MOST:
        raise argparse.ArgumentTypeError(f"was {text!r}, which must be a number from {ROUNDS_LEAST} to {ROUNDS_MOST}")
    return int(text)
