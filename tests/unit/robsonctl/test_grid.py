"""Columns as a terminal shows them: wide letters, colours, narrow screens, and paper without end."""

import pytest

from robsonctl.grid import grid, shown_width
from robsonctl.paint import Paint
from robsonctl.tables import beginnings, event_text, health_text, status_text
from robsonctl.wire import View, question, result_of, safe, view
from tests.unit.robsonctl.conftest import NOON, position, status

LONG = "no answer from the venue since 12:00:01, the exit goes on trying every five seconds"


def test_decimal_points_stand_below_each_other() -> None:
    rows = [("a", "95100.50"), ("b", "0.00001"), ("c", ""), ("d", "7")]
    assert grid(("", "PRICE"), rows, ("left", "decimal")).splitlines() == [
        "         PRICE",
        "a  95100.50",
        "b      0.00001",
        "c",
        "d      7",
    ]


def test_colours_and_wide_letters_take_the_room_that_is_seen() -> None:
    rows = [("日本", "1"), ("e\u0301", "2"), (Paint(coloured=True)("red", "▼ x"), "3")]
    assert [shown_width(line) for line in grid((), rows).splitlines()] == [7, 7, 7]
    assert shown_width("日本") == 4
    assert shown_width("e\u0301") == 1


def positions(detail: str = LONG) -> object:
    money = {"quantity": "0.5", "entry_price": "95000.123456", "trailing_stop": "94000", "last_price": "95010.1"}
    steps = {"tick_size": "0.01", "step_size": "0.00001"}
    first = position("a833654953404610969d3c87c58b2521", state="Active", unrealized_pnl="-3.3", **money, **steps)
    second = position("34c2f067ebd44a838bc713631a0be88b", state="Error", detail=detail)
    return status(first, second)


def test_a_number_has_its_instruments_places() -> None:
    text = status_text(positions(), Paint(coloured=False), NOON)
    assert "0.50000  95000.12  94000.00  95010.10  ▼ -3.30" in text
    assert "BTCUSDT 95010.10 (0.2s)" in text


def test_what_is_over_borrows_the_places_of_its_pair() -> None:
    open_one = position("p-1", state="Active", last_price="95010.1", tick_size="0.01", step_size="0.00001")
    over = position("p-2", state="Closed", quantity="0.5", exit_price="95000")
    text = status_text(status(open_one, over), Paint(coloured=False), NOON)
    assert "0.50000" in text
    assert "95000.00" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_screen_is_never_run_over(width: int) -> None:
    text = status_text(positions(), Paint(coloured=True, width=width), NOON)
    assert max(map(shown_width, text.splitlines())) <= width
    # What matters most stays, and what has gone is named.
    assert "PNL" in text
    assert "Error" in text
    assert all(word in text for word in LONG.split())
    if width < 80:
        assert "for want of room without" in text


def test_ids_are_cut_only_as_far_as_they_differ() -> None:
    assert beginnings(["0123456789ab", "fedcba987654"]) == ["01234567", "fedcba98"]
    assert beginnings(["0123456789ab", "0123456789ff"]) == ["0123456789a", "0123456789f"]
    assert beginnings([]) == []


def test_paper_has_no_end() -> None:
    text = status_text(positions(), Paint(coloured=False), NOON)
    assert LONG in text
    assert "a833654953404610969d3c87c58b2521" in text


HOSTILE = "\x1b[2J\x1b]0;title\x07 safe\r\nrobsonctl: closed\u202e\u0085\u200b"


def test_what_the_daemon_sends_moves_no_cursor() -> None:
    shown = "\n".join(
        (
            status_text(positions(HOSTILE), Paint(coloured=False), NOON),
            event_text({"seq": 1, "at": "2026-11-22T12:00:00Z", "event": HOSTILE, "data": {HOSTILE: [HOSTILE]}}),
            health_text(
                {"live": True, "ready": True, "checks": {HOSTILE: {"ok": True, "detail": HOSTILE}}},
                Paint(coloured=False),
            ),
        )
    )
    assert all(letter.isprintable() for line in shown.split("\n") for letter in line)
    # Two lines of status, a head, two positions, an event, three checks: none more through a line feed.
    assert shown.count("\n") == 8
    assert "safe" in shown
    assert safe("plain ▲ +1.00 日本") == "plain ▲ +1.00 日本"


def test_a_view_knows_its_fields_and_no_others() -> None:
    shown = view(b'{"a":{"b":[{"c":"1"}]},"d":null}')
    assert (shown.a.b[0].c, shown.d, shown.nothing) == ("1", None, None)
    assert view(shown) is shown
    with pytest.raises(AttributeError):
        shown.__deepcopy__  # noqa: B018  # it is the asking that counts


def test_questions_leave_out_what_was_not_said() -> None:
    assert question("status", position_id=None, all=False) == {"cmd": "status"}
    assert question("events", from_seq=0) == {"cmd": "events", "from_seq": 0}


def test_replies_are_read_in_any_dress() -> None:
    assert result_of(b'{"id":null,"ok":true,"result":{"a": 1.50}}\n') == b'{"a": 1.50}'
    assert result_of(b'{"ok": true, "result": {"a": 1}, "id": null}') == b'{"a":1}'
    refused = result_of(b'{"id":null,"ok":false,"error":{"code":"x","message":"\\u001b[2J","hint":""}}')
    assert isinstance(refused, View)
    assert refused.message == "\ufffd[2J"
