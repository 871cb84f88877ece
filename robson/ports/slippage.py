"""How far from the present price a market order may fill: told before it is sent, and never needed to send it."""

from decimal import Decimal
from typing import Protocol

from robson.domain.values import OrderSide, Value


class Slippage(Value):
    """What a market order may lose to the book; `basis_points` are of `price` (quote per base), 0 or more.

    `source` is `paper_rule` (at most so much) or `order_book` (as the book stands); `is_least` says that the part of
    the book that was read did not hold the whole quantity: it may be more.
    """

    price: Decimal
    basis_points: Decimal
    source: str
    is_least: bool = False


class SlippageEstimate(Protocol):
    """Whoever can tell; raises VenueError where nobody answers, and may take as long as it likes."""

    async def slippage(self, symbol: str, order_side: OrderSide, quantity: Decimal) -> Slippage:
        """What a market order of `quantity` (base) may lose now."""
