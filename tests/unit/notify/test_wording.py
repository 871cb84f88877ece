"""What a person reads of each event and notice: its words, its numbers, and nothing that is nobody's business."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.domain import events
from robson.domain.position import Armed, Position
from robson.domain.sequence import Recorded
from robson.domain.values import ClientOrderId, ExitReason, Fence, OrderSide, PositionId, Side
from robson.notify import wording
from robson.notify.message import TEXT_CHARACTERS, TITLE_CHARACTERS, Message
from robson.notify.policy import URGENT

AT = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
ID = PositionId("0123456789abcdef0123456789abcdef")
ORDER = ClientOrderId("rbs-0123456789abcdef0123456789abcdef")
POSITION = Position(
    position_id=ID, symbol="BTCUSDT", side=Side.LONG, strategy="signal", capital=Decimal(10_000),
    risk_percent=Decimal(1), params={}, armed_at=AT, state=Armed(),
)  # fmt: skip
WHO = "BTCUSDT long 01234567"
D = Decimal

FACTS: list[tuple[events.PositionEvent, str, str]] = [
    (
        events.PositionArmed(symbol="BTCUSDT", side=Side.LONG, strategy="signal", capital=D(10_000), risk_percent=D(1)),
        "armed", "strategy signal, capital 10000, risk 1 %",
    ),
    (
        events.EntrySignalReceived(
            signal_id="s", entry_price=D(95_000), technical_stop=D(93_500), stop_distance=D(1_500), quantity=D("0.066"),
            evidence={"window": 20},
        ),
        "signal taken", "0.066, at 95000, stop 93500",
    ),
    (
        events.SignalRejected(signal_id="s", stage="rule", code="stop_too_near", message="the stop was 0.01 % away"),
        "signal refused", "stop_too_near, the stop was 0.01 % away",
    ),
    (
        events.EntryOrderPlaced(client_order_id=ORDER, order_side=OrderSide.BUY, quantity=D("0.066")),
        "entry order placed", "buy, 0.066",
    ),
    (
        events.EntryFilled(
            client_order_id=ORDER, venue_order_id="7", fill_price=D(95_010), quantity=D("0.066"),
            fees_by_asset={"BNB": D("0.01")}, trailing_stop=D(93_510),
        ),
        "entered", "0.066, at 95010, stop 93510",
    ),
    (
        events.TrailingStopUpdated(previous_stop=D(93_510), trailing_stop=D(94_000), extreme=D(95_500)),
        "stop moved", "stop 94000, was 93510, best 95500",
    ),
    (
        events.ExitTriggered(reason=ExitReason.TRAILING_STOP, price=D(93_999), trailing_stop=D(94_000)),
        "leaving", "trailing_stop, price 93999, stop 94000",
    ),
    (events.ExitTriggered(reason=ExitReason.OPERATOR_PANIC), "leaving", "operator_panic"),
    (
        events.ExitOrderPlaced(
            client_order_id=ORDER, attempt=2, fence=Fence.CLOCK, order_side=OrderSide.SELL, quantity=D("0.066")
        ),
        "exit order placed", "sell, 0.066, attempt 2",
    ),
    (
        events.ExitFilled(
            client_order_id=ORDER, venue_order_id="8", fill_price=D(93_990), quantity=D("0.066"), fees_by_asset={}
        ),
        "exit order filled", "0.066, at 93990",
    ),
    (
        events.PositionClosed(
            exit_reason=ExitReason.TRAILING_STOP, entry_price=D(95_010), exit_price=D(93_990), quantity=D("0.066"),
            realized_pnl=D("-67.32"), fees=D("12.4"), interest=D("0.001"), net_pnl=D("-79.721"), dust=D(0),
        ),
        "closed -79.72", "trailing_stop, net -79.72 (gross -67.32), entry 95010, exit 93990",
    ),
    (events.PositionDisarmed(), "disarmed", "disarmed"),
    (
        events.PositionError(code="entry_unknown", message="its entry was not found", recoverable=True),
        "NEEDS A PERSON", "entry_unknown, its entry was not found",
    ),
]  # fmt: skip

# As the daemon writes them.
NOTICES: list[tuple[str, dict[str, Any], str, str]] = [
    ("panic_latched", {}, "panic: nothing enters, everything leaves", "panic: nothing enters, everything leaves"),
    ("panic_released", {"uid": 1000}, "panic released", "panic released"),
    ("entries_paused", {"uid": 1000}, "entries paused", "entries paused"),
    ("entries_unpaused", {"uid": 1000}, "entries allowed again", "entries allowed again"),
    ("feed_stale", {"symbol": "BTCUSDT", "age_seconds": "10.2"}, "no fresh prices", "BTCUSDT, 10.2 s"),
    ("feed_recovered", {"symbol": "BTCUSDT", "age_seconds": "0.1"}, "prices are fresh again", "BTCUSDT"),
    (
        "order_in_doubt", {"role": "exit", "attempt": 1, "why": "no answer within 2 s"},
        "order in doubt", "exit, attempt 1, no answer within 2 s",
    ),
    ("order_resolved", {"role": "exit", "outcome": "filled", "detail": ""}, "order resolved", "exit, filled"),
    (
        "exit_refused", {"attempt": 3, "code": "-2010", "message": "insufficient balance"},
        "EXIT REFUSED", "attempt 3, -2010, insufficient balance",
    ),
    ("exit_failing", {"failures": 3, "detail": "out of reach"}, "EXIT FAILING", "3 times, out of reach"),
    ("journal_degraded", {"reason": "disk full"}, "journal cannot be written: exits only", "disk full"),
    ("journal_recovered", {"was": "disk full"}, "journal can be written again", "it was: disk full"),
    (
        "journal_copied", {"place": "/b", "host": "b", "in_use": True, "why": "pid 7 has a copy"},
        "the journal was copied", "pid 7 has a copy",
    ),
    (
        "drift_found", {"symbol": "BTCUSDT", "kind": "sold_elsewhere", "message": "0.5 less", "settled": True},
        "the account differs from the journal", "BTCUSDT, sold_elsewhere, 0.5 less",
    ),
    ("unprotected", {"seconds": "9", "causes": ["feed", "venue"]}, "was unprotected", "9 s, lacked feed and venue"),
    ("recovered", {"seconds": "0.8", "positions": 3}, "back after a start", "3 positions, protected after 0.8 s"),
    (
        "gap_forgiven", {"price": "93000", "crossed_stop": "93500", "crossed_at": "09:00", "price_now": "94000"},
        "missed crossing forgiven", "price 93000, crossed 93500, at 09:00",
    ),
    ("gap_unfilled", {"since": "09:00", "until": "09:10"}, "prices are missing", "from 09:00, to 09:10"),
]  # fmt: skip


def row(kind: str, data: dict[str, Any], position_id: PositionId | None = ID) -> Recorded:
    return Recorded(seq=7, type=kind, at=AT, position_id=position_id, data=data)


def message(row: Recorded, mode: str = "paper") -> Message:
    position = POSITION if row.position_id is not None else None
    return wording.message_of(row, position, mode=mode, channel="ntfy")


@pytest.mark.parametrize(("event", "title", "text"), FACTS, ids=lambda given: str(given)[:40])
def test_an_event_in_words(event: events.PositionEvent, title: str, text: str) -> None:
    told = message(row(events.event_type(event), events.event_data(event)))
    assert (told.title, told.text) == (f"paper {WHO} {title}", text)
    assert (told.message_id, told.at, told.seq, told.position_id) == ("paper-ntfy-7", AT, 7, ID)


@pytest.mark.parametrize(("kind", "data", "title", "text"), NOTICES, ids=lambda given: str(given)[:40])
def test_a_notice_in_words(kind: str, data: dict[str, Any], title: str, text: str) -> None:
    told = message(row(kind, data, None), "live")
    assert (told.title, told.text) == (f"LIVE {title}", text)
    assert told.priority == ("urgent" if kind in URGENT else "normal")


def test_every_event_and_notice_is_here() -> None:
    assert {events.event_type(event) for event, _, _ in FACTS} == events.EVENT_TYPES.keys()
    assert [kind for kind, _, _, _ in NOTICES] == list(events.NOTICE_TYPES)
    assert {*events.EVENT_TYPES, *events.NOTICE_TYPES} >= URGENT


def test_who_closes_with_a_loss_by_liquidation_is_told_loudly() -> None:
    closed = FACTS[10][0]
    assert isinstance(closed, events.PositionClosed)
    assert message(row("position_closed", events.event_data(closed))).priority == "normal"
    liquidated = msgspec.structs.replace(closed, exit_reason=ExitReason.LIQUIDATED)
    assert message(row("position_closed", events.event_data(liquidated))).priority == "urgent"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("12.346", "+12.35"), ("-0.005", "-0.005"), ("0", "+0"), ("1E+3", "+1000"), ("NaN", "NaN"), (None, "None")],
)
def test_money_has_its_sign_and_cents(amount: object, shown: str) -> None:
    assert wording.signed(amount) == shown


@pytest.mark.parametrize("kind", [*events.EVENT_TYPES, *events.NOTICE_TYPES])
def test_only_the_fields_that_are_meant_are_told(kind: str) -> None:
    data = {
        "params": {"key": "hunter2"}, "evidence": {"key": "hunter2"}, "client_order_id": "hunter2",
        "venue_order_id": "hunter2", "uid": "hunter2", "anything": "hunter2", "fees_by_asset": {"hunter2": "1"},
        "signal_id": "hunter2", "place": "hunter2", "host": "hunter2", "positions": 1, "net_pnl": "1",
    }  # fmt: skip
    told = message(row(kind, data))
    line = wording.line_of(row(kind, data), POSITION)
    assert "hunter2" not in told.title + told.text + line


@pytest.mark.parametrize("kind", ["signal_rejected", "position_error", "exit_refused"])
def test_what_the_venue_said_steers_nothing_and_has_an_end(kind: str) -> None:
    hostile = "\x1b[31mred\r\nBcc: x\u202e\u2028next" + "x" * 5000
    told = message(row(kind, {"code": "-1", "message": hostile}))
    assert not set(told.title + told.text) & set("\x1b\r\n\u202e\u2028")
    assert len(told.title) <= TITLE_CHARACTERS
    assert len(told.text) == TEXT_CHARACTERS
    assert told.text.endswith("…")
    assert len(wording.line_of(row(kind, {"message": hostile}), POSITION)) <= 200


def test_a_row_of_a_later_version_is_told_by_its_name() -> None:
    told = message(row("moon_landed", {"price": "1"}))
    assert (told.title, told.text) == (f"paper {WHO} moon_landed", "moon_landed")
    # And of a position that nobody knows any more by its id.
    told = wording.message_of(row("exit_failing", {"failures": 3}), None, mode="live", channel="smtp")
    assert (told.title, told.message_id) == ("LIVE 01234567 EXIT FAILING", "live-smtp-7")


def test_a_summary_begins_with_what_is_urgent_and_counts_what_is_too_much() -> None:
    rows = [
        Recorded(seq=n, type="feed_stale", at=AT, position_id=None, data={"symbol": "BTCUSDT"}) for n in range(1, 30)
    ]
    rows.append(Recorded(seq=30, type="position_error", at=AT, position_id=ID, data={"code": "x"}))
    told = wording.summary_text([(one, wording.line_of(one, POSITION)) for one in rows]).splitlines()
    assert told[0] == f"09:30 {WHO} NEEDS A PERSON: x"
    assert told[1] == "09:30 no fresh prices: BTCUSDT"
    assert (len(told), told[-1]) == (wording.SUMMARY_LINES + 1, "and 10 x no fresh prices")
    assert wording.summary_title("late", 30, "live") == "LIVE 30 events while messages did not get through"
    assert wording.summary_title("digest", 2, "paper") == "paper 2 quiet events"
