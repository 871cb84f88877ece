"""Exits that were written as sent with their decision: they leave in the same stretch, where the venue can do that.

Between the commit and the first byte no other task has its turn then, and so nothing that a decision wakes is waited
for. What cannot leave at once goes the usual way, by a task of its own.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from robson.domain.errors import InDoubt
from robson.domain.values import ClientOrderId
from robson.ports import Clock, Hand, Intent, OrderReport, OrderRequest, Reply

_log = structlog.get_logger("robson.executor")


class Departed(NamedTuple):
    """A request of which a byte may have left, and what waits for its answer."""

    request: OrderRequest
    reply: Reply


def request_of(sent: Intent) -> OrderRequest:
    """The request of an intent that is durable as sent."""
    order = sent.order
    assert sent.timestamp_ms is not None
    assert sent.receive_window_ms is not None
    return OrderRequest(
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        role=order.role,
        order_side=order.order_side,
        quantity=order.quantity,
        timestamp_ms=sent.timestamp_ms,
        receive_window_ms=sent.receive_window_ms,
    )


class Departures:
    """What is promised to leave, and what has left, until somebody waits for its answer."""

    def __init__(self, hand: Hand | None, clock: Clock) -> None:
        """`hand` is None for a venue without a wire."""
        self._hand = hand
        self._clock = clock
        # Those that this run wrote as sent with their decision and whose first attempt nobody looks after yet.
        self.promised: set[ClientOrderId] = set()
        self._departed: dict[ClientOrderId, Departed] = {}

    def promise(self, sent: Iterable[Intent]) -> None:
        """Say that intents were written as sent by this run, and that nothing of them has left."""
        self.promised.update(intent.order.client_order_id for intent in sent)

    def __contains__(self, order_id: ClientOrderId) -> bool:
        return order_id in self._departed

    def send(self, sent: Iterable[Intent], note: Callable[[Intent, float], None]) -> None:
        """Let exits leave in their order until one cannot; `note` hears of each that has, and when it began."""
        if self._hand is None:
            return
        for intent in sent:
            began = self._clock.monotonic()
            departed = self._sent(self._hand, intent)
            if departed is None:
                return
            # First of all: what is not known to have left would be sent again.
            self._departed[intent.order.client_order_id] = departed
            try:
                note(intent, began)
            except Exception:  # noqa: BLE001  a figure is worth no exit
                _log.exception("departure_not_noted", symbol=departed.request.symbol)

    def take(self, order_id: ClientOrderId) -> tuple[bool, Departed | None]:
        """Whether this run has promised the order, and what has left of it; told once."""
        is_promised = order_id in self.promised
        self.promised.discard(order_id)
        return is_promised, self._departed.pop(order_id, None)

    def _sent(self, hand: Hand, intent: Intent) -> Departed | None:
        request = request_of(intent)
        try:
            reply = hand(request)
        except Exception as error:  # noqa: BLE001  an adapter's fault says nothing about what has left
            _log.exception("exit_not_handed_at_once", symbol=request.symbol)
            if not request.first_bytes:
                return None
            reply = _doubtful(f"the venue adapter failed: {error!r}")
        return Departed(request, reply) if reply is not None else None


def _doubtful(why: str) -> Reply:
    async def reply() -> OrderReport:
        raise InDoubt(why)

    return reply
