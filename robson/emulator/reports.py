"""Orders, executions, balances and trades as the exchange writes them, in answers and in events."""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.account import Leg
from robson.domain.values import ZERO
from robson.emulator.market import MarketTrade
from robson.emulator.wire import JsonObject, amount, whole_or_text
from robson.venue.ledger import Change, Execution, Order, OrderStatus, Pair

SELF_TRADE_PREVENTION = "EXPIRE_MAKER"

# Enough room for the execution ids of one order.
_EXECUTIONS_PER_ORDER = 1000


def order_type(order: Order) -> str:
    """MARKET or LIMIT."""
    return "MARKET" if order.ticket.limit_price is None else "LIMIT"


def _limit_price(order: Order) -> str:
    return amount(order.ticket.limit_price or ZERO)


def placed(symbol: str, order: Order, executions: Sequence[Execution], kind: str) -> JsonObject:
    """The answer to a new order, as ACK, RESULT or FULL."""
    acknowledgement: JsonObject = {
        "symbol": symbol,
        "orderId": order.order_id,
        "clientOrderId": order.ticket.client_order_id,
        "isIsolated": True,
        "transactTime": order.updated_ms,
    }
    if kind == "ACK":
        return acknowledgement
    result = {
        **acknowledgement,
        "price": _limit_price(order),
        "origQty": amount(order.ticket.quantity),
        "executedQty": amount(order.executed),
        "cummulativeQuoteQty": amount(order.executed_quote),
        "status": order.status.value,
        "timeInForce": "GTC",
        "type": order_type(order),
        "side": order.ticket.side.value.upper(),
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
    }
    if order.borrowed_asset is not None:
        result["marginBuyBorrowAmount"] = whole_or_text(order.borrowed)
        result["marginBuyBorrowAsset"] = order.borrowed_asset
    if kind == "RESULT":
        return result
    if order.expiry_reason is not None:
        result["expiryReason"] = order.expiry_reason
    result["fills"] = [
        {
            "price": amount(execution.price),
            "qty": amount(execution.quantity),
            "commission": amount(execution.fee),
            "commissionAsset": execution.fee_asset,
            "tradeId": execution.trade_id,
        }
        for execution in executions
    ]
    return result


def queried(symbol: str, order: Order) -> JsonObject:
    """An order as a query gives it: without fills, commission and loan."""
    return {
        "clientOrderId": order.ticket.client_order_id,
        "cummulativeQuoteQty": amount(order.executed_quote),
        "executedQty": amount(order.executed),
        "icebergQty": amount(ZERO),
        "isWorking": True,
        "orderId": order.order_id,
        "origQty": amount(order.ticket.quantity),
        "price": _limit_price(order),
        "side": order.ticket.side.value.upper(),
        "status": order.status.value,
        "stopPrice": amount(ZERO),
        "symbol": symbol,
        "isIsolated": True,
        "time": order.created_ms,
        "timeInForce": "GTC",
        "type": order_type(order),
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
        "updateTime": order.updated_ms,
    }


def cancelled(symbol: str, order: Order, cancel_id: str) -> JsonObject:
    """The answer to a cancellation; its order id is a string here and nowhere else."""
    return {
        "symbol": symbol,
        "isIsolated": True,
        "orderId": str(order.order_id),
        "origClientOrderId": order.ticket.client_order_id,
        "clientOrderId": cancel_id,
        "price": _limit_price(order),
        "origQty": amount(order.ticket.quantity),
        "executedQty": amount(order.executed),
        "cummulativeQuoteQty": amount(order.executed_quote),
        "status": order.status.value,
        "timeInForce": "GTC",
        "type": order_type(order),
        "side": order.ticket.side.value.upper(),
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
    }


def own_trade(symbol: str, execution: Execution) -> JsonObject:
    """A row of myTrades."""
    return {
        "commission": amount(execution.fee),
        "commissionAsset": execution.fee_asset,
        "id": execution.trade_id,
        "isBestMatch": True,
        "isBuyer": execution.side.value == "buy",
        "isMaker": False,
        "orderId": execution.order_id,
        "price": amount(execution.price),
        "qty": amount(execution.quantity),
        "symbol": symbol,
        "isIsolated": True,
        "time": execution.at_ms,
    }


def aggregate(trade: MarketTrade) -> JsonObject:
    """An aggregate trade of the market: each is one trade here."""
    return {
        "a": trade.trade_id,
        "p": amount(trade.price),
        "q": amount(trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def balance(asset: str, leg: Leg, in_btc: Decimal) -> JsonObject:
    """One leg of an isolated account; `in_btc` is its net worth."""
    return {
        "asset": asset,
        "borrowEnabled": True,
        "borrowed": amount(leg.borrowed),
        "free": amount(leg.free),
        "interest": amount(leg.interest),
        "locked": amount(leg.locked),
        "netAsset": amount(leg.total - leg.debt),
        "netAssetOfBtc": amount(in_btc),
        "repayEnabled": True,
        "totalAsset": amount(leg.total),
    }


def account_event(pair: Pair, at_ms: int) -> JsonObject:
    """outboundAccountPosition: it names no symbol."""
    legs = ((pair.base_asset, pair.account.base), (pair.quote_asset, pair.account.quote))
    return {
        "e": "outboundAccountPosition",
        "E": at_ms,
        "u": at_ms,
        "B": [{"a": asset, "f": amount(leg.free), "l": amount(leg.locked)} for asset, leg in legs],
    }


def order_events(symbol: str, change: Change, first_new_id: int, at_ms: int) -> list[JsonObject]:
    """The executionReports of a change: NEW for orders from `first_new_id` on, each trade, and an end without one."""
    events: list[JsonObject] = []
    for order in change.orders:
        trades = [trade for trade in change.executions if trade.order_id == order.order_id]
        executed = order.executed - sum((trade.quantity for trade in trades), ZERO)
        spent = order.executed_quote - sum((trade.quote for trade in trades), ZERO)
        step = 0
        if order.order_id >= first_new_id:
            events.append(_report(symbol, order, "NEW", "NEW", executed, spent, at_ms, step))
        for trade in trades:
            step += 1
            executed, spent = executed + trade.quantity, spent + trade.quote
            status = "FILLED" if executed == order.ticket.quantity else "PARTIALLY_FILLED"
            report = _report(symbol, order, "TRADE", status, executed, spent, at_ms, trade.trade_id)
            events.append({**report, **_last(trade)})
        if order.status in {OrderStatus.EXPIRED, OrderStatus.CANCELED}:
            kind = order.status.value
            ended = _report(symbol, order, kind, kind, executed, spent, at_ms, _EXECUTIONS_PER_ORDER - 1)
            if order.expiry_reason is not None:
                ended["eR"] = order.expiry_reason
            events.append(ended)
    return events


def _report(
    symbol: str, order: Order, kind: str, status: str, executed: Decimal, spent: Decimal, at_ms: int, step: int
) -> JsonObject:
    nothing = amount(ZERO)
    return {
        "e": "executionReport",
        "E": at_ms,
        "s": symbol,
        "c": order.ticket.client_order_id,
        "S": order.ticket.side.value.upper(),
        "o": order_type(order),
        "f": "GTC",
        "q": amount(order.ticket.quantity),
        "p": _limit_price(order),
        "P": nothing,
        "F": nothing,
        "g": -1,
        "C": "",
        "x": kind,
        "X": status,
        "r": "NONE",
        "i": order.order_id,
        "l": nothing,
        "z": amount(executed),
        "L": nothing,
        "n": "0",
        "N": None,
        "T": order.updated_ms,
        "t": -1,
        "I": order.order_id * _EXECUTIONS_PER_ORDER + step % _EXECUTIONS_PER_ORDER,
        "w": kind == "NEW",
        "m": False,
        "M": kind == "TRADE",
        "O": order.created_ms,
        "Z": amount(spent),
        "Y": nothing,
        "Q": nothing,
        "W": order.created_ms,
        "V": SELF_TRADE_PREVENTION,
    }


def _last(trade: Execution) -> JsonObject:
    return {
        "l": amount(trade.quantity),
        "L": amount(trade.price),
        "n": amount(trade.fee),
        "N": trade.fee_asset,
        "t": trade.trade_id,
        "Y": amount(trade.quote),
    }
