"""Where results go: the daemon's own JSON untouched, one line a row, CSV, or text for people."""

import os
import sys
from collections.abc import Callable, Sequence

import msgspec


class Output:
    """Standard output in the form that was asked for: table, json, jsonl or csv."""

    def __init__(self, form: str) -> None:
        self.form = form
        self._abandoned = False

    def show(self, result: bytes, text: Callable[[], str], *, rows: str | None = None) -> None:
        """Write a result; `rows` names the list in it that jsonl and csv take apart, `text` makes the table.

        A reader that has gone is no fault of the command: its exit code stands.
        """
        try:
            self._show(result, text, rows)
            sys.stdout.flush()
        except BrokenPipeError:
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

    def rows(self, rows: Sequence[msgspec.Raw], *, head: bool = True) -> None:
        """Write rows as csv, with or without its head, or as jsonl."""
        if self.form == "csv":
            _write_csv(rows, head=head)
        else:
            for row in rows:
                self.line(bytes(row).decode())

    def line(self, text: str) -> None:
        """Write one line (or several, without the last line feed)."""
        sys.stdout.write(text + "\n")

    def flush(self) -> None:
        """Hand over what was written; raises BrokenPipeError once nobody reads any more."""
        if self._abandoned:
            raise BrokenPipeError
        sys.stdout.flush()


def forget_stdout() -> None:
    """Send what is still to be written nowhere: its reader has gone, and Python would complain of it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def complain(message: str, *, code: str = "", hint: str = "") -> None:
    """Tell the person on standard error."""
    suffix = f" ({code})" if code else ""
    sys.stderr.write(f"robsonctl: {message}{suffix}\n")
    if hint:
        sys.stderr.write(f"  {hint}\n")
    sys.stderr.flush()


def _rows(result: bytes, name: str | None) -> Sequence[msgspec.Raw]:
    if name is None:
        return [msgspec.Raw(result)]
    parts = msgspec.json.decode(result, type=dict[str, msgspec.Raw])
    return msgspec.json.decode(parts[name], type=list[msgspec.Raw])


def _write_csv(rows: Sequence[msgspec.Raw], *, head: bool) -> None:
    import csv

    cells = [
        {name: _cell(value) for name, value in msgspec.json.decode(row, type=dict[str, object]).items()} for row in rows
    ]
    # In the order of first appearance: rows of one list have the same fields, events' data is one cell.
    names = list(dict.fromkeys(name for row in cells for name in row))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    if names and head:
        writer.writeheader()
    writer.writerows(cells)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
