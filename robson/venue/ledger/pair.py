"""One isolated-margin account as the venue keeps it, and the rules that it follows."""

import re
from decimal import Decimal
from enum import StrEnum

import msgspec

from robson.domain.account import Leg, PairAccount, PairTerms
from robson.domain.errors import Rejected
from robson.domain.instrument import Instrument
from robson.domain.values import ZERO, OrderSide, Value
from robson.venue.ledger.refusals import ILLEGAL_CLIENT_ORDER_ID, NO_PRICE_INDEX, NOT_A_MARGIN_ASSET
from robson.venue.ledger.units import full_hour

_CLIENT_ORDER_ID = re.compile(r"[a-zA-Z0-9_-]{1,36}", re.ASCII)


class SideEffect(StrEnum):
    """What an order does to the account's loans (Binance: sideEffectType)."""

    NONE = "NO_SIDE_EFFECT"
    MARGIN_BUY = "MARGIN_BUY"
    AUTO_REPAY = "AUTO_REPAY"
    AUTO_BORROW_REPAY = "AUTO_BORROW_REPAY"

    @property
    def borrows(self) -> bool:
        """Whether the shortfall of the asset paid is borrowed when the order is placed."""
        return self in {SideEffect.MARGIN_BUY, SideEffect.AUTO_BORROW_REPAY}

    @property
    def repays(self) -> bool:
        """Whether what the trade received repays that asset's debt."""
        return self in {SideEffect.AUTO_REPAY, SideEffect.AUTO_BORROW_REPAY}


class OrderStatus(StrEnum):
    """The venue's own word for how far an order is."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        """Whether more of the order may still execute."""
        return self in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}


class OrderTicket(Value):
    """An order as it is asked for; `quantity` in base, a `limit_price` (quote per base) makes it rest until filled.

    `repay_unfilled` repays the loan that the order caused when it ends unfilled (Binance: autoRepayAtCancel; its
    documents disagree on whether that happens, so it is off unless asked for).
    """

    client_order_id: str
    side: OrderSide
    quantity: Decimal
    side_effect: SideEffect = SideEffect.NONE
    limit_price: Decimal | None = None
    repay_unfilled: bool = False

    def check_client_order_id(self) -> None:
        """Raise Rejected -1100 when the venue does not take this id."""
        if not _CLIENT_ORDER_ID.fullmatch(self.client_order_id):
            raise Rejected(*ILLEGAL_CLIENT_ORDER_ID)


class Order(Value):
    """One order at the venue; quantities in base, `locked` in the asset that it pays, times in milliseconds."""

    order_id: int
    ticket: OrderTicket
    status: OrderStatus
    created_ms: int
    updated_ms: int
    executed: Decimal = ZERO
    executed_quote: Decimal = ZERO
    locked: Decimal = ZERO
    borrowed: Decimal = ZERO
    borrowed_asset: str | None = None
    expiry_reason: str | None = None

    @property
    def remaining(self) -> Decimal:
        """What has not executed (base)."""
        return self.ticket.quantity - self.executed


class Level(Value):
    """Liquidity that an order may take: so much base at one price (quote per base)."""

    price: Decimal
    quantity: Decimal


class PairRules(Value):
    """How the venue treats one pair: filters, lending terms, and where its documents are silent, its habits.

    Minima are by asset. `borrow_excess` is the fraction lent above the shortfall. A `fee_asset` that is neither base
    nor quote is charged outside the pair account, at `fee_asset_price` (quote per unit). `clearance_fee_rate` is the
    fraction of a liquidation's value that the venue keeps. `fills_underfunded_buys` executes the affordable part of a
    market buy instead of refusing it whole.
    """

    instrument: Instrument
    terms: PairTerms
    fee_asset: str | None = None
    fee_asset_price: Decimal | None = None
    minimum_borrow: dict[str, Decimal] = {}
    minimum_repay: dict[str, Decimal] = {}
    borrow_excess: Decimal = ZERO
    clearance_fee_rate: Decimal = Decimal("0.02")
    fills_underfunded_buys: bool = False

    def hourly_rate(self, asset: str) -> Decimal:
        """The interest of one hour as a fraction of the principal."""
        if asset == self.instrument.base:
            return self.terms.base_hourly_interest_rate
        return self.terms.quote_hourly_interest_rate

    def borrow_limit(self, asset: str) -> Decimal | None:
        """The most that may be borrowed of the asset, None when the venue states no limit."""
        if asset == self.instrument.base:
            return self.terms.base_borrow_limit
        return self.terms.quote_borrow_limit

    def paid_asset(self, side: OrderSide) -> str:
        """What an order of this side gives away."""
        return self.instrument.quote if side is OrderSide.BUY else self.instrument.base

    def received_asset(self, side: OrderSide) -> str:
        """What an order of this side brings in."""
        return self.instrument.base if side is OrderSide.BUY else self.instrument.quote


class Pair(Value):
    """One pair's account between two requests: balances, open orders, the next ids, how far interest was charged."""

    base_asset: str
    quote_asset: str
    account: PairAccount
    accrued_hour: int
    index_price: Decimal | None = None
    open_orders: tuple[Order, ...] = ()
    next_order_id: int = 1
    next_trade_id: int = 1
    next_transaction_id: int = 1

    @property
    def symbol(self) -> str:
        """The pair's name."""
        return self.account.symbol

    def leg(self, asset: str) -> Leg:
        """The balances of one of the pair's two assets; Rejected -3027 for any other."""
        if asset == self.base_asset:
            return self.account.base
        if asset == self.quote_asset:
            return self.account.quote
        raise Rejected(*NOT_A_MARGIN_ASSET)

    def move(
        self,
        asset: str,
        *,
        free: Decimal = ZERO,
        locked: Decimal = ZERO,
        borrowed: Decimal = ZERO,
        interest: Decimal = ZERO,
    ) -> "Pair":
        """Add these amounts (negative ones take away) to the asset's balances; none may end below zero."""
        leg = self.leg(asset)
        leg = Leg(
            free=leg.free + free,
            locked=leg.locked + locked,
            borrowed=leg.borrowed + borrowed,
            interest=leg.interest + interest,
        )
        assert min(leg.free, leg.locked, leg.borrowed, leg.interest) >= 0, (self.symbol, asset, leg)
        name = "base" if asset == self.base_asset else "quote"
        return msgspec.structs.replace(self, account=msgspec.structs.replace(self.account, **{name: leg}))

    def with_order(self, order: Order) -> "Pair":
        """Keep the order among the open ones, or drop it from them when it is final."""
        others = tuple(other for other in self.open_orders if other.order_id != order.order_id)
        kept = (*others, order) if order.status.is_open else others
        return msgspec.structs.replace(self, open_orders=kept)

    def open_order(self, order_id: int) -> Order | None:
        """The open order with this id."""
        return next((order for order in self.open_orders if order.order_id == order_id), None)

    def priced(self) -> Decimal:
        """The index price (quote per base); Rejected -3042 when there was none yet."""
        if self.index_price is None:
            raise Rejected(*NO_PRICE_INDEX)
        return self.index_price


def open_pair(instrument: Instrument, now_ms: int) -> Pair:
    """An empty account for the pair."""
    return Pair(
        base_asset=instrument.base,
        quote_asset=instrument.quote,
        account=PairAccount(symbol=instrument.symbol, base=Leg(), quote=Leg()),
        accrued_hour=full_hour(now_ms),
    )
