"""The commands that explain, adjust and pause: what they send, what they print, how they end."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from robson.protocol import oversight_results as give
from robson.protocol.results import EventLine, PriceLine
from robsonctl.exits import Exit
from tests.unit.robsonctl.conftest import NOON, Robsonctl, ScriptedDaemon, position, status

ORDER = give.OrderView(
    client_order_id="rbn0",
    venue_order_id="77",
    role="entry",
    order_side="buy",
    quantity=Decimal("0.06666"),
    attempt=0,
    part=0,
    fence="clock",
    status="filled",
    decided_at=NOON,
    sent_at=NOON,
    filled_at=NOON + timedelta(milliseconds=40),
    executed=Decimal("0.06666"),
    average_price=Decimal("95010.5"),
    detail="",
)
WHY = give.WhyResult(
    position_id="p-1",
    symbol="BTCUSDT",
    side="long",
    state="Closed",
    complete=False,
    stop_moves=3,
    adjustments=1,
    exit=give.Leg(
        reason="trailing_stop",
        reference_price=Decimal(94_400),
        orders=1,
        slippage_bps=Decimal("1.48"),
        tick_to_decision_ms=0,
        sent_to_fill_ms=40,
    ),
    chain=(
        give.Step(step="tick", at=NOON, clock="venue", seq=7, price=Decimal(94_400), words="trade 9"),
        give.Step(step="decision", at=NOON, clock="ours", seq=7, after_ms=0, words="leave: trailing_stop of 94500"),
        give.Step(step="fill", at=NOON, clock="venue", seq=9, after_ms=12_000, words="78"),
    ),
)
JOURNAL = give.JournalResult(
    place="robson.db",
    writable=True,
    size_bytes=123_456,
    oldest_seq=1,
    last_seq=2500,
    events=2500,
    positions=4,
    open_positions=1,
    orders=6,
    open_orders=0,
    fills=9,
    replies=2,
    archives=0,
    epoch=3,
    last_backup=None,
)


def shown(**more: object) -> give.ShowResult:
    view = msgspec.structs.asdict(position("p-1", state="Active", quantity=Decimal("0.06666")))
    event = EventLine(event="position_armed", seq=1, at=NOON, position_id="p-1", data={"symbol": "BTCUSDT"})
    fields = {"orders": (ORDER,), "oldest_seq": 1, "next_seq": None, "events": (event,), **more}
    return give.ShowResult(**view, **fields)  # type: ignore[arg-type]  # two mappings make one result


def test_show_gives_the_view_the_orders_and_the_events(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(position("p-1")))
    daemon.reply(shown())
    assert robsonctl("show", "p-1") == Exit.OK
    lines = robsonctl.out.splitlines()
    assert lines[0].split() == ["position_id", "p-1"]
    orders = lines.index("orders")
    assert lines[orders + 1].split()[0] == "ROLE"
    assert lines[orders + 2].split()[:6] == ["entry", "0", "buy", "0.06666", "0.06666", "95010.5"]
    assert "position_armed" in lines[lines.index("events") + 1]
    assert daemon.asked()[1] == {"cmd": "show", "position_id": "p-1"}


def test_a_long_life_says_where_it_goes_on(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(position("p-1")))
    daemon.reply(shown(next_seq=10_001, orders=()))
    assert robsonctl("show", "p-1") == Exit.OK
    assert robsonctl.out.endswith("more: robsonctl events --position p-1 --from 10001\n")
    assert "orders" not in robsonctl.out


def test_of_many_moved_stops_show_prints_the_last(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    moves = ["93501", "93502", "93503", "94200", "94300"]
    events = tuple(
        EventLine(
            event="trailing_stop_updated",
            seq=seq,
            at=NOON,
            position_id="p-1",
            data={"trailing_stop": stop, "adjusted": stop == "94200"},
        )
        for seq, stop in enumerate(moves, 1)
    )
    daemon.reply(status(position("p-1")))
    daemon.reply(shown(events=events))
    assert robsonctl("show", "p-1") == Exit.OK
    lines = robsonctl.out.splitlines()
    told = [line.split("trailing_stop_updated")[1].split() for line in lines[lines.index("events") + 1 :]]
    assert told == [
        ["trailing_stop=93503", "(after", "2", "like", "it)"],
        ["trailing_stop=94200", "adjusted=yes"],
        ["trailing_stop=94300"],
    ]


def test_why_prints_the_chain_and_says_what_is_not_known(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(position("p-1")))
    daemon.reply(WHY)
    assert robsonctl("why", "p-1") == Exit.OK
    title, archived, head, tick, decision, fill, out, stop = robsonctl.out.splitlines()
    assert title == "p-1  BTCUSDT long  Closed"
    assert "archive" in archived
    assert head.split() == ["STEP", "AT", "CLOCK", "AFTER", "PRICE", "QUANTITY"]
    assert tick.endswith("trade 9")
    assert "0 ms" in decision
    assert "12s" in fill
    assert out == (
        "exit: tick to decision 0 ms, decision to order unknown, order to fill 40 ms, fill to journal unknown, "
        "slippage 1.48 bps"
    )
    assert stop == "the stop moved 3 times, 1 by the operator"
    daemon.reply(status(position("p-1")))
    daemon.reply(WHY)
    assert robsonctl("why", "p-1", "-o", "jsonl") == Exit.OK
    assert [msgspec.json.decode(line)["step"] for line in robsonctl.out.splitlines()] == ["tick", "decision", "fill"]


def test_adjust_names_both_stops_and_carries_a_key(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    result = give.AdjustResult(
        position_id="p-1", previous_stop=Decimal(93_500), trailing_stop=Decimal(94_200), price=Decimal(95_000)
    )
    daemon.reply(status(position("p-1")))
    daemon.reply(result)
    assert robsonctl("adjust", "p-1", "--stop", "94200", "--key", "k") == Exit.OK
    assert robsonctl.out == "the stop of p-1 is 94200; it was 93500, the price 95000\n"
    daemon.reply(status(position("p-1")))
    daemon.refuse("stop_looser", "the new stop was 93000, below the present one of 94200: it only gets tighter")
    assert robsonctl("adjust", "p-1", "--stop", "93000") == Exit.REFUSED
    assert "(stop_looser)" in robsonctl.err
    first, second = (asked for asked in daemon.asked() if asked["cmd"] == "adjust")
    assert first == {"cmd": "adjust", "position_id": "p-1", "stop_price": "94200", "idempotency_key": "k"}
    assert len(second["idempotency_key"]) == 32
    assert robsonctl("adjust", "p-1") == Exit.USAGE


@pytest.mark.parametrize(("command", "paused"), [("pause", True), ("unpause", False)])
def test_pause_and_unpause(robsonctl: Robsonctl, daemon: ScriptedDaemon, command: str, paused: bool) -> None:
    daemon.reply(give.PauseResult(paused=paused))
    assert robsonctl(command, "--key", "k", "--json") == Exit.OK
    assert msgspec.json.decode(robsonctl.out) == {"paused": paused}
    assert daemon.asked() == [{"cmd": command, "idempotency_key": "k"}]


def test_status_says_that_entries_are_paused(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(msgspec.structs.replace(status(), paused=True))
    assert robsonctl("status") == Exit.OK
    assert "paused: no signal enters before `robsonctl unpause`" in robsonctl.out
    daemon.reply(status())
    assert robsonctl("status") == Exit.OK
    assert "unpause" not in robsonctl.out


def test_the_journal_says_when_it_was_last_copied(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(JOURNAL)
    assert robsonctl("journal") == Exit.OK
    rows = dict(line.split(maxsplit=1) for line in robsonctl.out.splitlines())
    assert (rows["size_bytes"], rows["events"], rows["writable"]) == ("123,456", "2,500", "yes")
    assert rows["last_backup"].startswith("none is remembered")
    backup = give.BackupView(file="copy.db", at=NOON - timedelta(hours=5), last_seq=2000, size_bytes=1)
    daemon.reply(msgspec.structs.replace(JOURNAL, last_backup=backup))
    assert robsonctl("journal") == Exit.OK
    assert "(5h00m ago), up to seq 2000: copy.db" in robsonctl.out


def test_a_schema_of_replies_or_events_can_be_asked_for(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply({})
    assert robsonctl("schema") == Exit.OK
    daemon.reply({})
    assert robsonctl("schema", "events") == Exit.OK
    assert daemon.asked() == [{"cmd": "schema"}, {"cmd": "schema", "of": "events"}]


def test_followed_events_may_come_with_prices(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    page = {"events": [], "next_seq": 5, "last_seq": 4, "oldest_seq": 1}
    daemon.reply(page)
    daemon.reply({"from_seq": 5, "oldest_seq": 1})
    line = PriceLine(event="price", at=NOON, data={"symbol": "BTCUSDT", "price": "95010.1", "stale": True})
    daemon.say(msgspec.json.encode(line) + b"\n")
    daemon.hang_up()
    assert robsonctl("events", "--from", "5", "--follow", "--prices") == Exit.UNREACHABLE
    assert robsonctl.out.rstrip().endswith("price                   BTCUSDT 95010.1  stale")
    assert daemon.asked()[1] == {"cmd": "subscribe", "from_seq": 5, "prices": True}
