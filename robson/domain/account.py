"""An isolated-margin pair account as the venue reports it, and the terms on which it lends."""

from datetime import datetime
from decimal import Decimal

from robson.domain.values import ZERO, OrderSide, Value


class Leg(Value):
    """One asset of a pair account; all amounts in that asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """What is held, free or locked."""
        return self.free + self.locked

    @property
    def debt(self) -> Decimal:
        """What is owed, principal and interest."""
        return self.borrowed + self.interest


class PairAccount(Value):
    """The two legs of one isolated-margin account at one moment."""

    symbol: str
    base: Leg
    quote: Leg

    def equity(self, price: Decimal) -> Decimal:
        """Assets minus debts in quote, with the base valued at `price` (quote per base)."""
        return (self.base.total - self.base.debt) * price + self.quote.total - self.quote.debt

    def debt_value(self, price: Decimal) -> Decimal:
        """All debts in quote at `price`."""
        return self.base.debt * price + self.quote.debt

    def margin_level(self, price: Decimal) -> Decimal | None:
        """Assets divided by debts at `price`, or None without debt (Binance: marginLevel)."""
        debts = self.debt_value(price)
        if debts <= 0:
            return None
        return (self.base.total * price + self.quote.total) / debts


class PairTerms(Value):
    """On what terms the venue lends on a pair (Binance: isolatedMarginTier, isolatedMarginData, commission).

    `multiple` is exposure per equity, the ratios are assets per debt, rates are fractions; borrow limits are in the
    asset, None when the venue states none.
    """

    multiple: Decimal = Decimal(10)
    initial_risk_ratio: Decimal = Decimal("1.111")
    liquidation_risk_ratio: Decimal = Decimal("1.05")
    taker_fee_rate: Decimal = Decimal("0.001")
    base_hourly_interest_rate: Decimal = ZERO
    quote_hourly_interest_rate: Decimal = ZERO
    base_borrow_limit: Decimal | None = None
    quote_borrow_limit: Decimal | None = None


class Credit(Value):
    """What an entry may borrow now (in the asset that it would owe), and the index price (quote per base).

    The index price, not the last one, decides on liquidation. None where the venue did not say.
    """

    borrowable: Decimal | None = None
    index_price: Decimal | None = None


class Trade(Value):
    """One execution of one of our orders (Binance: a row of myTrades)."""

    trade_id: int
    venue_order_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


class InterestCharge(Value):
    """One interest record of the venue (Binance: a row of interestHistory); amounts in `asset`."""

    asset: str
    amount: Decimal
    principal: Decimal
    at: datetime
    on_borrow: bool


class Liquidation(Value):
    """One forced liquidation of a pair's account (Binance: a row of forceLiquidationRec).

    `venue_order_id` is the order that the venue traded with, None where it needed none; `executed` in base,
    `average_price` in quote per base.
    """

    venue_order_id: str | None
    order_side: OrderSide | None
    average_price: Decimal
    executed: Decimal
    at: datetime
