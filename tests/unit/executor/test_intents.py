"""The life of an intent as rules: when it may be sent, when absence may be believed, how it ends."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from robson.domain.actions import PlaceOrder
from robson.domain.values import OrderSide, Role
from robson.executor.intents import (
    DENIALS_NEEDED,
    ENTRY_AGE_MAX,
    backoff_seconds,
    fence_opens_ms,
    mark_absent,
    mark_executed,
    mark_in_doubt,
    mark_refused,
    mark_sent,
    new_intent,
    reason_not_to_send,
    receive_window_ms,
)
from robson.ports import Intent, OrderReport
from tests.unit.engine.samples import FIRST_EXIT, ID, NOON, OURS

SENT_MS = 1_772_366_400_000


def intent(role: Role = Role.ENTRY, **changes: object) -> Intent:
    order = PlaceOrder(
        position_id=ID,
        client_order_id=OURS if role is Role.ENTRY else FIRST_EXIT,
        symbol="BTCUSDT",
        role=role,
        order_side=OrderSide.BUY if role is Role.ENTRY else OrderSide.SELL,
        quantity=Decimal("0.06666"),
    )
    pending = Intent(order=order, status="pending", epoch=3, created_at=NOON)
    return msgspec.structs.replace(pending, **changes)


def report(executed: str, status: str = "FILLED") -> OrderReport:
    return OrderReport(
        symbol="BTCUSDT",
        client_order_id=OURS,
        venue_order_id="77",
        status=status,
        order_side=OrderSide.BUY,
        quantity=Decimal("0.06666"),
        executed=Decimal(executed),
        executed_quote=None,
        at=NOON,
    )


def test_a_new_intent_is_pending_or_known_to_be_out_already() -> None:
    order = intent(Role.EXIT).order
    assert new_intent(order, NOON, 3) == intent(Role.EXIT)
    found = new_intent(order, NOON, 3, sent_at=NOON - timedelta(seconds=30))
    assert (found.status, found.created_at) == ("sent", NOON - timedelta(seconds=30))
    # What was really signed is not known: the fence is counted from the time at which the venue booked it.
    assert fence_opens_ms(found) == SENT_MS - 30_000 + 12_000
    with pytest.raises(AssertionError):
        mark_sent(found, SENT_MS)


@pytest.mark.parametrize(
    ("seconds", "epoch", "latched", "code"),
    [
        (0, 3, False, None),
        (5, 3, False, None),
        (-30, 3, False, None),  # the clock was set back: not a reason
        (5.001, 3, False, "too_old"),
        (0, 4, False, "earlier_epoch"),
        (0, 3, True, "panic_latched"),
        (60, 4, True, "panic_latched"),
    ],
)
def test_when_an_entry_is_never_sent(seconds: float, epoch: int, latched: bool, code: str | None) -> None:
    now = NOON + timedelta(seconds=seconds)
    reason = reason_not_to_send(intent(), now=now, epoch=epoch, latched=latched)
    assert (reason[0] if reason else None) == code
    assert reason is None or reason[1].startswith("the entry was not sent: ")


def test_the_reason_has_its_numbers() -> None:
    old = reason_not_to_send(intent(), now=NOON + timedelta(seconds=7.25), epoch=3, latched=False)
    assert old is not None
    assert "it was 7.250 s old, at most 5 s are allowed" in old[1]
    earlier = reason_not_to_send(intent(), now=NOON, epoch=4, latched=False)
    assert earlier is not None
    assert "epoch 3" in earlier[1]
    assert ENTRY_AGE_MAX.total_seconds() == 5


def test_an_exit_is_always_sent() -> None:
    late = NOON + timedelta(days=1)
    assert reason_not_to_send(intent(Role.EXIT), now=late, epoch=9, latched=True) is None


@pytest.mark.parametrize(("role", "window", "opens"), [(Role.ENTRY, 5_000, 15_000), (Role.EXIT, 2_000, 12_000)])
def test_sending_writes_down_what_the_fence_needs(role: Role, window: int, opens: int) -> None:
    assert receive_window_ms(role) == window
    sent = mark_sent(intent(role), SENT_MS)
    assert (sent.status, sent.timestamp_ms, sent.receive_window_ms) == ("sent", SENT_MS, window)
    assert sent.is_open
    # Accepted at the last moment of its window, the request may be worked on for ten seconds more.
    assert fence_opens_ms(sent) == SENT_MS + opens
    assert DENIALS_NEEDED > 1


@pytest.mark.parametrize("status", ["sent", "in_doubt", "filled", "partly_filled", "rejected", "absent"])
def test_nothing_is_sent_twice(status: str) -> None:
    with pytest.raises(AssertionError):
        mark_sent(intent(status=status), SENT_MS)


def test_doubt_keeps_what_was_signed() -> None:
    doubtful = mark_in_doubt(mark_sent(intent(), SENT_MS), "no answer within 12 s")
    assert (doubtful.status, doubtful.timestamp_ms, doubtful.detail) == ("in_doubt", SENT_MS, "no answer within 12 s")
    assert mark_in_doubt(doubtful, "still").detail == "still"
    for status in ("pending", "filled", "rejected"):
        with pytest.raises(AssertionError):
            mark_in_doubt(intent(status=status), "why")


@pytest.mark.parametrize(
    ("executed", "venue_status", "status"),
    [("0.06666", "FILLED", "filled"), ("0.05", "EXPIRED", "partly_filled"), ("0.06666", "EXPIRED", "filled")],
)
def test_an_executed_intent_has_its_share_and_the_venues_word(executed: str, venue_status: str, status: str) -> None:
    ended = mark_executed(mark_sent(intent(), SENT_MS), report(executed, venue_status))
    assert (ended.status, ended.executed, ended.venue_order_id) == (status, Decimal(executed), "77")
    assert ended.detail == f"{venue_status}, {executed} of 0.06666"
    assert not ended.is_open


def test_an_intent_that_came_to_nothing_says_why() -> None:
    refused = mark_refused(intent(), "-2010", "the account has no funds")
    assert (refused.status, refused.detail) == ("rejected", "-2010: the account has no funds")
    absent = mark_absent(mark_sent(intent(), SENT_MS))
    assert absent.status == "absent"
    assert not refused.is_open
    assert not absent.is_open


def test_pauses_double_and_are_capped() -> None:
    assert [backoff_seconds(failures) for failures in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff_seconds(10**6) == 5.0
