"""What a stimulus means for a position in each state: the events it causes and the orders it asks for.

Pure: time comes in as `at`, ids are derived, and the new position is the fold of the events. Match on state, then on
stimulus, with assert_never at both levels: a pair that nobody thought of does not type-check.
"""

from datetime import datetime
from typing import assert_never

from robson.domain.actions import Action
from robson.domain.events import ExitTriggered, Fact, PositionDisarmed, SignalRejected
from robson.domain.position import Active, Armed, Closed, Entering, Error, Exiting, Position
from robson.domain.stimuli import (
    DisarmRequested,
    EntryExecuted,
    EntryRefused,
    ExitExecuted,
    ExitRequested,
    ExitsFound,
    FaultFound,
    FilledElsewhere,
    FlatProved,
    HoldingAdopted,
    ReleaseRequested,
    RemainderFound,
    SignalArrived,
    SignalFailed,
    Stimulus,
    StopHit,
    StopMoved,
    StopTightened,
)
from robson.domain.values import ExitReason, Value
from robson.engine.elsewhere import adopt, fill_elsewhere, filled_elsewhere, release
from robson.engine.evolve import evolve
from robson.engine.exits import exit_orders
from robson.engine.halted import halted, over
from robson.engine.judgements import (
    NOTHING,
    Outcome,
    enter,
    fault,
    follow,
    leave,
    record_exit,
    refuse,
    settle,
    take_over,
    take_signal,
    tighten,
    wrong_state,
)


class Decision(Value):
    """The position afterwards, the facts that led there, and the orders to place. No facts: nothing changed."""

    position: Position
    facts: tuple[Fact, ...] = ()
    actions: tuple[Action, ...] = ()


def decide(position: Position, stimulus: Stimulus, at: datetime) -> Decision:
    """Judge one stimulus.

    Raises RuleError (`wrong_state`) for an operator's request that the state forbids. A stimulus that comes too late,
    such as a second reason to exit, changes nothing.
    """
    state = position.state
    match state:
        case Armed():
            events, actions = _armed(position, stimulus)
        case Entering():
            events, actions = _entering(position, state, stimulus)
        case Active():
            events, actions = _active(position, state, stimulus)
        case Exiting():
            events, actions = _exiting(position, state, stimulus)
        case Closed():
            events, actions = over(position, stimulus)
        case Error():
            events, actions = halted(position, state, stimulus)
        case _ as never:
            assert_never(never)
    facts = tuple(Fact(position_id=position.position_id, at=at, event=event) for event in events)
    for fact in facts:
        position = evolve(position, fact)
    return Decision(position=position, facts=facts, actions=tuple(actions))


def _armed(position: Position, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case SignalArrived():
            return take_signal(position, stimulus)
        case SignalFailed():
            rejected = SignalRejected(
                signal_id=stimulus.signal_id, stage=stimulus.stage, code=stimulus.code, message=stimulus.message
            )
            return (rejected,), ()
        case DisarmRequested():
            return (PositionDisarmed(),), ()
        case ExitRequested(reason=ExitReason.OPERATOR_PANIC):
            return (PositionDisarmed(),), ()
        case ExitRequested():
            raise wrong_state(position, "close", "nothing is in the market yet: use disarm")
        case ReleaseRequested():
            raise wrong_state(position, "be released", "nothing is in the market yet: use disarm")
        case StopTightened():
            raise wrong_state(position, "be adjusted", "it has no trailing stop yet")
        case HoldingAdopted():
            return adopt(position, stimulus)
        case FaultFound():
            return fault(stimulus)
        case (
            EntryExecuted()
            | EntryRefused()
            | StopMoved()
            | StopHit()
            | ExitExecuted()
            | FilledElsewhere()
            | RemainderFound()
            | ExitsFound()
            | FlatProved()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)


def _entering(position: Position, state: Entering, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case EntryExecuted(client_order_id=state.client_order_id):
            return enter(position, state.signal, state.trigger, stimulus)
        case EntryRefused(client_order_id=state.client_order_id):
            return refuse(state.signal, state.trigger, stimulus)
        case ExitRequested():
            return ((ExitTriggered(reason=stimulus.reason),) if state.trigger is None else ()), ()
        case SignalArrived() | HoldingAdopted():
            raise wrong_state(position, "take a signal", "its entry is already on its way")
        case ReleaseRequested():
            raise wrong_state(position, "be released", "its entry is on its way: use close")
        case StopTightened():
            raise wrong_state(position, "be adjusted", "it has no trailing stop before its fill")
        case DisarmRequested():
            raise wrong_state(position, "be disarmed", "its entry is on its way: use close")
        case FaultFound():
            return fault(stimulus)
        case (
            EntryExecuted()  # of another order
            | EntryRefused()
            | SignalFailed()
            | StopMoved()
            | StopHit()
            | ExitExecuted()
            | FilledElsewhere()
            | RemainderFound()
            | ExitsFound()
            | FlatProved()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)


def _active(position: Position, state: Active, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case StopMoved():
            return follow(position.side, state.trail, stimulus), ()
        case StopTightened():
            return tighten(position, state.trail, stimulus), ()
        case StopHit():
            moved = StopMoved(
                trailing_stop=stimulus.trailing_stop,
                extreme=stimulus.extreme,
                trade_id=stimulus.trade_id,
                seen_at=stimulus.crossed_at,
            )
            triggered = ExitTriggered(
                reason=ExitReason.TRAILING_STOP,
                price=stimulus.price,
                trailing_stop=stimulus.trailing_stop,
                trade_id=stimulus.trade_id,
                crossed_at=stimulus.crossed_at,
                candle_seconds=stimulus.candle_seconds,
            )
            before = follow(position.side, state.trail, moved)
            placed, orders = leave(position, state.entry, state.reduction, stimulus.exit_terms)
            return (*before, triggered, *placed), orders
        case ExitRequested():
            before = follow(position.side, state.trail, stimulus.trail) if stimulus.trail else ()
            placed, orders = leave(position, state.entry, state.reduction, stimulus.exit_terms)
            return (*before, ExitTriggered(reason=stimulus.reason), *placed), orders
        case FilledElsewhere():
            return fill_elsewhere(stimulus), ()
        case ReleaseRequested():
            return release(position, state.entry, stimulus), ()
        case SignalArrived() | HoldingAdopted():
            raise wrong_state(position, "take a signal", "it is already in the market")
        case DisarmRequested():
            raise wrong_state(position, "be disarmed", "it is in the market: use close")
        case FaultFound():
            return fault(stimulus)
        case ExitsFound():
            before = follow(position.side, state.trail, stimulus.trail) if stimulus.trail else ()
            placed, orders = take_over(position, (), stimulus)
            return (*before, ExitTriggered(reason=stimulus.reason), *placed), orders
        case SignalFailed() | EntryExecuted() | EntryRefused() | ExitExecuted() | RemainderFound() | FlatProved():
            return NOTHING
        case _ as never:
            assert_never(never)


def _exiting(position: Position, state: Exiting, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case ExitExecuted():
            return record_exit(state.exit, stimulus), ()
        case FilledElsewhere():
            return filled_elsewhere(stimulus), ()
        case RemainderFound():
            return exit_orders(
                position, stimulus.quantity, state.exit.attempt + 1, stimulus.exit_terms, stimulus.order_side
            )
        case ExitsFound():
            return take_over(position, state.exit.orders, stimulus)
        case FlatProved():
            return settle(position, state, stimulus), ()
        case ExitRequested() | StopHit():
            return NOTHING
        case SignalArrived() | HoldingAdopted():
            raise wrong_state(position, "take a signal", "it is leaving the market")
        case ReleaseRequested():
            raise wrong_state(position, "be released", "it is leaving the market by itself")
        case StopTightened():
            raise wrong_state(position, "be adjusted", "it is leaving the market already")
        case DisarmRequested():
            raise wrong_state(position, "be disarmed", "it is leaving the market")
        case FaultFound():
            return fault(stimulus)
        case SignalFailed() | EntryExecuted() | EntryRefused() | StopMoved():
            return NOTHING
        case _ as never:
            assert_never(never)
