"""A position's orders as people and scripts see them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from robson.daemon.record import Record
from robson.domain.values import ZERO, PositionId, average_price
from robson.ports import Fill, Intent
from robson.protocol.oversight_results import FillView, OrderView


def orders_of(position_id: PositionId, record: Record) -> tuple[OrderView, ...]:
    """Every order of a position, oldest first; one that the disk has not taken yet is shown as memory has it."""
    intents = {intent.order.client_order_id: intent for intent in record.journal.intents(position_id)}
    intents |= {intent.order.client_order_id: intent for intent in record.intents_of(position_id)}
    fills = record.journal.fills(position_id)
    return tuple(
        _view(intent, [fill for fill in fills if fill.client_order_id == client_order_id])
        for client_order_id, intent in intents.items()
    )


def _view(intent: Intent, fills: Iterable[Fill]) -> OrderView:
    order, trades = intent.order, [fill.trade for fill in fills]
    quantity = sum((trade.quantity for trade in trades), ZERO)
    quote = sum((trade.quantity * trade.price for trade in trades), ZERO)
    return OrderView(
        client_order_id=order.client_order_id,
        venue_order_id=intent.venue_order_id,
        role=order.role.value,
        order_side=order.order_side.value,
        quantity=order.quantity,
        attempt=order.attempt,
        part=order.part,
        fence=order.fence.value,
        status=intent.status,
        decided_at=intent.created_at,
        sent_at=_moment(intent.timestamp_ms),
        filled_at=max((trade.at for trade in trades), default=None),
        executed=intent.executed,
        average_price=average_price(quote, quantity) if quantity > 0 and quote > 0 else None,
        detail=intent.detail,
        fills=tuple(
            FillView(
                trade_id=trade.trade_id,
                price=trade.price,
                quantity=trade.quantity,
                fee=trade.fee,
                fee_asset=trade.fee_asset,
                at=trade.at,
            )
            for trade in trades
        ),
    )


def _moment(timestamp_ms: int | None) -> datetime | None:
    return None if timestamp_ms is None else datetime.fromtimestamp(timestamp_ms / 1000, UTC)
