"""Columns of text: aligned by what a terminal shows of a cell, and fitted to its width where there is one."""

import re
from collections.abc import Sequence

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_GAP = "  "
# Narrower than this, wrapped text is a column of syllables.
_WRAP_MIN = 16


def grid(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    aligned: Sequence[str] = (),
    *,
    width: int | None = None,
    spare: Sequence[str] = (),
) -> str:
    """A plain table; `aligned` is left, right or decimal a column.

    Where it is wider than `width` columns of a screen, the last column is wrapped; where that leaves it too little
    room, the columns named in `spare` go, one after the other, and a last line says so. Without a width nothing is
    left out.
    """
    count = max(map(len, (head, *rows)), default=0)
    sides = [aligned[place] if place < len(aligned) else "left" for place in range(count)]
    columns = [
        _Column(head[place] if place < len(head) else "", sides[place], [row[place] for row in rows])
        for place in range(count)
    ]
    if not columns:
        return ""
    gone = []
    if width is not None:
        for name in spare:
            if _fits(columns, width):
                break
            gone += [column.title for column in columns if column.title == name]
            columns = [column for column in columns if column.title != name]
        _wrap_last(columns, width)
    lines = _lines(columns, headed=bool(head))
    if gone:
        lines += wrapped(f"(for want of room without {', '.join(gone)})", width or 0)
    return "\n".join(lines)


def shown_width(text: str) -> int:
    """How many columns of a terminal the text takes; colours take none, wide letters two, combining ones none."""
    text = _COLOUR.sub("", text)
    # The arrows are narrow, and they are in every table.
    if text.replace("▲", "+").replace("▼", "-").isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


class _Column:
    def __init__(self, title: str, side: str, cells: list[str]) -> None:
        self.title = title
        self.side = side
        self.cells = _pointed(cells) if side == "decimal" else cells

    @property
    def width(self) -> int:
        return max(map(shown_width, [self.title, *(line for cell in self.cells for line in cell.split("\n"))]))

    def laid(self, text: str, width: int) -> str:
        room = " " * (width - shown_width(text))
        return text + room if self.side == "left" else room + text


def _pointed(cells: list[str]) -> list[str]:
    """The cells with blanks behind them, so that their decimal points stand below each other."""
    behind = [len(cell) - cell.index(".") if "." in cell else 0 for cell in cells]
    most = max(behind, default=0)
    return [cell + " " * (most - length) if cell else "" for cell, length in zip(cells, behind, strict=True)]


def _fits(columns: list[_Column], width: int) -> bool:
    *others, last = columns
    room = width - sum(column.width + len(_GAP) for column in others)
    wanted = last.width
    return room >= (min(wanted, max(_WRAP_MIN, len(last.title))) if last.side == "left" else wanted)


def _wrap_last(columns: list[_Column], width: int) -> None:
    *others, last = columns
    room = width - sum(column.width + len(_GAP) for column in others)
    if last.side == "left" and _WRAP_MIN <= room < last.width:
        last.cells = ["\n".join(wrapped(cell, room)) for cell in last.cells]


def wrapped(text: str, room: int) -> list[str]:
    """The text in lines that take at most so many columns, broken at blanks where there are any."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if shown_width(joined) <= room:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while shown_width(line) > room:
            # At least a letter a line, however wide it is.
            cut = next((n for n in range(len(line) - 1, 1, -1) if shown_width(line[:n]) <= room), 1)
            lines.append(line[:cut])
            line = line[cut:]
            if len(line) <= 1:
                break
    return [*lines, line]


def _lines(columns: list[_Column], *, headed: bool) -> list[str]:
    widths = [column.width for column in columns]
    rows = [[column.title] for column in columns] if headed else [[] for _ in columns]
    for row, column in zip(rows, columns, strict=True):
        row.extend(column.cells)
    lines = []
    for cells in zip(*rows, strict=True):
        parts = [cell.split("\n") for cell in cells]
        for number in range(max(map(len, parts))):
            line = [part[number] if number < len(part) else "" for part in parts]
            laid = [column.laid(text, width) for column, text, width in zip(columns, line, widths, strict=True)]
            lines.append(_GAP.join(laid).rstrip())
    return lines
