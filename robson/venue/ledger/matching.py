"""Matching one order against the liquidity it meets: prices, amounts to the venue's unit, and the fee."""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.values import ZERO, OrderSide, Value
from robson.venue.ledger.pair import Level, Order, PairRules
from robson.venue.ledger.units import raise_to_unit, times_down, times_up


class Fill(Value):
    """One execution before it is numbered: `paid` and `kept` are in the assets that the order gives and gets."""

    price: Decimal
    quantity: Decimal
    quote: Decimal
    fee: Decimal
    fee_asset: str
    paid: Decimal
    kept: Decimal


def match(order: Order, levels: Sequence[Level], rules: PairRules, funds: Decimal) -> tuple[tuple[Fill, ...], bool]:
    """The fills of an order that walks `levels`, and whether it stopped for want of `funds` (of the asset it pays)."""
    fills: list[Fill] = []
    left = order.remaining
    side, limit = order.ticket.side, order.ticket.limit_price
    for level in levels:
        if left <= 0 or (limit is not None and _is_worse(side, level.price, limit)):
            break
        quantity = min(left, level.quantity)
        affordable = _affordable(side, quantity, level.price, rules, funds)
        if affordable > 0:
            fill = price_fill(side, affordable, level.price, rules)
            fills.append(fill)
            funds -= fill.paid
            left -= affordable
        if affordable < quantity:
            return tuple(fills), True
    return tuple(fills), False


def price_fill(side: OrderSide, quantity: Decimal, price: Decimal, rules: PairRules) -> Fill:
    """One fill with its fee, from the asset received or, where one is configured, from a third asset.

    Every rounding is in the venue's favour: the buyer's payment and the fee go up, the seller's proceeds down.
    """
    if side is OrderSide.BUY:
        quote, received = times_up(quantity, price), quantity
    else:
        quote = received = times_down(quantity, price)
    rate, asset = rules.terms.taker_fee_rate, rules.received_asset(side)
    third, third_price = rules.fee_asset, rules.fee_asset_price
    if third is not None and third_price is not None and third not in {rules.instrument.base, rules.instrument.quote}:
        fee, kept, asset = raise_to_unit(times_up(quote, rate) / third_price), received, third
    else:
        fee = min(times_up(received, rate), received)
        kept = received - fee
    paid = quote if side is OrderSide.BUY else quantity
    return Fill(price=price, quantity=quantity, quote=quote, fee=fee, fee_asset=asset, paid=paid, kept=kept)


def _affordable(side: OrderSide, quantity: Decimal, price: Decimal, rules: PairRules, funds: Decimal) -> Decimal:
    """How much of `quantity` (base, whole steps) the funds cover."""
    instrument = rules.instrument
    if side is OrderSide.SELL:
        return quantity if quantity <= funds else instrument.floor(funds)
    if times_up(quantity, price) <= funds:
        return quantity
    most = instrument.floor(max(funds, ZERO) / price)
    # The division may have been rounded up by its last digit, and the payment is rounded up to the venue's unit.
    return most if times_up(most, price) <= funds else max(most - instrument.step_size, ZERO)


def _is_worse(side: OrderSide, price: Decimal, limit: Decimal) -> bool:
    return price > limit if side is OrderSide.BUY else price < limit
