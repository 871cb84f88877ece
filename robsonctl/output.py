"""Where results go: the daemon's own JSON untouched, one line a row, CSV, or text for people."""

import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from robsonctl.wire import dumps


class OutputLost(Exception):
    """Standard output takes nothing any more; `unread` when its reader has gone, which is no fault."""

    def __init__(self, fault: OSError | None = None) -> None:
        super().__init__(os.strerror(errno.EBADF) if fault is None else fault.strerror or str(fault))
        self.unread = isinstance(fault, BrokenPipeError)


class Output:
    """Standard output in the form that was asked for: table, json, jsonl or csv."""

    def __init__(self, form: str) -> None:
        self.form = form
        self._abandoned = False
        self._columns: list[str] | None = None
        # What comes before the next text: watching a terminal, what clears it.
        self.before = ""

    def show(self, result: bytes, text: Callable[[], str], *, rows: str | None = None) -> None:
        """Write a result; `rows` names the list in it that jsonl and csv take apart, `text` makes the table.

        A reader that has gone is no fault of the command: its exit code stands.
        """
        try:
            self._show(result, text, rows)
            self.flush()
        except OutputLost as loss:
            if not loss.unread:
                raise
            self._abandoned = True
            forget_stdout()

    def _show(self, result: bytes, text: Callable[[], str], rows: str | None) -> None:
        match self.form:
            case "json":
                self.line(result.decode())
            case "jsonl" | "csv":
                self.rows(_rows(result, rows))
            case _:
                self.line(text())

    def rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows as csv, whose head comes once, or as jsonl."""
        if self.form == "csv":
            self._write_csv(rows)
        else:
            for row in rows:
                self.line(dumps(row))

    def _write_csv(self, rows: Sequence[dict[str, Any]]) -> None:
        if self._columns is None and rows:
            # In the order of first appearance; what later rows have besides would fit under no head.
            self._columns = list(dict.fromkeys(name for row in rows for name in row))
            self.line(",".join(map(_quoted, self._columns)))
        for row in rows:
            self.line(",".join(_cell(row.get(name)) for name in self._columns or ()))

    def line(self, text: str) -> None:
        """Write one line (or several, without the last line feed)."""
        write(f"{self.before}{text}\n")

    def flush(self) -> None:
        """Hand over what was written; raises OutputLost, also once the reader has gone."""
        if self._abandoned:
            raise OutputLost(BrokenPipeError())
        flush()


def write(text: str) -> None:
    """Write to standard output; raises OutputLost, also when it was closed before the start."""
    if sys.stdout is None:
        raise OutputLost
    try:
        sys.stdout.write(text)
    except OSError as fault:
        raise OutputLost(fault) from fault


def flush() -> None:
    """Hand over what was written to standard output; raises OutputLost."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as fault:
            raise OutputLost(fault) from fault


def forget_stdout() -> None:
    """Send what is still to be written nowhere: its reader has gone, and Python would complain of it at exit."""
    if sys.stdout is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def complain(message: str, *, code: str = "", hint: str = "") -> None:
    """Tell the person on standard error."""
    if sys.stderr is None:
        return
    suffix = f" ({code})" if code else ""
    sys.stderr.write(f"robsonctl: {message}{suffix}\n")
    if hint:
        sys.stderr.write(f"  {hint}\n")
    sys.stderr.flush()


def _rows(result: bytes, name: str | None) -> list[dict[str, Any]]:
    fields: dict[str, Any] = json.loads(result)
    return [fields] if name is None else fields[name]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return _quoted(value if isinstance(value, str) else dumps(value))


def _quoted(text: str) -> str:
    """A cell that every reader of CSV gives back as it was; the empty text is not nothing."""
    if text and text == text.strip() and not any(mark in text for mark in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
