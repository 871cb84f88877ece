"""Where the story is printed: lines that stay, and on a terminal a block beneath them that is painted anew."""

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import TextIO

from robson.commands.demo.sparkline import ramp_for

_UP_AND_ERASE = "\x1b[1A\x1b[2K"
_STYLES = {"bold": "1", "green": "32", "red": "31", "dim": "2"}
_WIDTH_LEAST = 60
_WIDTH_MOST = 160


class Screen:
    """A stream as the story sees it; `is_live` says whether a block may be painted anew."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        terminal = stream.isatty() and environment.get("TERM", "dumb") != "dumb"
        self.is_live = terminal
        self.ramp = ramp_for(stream.encoding, environment)
        self._coloured = terminal and not environment.get("NO_COLOR")
        self._stream = stream
        self._block: Sequence[str] = ()

    @property
    def width(self) -> int:
        """How many characters a line may have."""
        return min(max(shutil.get_terminal_size((100, 24)).columns - 1, _WIDTH_LEAST), _WIDTH_MOST)

    def style(self, name: str, text: str) -> str:
        """The text in a style, or plain where colours are not wanted."""
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self._coloured else text

    def say(self, *lines: str) -> None:
        """Print lines that stay."""
        self._write(self._erased() + "".join(f"{line}\n" for line in lines) + self._painted())

    def paint(self, lines: Sequence[str]) -> None:
        """Put other lines into the block; nothing where there is none."""
        if self.is_live:
            erased, self._block = self._erased(), [line[: self.width] for line in lines]
            self._write(erased + self._painted())

    def leave(self) -> None:
        """Take the block away."""
        self.paint(())

    def _erased(self) -> str:
        return _UP_AND_ERASE * len(self._block)

    def _painted(self) -> str:
        return "".join(f"{line}\n" for line in self._block)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def forget(stream: TextIO) -> None:
    """Send what is still to be written nowhere: its reader has gone, and Python would complain of it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
