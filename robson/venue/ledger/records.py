"""What the venue writes down: executions, loans, interest, transfers, liquidations, and one change of an account."""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Concatenate, ParamSpec

from robson.domain.account import InterestCharge, Liquidation, Trade
from robson.domain.values import OrderSide, Value
from robson.venue.ledger.pair import Order, Pair
from robson.venue.ledger.units import from_ms

P = ParamSpec("P")


class Execution(Value):
    """One trade of an order; `quantity` in base, `quote` what changed hands for it, `fee` in `fee_asset`."""

    trade_id: int
    order_id: int
    side: OrderSide
    price: Decimal
    quantity: Decimal
    quote: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int

    def trade(self) -> Trade:
        """The same as a row of the venue's trades."""
        return Trade(
            trade_id=self.trade_id,
            venue_order_id=str(self.order_id),
            price=self.price,
            quantity=self.quantity,
            fee=self.fee,
            fee_asset=self.fee_asset,
            at=from_ms(self.at_ms),
        )


class LoanKind(StrEnum):
    """Which way a loan moved."""

    BORROW = "BORROW"
    REPAY = "REPAY"


class LoanOrigin(StrEnum):
    """Who moved a loan: an order, a request, a liquidation, or the insurance fund that writes a debt off."""

    AUTO = "AUTO"
    MANUAL = "MANUAL"
    LIQUIDATION = "LIQUIDATION"
    INSURANCE = "INSURANCE"


class LoanRecord(Value):
    """One loan or repayment, split into principal and interest (in `asset`)."""

    transaction_id: int
    asset: str
    kind: LoanKind
    origin: LoanOrigin
    principal: Decimal
    interest: Decimal
    at_ms: int
    order_id: int | None = None


class InterestRecord(Value):
    """One hour's interest on a principal (in `asset`): the first at the loan, then one at each full UTC hour."""

    asset: str
    interest: Decimal
    principal: Decimal
    hourly_rate: Decimal
    on_borrow: bool
    at_ms: int

    def charge(self) -> InterestCharge:
        """The same as a row of the venue's interest history."""
        return InterestCharge(
            asset=self.asset,
            amount=self.interest,
            principal=self.principal,
            at=from_ms(self.at_ms),
            on_borrow=self.on_borrow,
        )


class TransferRecord(Value):
    """Collateral that came in, or (negative) went out."""

    transaction_id: int
    asset: str
    amount: Decimal
    at_ms: int


class LiquidationRecord(Value):
    """One forced liquidation: the order it traded with, if any, and by asset what was seized and what written off."""

    order_id: int | None
    side: OrderSide | None
    price: Decimal
    quantity: Decimal
    margin_level: Decimal
    seized: dict[str, Decimal]
    written_off: dict[str, Decimal]
    at_ms: int

    def liquidation(self) -> Liquidation:
        """The same as a row of the venue's forced liquidations, which tells neither seizures nor write-offs."""
        return Liquidation(
            venue_order_id=None if self.order_id is None else str(self.order_id),
            order_side=self.side,
            average_price=self.price,
            executed=self.quantity,
            at=from_ms(self.at_ms),
        )


class Change(Value):
    """An account after one request, with everything that has to be stored together with it."""

    pair: Pair
    orders: tuple[Order, ...] = ()
    executions: tuple[Execution, ...] = ()
    loans: tuple[LoanRecord, ...] = ()
    interest: tuple[InterestRecord, ...] = ()
    transfers: tuple[TransferRecord, ...] = ()
    liquidations: tuple[LiquidationRecord, ...] = ()

    @property
    def has_records(self) -> bool:
        """Whether more happened than a new index price or hour."""
        return bool(
            self.orders or self.executions or self.loans or self.interest or self.transfers or self.liquidations
        )

    def then(self, step: "Callable[Concatenate[Pair, P], Change]", *args: P.args, **kwargs: P.kwargs) -> "Change":
        """Go on from the account as it stands now; of an order that changed twice the later state is kept."""
        after = step(self.pair, *args, **kwargs)
        touched = {order.order_id for order in after.orders}
        earlier = tuple(order for order in self.orders if order.order_id not in touched)
        return Change(
            pair=after.pair,
            orders=earlier + after.orders,
            executions=self.executions + after.executions,
            loans=self.loans + after.loans,
            interest=self.interest + after.interest,
            transfers=self.transfers + after.transfers,
            liquidations=self.liquidations + after.liquidations,
        )
