"""A symbol with the venue's filters: how prices and quantities must be cut to be accepted."""

from decimal import Decimal

from robson.domain.values import EXACT, ZERO, Value


class Instrument(Value):
    """One tradable pair and its filters for market orders.

    Quantities are in base, notionals in quote. A maximum of zero means that the venue states none
    (Binance: a MARKET_LOT_SIZE rule of zero is switched off).
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    step_size: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    maximum_quantity: Decimal = ZERO
    tradable: bool = True

    def __post_init__(self) -> None:
        for name in ("tick_size", "step_size"):
            number = getattr(self, name)
            if not (number.is_finite() and number > 0):
                raise ValueError(f"{name} was {number}, which must be finite and above 0")
        for name in ("minimum_quantity", "minimum_notional", "maximum_quantity"):
            number = getattr(self, name)
            if not (number.is_finite() and number >= 0):
                raise ValueError(f"{name} was {number}, which must be finite and not negative")
        if 0 < self.maximum_quantity < self.step_size:
            raise ValueError(f"maximum_quantity was {self.maximum_quantity}, less than one step of {self.step_size}")

    def floor(self, quantity: Decimal) -> Decimal:
        """The largest whole number of steps not above `quantity` (base)."""
        return EXACT.multiply(_fits(quantity, self.step_size), self.step_size)

    def ceil(self, quantity: Decimal) -> Decimal:
        """The smallest whole number of steps not below `quantity` (base)."""
        return EXACT.multiply(_covers(quantity, self.step_size), self.step_size)

    def smallest_sellable(self, price: Decimal) -> Decimal:
        """The least base quantity the venue would accept in a market order at `price` (quote per base)."""
        assert price > 0, price
        steps = _covers(self.minimum_notional, EXACT.multiply(price, self.step_size))
        return max(self.step_size, self.ceil(self.minimum_quantity), EXACT.multiply(steps, self.step_size))

    def is_sellable(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether a market order over `quantity` (base, whole steps) passes the venue's minima at `price`."""
        return quantity > 0 and quantity >= self.minimum_quantity and quantity * price >= self.minimum_notional

    def largest_order(self) -> Decimal | None:
        """The largest base quantity of one market order in whole steps, or None when the venue states no maximum."""
        return self.floor(self.maximum_quantity) if self.maximum_quantity > 0 else None

    def split(self, quantity: Decimal) -> tuple[Decimal, ...]:
        """Cut `quantity` (base, whole steps) into orders that stay within the maximum, near-equal in size.

        Near-equal because a full slice and a crumb would leave a crumb below the minimum.
        """
        assert quantity > 0, quantity
        largest = self.largest_order()
        if largest is None or quantity <= largest:
            return (quantity,)
        count = int(_covers(quantity, largest))
        share = EXACT.multiply(_fits(quantity, self.step_size * count), self.step_size)
        slices = [share] * count
        steps_left = int((quantity - share * count) / self.step_size)
        for index in range(steps_left):
            slices[index] += self.step_size
        assert sum(slices) == quantity, (slices, quantity)
        return tuple(slices)


def _fits(amount: Decimal, unit: Decimal) -> Decimal:
    """How many whole units are not above the amount; exact, where a division would round."""
    count = EXACT.divide_int(amount, unit)
    return EXACT.subtract(count, 1) if EXACT.multiply(count, unit) > amount else count


def _covers(amount: Decimal, unit: Decimal) -> Decimal:
    """How many whole units are not below the amount."""
    count = _fits(amount, unit)
    return EXACT.add(count, 1) if EXACT.multiply(count, unit) < amount else count
