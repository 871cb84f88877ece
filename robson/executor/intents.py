"""The life of an intent, as pure rules: when it may be sent, and when absence may be believed.

pending -> sent -> (in_doubt) -> filled | partly_filled | rejected | absent
"""

from datetime import datetime, timedelta

import msgspec

from robson.domain.actions import PlaceOrder
from robson.domain.values import Role, plain
from robson.ports import Intent, OrderReport

ENTRY_AGE_MAX = timedelta(seconds=5)
# Binance's backend may work on an accepted request for ten seconds (reference: "API processing timeout 10 s").
VENUE_TIMEOUT_MS = 10_000
ENTRY_RECEIVE_WINDOW_MS = 5_000
EXIT_RECEIVE_WINDOW_MS = 2_000
# Orders were seen to become visible more than twenty seconds late (reference: peers, ambiguous outcomes). While trades
# or account show what such an order would have done, absence is not believed for this long after the fence.
ACCOUNT_DISAGREES_MS = 60_000
# How long after the fence the venue's records may still not show what was executed in its last moment. Without a
# restart the pauses between the denials last as long; after one they begin anew and would not.
RECORDS_LAG_MS = 10_000
# How often the venue must deny an order after the fence before that is believed.
DENIALS_NEEDED = 3
# An exit that was written as sent with its decision and was held up since is signed anew: its window is two seconds.
YOUNG_MS = 250


def new_intent(order: PlaceOrder, now: datetime, epoch: int, *, sent_at: datetime | None = None) -> Intent:
    """The intent of a decided order: pending, or `sent` where it is known to have gone out already."""
    if sent_at is None:
        return Intent(order=order, status="pending", epoch=epoch, created_at=now)
    return Intent(
        order=order,
        status="sent",
        epoch=epoch,
        created_at=sent_at,
        timestamp_ms=int(sent_at.timestamp() * 1000),
        receive_window_ms=receive_window_ms(order.role),
        detail="found at the venue: it went out while the journal could not be written",
    )


def receive_window_ms(role: Role) -> int:
    """How long after its timestamp the venue may accept the request; short for exits, whose fence waits for it."""
    return EXIT_RECEIVE_WINDOW_MS if role is Role.EXIT else ENTRY_RECEIVE_WINDOW_MS


def reason_not_to_send(intent: Intent, *, now: datetime, epoch: int, latched: bool) -> tuple[str, str] | None:
    """Code and message when a pending entry must never be sent; an exit is always sent."""
    if intent.order.role is Role.EXIT:
        return None
    if latched:
        return "panic_latched", "the entry was not sent: the panic latch is set"
    if intent.epoch != epoch:
        return "earlier_epoch", f"the entry was not sent: it was decided in epoch {intent.epoch}, before a restart"
    age = now - intent.created_at
    if age > ENTRY_AGE_MAX:
        limit = int(ENTRY_AGE_MAX.total_seconds())
        return (
            "too_old",
            f"the entry was not sent: it was {age.total_seconds():.3f} s old, at most {limit} s are allowed",
        )
    return None


def mark_sent(intent: Intent, timestamp_ms: int) -> Intent:
    """The intent as it must be durable before the first byte leaves."""
    assert intent.status == "pending", intent.status
    return msgspec.structs.replace(
        intent,
        status="sent",
        timestamp_ms=timestamp_ms,
        receive_window_ms=receive_window_ms(intent.order.role),
    )


def mark_unsent(intent: Intent) -> Intent:
    """Pending again: only for who knows for certain that nothing of it has left."""
    assert intent.status == "sent", intent.status
    return msgspec.structs.replace(intent, status="pending", timestamp_ms=None, receive_window_ms=None)


def is_young(intent: Intent, now_ms: int) -> bool:
    """Whether it was signed a moment ago, so that a request may still begin with that."""
    return intent.timestamp_ms is not None and now_ms - intent.timestamp_ms <= YOUNG_MS


def mark_sent_anew(intent: Intent, timestamp_ms: int) -> Intent:
    """Sent, with this timestamp: for who knows for certain that nothing of it has left yet."""
    return mark_sent(mark_unsent(intent) if intent.status == "sent" else intent, timestamp_ms)


def mark_in_doubt(intent: Intent, why: str) -> Intent:
    """Sent, outcome unknown."""
    assert intent.status in {"sent", "in_doubt"}, intent.status
    return msgspec.structs.replace(intent, status="in_doubt", detail=why)


def fence_opens_ms(intent: Intent) -> int:
    """The venue time (ms) after which a request with this timestamp can no longer be accepted nor still be running."""
    assert intent.timestamp_ms is not None, intent
    assert intent.receive_window_ms is not None, intent
    return intent.timestamp_ms + intent.receive_window_ms + VENUE_TIMEOUT_MS


def mark_refused(intent: Intent, code: str, text: str) -> Intent:
    """The venue said no, or the intent was never sent."""
    return msgspec.structs.replace(intent, status="rejected", detail=f"{code}: {text}")


def mark_absent(intent: Intent) -> Intent:
    """The venue denied it after the fence, and no trade of ours speaks for it."""
    return msgspec.structs.replace(intent, status="absent", detail="denied by the venue after the clock fence")


def mark_executed(intent: Intent, report: OrderReport) -> Intent:
    """Final at the venue, with something executed."""
    whole = report.executed >= intent.order.quantity
    return msgspec.structs.replace(
        intent,
        status="filled" if whole else "partly_filled",
        venue_order_id=report.venue_order_id,
        executed=report.executed,
        detail=f"{report.status}, {plain(report.executed)} of {plain(intent.order.quantity)}",
    )


def backoff_seconds(failures: int, first: float = 0.1, most: float = 5.0) -> float:
    """The pause after so many failures in a row: doubling, capped."""
    return min(most, first * float(2 ** min(failures, 16)))
