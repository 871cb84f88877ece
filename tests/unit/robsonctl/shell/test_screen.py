"""What stands on the screen: the toolbar, the news, records, and nothing that a terminal would obey."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prompt_toolkit.formatted_text import fragment_list_to_text

from robson.domain.events import NOTICE_TYPES
from robson.protocol.replies import success
from robson.protocol.results import EventLine, FeedView
from robsonctl.paint import Paint
from robsonctl.shell import news
from robsonctl.shell.harmless import bare, folded, harmless, width
from robsonctl.shell.history import history_path, is_secret, open_history
from robsonctl.shell.look import look
from robsonctl.shell.picture import Picture
from robsonctl.shell.records import Records
from robsonctl.shell.toolbar import toolbar
from robsonctl.tables import status_text
from tests.unit.robsonctl.conftest import NOON, position, status

PLAIN = Paint(coloured=False)


def seen(picture: Picture, columns: int = 100, after: float = 0.0) -> tuple[str, set[str]]:
    """The toolbar's text and the classes that it uses."""
    found = toolbar(picture, loop_time=after, local_time=NOON, columns=columns)
    return fragment_list_to_text(found), {style.removeprefix("class:") for style, *_ in found}


def connected(**changes: Any) -> Picture:
    picture = Picture()
    picture.connected = True
    views = changes.pop("positions", (position("a"), position("b", state="Active", unrealized_pnl=Decimal("12.4"))))
    picture.saw(status(*views, **changes), 0.0)
    return picture


def test_the_toolbar_on_a_calm_day() -> None:
    text, classes = seen(connected())
    assert text == " ● up   PAPER   1 armed 1 active  feed 0.2s  PnL ▲ +12.40  12:00:00"
    assert "bar.alarm" not in classes


@pytest.mark.parametrize(
    ("changes", "words", "style"),
    [
        ({"panic_latched": True}, "PANIC LATCHED", "bar.alarm"),
        ({"paused": True}, "PAUSED", "bar.warning"),
        ({"mode": "live"}, " LIVE ", "bar.live"),
        ({"state": "degraded"}, "● degraded", "bar.warning"),
        ({"positions": (position(state="Error"),)}, "1 ERROR", "bar.alarm"),
        (
            {"positions": (position(state="Exiting", order_in_doubt=True),)},
            "1 in motion  order in doubt",
            "bar.warning",
        ),
        ({"positions": (position(unrealized_pnl=Decimal(-3)),)}, "PnL ▼ -3.00", "bar.bad"),
        ({"feed": {"BTCUSDT": FeedView(age_seconds=None, last_price=None, stale=False)}}, "no tick yet", "bar.warning"),
        ({"feed": {"BTCUSDT": FeedView(age_seconds=70, last_price=None, stale=True)}}, "STALE 1m10s", "bar.warning"),
    ],
)
def test_the_toolbar_shouts(changes: dict[str, Any], words: str, style: str) -> None:
    text, classes = seen(connected(**changes))
    assert words in text
    assert style in classes


def test_the_toolbar_without_a_daemon_and_with_a_silent_one() -> None:
    picture = Picture()
    assert "connecting" in seen(picture)[0]
    picture.trouble, picture.next_try_at = "Connection refused", 7.0
    assert "○ Connection refused   next try in 4 s" in seen(picture, after=3.0)[0]
    assert "no answer for 12s" in seen(connected(), after=12.0)[0]


@pytest.mark.parametrize("columns", [1, 20, 40, 60, 80])
def test_what_counts_most_stays_in_a_narrow_window(columns: int) -> None:
    text, _ = seen(connected(panic_latched=True, mode="live"), columns)
    assert len(text) <= columns
    assert columns < 40 or ("PANIC LATCHED" in text and "LIVE" in text)


def test_live_mode_is_red_and_no_colour_is_none() -> None:
    live, paper, plain = (look("live", coloured=True), look("paper", coloured=True), look("live", coloured=False))
    assert live.get_attrs_for_style_str("class:prompt").color == "ff5f5f"
    assert live.get_attrs_for_style_str("class:bottom-toolbar").bgcolor == "5f0000"
    assert paper.get_attrs_for_style_str("class:prompt").color != "ff5f5f"
    assert not plain.get_attrs_for_style_str("class:bottom-toolbar class:bar.live").bgcolor
    assert plain.get_attrs_for_style_str("class:bar.alarm").bold


def event(name: str, position_id: str | None = "0123456789", **data: Any) -> EventLine:
    return EventLine(event=name, seq=1, at=datetime(2026, 11, 22, tzinfo=UTC), position_id=position_id, data=data)


def test_stops_that_followed_the_price_are_no_news_and_adjusted_ones_are() -> None:
    assert not news.wanted(event("trailing_stop_updated", adjusted=False), "on")
    assert news.wanted(event("trailing_stop_updated", adjusted=True), "on")


@pytest.mark.parametrize(("name", "levels"), [("position_armed", ["on"]), ("drift_found", ["on", "warn"])])
def test_levels(name: str, levels: Sequence[str]) -> None:
    assert [level for level in news.LEVELS if news.wanted(event(name), level)] == levels


def test_every_notice_that_is_named_exists() -> None:
    named = (news._ALARMS | news._WARNINGS | news._GOOD) - {"position_error", "signal_rejected", "entry_filled"}
    assert named <= set(NOTICE_TYPES)


def test_news_are_one_harmless_line() -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\nforged"
    text = news.news_text(event("position_error", code="c", message=hostile), hostile, PLAIN)
    assert text.endswith(r"message=\x1b]0;owned\x07\x1b[2J\x9b31m\u202e forged")
    assert "\n" not in text
    closed = news.news_text(event("position_closed", net_pnl="-1.5", exit_reason="x"), "BTCUSDT", PLAIN)
    assert closed.split(" ", 1)[1] == "01234567 BTCUSDT position_closed ▼ -1.50 exit_reason=x"


def test_only_colours_pass() -> None:
    assert harmless("a\tb\n\x1b[31mred\x1b[0m") == "a\tb\n\x1b[31mred\x1b[0m"
    assert harmless("\x1b[2J\r\x07\x7f\x85\u2028\ufeff") == r"\x1b[2J\x0d\x07\x7f\x85\u2028\ufeff"
    assert harmless("\x1b[8mhidden \x1b[40;30m") == r"\x1b[8mhidden \x1b[40;30m"
    assert harmless("\x1b[32mleft on") == "\x1b[32mleft on\x1b[0m"
    assert bare("\x1b[31m\n") == r"\x1b[31m "
    assert width("\x1b[31m价\x1b[0m+") == 3


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_folding_loses_nothing(columns: int) -> None:
    line = " ".join(f"word{number}" for number in range(40)) + " " + "x" * 100
    lines = folded(line, columns).splitlines()
    assert " ".join(part.strip() for part in lines) == line
    assert all(len(part) <= columns for part in lines if "xxx" not in part)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("status", False),
        (f"show {'a' * 32}", False),
        (f"arm BTCUSDT --key {'a' * 32}", False),
        (" status", True),
        ("k" * 64, True),
        ("arm X --param api_key=1", True),
        ("arm X --param password=1", True),
    ],
)
def test_what_is_kept_out_of_the_history(line: str, secret: bool, tmp_path: Path) -> None:
    assert is_secret(line) is secret
    history, complaint = open_history(tmp_path / "robson" / "history")
    history.append_string(line)
    assert not complaint
    assert ((tmp_path / "robson" / "history").read_text() == "") is secret
    # Arrow up does not bring it back either.
    assert (history.get_strings() == []) is secret


def test_a_history_that_cannot_be_kept_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "robson").touch()
    history, complaint = open_history(tmp_path / "robson" / "history")
    history.append_string("status")
    assert "is not kept" in complaint
    (tmp_path / "elsewhere").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert "is not kept" in open_history(tmp_path / "link")[1]
    assert open_history(None)[1]


def test_the_history_stays_short(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"\n# 2026-11-23 00:00:00\n+line {number}\n" for number in range(10_002)))
    history, _ = open_history(path)
    lines = list(history.load_history_strings())
    assert (lines[0], len(lines)) == ("line 10001", 5000)


def test_where_the_history_is() -> None:
    assert history_path({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/robson/history")
    assert history_path({"XDG_STATE_HOME": "s", "HOME": "/h"}) == Path("/h/.local/state/robson/history")
    assert history_path({}) is None


@pytest.mark.parametrize(
    ("upright", "columns", "expected"),
    [
        ("auto", 200, ["paper live", "BTCUSDT 95010.1 (0.2s)", "POSITION SYMBOL"]),
        ("off", 30, ["paper live", "BTCUSDT 95010.1 (0.2s)", "POSITION SYMBOL"]),
        (
            "auto",
            40,
            [
                "paper live",
                "BTCUSDT 95010.1 (0.2s)",
                "─ p-1 ───",
                "BTCUSDT long Active quantity 0.5",
                "entry 95000 PnL ▲ +5.00",
            ],
        ),
        ("on", 200, ["paper live", "BTCUSDT 95010.1 (0.2s)", "─ p-1 ───", "position_id p-1"]),
    ],
)
def test_tables_are_turned_where_they_do_not_fit(
    upright: str, columns: int, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    view = position(
        "p-1", state="Active", quantity=Decimal("0.5"), entry_price=Decimal(95000), unrealized_pnl=Decimal(5)
    )
    shown = status(view)
    raw = bytes(msgspec.json.decode(success(shown), type=dict[str, msgspec.Raw])["result"])
    Records("table", PLAIN, upright, lambda: columns).show(
        raw, lambda: status_text(shown, PLAIN, NOON), rows="positions"
    )
    lines = capsys.readouterr().out.splitlines()
    for line, begins in zip(lines, expected, strict=False):
        assert " ".join(line.split()).startswith(begins)
    assert upright == "off" or all(len(line) <= columns for line in lines)
