"""Manual pages in roff's man macros: sections, tagged paragraphs, and Markdown's plain parts."""

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

_MARKED = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\([^)]+\)")


def plain(text: str) -> str:
    """Text of which roff makes nothing: every backslash, hyphen and leading dot is itself."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")
    escaped = escaped.replace("`", "\\(ga").replace("'", "\\(aq").replace("…", "\\[u2026]")
    return "\\&" + escaped if escaped.startswith(".") else escaped


def prose(text: str) -> str:
    """A paragraph's text in lines of roff, with Markdown's code and bold words in bold, and others in italics."""
    parts, end = [], 0
    line = " ".join(text.split())
    for found in _MARKED.finditer(line):
        parts.append(plain(line[end : found.start()]))
        strong = found[1] or found[2]
        parts.append(f"\\fB\\%{plain(strong)}\\fR" if strong else f"\\fI{plain(found[3] or found[4])}\\fR")
        end = found.end()
    parts.append(plain(line[end:]))
    lines = wrap("".join(parts), 78, break_long_words=False, break_on_hyphens=False)
    # A line that begins so would be a request.
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in lines)


class Page:
    """One manual page under way."""

    def __init__(self, name: str, section: int, words: str, *, date: str, version: str) -> None:
        self._lines = [
            '.\\" Written by `make manuals`; a test keeps it in step with the code.',
            f'.TH {name.upper()} {section} "{date}" "Robson {version}" "Robson manual"',
            ".SH NAME",
            f"{plain(name)} \\- {prose(words)}",
        ]

    def section(self, title: str, *paragraphs: str) -> None:
        """Begin a section."""
        self._lines.append(f'.SH "{plain(title.upper())}"')
        self._paragraphs(paragraphs)

    def part(self, title: str, *paragraphs: str) -> None:
        """Begin a part of a section."""
        self._lines.append(f'.SS "{prose(title)}"')
        self._paragraphs(paragraphs)

    def _paragraphs(self, paragraphs: Iterable[str]) -> None:
        for number, text in enumerate(paragraphs):
            self._lines += [prose(text)] if number == 0 else [".PP", prose(text)]

    def paragraph(self, text: str) -> None:
        """A paragraph more."""
        self._lines += [".PP", prose(text)]

    def tagged(self, tag: str, text: str) -> None:
        """A term in bold and what it means."""
        self._lines += [".TP", f"\\fB{plain(tag)}\\fR", prose(text) or "\\&"]

    def item(self, text: str) -> None:
        """One point of a list."""
        self._lines += [".IP \\(bu 2", prose(text)]

    def code(self, *lines: str) -> None:
        """Lines as they stand."""
        # A paragraph's macro right after a heading would be one too many.
        space = [] if self._lines[-1].startswith((".SH", ".SS")) else [".PP"]
        self._lines += [*space, ".RS 4", ".EX", *(plain(line) for line in lines), ".EE", ".RE"]

    def markdown(self, text: str) -> None:
        """Markdown of headings, paragraphs, lists, code and tables; a first heading is the page's own and left out."""
        for block in _blocks(text):
            first = block[0]
            if first.startswith("# "):
                continue
            if first.startswith("## "):
                self.section(first[3:])
            elif first.startswith("### "):
                self.part(first[4:])
            elif first.startswith("```"):
                self.code(*block[1:-1])
            elif first.startswith("- "):
                for point in _points(block):
                    self.item(point)
            elif first.startswith("|"):
                self._table(block)
            else:
                # The macro for a paragraph right after a heading would be one too many.
                if not self._lines[-1].startswith((".SH", ".SS")):
                    self._lines.append(".PP")
                self._lines.append(prose(" ".join(block)))

    def _table(self, rows: list[str]) -> None:
        for row in rows[2:]:
            name, *rest = (cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip("|")))
            self.tagged(name.replace("`", ""), ": ".join(filter(None, rest)))

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self._lines) + "\n"


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together: up to a blank one, or between fences."""
    block: list[str] = []
    for line in text.splitlines():
        fenced = bool(block) and block[0].startswith("```")
        if fenced:
            block.append(line)
            if line.startswith("```"):
                yield block
                block = []
        elif not line.strip() or line.startswith("#"):
            if block:
                yield block
            block = []
            if line.strip():
                yield [line]
        else:
            block.append(line)
    if block:
        yield block


def _points(block: list[str]) -> Iterator[str]:
    point = ""
    for line in block:
        if line.startswith("- "):
            if point:
                yield point
            point = line[2:]
        else:
            point += " " + line.strip()
    yield point
