"""The chart command: in windows of many sizes, in any locale, to files, and as points for scripts."""

import csv
import io
import re
import struct
import sys
from datetime import UTC
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robsonctl.chart_text import Screen, chart_text
from robsonctl.exits import Exit
from robsonctl.paint import Paint
from tests.pictures import GALLERY, walked
from tests.unit.robsonctl.conftest import Robsonctl, ScriptedDaemon, position, status

PLAIN = Paint(coloured=False)
CONTROL = re.compile(r"\x1b\[[0-9;]*m")
GAP = GALLERY["gap_exit"]


@pytest.fixture
def asked(daemon: ScriptedDaemon) -> ScriptedDaemon:
    """It knows the position and answers with its chart."""
    daemon.reply(status(position(position_id=GAP.position_id)))
    daemon.reply(GAP)
    return daemon


def drawn(name: str, columns: int = 80, lines: int = 24, *, braille: bool = True, paint: Paint = PLAIN) -> list[str]:
    screen = Screen(columns=columns, lines=lines, braille=braille, zone=UTC)
    return chart_text(GALLERY[name], screen, paint).split("\n")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(30, 250),
    st.integers(5, 100),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.3, 60, 86_400, 3 * 86_400]),
    st.sampled_from([1, 2, 300]),
)
def test_it_fits_the_window(
    seed: int, columns: int, lines: int, braille: bool, is_open: bool, seconds: float, steps: int
) -> None:
    chart = walked(seed, seconds=seconds, steps=steps, is_open=is_open, side="short" if seed % 2 else "long")
    screen = Screen(columns=columns, lines=lines, braille=braille, zone=UTC)
    text = chart_text(chart, screen, PLAIN).split("\n")
    assert max(map(len, text)) <= columns
    assert len(text) < max(lines, 5 + 5 + 6)
    if not braille:
        assert "\n".join(text).isascii()


def test_eighty_columns_and_twenty_four_lines_leave_room_for_the_prompt() -> None:
    for name in GALLERY:
        text = drawn(name)
        assert len(text) <= 23
        assert text[0].startswith("BTCUSDT ")
        assert f"({GALLERY[name].r_multiple:+.2f} R)" in text[0]
        assert any(0x2800 < ord(c) < 0x2900 for line in text for c in line)
        assert "▲ entry" in "\n".join(text)
        assert "━━ stop" in "\n".join(text)


def test_a_gap_is_shown_and_the_stop_goes_through_it() -> None:
    text = drawn("gap_exit")
    assert any("━" * 30 in line for line in text)
    assert sum("░" * 20 in line for line in text) > 8
    assert "░ no prices" in text[-1] + text[-2]
    assert not any("░" in line for line in drawn("long"))


def test_ascii_has_the_same_shape() -> None:
    text = drawn("gap_exit", braille=False)
    assert any("=" * 30 in line for line in text)
    assert any("*" in line for line in text)
    assert any(line.rstrip().endswith("X") for line in text)


def test_colour_changes_no_character() -> None:
    coloured = drawn("gap_exit", paint=Paint(coloured=True))
    assert [CONTROL.sub("", line) for line in coloured] == drawn("gap_exit")
    assert any("\x1b[33m━" in line for line in coloured)


def test_the_command_draws_in_the_terminal(
    asked: ScriptedDaemon, robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    assert robsonctl("chart", GAP.position_id) == 0
    assert max(map(len, robsonctl.out.splitlines())) <= 60
    assert "exit 94588.53" in robsonctl.out
    assert asked.asked()[1] == {"cmd": "chart", "position_id": GAP.position_id, "points": 400}


@pytest.mark.parametrize(("variable", "value"), [("LC_ALL", "C"), ("LC_ALL", "POSIX")])
def test_a_locale_without_dots_gets_asterisks(
    asked: ScriptedDaemon, robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert robsonctl("chart", GAP.position_id) == 0
    assert robsonctl.out.isascii()
    assert "*" in robsonctl.out


def test_points_come_as_json_and_csv(asked: ScriptedDaemon, robsonctl: Robsonctl) -> None:
    assert robsonctl("chart", GAP.position_id, "-o", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(robsonctl.out)))
    assert len(rows) == len(GAP.points)
    assert list(rows[0]) == ["at", "low", "high", "last", "stop", "after_gap"]
    assert rows[0]["last"] == str(GAP.points[0].last)


def test_json_is_the_daemons_own(asked: ScriptedDaemon, robsonctl: Robsonctl) -> None:
    assert robsonctl("chart", GAP.position_id, "--json") == 0
    assert msgspec.json.decode(robsonctl.out)["price_places"] == 2


@pytest.mark.parametrize("name", ["chart.svg", "Chart.SVG", "chart.png"])
def test_a_name_that_ends_as_a_picture_is_a_file(
    asked: ScriptedDaemon, robsonctl: Robsonctl, tmp_path: Path, name: str
) -> None:
    assert robsonctl("chart", GAP.position_id, "-o", str(tmp_path / name), "--width", "900") == 0
    assert (robsonctl.out, robsonctl.err) == ("", "")
    content = (tmp_path / name).read_bytes()
    if name.endswith("png"):
        assert struct.unpack(">II", content[16:24]) == (900, 450)
    else:
        assert b'width="900"' in content


@pytest.mark.parametrize("name", ["chart.pdf", "tabel", "svg", ""])
def test_another_name_is_a_mistake_in_usage(robsonctl: Robsonctl, name: str) -> None:
    assert robsonctl("chart", "x", "-o", name) == Exit.USAGE
    assert ".svg or .png" in robsonctl.err


@pytest.mark.parametrize("width", ["10", "100000", "wide"])
def test_a_width_has_limits(robsonctl: Robsonctl, width: str) -> None:
    assert robsonctl("chart", "x", "-o", "x.svg", "--width", width) == Exit.USAGE


def test_a_file_that_cannot_be_written_is_said(asked: ScriptedDaemon, robsonctl: Robsonctl, tmp_path: Path) -> None:
    assert robsonctl("chart", GAP.position_id, "-o", str(tmp_path / "no" / "x.svg")) == Exit.REFUSED
    assert "No such file or directory" in robsonctl.err


def test_without_pillow_a_png_is_refused_with_a_hint(
    asked: ScriptedDaemon, robsonctl: Robsonctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "robson.drawing.png", raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert robsonctl("chart", GAP.position_id, "-o", str(tmp_path / "x.png")) == Exit.REFUSED
    assert "robson[png]" in robsonctl.err
    assert not (tmp_path / "x.png").exists()
