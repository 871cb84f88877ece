"""Orders, trades and accounts as the exchange writes them, read into the domain's terms."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from robson.domain.account import InterestCharge, Leg, Liquidation, PairAccount, Trade
from robson.domain.values import ZERO
from robson.ports.venue import OrderReport
from robson.venue.binance.reading import Fields, Malformed, rows

# Never among the final ones, so that such an order is asked for again.
UNKNOWN_STATUS = "UNKNOWN"


def order(document: Any, symbol: str) -> OrderReport:
    """An order of `symbol`: the FULL answer to a new one with its fills and loan, or the shorter one of a query."""
    fields = Fields(document, "order")
    executed = fields.decimal_or_none("executedQty") or ZERO
    at = fields.moment("transactTime", "updateTime", "time")
    return OrderReport(
        symbol=str(fields.get("symbol") or symbol),
        client_order_id=_client_order_id(fields),
        venue_order_id=fields.text("orderId"),
        status=str(fields.get("status") or UNKNOWN_STATUS),
        order_side=fields.side("side"),
        quantity=fields.decimal_or_none("origQty") or executed,
        executed=executed,
        executed_quote=_executed_quote(fields, executed),
        at=at,
        trades=_fills(fields, executed, at),
        borrowed=_loan(fields),
    )


def placed_order(document: Any, request: Mapping[str, str]) -> OrderReport:
    """The answer to a new order; what it leaves out is taken from what was asked (names as on the wire)."""
    asked = {
        "clientOrderId": request["newClientOrderId"],
        "side": request["side"],
        "origQty": request["quantity"],
        "transactTime": request["timestamp"],
    }
    Fields(document, "order")
    answered = {name: value for name, value in document.items() if value is not None}
    return order({**asked, **answered}, request["symbol"])


def orders(document: Any, symbol: str) -> list[OrderReport]:
    """Several orders, as they came."""
    if not isinstance(document, list):
        raise Malformed(f"orders were {type(document).__name__}, not a list")
    return [order(row, symbol) for row in document]


def trades(document: Any) -> list[Trade]:
    """Rows of myTrades, as they came."""
    return [
        Trade(
            trade_id=row.integer("id"),
            venue_order_id=row.text("orderId"),
            price=row.decimal("price"),
            quantity=row.decimal("qty"),
            fee=row.decimal_or_none("commission") or ZERO,
            fee_asset=str(row.get("commissionAsset") or ""),
            at=row.moment("time"),
        )
        for row in rows(document, "trades")
    ]


def account(document: Any, symbol: str) -> PairAccount | None:
    """The account of one pair; None when the exchange lists none for it."""
    for pair in Fields(document, "account").rows("assets"):
        base, quote = pair.below("baseAsset"), pair.below("quoteAsset")
        if str(pair.get("symbol") or f"{base.get('asset')}{quote.get('asset')}") == symbol:
            return PairAccount(symbol=symbol, base=_leg(base), quote=_leg(quote))
    return None


def interest(document: Any) -> list[InterestCharge]:
    """Rows of interestHistory, as they came."""
    return [
        InterestCharge(
            asset=row.text("asset"),
            amount=row.decimal("interest"),
            principal=row.decimal_or_none("principal") or ZERO,
            # The exchange spells it with one c.
            at=row.moment("interestAccuredTime", "interestAccruedTime"),
            on_borrow=str(row.get("type")).startswith("ON_BORROW"),
        )
        for row in rows(document, "interest")
    ]


def liquidations(document: Any) -> list[Liquidation]:
    """Rows of forceLiquidationRec, as they came."""
    found = []
    for row in rows(document, "liquidations"):
        order_id = str(row.get("orderId") or "")
        found.append(
            Liquidation(
                venue_order_id=order_id if order_id not in {"", "-1"} else None,
                order_side=row.side("side") if row.get("side") is not None else None,
                average_price=row.decimal_or_none("avgPrice", "price") or ZERO,
                executed=row.decimal("executedQty", "qty"),
                at=row.moment("updatedTime", "updateTime", "time"),
            )
        )
    return found


def price(document: Any) -> Decimal:
    """The price (quote per base) of ticker/price or priceIndex."""
    number = Fields(document, "price").decimal("price")
    if number <= 0:
        raise Malformed(f"price was {number}")
    return number


def server_time_ms(document: Any) -> int:
    """The exchange's clock, milliseconds since the epoch."""
    return Fields(document, "time").integer("serverTime")


def _client_order_id(fields: Fields) -> str:
    """The order's own id: where a cancellation answers, `clientOrderId` is the cancellation's."""
    return str(fields.get("origClientOrderId", "clientOrderId") or "")


def _executed_quote(fields: Fields, executed: Decimal) -> Decimal | None:
    """None where the exchange has no figure: it writes less than zero for old orders, and zero for an unpriced fill."""
    quote = fields.decimal_or_none("cummulativeQuoteQty", "cumulativeQuoteQty")
    if quote is None or quote < 0 or (quote == 0 and executed > 0):
        return None
    return quote


def _fills(fields: Fields, executed: Decimal, at: datetime) -> tuple[Trade, ...]:
    """The trades of a FULL answer; none at all unless they are complete, so that they are asked for."""
    try:
        fills = [
            Trade(
                trade_id=row.integer("tradeId"),
                venue_order_id=fields.text("orderId"),
                price=row.decimal("price"),
                quantity=row.decimal("qty"),
                fee=row.decimal("commission"),
                fee_asset=row.text("commissionAsset"),
                at=at,
            )
            for row in fields.rows("fills")
        ]
    except Malformed:
        return ()
    is_complete = sum((fill.quantity for fill in fills), ZERO) == executed
    return tuple(fills) if is_complete and all(fill.price > 0 and fill.trade_id >= 0 for fill in fills) else ()


def _loan(fields: Fields) -> dict[str, Decimal]:
    amount, asset = fields.decimal_or_none("marginBuyBorrowAmount"), fields.get("marginBuyBorrowAsset")
    return {str(asset): amount} if amount and asset else {}


def _leg(fields: Fields) -> Leg:
    return Leg(
        free=fields.decimal("free"),
        locked=fields.decimal_or_none("locked") or ZERO,
        borrowed=fields.decimal("borrowed"),
        interest=fields.decimal("interest"),
    )
