"""Copy the journal to a file, also while the daemon writes to it."""

import argparse
import os
import sys
from pathlib import Path

from robson import places
from robson.clock import RunClock
from robson.domain.errors import StorageError
from robson.ports.journal import LastBackup
from robson.store.backup import JOURNAL_NAME, Contents, back_up
from robson.store.backups import remember_backup

EXIT_STORAGE = 74


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson backup`."""
    parser.add_argument("file", metavar="FILE", help="where the copy goes; nobody but you can read it")
    parser.add_argument("--state-dir", metavar="DIR", help="whose journal (the place that `robson run` uses)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")


def run(arguments: argparse.Namespace) -> int:
    """Make the copy and print what it holds; 74 when there is no whole copy, and FILE is then as it was."""
    state, target = places.state_directory(arguments.state_dir, os.environ, here=Path.cwd()), Path(arguments.file)
    if not arguments.force and os.path.lexists(target):
        return _refuse(f"{target} is there already; --force replaces it")
    try:
        contents = back_up(state / JOURNAL_NAME, target, overwrite=arguments.force)
    except StorageError as error:
        return _refuse(str(error))
    _remember(state / JOURNAL_NAME, target, contents)
    newest = f"{contents.newest_at:%Y-%m-%dT%H:%M:%S.%fZ}" if contents.newest_at is not None else "-"
    print("file", arguments.file)
    print("mode", contents.mode)
    print("events", contents.events)
    print("oldest_seq", contents.oldest_seq)
    print("last_seq", contents.last_seq)
    print("newest_at", newest)
    print("open_positions", len(contents.open_positions))
    print("size_bytes", contents.size)
    return 0


def _remember(journal: Path, target: Path, contents: Contents) -> None:
    """Note the copy beside the journal, for `robsonctl journal`."""
    made = LastBackup(file=str(target.absolute()), at=RunClock().now(), last_seq=contents.last_seq, size=contents.size)
    try:
        remember_backup(journal, made)
    except OSError as error:
        # Whoever may read the journal need not be allowed to write beside it: the copy is as good.
        print(f"robson: the copy is whole, but was not noted beside the journal: {error.strerror}", file=sys.stderr)


def _refuse(message: str) -> int:
    print(f"robson: {message}", file=sys.stderr)
    return EXIT_STORAGE
