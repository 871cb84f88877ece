"""Write a page about what was traded: results, drawdown, R-multiples, slippage, and a chart of each position."""

import argparse
import os
import re
import sys
from datetime import timedelta
from pathlib import Path

from robson import places
from robson.domain.errors import JournalUnusable
from robson.report.figures import to_csv
from robson.report.page import to_html
from robson.report.reading import CHARTS_MAX, read_contents

EXIT_STORAGE = 74
MOST_CHARTS = 1000
_LENGTH = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson report`."""
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the page, such as report.html; a table in CSV goes beside it",
    )
    parser.add_argument(
        "--since",
        type=_length,
        metavar="LENGTH",
        help="only positions closed in the last 30d, 12h, 2w ... before the journal's newest event",
    )
    parser.add_argument("--state-dir", metavar="DIR", help="whose journal (the place that `robson run` uses)")
    parser.add_argument(
        "--charts",
        type=_count,
        default=CHARTS_MAX,
        metavar="N",
        help=f"draw at most so many positions, the newest ({CHARTS_MAX})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the journal, also while a daemon writes to it, and write the files; 74 when either cannot be done."""
    state = places.state_directory(arguments.state_dir, os.environ, here=Path.cwd())
    page = Path(arguments.output)
    table = page.with_suffix(".csv")
    if page == table:
        return _refuse(
            f"{page} would be the table's name; the page needs another one, such as {page.with_suffix('.html')}"
        )
    try:
        contents = read_contents(state, since=arguments.since, csv_name=table.name, charts_max=arguments.charts)
    except JournalUnusable as error:
        return _refuse(str(error))
    for path, text in ((table, to_csv(contents.rows)), (page, to_html(contents))):
        try:
            _write(path, text)
        except OSError as error:
            return _refuse(f"{path} was not written: {error.strerror}")
    print("page", page)
    print("table", table)
    print("positions", len(contents.rows))
    print("charts", len(contents.charts))
    print("charts_left_out", contents.charts_left_out)
    return 0


def _write(path: Path, text: str) -> None:
    """Whole or not at all; what was there stays until then."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, "utf-8", "replace")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"was {text!r}, which must be a number with m, h, d or w, such as 30d")
    return int(found[1]) * _UNITS[found[2]]


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_CHARTS:
        raise argparse.ArgumentTypeError(f"was {text}, which must be 0 to {MOST_CHARTS}")
    return number


def _refuse(message: str) -> int:
    print(f"robson: {message}", file=sys.stderr)
    return EXIT_STORAGE
