"""Lives worth telling one by one: what the matrix shows by name is shown here with its numbers."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from robson.domain.account import Leg, PairAccount
from robson.domain.codec import decode, encode
from robson.domain.errors import IllegalTransition, RuleError
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionClosed,
    PositionDisarmed,
    SignalRejected,
    TrailingStopUpdated,
)
from robson.domain.ids import entry_order_id, exit_order_id
from robson.domain.position import Active, Armed, Closed, Entering, Error, Exiting
from robson.domain.stimuli import (
    DisarmRequested,
    EntryExecuted,
    ExitExecuted,
    ExitRequested,
    ExitTerms,
    FlatProved,
    Neighbour,
    RemainderFound,
)
from robson.domain.values import ExitReason, OrderSide, Role, Side
from robson.engine.decide import decide
from robson.engine.evolve import SPENT_SIGNALS_MAX, fold
from tests.unit.engine.samples import (
    BTCUSDT,
    CLOSE,
    EXIT_TERMS,
    FAULT,
    FIRST_EXIT,
    FLAT,
    FOREIGN,
    HIT,
    ID,
    NOON,
    OURS,
    PANIC,
    REFUSAL,
    REST,
    TIGHTER,
    armed,
    armed_fact,
    entry_fill,
    events_of,
    exit_fill,
    only,
    run,
    signal,
    trace,
)


def test_a_signal_is_sized_and_its_order_asked_for() -> None:
    (decision,) = trace(armed(), signal())
    received, placed = only(EntrySignalReceived, decision), only(EntryOrderPlaced, decision)
    (order,) = decision.actions
    assert (received.quantity, received.stop_distance, received.cut_by) == (Decimal("0.06666"), 1_500, None)
    assert order.quantity == placed.quantity == received.quantity
    assert order.client_order_id == placed.client_order_id == entry_order_id(ID, "s1")
    assert (order.role, order.order_side) == (Role.ENTRY, OrderSide.BUY)
    assert [fact.at for fact in decision.facts] == [NOON + timedelta(seconds=1)] * 2


def test_a_short_sells_to_enter_and_buys_to_leave() -> None:
    entering, leaving = trace(armed(Side.SHORT), signal(95_000, 96_500), entry_fill(), CLOSE)[::2]
    assert entering.actions[0].order_side is OrderSide.SELL
    assert leaving.actions[0].order_side is OrderSide.BUY


def test_evidence_is_kept_as_the_journal_gives_it_back() -> None:
    found = signal()
    found = msgspec.structs.replace(found, evidence={"levels": [Decimal("93500.0")], "touches": (2, 3)})
    (decision,) = trace(armed(), found)
    facts = [armed_fact(), *decision.facts]
    assert fold(decode(encode(fact), Fact) for fact in facts) == decision.position


@pytest.mark.parametrize(("fill", "stop"), [(95_100, 93_600), (94_900, 93_500)])
def test_the_fill_anchors_the_stop(fill: int, stop: int) -> None:
    decision = trace(armed(), signal(95_000, 93_500), entry_fill(fill))[-1]
    assert only(EntryFilled, decision).trailing_stop == stop
    state = decision.position.state
    assert isinstance(state, Active)
    assert (state.trail.stop, state.trail.extreme, state.trail.distance) == (stop, fill, 1_500)
    assert state.trail.trade_id == 1000


def test_the_stops_of_neighbours_count() -> None:
    """Owing 9000 on 0.1 BTC at 100000, the account survives a stop at 98000, not one at 93000."""
    on = PairAccount(
        symbol="BTCUSDT", base=Leg(free=Decimal("0.1")), quote=Leg(free=Decimal(100), borrowed=Decimal(9_000))
    )
    for stop, accepted in ((98_000, True), (93_000, False), (None, True)):
        beside = Neighbour(side=Side.LONG, in_market=True, stop=Decimal(stop) if stop else None)
        (decision,) = trace(armed(capital=100), signal(100_000, 99_000, account=on, neighbours=(beside,)))
        assert bool(decision.actions) is accepted


def test_a_fill_has_the_venues_time_or_the_time_at_which_it_was_learnt() -> None:
    told = run(armed(), signal(), entry_fill())
    untold = run(armed(), signal(), msgspec.structs.replace(entry_fill(), filled_at=None))
    assert told.entry is not None
    assert untold.entry is not None
    assert told.entry.filled_at == NOON + timedelta(seconds=1)
    assert untold.entry.filled_at == NOON + timedelta(seconds=2)


def test_a_stop_moved_without_a_trade_id_keeps_the_last_one() -> None:
    position = run(armed(), signal(), entry_fill(), msgspec.structs.replace(TIGHTER, trade_id=None))
    assert position.trail is not None
    assert (position.trail.stop, position.trail.trade_id) == (94_000, 1000)


def test_a_partial_entry_is_kept_and_never_topped_up() -> None:
    decision = trace(armed(), signal(), entry_fill(quantity="0.02"))[-1]
    assert isinstance(decision.position.state, Active)
    assert decision.position.state.entry.quantity == Decimal("0.02")
    assert not decision.actions


@pytest.mark.parametrize(
    ("side", "stop", "fill"),
    [
        (Side.LONG, 93_500, 93_500),
        (Side.LONG, 93_500, 90_000),
        (Side.SHORT, 96_500, 96_500),
        (Side.SHORT, 96_500, 99_000),
    ],
)
def test_a_fill_at_or_beyond_its_stop_leaves_at_once(side: Side, stop: int, fill: int) -> None:
    decision = trace(armed(side), signal(95_000, stop), entry_fill(fill))[-1]
    assert isinstance(decision.position.state, Exiting)
    triggered = only(ExitTriggered, decision)
    assert (triggered.reason, triggered.price, triggered.trailing_stop) == (ExitReason.TRAILING_STOP, fill, stop)
    assert triggered.crossed_at == NOON + timedelta(seconds=1)
    assert len(decision.actions) == 1


def test_a_hit_writes_the_stop_that_was_hit_before_the_exit() -> None:
    """The stop had moved since the last flush: the journal must show the one that was crossed."""
    decision = trace(armed(), signal(), entry_fill(), HIT)[-1]
    updated, triggered = only(TrailingStopUpdated, decision), only(ExitTriggered, decision)
    assert (updated.previous_stop, updated.trailing_stop, updated.extreme) == (93_500, 94_500, 96_000)
    assert (triggered.price, triggered.trailing_stop, triggered.trade_id) == (94_400, 94_500, 1050)
    assert only(ExitOrderPlaced, decision).quantity == Decimal("0.06659")


@pytest.mark.parametrize("reason", [ExitReason.OPERATOR_CLOSE, ExitReason.OPERATOR_PANIC])
def test_an_operators_exit_writes_the_latest_stop_too(reason: ExitReason) -> None:
    request = ExitRequested(reason=reason, exit_terms=EXIT_TERMS, trail=TIGHTER)
    decision = trace(armed(), signal(), entry_fill(), request)[-1]
    assert events_of(decision) == ["trailing_stop_updated", "exit_triggered", "exit_order_placed"]
    assert only(ExitTriggered, decision).price is None
    assert decision.position.trail is not None
    assert decision.position.trail.stop == 94_000


def test_the_stop_never_retreats() -> None:
    position = run(armed(), signal(), entry_fill(), TIGHTER)
    looser = msgspec.structs.replace(TIGHTER, trailing_stop=Decimal("93999.99"), trade_id=1020)
    assert decide(position, looser, NOON).facts == ()
    assert decide(position, msgspec.structs.replace(TIGHTER, trade_id=1020), NOON).facts == ()


# --- one exit owner -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [CLOSE, PANIC, HIT])
@pytest.mark.parametrize("second", [CLOSE, PANIC, HIT])
def test_whoever_comes_second_joins_the_exit(first: ExitRequested, second: ExitRequested) -> None:
    decisions = trace(armed(), signal(), entry_fill(), first, second)
    assert decisions[-1].facts == ()
    assert decisions[-1].actions == ()


@pytest.mark.parametrize("request_", [CLOSE, PANIC])
def test_an_exit_asked_for_while_entering_follows_the_fill(request_: ExitRequested) -> None:
    waiting, filled = trace(armed(), signal(), request_, entry_fill())[1:]
    assert isinstance(waiting.position.state, Entering)
    assert waiting.actions == ()
    assert isinstance(filled.position.state, Exiting)
    assert filled.position.state.exit.trigger.reason is request_.reason
    (order,) = filled.actions
    assert (order.role, order.quantity) == (Role.EXIT, Decimal("0.06659"))


@pytest.mark.parametrize("request_", [CLOSE, PANIC])
def test_an_exit_asked_for_while_entering_ends_the_position_when_the_entry_is_refused(request_: ExitRequested) -> None:
    refused = trace(armed(), signal(), request_, REFUSAL)[-1]
    assert events_of(refused) == ["signal_rejected", "position_disarmed"]
    assert isinstance(refused.position.state, Closed)
    assert refused.position.state.reason is ExitReason.DISARMED


def test_an_exit_asked_for_while_entering_outlives_a_fault() -> None:
    filled = trace(armed(), signal(), PANIC, FAULT, entry_fill())[-1]
    assert isinstance(filled.position.state, Exiting)
    assert filled.position.state.exit.trigger.reason is ExitReason.OPERATOR_PANIC
    assert len(filled.actions) == 1


# --- faults ---------------------------------------------------------------------------------------------------------


def test_a_fill_after_a_fault_is_kept_for_the_person() -> None:
    filled, closing, sized = trace(armed(), signal(), FAULT, entry_fill(), CLOSE, REST)[2:]
    assert isinstance(filled.position.state, Error)
    assert filled.position.state.entry is not None
    assert filled.position.state.entry.quantity == Decimal("0.06666")
    assert filled.position.state.trail is not None
    assert filled.position.state.trail.stop == 93_500
    assert isinstance(closing.position.state, Exiting)
    assert [order.attempt for order in sized.actions] == [1]


def test_a_fill_after_a_fault_beyond_its_stop_leaves_at_once() -> None:
    filled = trace(armed(), signal(), FAULT, entry_fill(93_000))[-1]
    assert events_of(filled) == ["entry_filled", "exit_triggered", "exit_order_placed"]
    assert isinstance(filled.position.state, Exiting)


def test_an_entry_refused_after_a_fault_leaves_nothing_to_close() -> None:
    refused, disarmed = trace(armed(), signal(), FAULT, REFUSAL, DisarmRequested())[2:]
    assert isinstance(refused.position.state, Error)
    assert refused.position.state.client_order_id is None
    assert events_of(disarmed) == ["position_disarmed"]


def test_an_exit_filled_after_a_fault_is_counted() -> None:
    """Otherwise a retry would look for base that was sold long ago."""
    position = run(armed(), signal(), entry_fill(), CLOSE, FAULT, exit_fill(FIRST_EXIT), CLOSE)
    assert isinstance(position.state, Exiting)
    assert position.state.exit.quantity == Decimal("0.06659")
    assert position.state.exit.orders[0].filled


def test_a_retry_never_uses_an_id_again() -> None:
    decisions = trace(armed(), signal(), entry_fill(), CLOSE, FAULT, CLOSE, REST, FAULT, PANIC, REST)
    ids = [order.client_order_id for decision in decisions for order in decision.actions]
    assert ids == [OURS, *(exit_order_id(ID, attempt, 0) for attempt in (1, 2, 3))]


# --- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrived", "stage", "code"),
    [
        (signal(stop=95_100), "rule", "stop_on_wrong_side"),
        (signal(latched=True), "rule", "panic_latched"),
        (signal(unexplained_debt=Decimal(1)), "pair", "unexplained_debt"),
    ],
)
def test_a_refusal_says_why_and_the_position_stays_armed(arrived: object, stage: str, code: str) -> None:
    (decision,) = trace(armed(), arrived)  # type: ignore[arg-type]
    rejected = only(SignalRejected, decision)
    assert (rejected.signal_id, rejected.stage, rejected.code) == ("s1", stage, code)
    assert "; " in rejected.message  # what happened, then the hint
    state = decision.position.state
    assert isinstance(state, Armed)
    assert state.rejection is not None
    assert state.rejection.message == rejected.message
    assert decision.position.spent_signals == ()


def test_a_refused_signal_may_come_again_an_accepted_one_may_not() -> None:
    again = trace(armed(), signal(latched=True), signal())[-1]
    assert isinstance(again.position.state, Entering)
    spent = trace(armed(), signal(), REFUSAL, signal())[-1]
    assert spent.facts == ()
    assert spent.position.spent_signals[0].quantity == Decimal("0.06666")


def test_the_memory_of_spent_signals_is_bounded() -> None:
    position = armed()
    for number in range(SPENT_SIGNALS_MAX + 5):
        order = entry_order_id(ID, f"n{number}")
        refusal = msgspec.structs.replace(REFUSAL, client_order_id=order)
        position = run(position, signal(signal_id=f"n{number}"), refusal)
    assert len(position.spent_signals) == SPENT_SIGNALS_MAX
    assert position.spent_signals[-1].signal_id == f"n{SPENT_SIGNALS_MAX + 4}"


def test_an_answer_to_another_order_changes_nothing() -> None:
    position = run(armed(), signal())
    for late in (entry_fill(order=FOREIGN), msgspec.structs.replace(REFUSAL, client_order_id=FOREIGN)):
        assert decide(position, late, NOON).facts == ()


# --- the account at the end -----------------------------------------------------------------------------------------


def closed(*stimuli: EntryExecuted | ExitExecuted | ExitRequested | RemainderFound | FlatProved) -> PositionClosed:
    return only(PositionClosed, trace(armed(), signal(), *stimuli)[-1])


def test_profit_is_gross_and_fees_and_interest_are_kept_apart() -> None:
    found = closed(entry_fill(), CLOSE, exit_fill(FIRST_EXIT, 97_000), FLAT)
    assert found.realized_pnl == 2_000 * Decimal("0.06666")
    assert found.fees == Decimal("0.00006666") * 95_000 + Decimal("0.06659") * 97
    assert found.interest == Decimal("0.5")
    assert found.net_pnl == found.realized_pnl - found.fees - found.interest
    assert (found.exit_reason, found.dust) == (ExitReason.OPERATOR_CLOSE, Decimal("0.00000334"))
    assert (found.entry_price, found.exit_price, found.quantity) == (95_000, 97_000, Decimal("0.06666"))


def test_an_exit_in_several_orders_has_one_average_price() -> None:
    second = exit_order_id(ID, 2, 0)
    found = closed(
        entry_fill(), CLOSE, exit_fill(FIRST_EXIT, 96_000, "0.04"), REST, exit_fill(second, 99_000, "0.02"), FLAT
    )
    assert found.exit_price == 97_000
    assert found.realized_pnl == 2_000 * Decimal("0.06666")
    assert found.fees == Decimal("0.00006666") * 95_000 + Decimal("0.04") * 96 + Decimal("0.02") * 99


def test_a_fee_in_a_third_asset_is_valued_at_its_price() -> None:
    bnb = msgspec.structs.replace(entry_fill(), fees_by_asset={"BNB": Decimal("0.01")})
    flat = msgspec.structs.replace(FLAT, fee_prices={"BNB": Decimal(600)})
    found = closed(bnb, CLOSE, exit_fill(FIRST_EXIT, 97_000), flat)
    assert found.fees == 6 + Decimal("0.06659") * 97


def test_a_holding_too_small_to_sell_closes_at_its_entry() -> None:
    found = closed(entry_fill(quantity="0.000009"), CLOSE, FLAT)
    assert (found.exit_price, found.realized_pnl) == (95_000, 0)


def test_a_second_word_on_the_same_fill_is_not_counted_twice() -> None:
    position = run(armed(), signal(), entry_fill(), CLOSE, exit_fill(FIRST_EXIT), exit_fill(FIRST_EXIT))
    assert position.exit is not None
    assert position.exit.quantity == Decimal("0.06659")


def test_disarming_is_no_trade() -> None:
    (decision,) = trace(armed(), DisarmRequested())
    assert only(PositionDisarmed, decision)
    assert decision.position.entry is None


def test_what_an_exit_is_told_is_what_its_order_carries() -> None:
    terms = ExitTerms(instrument=msgspec.structs.replace(BTCUSDT, maximum_quantity=Decimal("0.04")))
    decision = trace(armed(), signal(), entry_fill(), msgspec.structs.replace(CLOSE, exit_terms=terms))[-1]
    assert [order.quantity for order in decision.actions] == [Decimal("0.0333"), Decimal("0.03329")]
    assert [order.part for order in decision.actions] == [0, 1]


def test_a_position_without_facts_is_no_position() -> None:
    with pytest.raises(IllegalTransition, match="without events"):
        fold([])


def test_the_error_names_the_position_and_its_state() -> None:
    with pytest.raises(RuleError) as caught:
        decide(armed(), CLOSE, NOON)
    assert caught.value.message == f"position {ID} was Armed, so it cannot close"
    assert "disarm" in caught.value.hint
