"""The paper venue's ledger in the words of the venue port."""

from robson.domain.errors import Rejected, RuleError
from robson.domain.instrument import Instrument
from robson.domain.values import ClientOrderId
from robson.ports.venue import OrderReport
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import Order
from robson.venue.ledger.refusals import INVALID_SYMBOL
from robson.venue.ledger.units import from_ms


def known_instrument(symbol: str) -> Instrument:
    """The filters of a pair that the venue lists; Rejected -1121 for any other symbol."""
    try:
        return builtin_instrument(symbol)
    except RuleError as error:
        raise Rejected(*INVALID_SYMBOL) from error


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
