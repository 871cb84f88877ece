"""Orders that a decision asks for: as intents beside it in the commit, and into the executor's hands after it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from robson.daemon.surroundings import Surroundings
from robson.domain.actions import PlaceOrder
from robson.domain.stimuli import Stimulus, StopHit
from robson.domain.values import Role
from robson.executor.executor import Executor
from robson.executor.intents import mark_sent, new_intent
from robson.ports import Clock, Intent


def intent_of(around: Surroundings, order: PlaceOrder, now: datetime, already_sent: Mapping[str, datetime]) -> Intent:
    """An order's intent; an exit goes out at once and is written as sent with its decision: one commit, not two."""
    sent_at = already_sent.get(order.client_order_id)
    intent = new_intent(order, now, around.record.epoch, sent_at=sent_at)
    if sent_at is not None or order.role is not Role.EXIT or order.position_id in around.unlisted:
        return intent
    return mark_sent(intent, around.venue.timestamp_ms())


def stamp(stamps: list[float], stimulus: Stimulus | None, clock: Clock) -> None:
    """Note on the way of a stop's exit that the next stage begins (steady, s)."""
    if stamps and isinstance(stimulus, StopHit):
        stamps.append(clock.monotonic())


def hand_over(executor: Executor, placed: Sequence[Intent], already_sent: Mapping[str, datetime]) -> None:
    """Let the executor begin: with what was written as sent by its first attempt, unless that is past already."""
    fresh = [one for one in placed if one.status == "sent" and one.order.client_order_id not in already_sent]
    if fresh:
        executor.promise(fresh)
    if placed:
        executor.wake()
