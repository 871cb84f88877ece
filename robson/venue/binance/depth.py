"""What a market order would lose to the order book as the exchange shows it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from robson.domain.values import ZERO, OrderSide
from robson.ports.slippage import Slippage
from robson.venue.binance.reading import Malformed, shaped

# More would weigh five times as much.
LEVELS = 100
SOURCE = "order_book"
_BASIS_POINTS = Decimal(10_000)

Rows = Sequence[tuple[Decimal, Decimal]]


def slippage(document: Any, order_side: OrderSide, quantity: Decimal) -> Slippage:
    """What `quantity` (base) loses against the middle of the book; Malformed where there is none.

    What the levels do not hold counts at the last one's price.
    """
    bids, asks = _levels(document, "bids"), _levels(document, "asks")
    middle = (bids[0][0] + asks[0][0]) / 2
    levels = asks if order_side is OrderSide.BUY else bids
    quote, left = ZERO, quantity
    for price, offered in levels:
        taken = min(left, offered)
        quote, left = quote + taken * price, left - taken
        if left <= 0:
            break
    is_least = left > 0
    average = (quote + left * levels[-1][0]) / quantity
    lost = average - middle if order_side is OrderSide.BUY else middle - average
    return Slippage(
        price=middle, basis_points=max(lost, ZERO) / middle * _BASIS_POINTS, source=SOURCE, is_least=is_least
    )


def _levels(document: Any, name: str) -> Rows:
    if not isinstance(document, dict):
        raise Malformed(f"the book was {type(document).__name__}, not an object")
    rows = shaped(document.get(name), list[tuple[Decimal, Decimal]])
    if not rows or any(not number.is_finite() or number <= 0 for row in rows for number in row):
        raise Malformed(f"{name} had no level, or one that was not above 0")
    return rows
