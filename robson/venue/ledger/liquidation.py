"""Marking an account to a moment and a price, and its liquidation when assets fall to 1.05 times its debts."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import msgspec

from robson.domain.values import ZERO, OrderSide
from robson.venue.ledger.lending import accrue, pay_down, record_loan
from robson.venue.ledger.matching import Fill, price_fill
from robson.venue.ledger.orders import book_fill, cancel
from robson.venue.ledger.pair import Order, OrderStatus, OrderTicket, Pair, PairRules, SideEffect
from robson.venue.ledger.records import Change, LiquidationRecord, LoanKind, LoanOrigin
from robson.venue.ledger.units import times_up

# Binance names its own liquidation orders in the account's order list; no id of ours can look like this.
CLIENT_ORDER_ID_PREFIX = "autoclose-"

INFINITY = Decimal("Infinity")
_ROUND_UP = Context(prec=28, rounding=ROUND_CEILING)
_ROUND_DOWN = Context(prec=28, rounding=ROUND_FLOOR)


def mark(pair: Pair, rules: PairRules, now_ms: int, price: Decimal | None) -> Change:
    """Bring the account to this moment: charge the hours that passed, take the index price, liquidate when due.

    `price` is quote per base; None keeps the last one. Everything else that changes an account expects this first.
    """
    change = accrue(pair, rules, now_ms)
    if price is not None and price != pair.index_price:
        change = change.then(_priced_at, price)
    if is_liquidation_due(change.pair, rules):
        change = change.then(_liquidate, rules, now_ms)
    return change


def is_liquidation_due(pair: Pair, rules: PairRules) -> bool:
    """Whether assets / debts at the index price is at or below the liquidation ratio; exact, no division."""
    price = pair.index_price
    if price is None:
        return False
    debts = pair.account.debt_value(price)
    if debts <= 0:
        return False
    return pair.account.equity(price) + debts <= rules.terms.liquidation_risk_ratio * debts


def liquidation_bounds(pair: Pair, rules: PairRules) -> tuple[Decimal, Decimal]:
    """The open interval of prices (quote per base) at which the account surely is not liquidated.

    Rounded inwards, so that a price outside it is to be judged by `mark`, and a price inside it never is missed.
    """
    base, quote = pair.account.base, pair.account.quote
    ratio = rules.terms.liquidation_risk_ratio
    if base.debt <= 0 and quote.debt <= 0:
        return ZERO, INFINITY
    # assets(p) - ratio x debts(p) = slope x p + constant; liquidation is due where that is not above zero.
    slope = base.total - ratio * base.debt
    constant = quote.total - ratio * quote.debt
    if slope > 0:
        return max(_ROUND_UP.divide(-constant, slope), ZERO), INFINITY
    if slope < 0:
        return ZERO, max(_ROUND_DOWN.divide(constant, -slope), ZERO)
    return (ZERO, INFINITY) if constant > 0 else (INFINITY, INFINITY)


def _liquidate(pair: Pair, rules: PairRules, now_ms: int) -> Change:
    """Cancel, pay each debt from its own asset, buy or sell the rest at the index price, write off what is left."""
    price = pair.priced()
    level = pair.account.margin_level(price)
    assert level is not None, pair.symbol
    change = Change(pair=pair)
    for order in pair.open_orders:
        change = change.then(cancel, rules, order.order_id, now_ms)
    change = _pay_from_own(change, now_ms)
    order_id = change.pair.next_order_id
    side, fill = _closing_fill(change.pair, rules, price)
    if fill is not None:
        change = change.then(_trade, rules, side, fill, now_ms)
        change = _pay_from_own(change, now_ms)
    record = LiquidationRecord(
        order_id=order_id if fill is not None else None,
        side=side if fill is not None else None,
        price=price,
        quantity=fill.quantity if fill is not None else ZERO,
        margin_level=level,
        seized={},
        written_off={},
        at_ms=now_ms,
    )
    return change.then(_finish, rules, record, fill.quote if fill is not None else ZERO)


def _priced_at(pair: Pair, price: Decimal) -> Change:
    return Change(pair=msgspec.structs.replace(pair, index_price=price))


def _pay_from_own(change: Change, now_ms: int) -> Change:
    for asset in (change.pair.base_asset, change.pair.quote_asset):
        free = change.pair.leg(asset).free
        change = change.then(pay_down, asset, free, now_ms, origin=LoanOrigin.LIQUIDATION)
    return change


def _closing_fill(pair: Pair, rules: PairRules, price: Decimal) -> tuple[OrderSide, Fill | None]:
    """The trade that pays the remaining debt as far as the other asset goes; minima do not bind the venue itself."""
    instrument, kept = rules.instrument, 1 - rules.terms.taker_fee_rate
    base, quote = pair.account.base, pair.account.quote
    if base.debt > 0:
        side, debt, wanted = OrderSide.BUY, base.debt, base.debt / kept
        most = instrument.floor(quote.free / price)
        while most > 0 and times_up(most, price) > quote.free:
            most -= instrument.step_size
    else:
        side, debt, wanted = OrderSide.SELL, quote.debt, quote.debt / (price * kept)
        most = instrument.floor(base.free)
    quantity = min(instrument.ceil(wanted), most)
    if debt <= 0 or quantity <= 0:
        return side, None
    fill = price_fill(side, quantity, price, rules)
    # Proceeds and fee are both rounded against the account, which may leave it one unit short of its debt.
    while fill.kept < debt and fill.quantity < most:
        fill = price_fill(side, fill.quantity + instrument.step_size, price, rules)
    return side, fill


def _trade(pair: Pair, rules: PairRules, side: OrderSide, fill: Fill, now_ms: int) -> Change:
    order = Order(
        order_id=pair.next_order_id,
        ticket=OrderTicket(
            client_order_id=f"{CLIENT_ORDER_ID_PREFIX}{pair.next_order_id}",
            side=side,
            quantity=fill.quantity,
            side_effect=SideEffect.AUTO_REPAY,
        ),
        status=OrderStatus.FILLED,
        created_ms=now_ms,
        updated_ms=now_ms,
        executed=fill.quantity,
        executed_quote=fill.quote,
    )
    booked = book_fill(pair, rules, order, fill, now_ms)
    after = msgspec.structs.replace(booked.pair, next_order_id=pair.next_order_id + 1)
    return Change(pair=after, orders=(order,), executions=booked.executions)


def _finish(pair: Pair, rules: PairRules, record: LiquidationRecord, value: Decimal) -> Change:
    """Keep the clearance fee; with debt left, seize everything and let the insurance fund write the debt off."""
    insolvent = pair.account.base.debt > 0 or pair.account.quote.debt > 0
    fees = {pair.quote_asset: times_up(value, rules.clearance_fee_rate)}
    seized: dict[str, Decimal] = {}
    written_off: dict[str, Decimal] = {}
    change = Change(pair=pair)
    for asset in (pair.base_asset, pair.quote_asset):
        leg = pair.leg(asset)
        taken = leg.free if insolvent else min(fees.get(asset, ZERO), leg.free)
        if taken > 0:
            seized[asset] = taken
        if leg.debt > 0:
            written_off[asset] = leg.debt
        change = change.then(_clear, asset, taken, record.at_ms)
    closing = msgspec.structs.replace(record, seized=seized, written_off=written_off)
    return change.then(lambda after: Change(pair=after, liquidations=(closing,)))


def _clear(pair: Pair, asset: str, taken: Decimal, now_ms: int) -> Change:
    leg = pair.leg(asset)
    after = pair.move(asset, free=-taken, borrowed=-leg.borrowed, interest=-leg.interest)
    if leg.debt <= 0:
        return Change(pair=after)
    return record_loan(after, asset, LoanKind.REPAY, leg.borrowed, leg.interest, now_ms, origin=LoanOrigin.INSURANCE)
