"""A position under any sequence of stimuli: one entry, one exit, no retreating stop, and state == fold(facts)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from robson.domain.codec import decode, encode
from robson.domain.errors import RuleError
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionClosed,
    PositionDisarmed,
    PositionError,
    SignalRejected,
)
from robson.domain.ids import is_ours
from robson.domain.position import Active, Armed, Closed, Entering, Exiting, Position
from robson.domain.stimuli import (
    DisarmRequested,
    EntryExecuted,
    EntryRefused,
    ExitExecuted,
    ExitRequested,
    ExitTerms,
    FaultFound,
    FlatProved,
    RemainderFound,
    SignalFailed,
    Stimulus,
    StopHit,
    StopMoved,
    StopTightened,
)
from robson.domain.values import ClientOrderId, ExitReason, OrderSide, Role, Side, Value
from robson.engine.decide import Decision, decide
from robson.engine.evolve import fold
from robson.engine.trailing import Watch, is_beyond
from tests.strategies import thorough
from tests.unit.engine.samples import BTCUSDT, FOREIGN, ID, NOON, account, armed, armed_fact, signal

ENTRY = Decimal(10_000)
LONG, SHORT = Side.LONG, Side.SHORT
# Exits of more than this are split.
SPLIT = msgspec.structs.replace(BTCUSDT, maximum_quantity=Decimal("0.7"))
NAMES = (
    *("signal", "signal", "signal_failed", "entry_executed", "entry_executed", "entry_refused"),
    *("stop_moved", "stop_tightened", "stop_hit", "close", "panic", "disarm"),
    *("exit_executed", "exit_executed", "remainder", "flat", "fault"),
)
# Most moves speak of our own orders at likely prices; some of others, at unlikely ones.
moves = st.tuples(st.sampled_from(NAMES), st.integers(0, 7), st.integers(-60, 60))
lives = st.lists(moves, max_size=18)
# Straight into the market first: what follows is then about the position there.
in_market = st.lists(moves, max_size=14).map(lambda rest: [("signal", 0, 20), ("entry_executed", 0, 0), *rest])
Move = tuple[str, int, int]


class Script(Value):
    """Turns moves into stimuli for one position; for a short everything is mirrored about ENTRY."""

    side: Side
    fee_asset: str | None = None
    fee_rate: Decimal = Decimal("0.001")

    def price(self, offset: int) -> Decimal:
        """`offset` tenths of a percent on the earning side of ENTRY."""
        return ENTRY + self.side.sign * offset * ENTRY / 1_000

    @property
    def terms(self) -> ExitTerms:
        return ExitTerms(instrument=SPLIT, fee_rate=Decimal(0) if self.fee_asset else self.fee_rate)

    def fees(self, received: str, amount: Decimal, quantity: Decimal) -> dict[str, Decimal]:
        """In what is received, or in a third asset."""
        return {self.fee_asset: quantity / 100} if self.fee_asset else {received: amount * self.fee_rate}

    def stimulus(self, position: Position, move: Move) -> Stimulus:
        name, choice, offset = move
        if name in {"entry_executed", "entry_refused"}:
            return self.answer_to_entry(position, move)
        if name in {"exit_executed", "remainder", "flat"}:
            return self.way_out(position, move)
        match name:
            case "signal":
                stop = self.price(-abs(offset) if choice < 7 else offset * 3)
                return signal(ENTRY, stop, f"s{choice % 3}", account=account(10**7), instrument=SPLIT)
            case "signal_failed":
                return SignalFailed(signal_id=f"s{choice % 3}", stage="rule", code="no_stop", message="none was found")
            case "stop_moved":
                return self.moved(offset)
            case "stop_tightened":
                # Beyond the price, looser or tighter than both the stored and the present stop.
                present, price = self.moved(offset - choice), self.price(offset + 2 * choice)
                return StopTightened(trailing_stop=self.price(offset + choice - 3), price=price, present=present)
            case "stop_hit":
                return StopHit(
                    price=self.price(offset - 1),
                    trailing_stop=self.price(offset),
                    extreme=self.price(offset + 15),
                    trade_id=choice,
                    crossed_at=NOON,
                    exit_terms=self.terms,
                )
            case "disarm":
                return DisarmRequested()
            case "fault":
                return FaultFound(code="monitor_died", message="it died", recoverable=bool(choice))
            case _:
                assert name in {"close", "panic"}, name
        reason = ExitReason.OPERATOR_CLOSE if name == "close" else ExitReason.OPERATOR_PANIC
        return ExitRequested(reason=reason, exit_terms=self.terms, trail=self.moved(offset) if choice else None)

    def moved(self, offset: int) -> StopMoved:
        return StopMoved(trailing_stop=self.price(offset), extreme=self.price(offset + 15), trade_id=None)

    def answer_to_entry(self, position: Position, move: Move) -> Stimulus:
        name, choice, offset = move
        order = getattr(position.state, "client_order_id", None)
        if order is None or choice == 7:
            order = FOREIGN
        if name == "entry_refused":
            return EntryRefused(client_order_id=order, stage="venue", code="-2010", message="no funds")
        ordered = position.signal.quantity if position.signal else Decimal("0.5")
        quantity = ordered if choice < 5 else BTCUSDT.floor(ordered / 3) or BTCUSDT.step_size
        price = self.price(offset // 3)
        received, amount = ("BTC", quantity) if self.side is LONG else ("USDT", quantity * price)
        return EntryExecuted(
            client_order_id=order,
            venue_order_id="1",
            quantity=quantity,
            quote=quantity * price,
            fees_by_asset=self.fees(received, amount, quantity),
            exit_terms=self.terms,
            trade_id=choice,
            filled_at=NOON,
        )

    def way_out(self, position: Position, move: Move) -> Stimulus:
        name, choice, offset = move
        if name == "remainder":
            return RemainderFound(quantity=choice * Decimal("0.2"), exit_terms=self.terms)
        if name == "flat":
            prices = {"BNB": Decimal(600)}
            return FlatProved(instrument=BTCUSDT, interest=Decimal(1), dust=Decimal(0), fee_prices=prices)
        order, quantity = FOREIGN, Decimal("0.1")
        if position.exit is not None and position.exit.orders and choice < 7:
            placed = position.exit.orders[-1 - choice % len(position.exit.orders)]
            order = placed.client_order_id
            quantity = placed.quantity if choice < 5 else BTCUSDT.floor(placed.quantity / 2)
        price = self.price(offset)
        received, amount = ("USDT", quantity * price) if self.side is LONG else ("BTC", quantity)
        return ExitExecuted(
            client_order_id=order,
            venue_order_id="2",
            quantity=quantity,
            quote=quantity * price,
            fees_by_asset=self.fees(received, amount, quantity),
        )


def play(script: Script, life: Sequence[Move]) -> Iterator[tuple[Position, Stimulus, Decision]]:
    """Each stimulus between the position before it and the decision; what a state forbids changes nothing."""
    position = armed(script.side)
    for second, move in enumerate(life, 1):
        stimulus = script.stimulus(position, move)
        try:
            decision = decide(position, stimulus, NOON + timedelta(seconds=second))
        except RuleError as error:
            refusal = error
            assert refusal.code in {"wrong_state", "stop_looser", "stop_passed"}
            decision = Decision(position=position)
        yield position, stimulus, decision
        position = decision.position


def facts_of(script: Script, life: Sequence[Move]) -> list[Fact]:
    return [armed_fact(script.side), *(fact for _, _, decision in play(script, life) for fact in decision.facts)]


def placed_ids(facts: Sequence[Fact]) -> list[ClientOrderId]:
    return [fact.event.client_order_id for fact in facts if isinstance(fact.event, EntryOrderPlaced | ExitOrderPlaced)]


scripts = st.sampled_from([Script(side=side, fee_asset=asset) for side in Side for asset in (None, "BNB")])


@thorough
@given(scripts, lives | in_market)
def test_state_is_the_fold_of_the_facts(script: Script, life: list[Move]) -> None:
    facts = [armed_fact(script.side)]
    for before, _, decision in play(script, life):
        facts += decision.facts
        assert decision.position == fold(facts)
        assert (decision.position is before) == (not decision.facts)
    event(decision.position.state_name if life else "Armed")
    stored = [decode(encode(fact), Fact) for fact in facts]
    assert stored == facts
    assert fold(stored) == fold(facts)
    assert decode(encode(fold(facts)), Position) == fold(facts)


@thorough
@given(scripts, lives | in_market)
def test_every_order_is_an_event_and_has_its_own_id(script: Script, life: list[Move]) -> None:
    for _, _, decision in play(script, life):
        told = [f.event for f in decision.facts if isinstance(f.event, EntryOrderPlaced | ExitOrderPlaced)]
        assert [(e.client_order_id, e.quantity, e.order_side) for e in told] == [
            (order.client_order_id, order.quantity, order.order_side) for order in decision.actions
        ]
        for order in decision.actions:
            assert (order.position_id, order.symbol) == (ID, "BTCUSDT")
            assert (order.order_side is OrderSide.BUY) == ((order.role is Role.ENTRY) == (script.side is LONG))
            assert order.quantity > 0
            assert order.quantity <= SPLIT.maximum_quantity
            assert SPLIT.floor(order.quantity) == order.quantity
    ids = placed_ids(facts_of(script, life))
    assert len(set(ids)) == len(ids)
    assert all(map(is_ours, ids))


@thorough
@given(scripts, lives | in_market)
def test_one_entry_and_one_exit_owner(script: Script, life: list[Move]) -> None:
    """Between two entry orders stands a refusal, between two exit owners a fault; nothing follows the end."""
    entries = filled = owners = 0
    ended = False
    for fact in facts_of(script, life):
        assert not ended
        match fact.event:
            case EntryOrderPlaced():
                entries += 1
                assert entries == 1
                assert not filled
            case SignalRejected():
                entries = 0
            case EntryFilled():
                filled += 1
                assert filled == 1
            case ExitTriggered():
                owners += 1
                assert owners == 1
            case PositionError():
                owners = 0
            case ExitOrderPlaced():
                assert filled == 1
            case PositionClosed() | PositionDisarmed():
                ended = True
            case _:
                pass


@thorough
@given(scripts, in_market)
def test_the_stop_never_retreats(script: Script, life: list[Move]) -> None:
    stops = [decision.position.trail for _, _, decision in play(script, life) if decision.position.trail is not None]
    for earlier, later in pairwise(stops):
        assert (later.stop - earlier.stop) * script.side.sign >= 0
        assert later.distance == earlier.distance


@thorough
@given(scripts, lives | in_market)
def test_a_signal_is_accepted_once(script: Script, life: list[Move]) -> None:
    accepted = [f.event.signal_id for f in facts_of(script, life) if isinstance(f.event, EntrySignalReceived)]
    assert len(set(accepted)) == len(accepted)


@thorough
@given(scripts, st.sampled_from(["close", "panic"]), lives, lives)
@example(Script(side=LONG), "panic", [], [("fault", 0, 0), ("entry_executed", 0, 0)])
@example(Script(side=LONG), "panic", [], [("fault", 0, 0), ("entry_refused", 0, 0)])
def test_a_wish_to_leave_while_entering_is_never_dropped(
    script: Script, wish: str, before: list[Move], after: list[Move]
) -> None:
    """From then on it is never Active and never Armed: a fill is followed by its exit, a refusal by the end."""
    asked = len(before) + 1
    wishes = 0
    for index, (was, _, decision) in enumerate(play(script, [*before, ("signal", 0, 20), (wish, 0, 0), *after])):
        if index == asked and isinstance(was.state, Entering):
            wishes = 1
        if wishes:
            assert not isinstance(decision.position.state, Active | Armed)
            if isinstance(was.state, Entering) and isinstance(decision.position.state, Exiting):
                assert decision.actions
    event("asked while Entering" if wishes else "asked at another time")


@thorough
@given(scripts, st.integers(10, 100), st.integers(-120, 30))
def test_a_fill_beyond_its_stop_leaves_at_once_and_no_other(script: Script, distance: int, fill: int) -> None:
    entering = decide(armed(script.side), script.stimulus(armed(script.side), ("signal", 0, distance)), NOON).position
    assert isinstance(entering.state, Entering)
    executed = script.answer_to_entry(entering, ("entry_executed", 0, fill * 3))
    assert isinstance(executed, EntryExecuted)
    decision = decide(entering, executed, NOON)
    assert decision.position.trail is not None
    price = executed.quote / executed.quantity
    beyond = is_beyond(script.side, price, entering.state.signal.technical_stop)
    assert isinstance(decision.position.state, Exiting if beyond else Active)
    assert bool(decision.actions) == beyond
    # Never looser than the technical stop, never more than the distance away.
    tighter = (decision.position.trail.stop - entering.state.signal.technical_stop) * script.side.sign
    assert tighter >= 0
    assert (price - decision.position.trail.stop) * script.side.sign <= entering.state.signal.stop_distance


@thorough
@given(scripts, in_market)
def test_the_first_exit_is_what_the_fills_left(script: Script, life: list[Move]) -> None:
    """A long sells no more than it holds; a short buys back its quantity and the fee, and less than a step more."""
    for _, _, decision in play(script, life):
        entry = decision.position.entry
        first = [order.quantity for order in decision.actions if order.role is Role.EXIT and order.attempt == 1]
        if (
            entry is None
            or not first
            or not any(isinstance(f.event, ExitTriggered | EntryFilled) for f in decision.facts)
        ):
            continue
        total, step = sum(first), BTCUSDT.step_size
        if script.side is LONG:
            held = entry.quantity - entry.fees_by_asset.get("BTC", Decimal(0))
            assert held - step < total <= held
        else:
            kept = total * (1 - script.terms.fee_rate)
            assert entry.quantity <= kept < entry.quantity + step


# --- mirrors --------------------------------------------------------------------------------------------------------

PRICES = {
    *(
        "entry_price",
        "technical_stop",
        "fill_price",
        "trailing_stop",
        "previous_stop",
        "extreme",
        "price",
        "exit_price",
    ),
}


def told(fact: Fact, *, mirror: bool) -> Any:
    """A fact without its words (they say "long" and name prices); with `mirror` as the other side would have it.

    An average price of several fills may be rounded, at the sixteenth digit.
    """
    changes: dict[str, Any] = {}
    for name in fact.event.__struct_fields__:
        value = getattr(fact.event, name)
        if name == "message":
            changes[name] = ""
        elif isinstance(value, Decimal):
            changes[name] = round(2 * ENTRY - value if mirror and name in PRICES else value, 8)
        elif isinstance(value, OrderSide) and mirror:
            changes[name] = OrderSide.SELL if value is OrderSide.BUY else OrderSide.BUY
        elif isinstance(value, Side) and mirror:
            changes[name] = SHORT if value is LONG else LONG
    return msgspec.structs.replace(fact, event=msgspec.structs.replace(fact.event, **changes))


@thorough
@given(lives | in_market)
def test_long_and_short_are_mirror_images(life: list[Move]) -> None:
    """With fees in a third asset (on either side something else is received) every fact is the other's mirror image."""
    long, short = (facts_of(Script(side=side, fee_asset="BNB"), life) for side in Side)
    assert [told(fact, mirror=True) for fact in long] == [told(fact, mirror=False) for fact in short]
    event(fold(long).state_name)


ticks = st.lists(st.integers(9_000, 11_000), max_size=40)


def observed(side: Side, prices: Sequence[int]) -> list[tuple[bool, Decimal, Decimal, int]]:
    watch = Watch(side, ENTRY - side.sign * 300, ENTRY, Decimal(500))
    return [(watch.observe(Decimal(price)), watch.stop, watch.extreme, watch.moves) for price in prices]


@given(ticks)
def test_the_watch_of_a_short_is_the_mirror_of_a_longs(prices: list[int]) -> None:
    long = observed(LONG, prices)
    short = observed(SHORT, [int(2 * ENTRY) - price for price in prices])
    assert long == [(hit, 2 * ENTRY - stop, 2 * ENTRY - extreme, moves) for hit, stop, extreme, moves in short]


@given(ticks)
def test_the_watch_is_the_rule(prices: list[int]) -> None:
    """Against the rule as it is written down: the best price less the distance, once it is above the first stop."""
    seen: list[int] = []
    stop = 9_700
    for price, (hit, found, extreme, _) in zip(prices, observed(LONG, prices), strict=True):
        assert hit == (price <= stop)
        if not hit:
            seen.append(price)
        best = max([10_000, *seen])
        stop = max(9_700, best - 500)
        assert (found, extreme) == (stop, best)


# --- money ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@thorough
@given(
    distance=st.integers(1, 100),
    capital=st.integers(100, 1_000_000),
    risk=st.integers(1, 500),
    fee_rate=st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("0.01")]),
)
def test_the_loss_at_an_exact_stop_is_the_risk_and_the_fees(
    side: Side, distance: int, capital: int, risk: int, fee_rate: Decimal
) -> None:
    """Filled at the signal's price, stopped out at the stop itself: loss <= capital x risk % + fees + interest."""
    script = Script(side=side, fee_rate=fee_rate)
    position = armed(side, capital=capital, risk=Decimal(risk) / 100)
    stop = script.price(-distance)
    hit = StopHit(
        price=stop, trailing_stop=stop, extreme=ENTRY, trade_id=None, crossed_at=NOON, exit_terms=script.terms
    )
    position = decide(position, signal(ENTRY, stop, account=account(10**9)), NOON).position
    if isinstance(position.state, Armed):
        event("refused")
        return
    position = decide(position, script.answer_to_entry(position, ("entry_executed", 0, 0)), NOON).position
    left = decide(position, hit, NOON)
    position = left.position
    for order in left.actions:
        fill = ExitExecuted(
            client_order_id=order.client_order_id,
            venue_order_id="2",
            quantity=order.quantity,
            quote=order.quantity * stop,
            fees_by_asset=script.fees("USDT" if side is LONG else "BTC", order.quantity, order.quantity),
        )
        position = decide(position, fill, NOON).position
    flat = FlatProved(instrument=BTCUSDT, interest=Decimal(2), dust=Decimal(0))
    state = decide(position, flat, NOON).position.state
    assert isinstance(state, Closed)
    assert state.result is not None
    result = state.result
    at_risk = Fraction(capital) * risk / 10_000
    assert -Fraction(result.realized_pnl) <= at_risk
    assert -Fraction(result.net_pnl) <= at_risk + Fraction(result.fees) + 2
    assert result.net_pnl == result.realized_pnl - result.fees - result.interest
