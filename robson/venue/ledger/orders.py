"""How an order gets in and out: checks, filters, the loan it causes, the funds it locks, its execution and its end."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from robson.domain.errors import Rejected
from robson.domain.values import ZERO, OrderSide
from robson.venue.ledger.lending import borrow_shortfall, pay_down
from robson.venue.ledger.matching import Fill, match
from robson.venue.ledger.pair import Level, Order, OrderStatus, OrderTicket, Pair, PairRules
from robson.venue.ledger.records import Change, Execution, LoanOrigin
from robson.venue.ledger.refusals import (
    AHEAD_OF_SERVER,
    DUPLICATE_ORDER,
    INSUFFICIENT_BALANCE,
    MARKET_CLOSED,
    OUTSIDE_WINDOW,
    UNKNOWN_ORDER,
    filter_failure,
)
from robson.venue.ledger.units import full_hour, is_whole, times_up

INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"


def check_window(timestamp_ms: int, receive_window_ms: int, now_ms: int) -> None:
    """Raise Rejected -1021 for a request that arrives too late, or from more than a second in the future."""
    if timestamp_ms >= now_ms + 1000:
        raise Rejected(*AHEAD_OF_SERVER)
    if now_ms - timestamp_ms > receive_window_ms:
        raise Rejected(*OUTSIDE_WINDOW)


def place(
    pair: Pair, rules: PairRules, ticket: OrderTicket, levels: Sequence[Level], now_ms: int, *, repays: bool = True
) -> Change:
    """Accept an order and execute it at once against `levels`, best first; what they leave of a market order expires.

    The account must be marked to this moment. Raises Rejected with nothing changed. `repays=False` is the venue's
    silent failure to repay (Binance: -3007 inside an AUTO_REPAY order).
    """
    order_id = pair.next_order_id
    accepted = accept(pair, rules, ticket, levels, now_ms)
    return accepted.then(execute, rules, order_id, levels, now_ms, repays=repays)


def accept(pair: Pair, rules: PairRules, ticket: OrderTicket, levels: Sequence[Level], now_ms: int) -> Change:
    """Take an order in: check it, borrow what it lacks if it may, and lock what it will pay.

    The loan is made here, before anything executes; it stays when the order then does not.
    """
    assert full_hour(now_ms) <= pair.accrued_hour, "the account was not marked to this moment"
    _check_ticket(pair, rules, ticket)
    asset = rules.paid_asset(ticket.side)
    order_id = pair.next_order_id
    needed = _cost(ticket, levels)
    change = Change(pair=msgspec.structs.replace(pair, next_order_id=order_id + 1))
    free = pair.leg(asset).free
    if needed > free:
        if ticket.side_effect.borrows:
            change = change.then(borrow_shortfall, rules, asset, needed - free, now_ms, order_id)
        elif rules.fills_underfunded_buys and ticket.side is OrderSide.BUY and ticket.limit_price is None and free > 0:
            needed = free
        else:
            raise Rejected(*INSUFFICIENT_BALANCE)
    borrowed = sum((loan.principal for loan in change.loans), ZERO)
    order = Order(
        order_id=order_id,
        ticket=ticket,
        status=OrderStatus.NEW,
        created_ms=now_ms,
        updated_ms=now_ms,
        locked=needed,
        borrowed=borrowed,
        borrowed_asset=asset if borrowed else None,
    )
    return change.then(_keep, asset, order)


def execute(
    pair: Pair, rules: PairRules, order_id: int, levels: Sequence[Level], now_ms: int, *, repays: bool = True
) -> Change:
    """Execute an open order against `levels`: a market order ends here, a limit order rests with its remainder."""
    order = pair.open_order(order_id)
    assert order is not None, (pair.symbol, order_id)
    paid = rules.paid_asset(order.ticket.side)
    locked = order.locked
    fills, short_of_funds = match(order, levels, rules, locked + pair.leg(paid).free)
    change = Change(pair=pair.move(paid, free=locked, locked=-locked))
    for fill in fills:
        change = change.then(book_fill, rules, order, fill, now_ms)
    received = sum((fill.kept for fill in fills), ZERO)
    order = _after_fills(order, fills, short_of_funds, now_ms)
    change = change.then(_keep, paid, order)
    if order.ticket.side_effect.repays and repays and received > 0:
        asset = rules.received_asset(order.ticket.side)
        change = change.then(pay_down, asset, received, now_ms, origin=LoanOrigin.AUTO, order_id=order_id)
    return change.then(_return_loan, order, now_ms)


def cancel(pair: Pair, rules: PairRules, order_id: int, now_ms: int) -> Change:
    """Take an open order out of the market; Rejected -2011 when there is none with this id."""
    order = pair.open_order(order_id)
    if order is None:
        raise Rejected(*UNKNOWN_ORDER)
    paid = rules.paid_asset(order.ticket.side)
    ended = msgspec.structs.replace(order, status=OrderStatus.CANCELED, updated_ms=now_ms, locked=ZERO)
    change = Change(pair=pair.move(paid, free=order.locked, locked=-order.locked))
    change = change.then(_keep, paid, ended)
    return change.then(_return_loan, ended, now_ms)


def _check_ticket(pair: Pair, rules: PairRules, ticket: OrderTicket) -> None:
    ticket.check_client_order_id()
    instrument, quantity = rules.instrument, ticket.quantity
    if not instrument.tradable:
        raise Rejected(*MARKET_CLOSED)
    if not quantity.is_finite() or quantity <= 0 or quantity < instrument.minimum_quantity:
        raise filter_failure("LOT_SIZE")
    if not is_whole(quantity, instrument.step_size):
        raise filter_failure("LOT_SIZE")
    if ticket.limit_price is None and 0 < instrument.maximum_quantity < quantity:
        raise filter_failure("MARKET_LOT_SIZE")
    if ticket.limit_price is not None and not is_whole(ticket.limit_price, instrument.tick_size):
        raise filter_failure("PRICE_FILTER")
    price = pair.priced() if ticket.limit_price is None else ticket.limit_price
    if times_up(quantity, price) < instrument.minimum_notional:
        raise filter_failure("NOTIONAL")
    if any(order.ticket.client_order_id == ticket.client_order_id for order in pair.open_orders):
        raise Rejected(*DUPLICATE_ORDER)


def _cost(ticket: OrderTicket, levels: Sequence[Level]) -> Decimal:
    """What the whole order would pay: a sale its quantity, a purchase level by level, the last price for the rest."""
    if ticket.side is OrderSide.SELL:
        return ticket.quantity
    if ticket.limit_price is not None:
        return times_up(ticket.quantity, ticket.limit_price)
    cost, left = ZERO, ticket.quantity
    for level in levels:
        taken = min(left, level.quantity)
        cost += times_up(level.price, taken)
        left -= taken
    return cost + (times_up(levels[-1].price, left) if levels and left > 0 else ZERO)


def book_fill(pair: Pair, rules: PairRules, order: Order, fill: Fill, now_ms: int) -> Change:
    """One execution of an order: what is paid leaves, what is received after the fee comes in."""
    side = order.ticket.side
    execution = Execution(
        trade_id=pair.next_trade_id,
        order_id=order.order_id,
        side=side,
        price=fill.price,
        quantity=fill.quantity,
        quote=fill.quote,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        at_ms=now_ms,
    )
    after = pair.move(rules.paid_asset(side), free=-fill.paid).move(rules.received_asset(side), free=fill.kept)
    after = msgspec.structs.replace(after, next_trade_id=pair.next_trade_id + 1)
    return Change(pair=after, executions=(execution,))


def _after_fills(order: Order, fills: Sequence[Fill], short_of_funds: bool, now_ms: int) -> Order:
    executed = order.executed + sum((fill.quantity for fill in fills), ZERO)
    spent = sum((fill.paid for fill in fills), ZERO)
    rests = order.ticket.limit_price is not None and not short_of_funds
    reason = None
    if executed == order.ticket.quantity:
        status = OrderStatus.FILLED
    elif rests:
        status = OrderStatus.PARTIALLY_FILLED if executed > 0 else OrderStatus.NEW
    else:
        status = OrderStatus.EXPIRED
        reason = INSUFFICIENT_FUNDS if short_of_funds else INSUFFICIENT_LIQUIDITY
    return msgspec.structs.replace(
        order,
        status=status,
        updated_ms=now_ms,
        executed=executed,
        executed_quote=order.executed_quote + sum((fill.quote for fill in fills), ZERO),
        locked=max(order.locked - spent, ZERO) if status.is_open else ZERO,
        expiry_reason=reason,
    )


def _keep(pair: Pair, paid: str, order: Order) -> Change:
    """Lock what the order still holds and list it among the open ones while it is."""
    after = pair.move(paid, free=-order.locked, locked=order.locked)
    return Change(pair=after.with_order(order), orders=(order,))


def _return_loan(pair: Pair, order: Order, now_ms: int) -> Change:
    """Repay the loan of an order that ended unfilled, as far as it is still there, where its owner asked for that."""
    unfilled = not order.status.is_open and order.status is not OrderStatus.FILLED
    if not (unfilled and order.ticket.repay_unfilled and order.borrowed_asset):
        return Change(pair=pair)
    asset, order_id = order.borrowed_asset, order.order_id
    return pay_down(pair, asset, order.borrowed, now_ms, origin=LoanOrigin.AUTO, order_id=order_id)
