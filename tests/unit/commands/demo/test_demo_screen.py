"""What is printed where: repainting on a terminal, growing lines elsewhere."""

import io
import re

import pytest

from robson.commands.demo.screen import Screen


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, *, terminal: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def written(self) -> str:
        raw = self.buffer
        assert isinstance(raw, io.BytesIO)
        return raw.getvalue().decode()

    @property
    def shown(self) -> list[str]:
        """The lines as a terminal ends up showing them."""
        lines, row = [""], 0
        for token in re.findall(r"\x1b\[1A|\x1b\[2K|\n|[^\x1b\n]+", self.written):
            match token:
                case "\x1b[1A":
                    row -= 1
                    assert row >= 0
                case "\x1b[2K":
                    lines[row] = ""
                case "\n":
                    row += 1
                    lines += [""] * (row == len(lines))
                case _:
                    lines[row] += token
        return lines[:-1] if not lines[-1] else lines


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_painted_block_is_replaced_and_what_was_said_stays_above_it(terminal: Terminal) -> None:
    screen = Screen(terminal, {"TERM": "xterm"})
    screen.say("armed")
    screen.paint(["price 1", "stop 1"])
    screen.say("entered")
    screen.paint(["price 2", "stop 2"])
    assert terminal.shown == ["armed", "entered", "price 2", "stop 2"]


def test_leaving_takes_the_block_away(terminal: Terminal) -> None:
    screen = Screen(terminal, {"TERM": "xterm"})
    screen.say("entered")
    screen.paint(["price", "stop"])
    screen.leave()
    screen.say("closed")
    assert [line for line in terminal.shown if line] == ["entered", "closed"]


def test_a_line_of_the_block_never_wraps(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    Screen(terminal, {"TERM": "xterm"}).paint(["x" * 200])
    assert terminal.shown == ["x" * 69]


@pytest.mark.parametrize(
    ("is_terminal", "environment"), [(False, {"TERM": "xterm"}), (True, {"TERM": "dumb"}), (True, {})]
)
def test_nothing_is_repainted_where_that_cannot_be(is_terminal: bool, environment: dict[str, str]) -> None:
    stream = Terminal(terminal=is_terminal)
    screen = Screen(stream, environment)
    screen.paint(["price"])
    screen.say(screen.style("bold", "said"))
    screen.leave()
    assert not screen.is_live
    assert stream.written == "said\n"


def test_no_color_is_heeded_but_the_block_is_still_repainted() -> None:
    coloured = Screen(Terminal(), {"TERM": "xterm"})
    plain = Screen(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert coloured.style("bold", "x") == "\x1b[1mx\x1b[0m"
    assert plain.style("bold", "x") == "x"
    assert plain.is_live
