"""Leaving a pair, step by step, on a tiny account: it ends flat and free of debt, whatever goes wrong meanwhile.

Orders execute partly or not at all, fills are learnt late, automatic repayments fail silently, interest falls due, the
price moves, and another position leaves or enters on the same account at the same time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

import msgspec
from hypothesis import event, example, given
from hypothesis import strategies as st

from robson.domain.account import Leg, PairAccount, PairTerms
from robson.domain.actions import PlaceOrder
from robson.domain.events import EntryFilled, EntryOrderPlaced, EntrySignalReceived, Fact, PositionArmed, PositionEvent
from robson.domain.instrument import Instrument
from robson.domain.position import Active, Closed, Error, Exiting, Position
from robson.domain.stimuli import ExitExecuted, ExitRequested, ExitTerms, FaultFound, FlatProved, RemainderFound
from robson.domain.values import UNIT, ClientOrderId, ExitReason, OrderSide, PositionId, Side, entry_order_side
from robson.engine.decide import Decision, decide
from robson.engine.evolve import fold
from robson.engine.exits import interest_estimate
from robson.executor.closing import Flat, Repay, Stuck, Trade, bought_back_by, held_by, next_step, surplus_of
from robson.ports import PairRecord
from tests.strategies import thorough
from tests.unit.engine.samples import NOON

LONG, SHORT = Side.LONG, Side.SHORT
ZERO = Decimal(0)
ENTERED_AT = Decimal(100)
PAIR = Instrument(
    symbol="ABCUSDT",
    base="ABC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.001"),
    minimum_quantity=Decimal("0.001"),
    minimum_notional=Decimal(5),
    maximum_quantity=Decimal("1.5"),
)
TURNS_MAX = 60


@dataclass
class Pool:
    """The pair's account, as short as it can be written: trades repay interest first, unless that fails."""

    base: Leg
    quote: Leg
    fee: Decimal

    def account(self) -> PairAccount:
        return PairAccount(symbol="ABCUSDT", base=self.base, quote=self.quote)

    def enter(self, side: Side, quantity: Decimal) -> dict[str, Decimal]:
        """Buy with own quote first and borrow the rest, or borrow all that is sold; gives the loan."""
        worth = quantity * ENTERED_AT
        if side is LONG:
            loan = max(worth - self.quote.free, ZERO)
            self.quote = add(self.quote, free=loan - worth, borrowed=loan)
            self.base = add(self.base, free=quantity * (1 - self.fee))
            return {"USDT": loan} if loan else {}
        self.base = add(self.base, borrowed=quantity)
        self.quote = add(self.quote, free=worth * (1 - self.fee))
        return {"ABC": quantity}

    def execute(self, order: PlaceOrder, quantity: Decimal, price: Decimal, *, repays: bool) -> dict[str, Decimal]:
        """A market exit that borrows nothing; gives its fee."""
        if order.order_side is OrderSide.SELL:
            received = quantity * price * (1 - self.fee)
            assert quantity <= self.base.free
            self.base, self.quote = add(self.base, free=-quantity), add(self.quote, free=received)
            if repays:
                self.quote = paid_down(self.quote, received)
            return {"USDT": quantity * price * self.fee}
        received = quantity * (1 - self.fee)
        assert quantity * price <= self.quote.free, "the collateral is meant to be ample"
        self.quote, self.base = add(self.quote, free=-quantity * price), add(self.base, free=received)
        if repays:
            self.base = paid_down(self.base, received)
        return {"ABC": quantity * self.fee}

    def repay(self, step: Repay) -> None:
        leg = self.base if step.asset == "ABC" else self.quote
        assert 0 < step.amount <= min(leg.free, leg.debt), "the venue would refuse it"
        leg = paid_down(leg, step.amount)
        if step.asset == "ABC":
            self.base = leg
        else:
            self.quote = leg

    def charge(self, hourly_rate: Decimal) -> None:
        self.base = add(self.base, interest=rounded_up(self.base.borrowed * hourly_rate))
        self.quote = add(self.quote, interest=rounded_up(self.quote.borrowed * hourly_rate))


def add(leg: Leg, free: Decimal = ZERO, borrowed: Decimal = ZERO, interest: Decimal = ZERO) -> Leg:
    return Leg(free=leg.free + free, borrowed=leg.borrowed + borrowed, interest=leg.interest + interest)


def rounded_up(amount: Decimal) -> Decimal:
    """Amounts have eight digits at the venue."""
    return amount.quantize(UNIT, rounding=ROUND_UP)


def paid_down(leg: Leg, most: Decimal) -> Leg:
    amount = min(most, leg.free, leg.debt)
    interest = min(amount, leg.interest)
    return add(leg, free=-amount, borrowed=interest - amount, interest=-interest)


@dataclass
class Life:
    """One position on the account, and the fills that it has not yet been told."""

    position: Position
    untold: list[ExitExecuted] = field(default_factory=list)
    unfilled: EntryFilled | None = None
    stuck: list[str] = field(default_factory=list)

    @property
    def in_market(self) -> bool:
        return not isinstance(self.position.state, Closed)


@dataclass
class World:
    """Everything on one pair."""

    side: Side
    pool: Pool
    rate: Decimal
    baseline: Decimal
    lives: list[Life]
    price: Decimal = ENTERED_AT
    now: datetime = NOON
    pair: PairRecord | None = None

    @property
    def terms(self) -> PairTerms:
        return PairTerms(
            taker_fee_rate=self.pool.fee,
            base_hourly_interest_rate=self.rate,
            quote_hourly_interest_rate=self.rate,
        )

    @property
    def least(self) -> Decimal:
        return PAIR.smallest_sellable(self.price)

    def exit_terms(self, position: Position) -> ExitTerms:
        assert position.entry is not None
        loan = position.entry.borrowed.get("ABC", ZERO)
        owed = interest_estimate(loan, self.rate, position.entry.filled_at, self.now)
        return ExitTerms(instrument=PAIR, fee_rate=self.pool.fee, interest_base=owed)

    def hours_pass(self, hours: int) -> None:
        for _ in range(hours):
            self.now += timedelta(hours=1)
            self.pool.charge(self.rate)

    def leave(self, life: Life, turn: "Turn") -> None:
        request = ExitRequested(reason=ExitReason.OPERATOR_CLOSE, exit_terms=self.exit_terms(life.position))
        self.carry_out(life, decide(life.position, request, self.now), turn)

    def carry_out(self, life: Life, decision: Decision, turn: "Turn") -> None:
        life.position = decision.position
        for order in decision.actions:
            quantity = PAIR.floor(order.quantity * turn.share / 10)
            if quantity == 0:
                continue  # refused
            fees = self.pool.execute(order, quantity, self.price, repays=turn.repays)
            fill = ExitExecuted(
                client_order_id=order.client_order_id,
                venue_order_id="9",
                quantity=quantity,
                quote=quantity * self.price,
                fees_by_asset=fees,
            )
            life.untold.append(fill)
        if turn.told:
            self.tell(life)

    def tell(self, life: Life) -> None:
        for fill in life.untold:
            life.position = decide(life.position, fill, self.now).position
        life.untold.clear()
        if life.unfilled is not None:
            life.position = fold([*facts_of(life.position), fact(life.position.position_id, life.unfilled)])
            life.unfilled = None

    def take_turn(self, life: Life, turn: "Turn") -> None:
        """What one pass of the exit does: wait for its own orders, read the account, do the next thing."""
        if life.untold or life.unfilled is not None:
            self.tell(life)
        elif isinstance(life.position.state, Active):
            self.leave(life, turn)
        elif isinstance(life.position.state, Error):
            retry = ExitRequested(reason=ExitReason.OPERATOR_CLOSE, exit_terms=self.exit_terms(life.position))
            life.position = decide(life.position, retry, self.now).position
        elif isinstance(life.position.state, Exiting):
            self.step(life, turn)

    def step(self, life: Life, turn: "Turn") -> None:
        others = [other.position for other in self.lives if other is not life and other.in_market]
        step = next_step(life.position, others, self.pool.account(), self.pair, PAIR, self.terms, self.price)
        match step:
            case Trade():
                rest = RemainderFound(
                    quantity=step.quantity, exit_terms=self.exit_terms(life.position), order_side=step.order_side
                )
                self.carry_out(life, decide(life.position, rest, self.now), turn)
            case Repay():
                self.pool.repay(step)
            case Flat():
                assert self.pair is not None
                dust = step.dust + (self.pair.dust_base if others else ZERO)
                surplus = surplus_of(life.position, "ABC", self.terms) + self.pair.surplus_base if others else ZERO
                self.pair = msgspec.structs.replace(self.pair, dust_base=dust, surplus_base=surplus)
                flat = FlatProved(instrument=PAIR, interest=ZERO, dust=step.dust)
                life.position = decide(life.position, flat, self.now).position
            case Stuck():
                life.stuck.append(step.code)
                fault = FaultFound(code=step.code, message=step.message, recoverable=True)
                life.position = decide(life.position, fault, self.now).position


@dataclass(frozen=True)
class Turn:
    """Whose turn it is and what happens in it; `share` tenths of an order execute."""

    whose: int = 0
    share: int = 10
    told: bool = True
    repays: bool = True
    hours: int = 0
    move: int = 0


SMOOTH = Turn()
turns = st.builds(
    Turn,
    whose=st.integers(0, 1),
    share=st.sampled_from([10, 10, 10, 7, 1, 0]),
    told=st.booleans(),
    repays=st.sampled_from([True, True, False]),
    hours=st.sampled_from([0, 0, 0, 1]),
    move=st.integers(-2, 2),
)


def fact(position_id: PositionId, event_: PositionEvent) -> Fact:
    return Fact(position_id=position_id, at=NOON, event=event_)


def facts_of(position: Position) -> list[Fact]:
    """The facts of a position whose entry is on its way."""
    begun = PositionArmed(
        symbol="ABCUSDT", side=position.side, strategy="signal", capital=Decimal(1), risk_percent=Decimal(1)
    )
    received = EntrySignalReceived(
        signal_id="s",
        entry_price=ENTERED_AT,
        technical_stop=ENTERED_AT - position.side.sign,
        stop_distance=Decimal(1),
        quantity=Decimal(1),
    )
    placed = EntryOrderPlaced(
        client_order_id=ClientOrderId("e"), order_side=entry_order_side(position.side), quantity=Decimal(1)
    )
    return [fact(position.position_id, event_) for event_ in (begun, received, placed)]


def build(
    side: Side, quantities: Sequence[int], *, fee: str, rate: str, collateral: int, baseline: int, last_untold: bool
) -> World:
    """Positions of so many thousandths each, entered one after the other at 100."""
    own = Decimal(baseline) / 1_000
    pool = Pool(Leg(free=own), Leg(free=Decimal(collateral)), Decimal(fee))
    world = World(side, pool, Decimal(rate), own, [])
    world.pair = PairRecord(symbol="ABCUSDT", baseline_base=own, baseline_quote=Decimal(collateral))
    blank = Position(
        position_id=PositionId("p"),
        symbol="ABCUSDT",
        side=side,
        strategy="signal",
        capital=Decimal(1),
        risk_percent=Decimal(1),
        params={},
        armed_at=NOON,
        state=Closed(reason=ExitReason.DISARMED, closed_at=NOON),
    )
    for index, thousandths in enumerate(quantities):
        quantity = Decimal(thousandths) / 1_000
        name = PositionId(f"p{index}")
        borrowed = pool.enter(side, quantity)
        filled = EntryFilled(
            client_order_id=ClientOrderId("e"),
            venue_order_id="1",
            fill_price=ENTERED_AT,
            quantity=quantity,
            fees_by_asset={"ABC": quantity * pool.fee} if side is LONG else {"USDT": quantity * 100 * pool.fee},
            trailing_stop=ENTERED_AT - side.sign,
            borrowed=borrowed,
        )
        entering = fold(facts_of(msgspec.structs.replace(blank, position_id=name)))
        life = Life(entering, unfilled=filled)
        world.lives.append(life)
        if not (last_untold and index == len(quantities) - 1):
            world.tell(life)
    pool.charge(world.rate)  # one hour at once
    return world


worlds = st.builds(
    build,
    st.sampled_from(Side),
    st.lists(st.integers(60, 4_000), min_size=1, max_size=2),
    fee=st.sampled_from(["0", "0.001", "0.002"]),
    rate=st.sampled_from(["0", "0.00001", "0.001"]),
    collateral=st.integers(300, 2_000),
    baseline=st.sampled_from([0, 0, 7, 40]),
    last_untold=st.booleans(),
)


def play(world: World, planned: Sequence[Turn]) -> int:
    """The planned turns, then smooth ones until everybody has left; gives how many smooth turns that took."""
    for turn in planned:
        life = world.lives[turn.whose % len(world.lives)]
        world.hours_pass(turn.hours)
        world.price = min(max(world.price + turn.move, Decimal(95)), Decimal(105))
        world.take_turn(life, turn)
    for smooth in range(TURNS_MAX):
        open_lives = [life for life in world.lives if life.in_market]
        if not open_lives:
            return smooth
        world.take_turn(open_lives[smooth % len(open_lives)], SMOOTH)
    return TURNS_MAX


@thorough
@given(worlds, st.lists(turns, max_size=12))
@example(
    build(SHORT, [1_000, 1_000], fee="0.001", rate="0.00001", collateral=500, baseline=0, last_untold=False),
    [Turn(whose=0, share=0), Turn(whose=1, told=False), Turn(whose=0)],
)
@example(
    build(LONG, [3_000, 3_000], fee="0.001", rate="0", collateral=300, baseline=0, last_untold=False),
    [Turn(whose=1, move=-2), Turn(whose=1)],
)
def test_leaving_ends_flat(world: World, planned: list[Turn]) -> None:
    spent = play(world, planned)
    assert spent < TURNS_MAX
    event(f"{world.side}, {len(world.lives)} positions, {'stuck on the way' if any_stuck(world) else 'smooth'}")
    base, quote, step = world.pool.base, world.pool.quote, PAIR.step_size
    assert (base.debt, quote.debt) == (0, 0)
    assert world.pair is not None
    if world.side is LONG:
        # What was the trader's is still there, and what is left of ours is dust by name.
        assert base.free == world.baseline + world.pair.dust_base
    for life in world.lives:
        exit_, entry = life.position.exit, life.position.entry
        assert exit_ is not None
        assert entry is not None
        most = PAIR.smallest_sellable(Decimal(95)) + step
        if world.side is LONG:
            # Never below zero but for the dust of the other that goes along: a long never ends short.
            assert -most < held_by(life.position, "ABC") < most
        else:
            interest = sum(
                hours_owed(world) * life_.position.entry.quantity for life_ in world.lives if life_.position.entry
            )
            surplus = bought_back_by(life.position, "ABC") - entry.quantity
            assert -most < surplus < 2 * most + interest
    if world.side is SHORT:
        assert base.free >= 0
        # Whole steps that were bought too much are sold again, but for the interest, which is only estimated.
        interest = sum(hours_owed(world) * life.position.entry.quantity for life in world.lives if life.position.entry)
        assert base.free - world.baseline < PAIR.smallest_sellable(Decimal(95)) + step + interest


def hours_owed(world: World) -> Decimal:
    """All the interest on one unit since the beginning, and the hour that is counted ahead."""
    return world.rate * (2 + (world.now - NOON) // timedelta(hours=1))


def any_stuck(world: World) -> bool:
    return any(life.stuck for life in world.lives)


@thorough
@given(worlds, st.lists(turns, max_size=12))
def test_nobody_gets_stuck_on_a_sound_account(world: World, planned: list[Turn]) -> None:
    """Ample collateral and nobody else's hand in it: a person is never called for."""
    play(world, planned)
    assert [life.stuck for life in world.lives] == [[] for _ in world.lives]
