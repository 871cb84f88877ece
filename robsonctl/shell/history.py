"""The lines that were typed, in a file that only its owner may read and that holds no secret."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

_KEPT_MAX = 5_000
# A position's id and an idempotency key of ours have 32 characters, a Binance key has 64.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{41,}")
_NAMED = re.compile(r"(?i)(secret|passw|passphrase|token|api.?key|credential|BEGIN [A-Z ]*PRIVATE)")


def is_secret(line: str) -> bool:
    """Whether a line is kept out of the history: it begins with a space, or something in it may be a secret."""
    return line.startswith((" ", "\t")) or bool(_LONG_WORD.search(line) or _NAMED.search(line))


def history_path(environment: Mapping[str, str]) -> Path | None:
    """`$XDG_STATE_HOME/robson/history`, or where that is by default; None without a home."""
    state = environment.get("XDG_STATE_HOME", "")
    if state.startswith("/"):
        return Path(state) / "robson" / "history"
    home = environment.get("HOME", "")
    return Path(home) / ".local" / "state" / "robson" / "history" if home.startswith("/") else None


def open_history(path: Path | None) -> tuple[History, str]:
    """The history in the file, and a complaint where it cannot be kept: then it lasts as long as the shell."""
    if path is None:
        return InMemoryHistory(), "the history is not kept: there is no HOME"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(opened, 0o600)
        finally:
            os.close(opened)
        _shorten(path)
    except OSError as fault:
        return InMemoryHistory(), f"the history is not kept: {path}: {fault.strerror or fault}"
    return KeptHistory(path), ""


class KeptHistory(FileHistory):
    """A history file; what may be a secret is remembered nowhere, and a full disk is no reason to stop."""

    def append_string(self, string: str) -> None:
        """Remember a line unless it may hold a secret; a line that is repeated at once is kept once."""
        lines = self.get_strings()
        if not is_secret(string) and not (lines and lines[-1] == string):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write a line to the file if that is possible."""
        try:
            super().store_string(string)
        except OSError:
            return


def _shorten(path: Path) -> None:
    """Keep the newest lines: prompt-toolkit's entries begin with an empty line."""
    entries = path.read_bytes().split(b"\n\n")
    if len(entries) <= 2 * _KEPT_MAX:
        return
    fresh = path.with_name(path.name + ".new")
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(b"\n" + b"\n\n".join(entries[-_KEPT_MAX:]))
    fresh.replace(path)
