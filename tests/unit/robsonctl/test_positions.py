"""Positions as people see them, and the beginnings of ids they type."""

import csv
import io
from argparse import Namespace
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from robson.protocol import results as give
from robson.protocol.oversight_results import ShowResult
from robsonctl.connection import Daemon
from robsonctl.exits import Exit
from robsonctl.output import Output
from robsonctl.paint import Paint, age, cents, seconds, wants_colour
from robsonctl.session import Session
from tests.unit.robsonctl.conftest import NOON, Robsonctl, ScriptedDaemon, position, status

HEAD = "POSITION SYMBOL SIDE STATE QUANTITY ENTRY STOP LAST PNL AGE DETAIL"
ACTIVE = position(
    "0192-aaaa",
    state="Active",
    quantity=Decimal("0.06666"),
    entry_price=Decimal("95100.5"),
    trailing_stop=Decimal(93600),
    last_price=Decimal("95010.10"),
    unrealized_pnl=Decimal("-6.0258"),
    entered_at=NOON - timedelta(minutes=4, seconds=8),
)
CLOSED = position(
    "0192-abbb",
    state="Closed",
    side="short",
    quantity=Decimal(2),
    entry_price=Decimal(100),
    exit_price=Decimal("93.75"),
    realized_pnl=Decimal("12.5"),
    net_pnl=Decimal("12.4"),
    exit_reason="trailing_stop",
    fees_by_asset={"BNB": Decimal("0.00001"), "USDT": Decimal("0.1")},
    closed_at=NOON - timedelta(hours=2, minutes=13),
)


def test_status_is_an_aligned_table(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(ACTIVE, CLOSED))
    assert robsonctl("status", "--all") == Exit.OK
    daemon_line, feeds, head, active, closed = robsonctl.out.splitlines()
    assert daemon_line == "paper  live"
    assert feeds == "BTCUSDT 95010.1 (0.2s)"
    assert head.split() == HEAD.split()
    assert active.split()[:8] == ["0192-aaaa", "BTCUSDT", "long", "Active", "0.06666", "95100.5", "93600", "95010.1"]
    assert active.split()[8:] == ["▼", "-6.03", "4m08s"]
    assert closed.split()[-5:] == ["93.75", "▲", "+12.40", "2h13m", "trailing_stop"]
    # Decimal points stand below each other, and so do the ends of the profits.
    assert active.index("95100.5") + 5 == closed.index(" 100 ") + 4
    assert active.index("-6.03") + 5 == closed.index("+12.40") + 6
    assert daemon.asked() == [{"cmd": "status", "all": True}]


def test_an_empty_status_says_so(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status())
    assert robsonctl("status") == Exit.OK
    assert robsonctl.out.splitlines()[-1] == "no positions"


def test_what_is_wrong_is_said_loudly(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    feed = {"ETHUSDT": give.FeedView(age_seconds=14.0, last_price=Decimal(2500), stale=True)}
    daemon.reply(status(mode="live", state="degraded", panic_latched=True, unprotected_seconds=75.0, feed=feed))
    robsonctl("status", "--color", "always")
    assert "\x1b[1;41m LIVE \x1b[0m" in robsonctl.out
    assert "PANIC LATCHED" in robsonctl.out
    assert "unprotected 1m15s" in robsonctl.out
    assert "ETHUSDT 2500 (14s) stale" in robsonctl.out


def test_colours_come_only_when_asked_for(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(ACTIVE))
    robsonctl("status")
    assert "\x1b" not in robsonctl.out
    daemon.reply(status(ACTIVE))
    robsonctl("--color", "always", "status")
    assert "\x1b[31m▼ -6.03\x1b[0m" in robsonctl.out


def test_json_lines_and_csv_take_the_positions_apart(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(ACTIVE, CLOSED))
    assert robsonctl("status", "-o", "jsonl") == Exit.OK
    rows = [msgspec.json.decode(line) for line in robsonctl.out.splitlines()]
    assert [row["position_id"] for row in rows] == ["0192-aaaa", "0192-abbb"]
    daemon.reply(status(ACTIVE, CLOSED))
    assert robsonctl("status", "-o", "csv") == Exit.OK
    active, closed = csv.DictReader(io.StringIO(robsonctl.out))
    assert tuple(active) == give.PositionView.__struct_fields__
    assert (active["entry_price"], active["exit_price"], closed["side"]) == ("95100.5", "", "short")
    assert msgspec.json.decode(closed["fees_by_asset"]) == {"BNB": "0.00001", "USDT": "0.1"}


def test_show_gives_every_known_field(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    view = msgspec.structs.asdict(CLOSED)
    shown_whole = ShowResult(**view, orders=(), oldest_seq=1, next_seq=None)
    daemon.reply(status(CLOSED))
    daemon.reply(shown_whole)
    assert robsonctl("show", "0192-abbb") == Exit.OK
    shown = dict(line.split(maxsplit=1) for line in robsonctl.out.splitlines() if " " in line)
    assert shown["net_pnl"] == "▲ +12.40"
    assert shown["fees_by_asset"] == "0.00001 BNB, 0.1 USDT"
    assert shown["closed_at"].endswith("(2h13m ago)")
    assert "trailing_stop" not in shown
    daemon.reply(status(CLOSED))
    daemon.reply(shown_whole)
    assert robsonctl("show", "0192-abbb", "--json") == Exit.OK
    assert msgspec.json.decode(robsonctl.out)["position_id"] == "0192-abbb"


def test_a_unique_beginning_is_completed(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.refuse("unknown_position")
    daemon.reply(status(ACTIVE, CLOSED))
    daemon.reply(give.CloseResult(position_id="0192-aaaa", outcome="closed"))
    assert robsonctl("close", "0192-aa") == Exit.OK
    exact, every, close = daemon.asked()
    assert (exact["position_id"], every["all"], close["position_id"]) == ("0192-aa", True, "0192-aaaa")


def test_an_ambiguous_beginning_lists_what_it_could_be(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.refuse("unknown_position")
    daemon.reply(status(ACTIVE, CLOSED))
    assert robsonctl("close", "0192-a") == Exit.USAGE
    assert robsonctl.err == (
        "robsonctl: '0192-a' is the beginning of 2 positions: 0192-aaaa, 0192-abbb (ambiguous_id)\n"
    )
    assert [asked["cmd"] for asked in daemon.asked()] == ["status", "status"]


def test_the_beginning_of_nothing_is_exit_3(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.refuse("unknown_position", "position_id was 'zz'")
    daemon.reply(status(ACTIVE))
    assert robsonctl("disarm", "zz") == Exit.NOT_FOUND
    assert robsonctl.err == "robsonctl: position_id was 'zz' (unknown_position)\n"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("12.345", "▲ +12.34"), ("-0.5", "▼ -0.50"), ("0", "0.00"), ("0.0001", "▲ +0.0001"), ("-0.00012", "▼ -0.00012")],
)
def test_profit_has_sign_and_arrow(amount: str, text: str) -> None:
    assert Paint(coloured=False).pnl(Decimal(amount)) == text


def test_unknown_profit_is_blank() -> None:
    assert Paint(coloured=True).pnl(None) == ""
    assert cents(Decimal("1E+3")) == "1000.00"


@pytest.mark.parametrize(
    ("length", "text"),
    [(0.25, "0.2s"), (3, "3s"), (59.9, "59s"), (60, "1m00s"), (3661, "1h01m"), (90_000, "1d01h"), (-1, "0s")],
)
def test_ages_have_two_units(length: float, text: str) -> None:
    assert seconds(length) == text
    assert age(None, NOON) == ""


@pytest.mark.parametrize(
    ("choice", "environment", "terminal", "coloured"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {}, True, False),
    ],
)
def test_when_colours_are_used(choice: str, environment: dict[str, str], terminal: bool, coloured: bool) -> None:
    assert wants_colour(choice, environment, terminal=terminal) is coloured


def test_ages_are_told_by_the_daemons_clock(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with Daemon(lambda: pytest.fail("no socket is looked for")) as connection:
        connection._socket = daemon.near
        daemon.reply(give.PingResult(at=NOON))
        session = Session(connection, Output("table"), Paint(coloured=False), Namespace())
        assert session.present() == NOON
        daemon.hang_up()
        assert session.present().utcoffset() == timedelta(0)
