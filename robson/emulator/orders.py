"""Placing, finding and cancelling orders of an isolated account."""

import re
import secrets
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from random import Random

from robson.domain.errors import Rejected
from robson.domain.instrument import Instrument
from robson.domain.values import OrderSide
from robson.emulator import reports
from robson.emulator.exchange import Exchange
from robson.emulator.faults import Fault, Plan
from robson.emulator.gate import Window
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import (
    Cut,
    Refused,
    bad_order_type,
    bad_side,
    bad_time_in_force,
    from_ledger,
    invalid,
    missing,
    no_such_order,
)
from robson.emulator.wire import JsonObject
from robson.venue.answers import known_instrument
from robson.venue.ledger import Change, Order, OrderTicket, Pair, PairRules, SideEffect, cancel, place
from robson.venue.ledger.lending import borrow_shortfall
from robson.venue.ledger.refusals import ILLEGAL_CLIENT_ORDER_ID, INSUFFICIENT_BALANCE, UNKNOWN_ORDER
from robson.venue.liquidity import book

_CLIENT_ORDER_ID = re.compile(r"[a-zA-Z0-9_-]{1,36}", re.ASCII)
_UNSUPPORTED = ("stopPrice", "icebergQty", "trailingDelta")


class Kind(StrEnum):
    """The order types of the emulator."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class Answer(StrEnum):
    """How much the answer to a new order says."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


class Wire(StrEnum):
    """An order's side as it is sent."""

    BUY = "BUY"
    SELL = "SELL"


async def new_order(exchange: Exchange, parameters: Parameters, plan: Plan, window: Window) -> JsonObject:
    """Place an order; Refused with the exchange's code, Cut when a fault takes the answer away."""
    parameters.isolated()
    symbol = parameters.symbol()
    tape = await exchange.market.open(symbol)
    last = tape.last
    assert last is not None, symbol
    ticket = read_ticket(parameters, known_instrument(symbol), last.price)
    kind = parameters.choice("newOrderRespType", Answer, lambda: invalid("newOrderRespType"), Answer.FULL)

    def put() -> JsonObject:
        # Checked again right before the order reaches the engine.
        window.check(exchange.now_ms())
        return _put(exchange, symbol, ticket, kind, plan)

    late = plan.get("late")
    if late is not None:
        exchange.later(min(late.length_seconds, 0.9 * window.left_seconds(exchange.now_ms())), put)
        raise Cut
    if "refuse" in plan:
        raise Refused(plan["refuse"].code, plan["refuse"].text)
    return put()


def read_ticket(parameters: Parameters, instrument: Instrument, price: Decimal) -> OrderTicket:
    """The order that the parameters ask for; `price` (quote per base) turns an amount of quote into a quantity."""
    side = parameters.choice("side", Wire, bad_side)
    kind = parameters.choice("type", Kind, bad_order_type)
    for name in _UNSUPPORTED:
        if name in parameters:
            raise Refused(-1106, f"Parameter '{name}' sent when not required.")
    limit = None
    if kind is Kind.LIMIT:
        if parameters.text("timeInForce").upper() != "GTC":
            raise bad_time_in_force()
        limit = parameters.decimal("price")
    else:
        for name in ("timeInForce", "price"):
            if name in parameters:
                raise Refused(-1106, f"Parameter '{name}' sent when not required.")
    if "quantity" in parameters:
        quantity = parameters.decimal("quantity")
    elif kind is Kind.MARKET and "quoteOrderQty" in parameters:
        quantity = instrument.floor(parameters.decimal("quoteOrderQty") / price)
    else:
        raise missing("quantity")
    identity = parameters.text("newClientOrderId", secrets.token_hex(11))
    if not _CLIENT_ORDER_ID.fullmatch(identity):
        raise Refused(int(ILLEGAL_CLIENT_ORDER_ID[0]), ILLEGAL_CLIENT_ORDER_ID[1])
    return OrderTicket(
        client_order_id=identity,
        side=OrderSide.BUY if side is Wire.BUY else OrderSide.SELL,
        quantity=quantity,
        side_effect=parameters.choice("sideEffectType", SideEffect, lambda: invalid("sideEffectType"), SideEffect.NONE),
        limit_price=limit,
        # The exchange's default is TRUE for the orders that borrow; only those have a loan to return.
        repay_unfilled=parameters.flag("autoRepayAtCancel", default=True) and limit is not None,
    )


def _put(exchange: Exchange, symbol: str, ticket: OrderTicket, kind: Answer, plan: Plan) -> JsonObject:
    step = _loan_alone(ticket) if "loan_without_order" in plan else _placing(exchange, ticket, plan)
    try:
        change = exchange.change(symbol, step)
    except Rejected as error:
        raise from_ledger(error) from error
    order = next((order for order in reversed(change.orders) if order.ticket == ticket), None)
    if order is None:
        raise Refused(int(INSUFFICIENT_BALANCE[0]), INSUFFICIENT_BALANCE[1])
    executions = [execution for execution in change.executions if execution.order_id == order.order_id]
    return reports.placed(symbol, order, executions, kind.value)


def _placing(exchange: Exchange, ticket: OrderTicket, plan: Plan) -> Callable[[Pair, PairRules, int], Change]:
    def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
        # Drawn from the order's own id, so that a venue that was restarted goes on with the same book.
        source = Random(f"{exchange.seed}/{pair.symbol}/{pair.next_order_id}")  # noqa: S311  repeatable, not secret
        offered = _offered(ticket, rules.instrument, plan.get("partial"))
        levels = book(exchange.settings, rules.instrument, ticket.side, offered, pair.priced(), source)
        return place(pair, rules, ticket, levels, now_ms, repays="repay_fails" not in plan)

    return step


def _offered(ticket: OrderTicket, instrument: Instrument, partial: Fault | None) -> Decimal:
    """How much the book holds for this order (base)."""
    if partial is None or ticket.limit_price is not None:
        return ticket.quantity
    return instrument.floor(ticket.quantity * Decimal(partial.fraction))


def _loan_alone(ticket: OrderTicket) -> Callable[[Pair, PairRules, int], Change]:
    """The loan that precedes an order, without the order."""

    def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
        if not ticket.side_effect.borrows:
            return Change(pair=pair)
        asset = rules.paid_asset(ticket.side)
        needed = ticket.quantity * (pair.priced() if ticket.side is OrderSide.BUY else 1)
        shortfall = needed - pair.leg(asset).free
        if shortfall <= 0:
            return Change(pair=pair)
        return borrow_shortfall(pair, rules, asset, shortfall, now_ms, pair.next_order_id)

    return step


def find(exchange: Exchange, parameters: Parameters, symbol: str) -> Order:
    """The order with `orderId` or, the newest, with `origClientOrderId`; Refused -2013, -2039 or -1102.

    While queries lag, an order that is too young is not found.
    """
    number = parameters.maybe_integer("orderId")
    identity = parameters.text("origClientOrderId", "") or None
    if number is not None:
        order = exchange.file.order(symbol, number)
        if order is not None and identity not in {None, order.ticket.client_order_id}:
            raise Refused(-2039, "Client order ID is not correct for this order ID.")
    elif identity is not None:
        order = exchange.file.newest_order(symbol, identity)
    else:
        raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    if order is None or is_hidden(exchange, order.created_ms):
        raise no_such_order()
    return order


def is_hidden(exchange: Exchange, at_ms: int) -> bool:
    """Whether something is too young to be found while queries lag."""
    lag = exchange.faults.switch("query_lag")
    return lag is not None and exchange.now_ms() - at_ms < lag.length_seconds * 1000


def cancel_order(exchange: Exchange, parameters: Parameters, symbol: str) -> JsonObject:
    """Take one order out of the market; Refused -2011."""
    try:
        order = find(exchange, parameters, symbol)
    except Refused as error:
        if error.code != no_such_order().code:
            raise
        raise Refused(int(UNKNOWN_ORDER[0]), UNKNOWN_ORDER[1]) from error
    return cancel_one(exchange, symbol, order.order_id, parameters.text("newClientOrderId", secrets.token_hex(11)))


def cancel_one(exchange: Exchange, symbol: str, order_id: int, cancel_id: str) -> JsonObject:
    """Cancel by the exchange's own id; Refused -2011 when the order is not open."""

    def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
        return cancel(pair, rules, order_id, now_ms)

    try:
        change = exchange.change(symbol, step)
    except Rejected as error:
        raise from_ledger(error) from error
    ended = next(order for order in change.orders if order.order_id == order_id)
    return reports.cancelled(symbol, ended, cancel_id)
