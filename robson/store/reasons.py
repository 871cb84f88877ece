"""Why the journal's file could not be used, in words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robson.domain.errors import JournalUnusable


def reason(error: Exception) -> str:
    """What went wrong, with the file's name where there is one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def why_not(path: Path) -> str:
    """What the file system says of a file of which SQLite only says that it cannot."""
    try:
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return " (its file system was mounted read-only)"
    except OSError:
        return ""
    allowed = os.access(path, os.R_OK | os.W_OK, effective_ids=True)
    return " (permission denied)" if os.access(path, os.F_OK, effective_ids=True) and not allowed else ""


@contextmanager
def opening(path: Path, connection: sqlite3.Connection | None = None) -> Iterator[None]:
    """Close what was opened when anything goes wrong, and say it in one line."""
    try:
        yield
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, (sqlite3.Error, OSError)):
            told = f"the journal {path} could not be opened: {reason(error)}{why_not(path)}"
            raise JournalUnusable(told) from error
        raise
