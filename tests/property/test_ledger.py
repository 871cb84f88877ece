"""The ledger under any sequence of requests: every coin explained, nothing below zero, interest paid first."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from robson.domain.account import PairTerms
from robson.domain.errors import Rejected
from robson.domain.values import ZERO, OrderSide
from robson.venue import ledger
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import Change, Level, LoanKind, LoanOrigin, OrderTicket, PairRules, SideEffect

INSTRUMENT = builtin_instrument("BTCUSDT")
ASSETS = (INSTRUMENT.base, INSTRUMENT.quote)
START_MS = 1_782_909_000_000
CENT = Decimal("0.01")

fractions = st.decimals(0, 1, places=4)
sides = st.sampled_from(OrderSide)
effects = st.sampled_from(SideEffect)
assets = st.sampled_from(ASSETS)
quantities = st.integers(0, 60_000).map(lambda steps: steps * INSTRUMENT.step_size)
moves = st.decimals("-0.12", "0.12", places=3)
rules = st.builds(
    PairRules,
    instrument=st.just(INSTRUMENT),
    terms=st.builds(
        PairTerms,
        taker_fee_rate=st.sampled_from([ZERO, Decimal("0.001"), Decimal("0.00075")]),
        base_hourly_interest_rate=st.sampled_from([ZERO, Decimal("0.00001109"), Decimal("0.003")]),
        quote_hourly_interest_rate=st.sampled_from([ZERO, Decimal("0.00000571"), Decimal("0.003")]),
        initial_risk_ratio=st.sampled_from([Decimal("1.111"), Decimal("1.25")]),
        base_borrow_limit=st.sampled_from([None, Decimal("0.3")]),
    ),
    fee_asset=st.sampled_from([None, "BNB"]),
    fee_asset_price=st.just(Decimal("612.3")),
    minimum_borrow=st.sampled_from([{}, {"BTC": Decimal("0.001"), "USDT": Decimal(10)}]),
    minimum_repay=st.sampled_from([{}, {"USDT": Decimal(1)}]),
    borrow_excess=st.sampled_from([ZERO, Decimal("0.0033")]),
    fills_underfunded_buys=st.booleans(),
)


class LedgerMachine(RuleBasedStateMachine):
    """One account, and beside it what its records alone say that it must hold."""

    @initialize(rules=rules, collateral=st.sampled_from([1000, 10_000]))
    def open_account(self, rules: PairRules, collateral: int) -> None:
        self.pair_rules = rules
        self.now_ms = START_MS
        self.pair = ledger.open_pair(INSTRUMENT, self.now_ms)
        self.held: dict[str, Decimal] = defaultdict(Decimal)
        self.borrowed: dict[str, Decimal] = defaultdict(Decimal)
        self.owed_interest: dict[str, Decimal] = defaultdict(Decimal)
        self.executed: dict[int, Decimal] = defaultdict(Decimal)
        self.trade_ids, self.transaction_ids, self.order_ids = [0], [0], [0]
        self.take(ledger.transfer, "USDT", Decimal(collateral), self.now_ms)
        self.take(ledger.mark, self.pair_rules, self.now_ms, Decimal(60000))

    def take(self, step: Any, *args: Any, **kwargs: Any) -> None:
        try:
            change: Change = step(self.pair, *args, **kwargs)
        except Rejected:
            return
        self.book(change)
        self.pair = change.pair

    def book(self, change: Change) -> None:
        """Add up what the records say, and check what must hold of them one by one."""
        for transfer in change.transfers:
            self.held[transfer.asset] += transfer.amount
            self.transaction_ids.append(transfer.transaction_id)
        for charge in change.interest:
            self.owed_interest[charge.asset] += charge.interest
        for loan in change.loans:
            self.transaction_ids.append(loan.transaction_id)
            sign = 1 if loan.kind is LoanKind.BORROW else -1
            self.borrowed[loan.asset] += sign * loan.principal
            self.owed_interest[loan.asset] += sign * loan.interest
            if loan.origin is not LoanOrigin.INSURANCE:
                self.held[loan.asset] += sign * (loan.principal + loan.interest)
            if loan.kind is LoanKind.REPAY and loan.principal > 0:
                assert change.pair.leg(loan.asset).interest == 0, "principal was repaid before interest"
        for trade in change.executions:
            self.trade_ids.append(trade.trade_id)
            sign = 1 if trade.side is OrderSide.BUY else -1
            self.held["BTC"] += sign * trade.quantity
            self.held["USDT"] -= sign * trade.quote
            self.held[trade.fee_asset] -= trade.fee
            self.executed[trade.order_id] += trade.quantity
        for order in change.orders:
            assert order.executed == self.executed[order.order_id] <= order.ticket.quantity
            if order.order_id > self.order_ids[-1]:
                self.order_ids.append(order.order_id)
        for liquidation in change.liquidations:
            for asset, amount in liquidation.seized.items():
                self.held[asset] -= amount
            assert change.pair.account.base.debt == change.pair.account.quote.debt == 0

    @rule(minutes=st.integers(0, 200), move=moves)
    def pass_time(self, minutes: int, move: Decimal) -> None:
        assert self.pair.index_price is not None
        self.now_ms += minutes * 60_000
        price = max((self.pair.index_price * (1 + move)).quantize(CENT), Decimal(100))
        self.take(ledger.mark, self.pair_rules, self.now_ms, min(price, Decimal(10**6)))

    @rule(side=sides, part=st.decimals("0.5", "0.98", places=2))
    def enter(self, side: OrderSide, part: Decimal) -> None:
        """Buy or sell short about as much as the tier allows."""
        assert self.pair.index_price is not None
        most = ledger.max_borrowable(self.pair, self.pair_rules, self.pair_rules.paid_asset(side))
        if side is OrderSide.BUY:
            most = (most + self.pair.account.quote.free) / self.pair.index_price
        ticket = OrderTicket(
            client_order_id="entry",
            side=side,
            quantity=INSTRUMENT.floor(most * part),
            side_effect=SideEffect.MARGIN_BUY,
        )
        levels = (Level(price=self.pair.index_price, quantity=ticket.quantity),)
        self.take(ledger.place, self.pair_rules, ticket, levels, self.now_ms)

    @precondition(
        lambda machine: ledger.liquidation_bounds(machine.pair, machine.pair_rules) != (0, Decimal("Infinity"))
    )
    @rule(beyond=st.sampled_from([ZERO, CENT, Decimal(10), Decimal(9000)]))
    def reach_the_liquidation_price(self, beyond: Decimal) -> None:
        low, high = ledger.liquidation_bounds(self.pair, self.pair_rules)
        price = low - beyond if low > 0 else high + beyond
        if CENT < price < 10**6:
            self.take(ledger.mark, self.pair_rules, self.now_ms, price.quantize(CENT))

    @rule(
        client_order_id=st.sampled_from(["a", "b", "c", "d"]),
        side=sides,
        effect=effects,
        quantity=quantities,
        depth=st.lists(st.tuples(moves, fractions), max_size=3),
        repays=st.booleans(),
        repay_unfilled=st.booleans(),
        limit=st.one_of(st.none(), moves),
    )
    def place(
        self,
        client_order_id: str,
        side: OrderSide,
        effect: SideEffect,
        quantity: Decimal,
        depth: list[tuple[Decimal, Decimal]],
        repays: bool,
        repay_unfilled: bool,
        limit: Decimal | None,
    ) -> None:
        ticket = OrderTicket(
            client_order_id=client_order_id,
            side=side,
            quantity=quantity,
            side_effect=effect,
            repay_unfilled=repay_unfilled,
            limit_price=None if limit is None else self.near(limit),
        )
        self.take(ledger.place, self.pair_rules, ticket, self.levels(quantity, depth), self.now_ms, repays=repays)

    @rule(depth=st.lists(st.tuples(moves, fractions), min_size=1, max_size=2))
    def execute(self, depth: list[tuple[Decimal, Decimal]]) -> None:
        for order in self.pair.open_orders:
            levels = self.levels(order.ticket.quantity, depth)
            self.take(ledger.execute, self.pair_rules, order.order_id, levels, self.now_ms)

    @rule()
    def cancel(self) -> None:
        for order in self.pair.open_orders:
            self.take(ledger.cancel, self.pair_rules, order.order_id, self.now_ms)

    @rule(asset=assets, part=st.one_of(fractions, st.just(Decimal(1))))
    def borrow(self, asset: str, part: Decimal) -> None:
        most, before = ledger.max_borrowable(self.pair, self.pair_rules, asset), self.pair.leg(asset).borrowed
        self.take(ledger.borrow, self.pair_rules, asset, (most * part).quantize(Decimal("1E-8")), self.now_ms)
        if self.pair.leg(asset).borrowed > before:
            price, terms = self.near(ZERO), self.pair_rules.terms
            level = self.pair.account.margin_level(price)
            assert level is not None
            assert level >= terms.initial_risk_ratio
            assert self.pair.account.debt_value(price) <= (terms.multiple - 1) * self.pair.account.equity(price)

    @precondition(lambda machine: machine.pair.account.base.debt + machine.pair.account.quote.debt > 0)
    @rule(asset=assets, part=st.one_of(fractions, st.just(Decimal(1))))
    def repay(self, asset: str, part: Decimal) -> None:
        amount = (self.pair.leg(asset).debt * part).quantize(Decimal("1E-8"))
        self.take(ledger.repay, self.pair_rules, asset, amount, self.now_ms)

    @rule(asset=assets, amount=st.decimals(-2000, 500, places=2))
    def transfer(self, asset: str, amount: Decimal) -> None:
        self.take(ledger.transfer, asset, amount if asset == "USDT" else amount / 10_000, self.now_ms)

    @invariant()
    def every_coin_is_explained(self) -> None:
        for asset in ASSETS:
            leg = self.pair.leg(asset)
            assert leg.total == self.held[asset], asset
            assert leg.borrowed == self.borrowed[asset], asset
            assert leg.interest == self.owed_interest[asset], asset

    @invariant()
    def nothing_is_below_zero_or_finer_than_the_unit(self) -> None:
        for asset in ASSETS:
            leg = self.pair.leg(asset)
            for amount in (leg.free, leg.locked, leg.borrowed, leg.interest):
                assert amount >= 0
                assert amount == amount.quantize(Decimal("1E-8"))

    @invariant()
    def what_is_locked_belongs_to_open_orders(self) -> None:
        locked = dict.fromkeys(ASSETS, ZERO)
        for order in self.pair.open_orders:
            assert order.status.is_open
            assert order.ticket.limit_price is not None, "a market order was left open"
            locked[self.pair_rules.paid_asset(order.ticket.side)] += order.locked
        assert {asset: self.pair.leg(asset).locked for asset in ASSETS} == locked

    @invariant()
    def ids_are_consecutive(self) -> None:
        for ids in (self.trade_ids, self.transaction_ids, self.order_ids):
            assert ids == list(range(len(ids)))

    def near(self, move: Decimal) -> Decimal:
        assert self.pair.index_price is not None
        return (self.pair.index_price * (1 + move)).quantize(CENT)

    def levels(self, quantity: Decimal, depth: list[tuple[Decimal, Decimal]]) -> tuple[Level, ...]:
        return tuple(Level(price=self.near(move), quantity=INSTRUMENT.floor(quantity * part)) for move, part in depth)


LedgerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLedger = LedgerMachine.TestCase

amounts = st.decimals(0, 10_000, places=8)


@given(
    base=st.tuples(amounts, amounts),
    quote=st.tuples(amounts, amounts),
    price=st.decimals(CENT, 10**6, places=2),
)
@settings(max_examples=200, deadline=None)
def test_no_price_between_the_bounds_liquidates(
    base: tuple[Decimal, Decimal], quote: tuple[Decimal, Decimal], price: Decimal
) -> None:
    """A tick is compared with two numbers; no liquidation may hide between them."""
    rules = PairRules(instrument=INSTRUMENT, terms=PairTerms())
    pair = ledger.open_pair(INSTRUMENT, START_MS)
    pair = pair.move("BTC", free=base[0], borrowed=base[1]).move("USDT", free=quote[0], borrowed=quote[1])
    low, high = ledger.liquidation_bounds(pair, rules)
    liquidated = bool(ledger.mark(pair, rules, START_MS, price).liquidations)
    if low < price < high:
        assert not liquidated
    for edge, beyond in ((low, -CENT), (high, CENT)):
        if 0 < edge < 10**9 and edge + beyond > 0:
            assert ledger.mark(pair, rules, START_MS, edge + beyond).liquidations
