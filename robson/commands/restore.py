"""Put a copy of the journal in its place, and say what it cannot know."""

import argparse
import os
import sys
from pathlib import Path

from robson import places
from robson.clock import RunClock
from robson.domain.errors import StorageError
from robson.store.backup import Contents, Restored, put_back

EXIT_STORAGE = 74


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson restore`."""
    parser.add_argument("file", metavar="FILE", help="what `robson backup` has made")
    parser.add_argument("--state-dir", metavar="DIR", help="where it goes (the place that `robson run` uses)")
    parser.add_argument("--mode", choices=("paper", "live"), help="refuse a copy of the other mode")


def run(arguments: argparse.Namespace) -> int:
    """Put the copy in place; 74 when that was not done, and the journal is then as it was."""
    state = places.state_directory(arguments.state_dir, os.environ, here=Path.cwd())
    try:
        _create(state)
        restored = put_back(Path(arguments.file), state, mode=arguments.mode, clock=RunClock())
    except StorageError as error:
        print(f"robson: {error}", file=sys.stderr)
        return EXIT_STORAGE
    for line in _told(arguments.file, state, restored):
        print(line)
    return 0


def _create(state: Path) -> None:
    try:
        places.create_state_directory(state)
    except OSError as error:
        raise StorageError(f"the state directory {state} could not be created: {error.strerror}") from error


def _told(file: str, state: Path, restored: Restored) -> list[str]:
    contents = restored.contents
    lines = [
        f"{state} has the journal of {file} again:",
        f"mode {contents.mode}, {contents.events} events, last_seq {contents.last_seq}.",
        f"The journal that was there is kept as {restored.kept}." if restored.kept is not None else "There was none.",
        "",
        *_warning(contents),
    ]
    if contents.mode == "paper":
        lines.append("The paper venue's account (paper-account.db) was not touched: like an exchange, it has gone on.")
    return lines


def _warning(contents: Contents) -> list[str]:
    """What a restore means for orders since the backup."""
    since = f"{contents.newest_at:%Y-%m-%d %H:%M:%S} UTC" if contents.newest_at is not None else "its beginning"
    lines = [
        f"It knows nothing of what happened after {since}.",
        "Positions armed since are forgotten: what they hold or owe at the venue is nobody's, and yours to close.",
    ]
    if not contents.open_positions:
        return [*lines, "It has no open positions."]
    return [
        *lines,
        "Positions closed since are open again until the daemon has found their exits at the venue, by their ids,",
        "within half a minute of its start. What was done by hand since it cannot find: compare these with the venue's",
        "account before you start the daemon, and do not start it while one was closed by hand or is not there:",
        *(
            f"  {one.position_id}  {one.symbol} {one.side} {one.state} {one.quantity or ''}".rstrip()
            for one in contents.open_positions
        ),
    ]
