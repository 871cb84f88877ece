"""Accounts, rules and orders for the tests of the ledger: BTCUSDT at 60000, at half past noon."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from robson.domain.account import PairTerms
from robson.domain.values import OrderSide
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import Change, Level, OrderTicket, Pair, PairRules, SideEffect, mark, open_pair, transfer
from robson.venue.ledger.units import to_ms

BUY, SELL = OrderSide.BUY, OrderSide.SELL
ENTRY, EXIT = SideEffect.MARGIN_BUY, SideEffect.AUTO_REPAY

INSTRUMENT = builtin_instrument("BTCUSDT")
PRICE = Decimal(60000)
NOON_THIRTY = to_ms(datetime(2026, 7, 1, 12, 30, tzinfo=UTC))
HOUR = 3_600_000


def rules(**changes: Any) -> PairRules:
    """The pair's rules with 0.1 % fee, 0.0011 % interest an hour on base and 0.001 % on quote; `changes` by name."""
    terms = PairTerms(
        taker_fee_rate=Decimal("0.001"),
        base_hourly_interest_rate=Decimal("0.000011"),
        quote_hourly_interest_rate=Decimal("0.00001"),
    )
    names = set(PairTerms.__struct_fields__)
    terms = msgspec.structs.replace(terms, **{name: value for name, value in changes.items() if name in names})
    rest = {name: value for name, value in changes.items() if name not in names}
    return PairRules(instrument=rest.pop("instrument", INSTRUMENT), terms=terms, **rest)


RULES = rules()


def account(quote: object = 1000, *, base: object = 0, price: object = PRICE, now_ms: int = NOON_THIRTY) -> Pair:
    """An account with this collateral, marked to `price` at `now_ms`."""
    change = Change(pair=open_pair(INSTRUMENT, now_ms))
    for asset, amount in (("USDT", quote), ("BTC", base)):
        if Decimal(str(amount)) > 0:
            change = change.then(transfer, asset, Decimal(str(amount)), now_ms)
    return change.then(mark, RULES, now_ms, Decimal(str(price))).pair


def ticket(side: OrderSide, quantity: object, effect: SideEffect, **rest: Any) -> OrderTicket:
    """A market order with the client order id `order-1` unless another is given."""
    return OrderTicket(
        client_order_id=rest.pop("client_order_id", "order-1"),
        side=side,
        quantity=Decimal(str(quantity)),
        side_effect=effect,
        **rest,
    )


def levels(*pairs: tuple[object, object]) -> tuple[Level, ...]:
    """Liquidity as (price, quantity) pairs."""
    return tuple(Level(price=Decimal(str(price)), quantity=Decimal(str(quantity))) for price, quantity in pairs)


DEEP = levels((PRICE, 1000))
