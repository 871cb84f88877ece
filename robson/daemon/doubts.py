"""What alarms an operator about orders: those in doubt now, and exits that come no further."""

from collections.abc import Iterable, Mapping

from robson.daemon.leaving import ALARM_AFTER_FAILURES
from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings
from robson.domain.position import Exiting
from robson.ports import Intent
from robson.protocol.results import Check

# A list in one line; the rest is counted.
NAMED_MOST = 5


def in_doubt(around: Surroundings) -> list[Intent]:
    """The orders that were sent and whose outcome is unknown."""
    return [intent for intent in around.record.open_intents() if intent.status == "in_doubt"]


def failing(lives: Iterable[Life]) -> list[Life]:
    """The positions whose exit has come no further three times in a row, or more often."""
    return [
        life for life in lives if isinstance(life.position.state, Exiting) and _failures(life) >= ALARM_AFTER_FAILURES
    ]


def orders_check(around: Surroundings, lives: Mapping[str, Life]) -> Check:
    """Whether every order's outcome is known and every exit gets on."""
    doubted = [f"{i.order.role.value} of {i.order.position_id} ({i.order.symbol})" for i in in_doubt(around)]
    stuck = [f"{life.position.position_id} ({life.position.symbol})" for life in failing(lives.values())]
    said = [f"{what}: {_named(names)}" for what, names in (("in doubt", doubted), ("exit failing", stuck)) if names]
    return Check(ok=not said, detail="; ".join(said) or "none in doubt, no exit failing")


def _failures(life: Life) -> int:
    unsent = life.around.executor.unsent
    orders = life.around.record.intents_of(life.position.position_id)
    return max(life.exit_failures, *(unsent[intent.order.client_order_id] for intent in orders), 0)


def _named(names: list[str]) -> str:
    rest = len(names) - NAMED_MOST
    return ", ".join(names[:NAMED_MOST]) + (f" and {rest} more" if rest > 0 else "")
