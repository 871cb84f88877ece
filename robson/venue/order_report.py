"""An order of the ledger as a venue reports it when it is asked."""

from robson.domain.values import ClientOrderId
from robson.ports.venue import OrderReport
from robson.venue.ledger import Order
from robson.venue.ledger.units import from_ms


def report_of(symbol: str, order: Order) -> OrderReport:
    """What the venue says of an order when it is asked: only the answer to `place` carries its trades and its loan."""
    return OrderReport(
        symbol=symbol,
        client_order_id=ClientOrderId(order.ticket.client_order_id),
        venue_order_id=str(order.order_id),
        status=order.status.value,
        order_side=order.ticket.side,
        quantity=order.ticket.quantity,
        executed=order.executed,
        executed_quote=order.executed_quote,
        at=from_ms(order.updated_ms),
    )
