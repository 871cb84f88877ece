"""What one look at a pair sees: our positions there, the account, and the orders that no order of ours accounts for."""

from datetime import datetime
from decimal import Decimal

from robson.domain.account import Liquidation, PairAccount, PairTerms, Trade
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.stimuli import FilledElsewhere
from robson.domain.values import ZERO, OrderSide, PositionId, Side, Value, add_amounts
from robson.engine.exits import interest_estimate
from robson.executor.closing import bought_back_by, held_by
from robson.ports import OrderReport, PairRecord

LIQUIDATED = "liquidated"
CLOSED = "closed_elsewhere"
REDUCED = "reduced_elsewhere"
SHARED = "shared_reduction"
MISSING = "holding_missing"
DEBT_MISSING = "debt_missing"
DEBT_UNEXPLAINED = "debt_unexplained"
DEBT_REPAID = "debt_repaid_elsewhere"
INCREASED = "holding_increased"
DECREASED = "holding_decreased"
BORROWED = "borrowed_elsewhere"
ORDERS = "orders_elsewhere"
UNKNOWN_ORDER = "order_unknown"


class OrderElsewhere(Value):
    """An executed order on the pair that no order of ours accounts for, with its trades."""

    client_order_id: str
    venue_order_id: str
    order_side: OrderSide
    trades: tuple[Trade, ...]

    @property
    def quantity(self) -> Decimal:
        """What it executed, base."""
        return sum((trade.quantity for trade in self.trades), ZERO)

    @property
    def quote(self) -> Decimal:
        """The sum of price x quantity."""
        return sum((trade.price * trade.quantity for trade in self.trades), ZERO)

    @property
    def fees_by_asset(self) -> dict[str, Decimal]:
        """What the venue kept."""
        fees: dict[str, Decimal] = {}
        for trade in self.trades:
            fees = add_amounts(fees, {trade.fee_asset: trade.fee})
        return fees

    def moved(self, base: str) -> Decimal:
        """How much base it brought in (a purchase) or took out, never negative."""
        fee = self.fees_by_asset.get(base, ZERO)
        return self.quantity - fee if self.order_side is OrderSide.BUY else self.quantity + fee


class Sight(Value):
    """One look at a pair without open intents; `positions` are ours there, all of one side, each with its entry.

    `price` is quote per base. `repaid` is how much less than our principal was owed at an earlier look that found
    nothing wrong with it (in the asset that the positions owe).
    """

    instrument: Instrument
    terms: PairTerms
    price: Decimal
    account: PairAccount
    pair: PairRecord
    positions: tuple[Position, ...]
    now: datetime
    orders: tuple[OrderElsewhere, ...] = ()
    liquidations: tuple[Liquidation, ...] = ()
    open_orders: tuple[OrderReport, ...] = ()
    principal_quote: Decimal = ZERO
    repaid: Decimal = ZERO


class Finding(Value):
    """One difference; equal findings of two looks are the same one.

    `fills` is each position's share of what others executed, `pair` the record that makes account and journal agree.
    A finding without either is ambiguous, or needs nothing but to be told.
    """

    kind: str
    message: str
    fills: tuple[tuple[PositionId, FilledElsewhere], ...] = ()
    pair: PairRecord | None = None
    evidence: tuple[int | str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it the same finding again; prices move between two looks, shares and evidence do not."""
        shares = tuple((position_id, fill.quantity, fill.reason) for position_id, fill in self.fills)
        return (self.kind, self.evidence, shares)

    @property
    def is_settled(self) -> bool:
        """Whether confirming it changes something."""
        return bool(self.fills) or self.pair is not None


class Balance:
    """The base of one sight in numbers: ours by our fills, the trader's own, and how far the account is off."""

    def __init__(self, sight: Sight) -> None:
        base, pair, leg = sight.instrument.base, sight.pair, sight.account.base
        self.is_long = sight.positions[0].side is Side.LONG
        self.shares = tuple((position, share_of(position, base)) for position in sight.positions)
        self.ours = sum((share for _, share in self.shares), ZERO)
        self.own = pair.baseline_base + pair.dust_base + pair.surplus_base
        # Debts that no live position explains are known, and belong to nobody's holding.
        self.actual = leg.total - leg.debt + pair.carried_base + pair.handed_base
        self.off = self.actual - (self.own + self.ours if self.is_long else self.own - self.ours)
        rate = sight.terms.base_hourly_interest_rate
        charged = sum((_interest(position, base, rate, sight.now) for position in sight.positions), ZERO)
        # Interest makes a debt grow, and a neighbour's exit pays everybody's.
        self.tolerance = sight.instrument.smallest_sellable(sight.price) + leg.interest + charged


def share_of(position: Position, base: str) -> Decimal:
    """The base that a long's own fills left it, or that a short's own fills left it owing; never negative."""
    assert position.entry is not None, position.position_id
    if position.side is Side.LONG:
        return max(held_by(position, base), ZERO)
    return max(position.entry.quantity - bought_back_by(position, base), ZERO)


def _interest(position: Position, base: str, rate: Decimal, now: datetime) -> Decimal:
    entry = position.entry
    return interest_estimate(entry.borrowed.get(base, ZERO), rate, entry.filled_at, now) if entry else ZERO
