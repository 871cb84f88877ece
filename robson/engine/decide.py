"""What a stimulus means for a position in each state: the events it causes and the orders it asks for.

Pure: time comes in as `at`, ids are derived, and the new position is the fold of the events. Match on state, then on
stimulus, with assert_never at both levels: a pair that nobody thought of does not type-check.
"""

from datetime import datetime
from typing import NoReturn, assert_never

from robson.domain.actions import Action
from robson.domain.errors import RuleError
from robson.domain.events import ExitTriggered, Fact, PositionDisarmed, SignalRejected
from robson.domain.position import Active, Armed, Closed, Entering, Error, Exiting, Position
from robson.domain.stimuli import (
    DisarmRequested,
    EntryExecuted,
    EntryRefused,
    ExitExecuted,
    ExitRequested,
    FaultFound,
    FlatProved,
    RemainderFound,
    SignalArrived,
    SignalFailed,
    Stimulus,
    StopHit,
    StopMoved,
)
from robson.domain.values import ExitReason, Value
from robson.engine.evolve import evolve
from robson.engine.exits import exit_orders
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
    take_signal,
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
            events, actions = _closed(position, stimulus)
        case Error():
            events, actions = _error(position, state, stimulus)
        case _ as never:
            assert_never(never)
    facts = tuple(Fact(position_id=position.position_id, at=at, event=event) for event in events)
    for fact in facts:
        position = evolve(position, fact)
    return Decision(position=position, facts=facts, actions=tuple(actions))


def _wrong_state(position: Position, request: str, hint: str) -> NoReturn:
    raise RuleError(
        "wrong_state", f"position {position.position_id} was {position.state_name}, so it cannot {request}", hint=hint
    )


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
            _wrong_state(position, "close", "nothing is in the market yet: use disarm")
        case FaultFound():
            return fault(stimulus)
        case (
            EntryExecuted()
            | EntryRefused()
            | StopMoved()
            | StopHit()
            | ExitExecuted()
            | RemainderFound()
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
        case SignalArrived():
            _wrong_state(position, "take a signal", "its entry is already on its way")
        case DisarmRequested():
            _wrong_state(position, "be disarmed", "its entry is on its way: use close")
        case FaultFound():
            return fault(stimulus)
        case (
            EntryExecuted()  # of another order
            | EntryRefused()
            | SignalFailed()
            | StopMoved()
            | StopHit()
            | ExitExecuted()
            | RemainderFound()
            | FlatProved()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)


def _active(position: Position, state: Active, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case StopMoved():
            return follow(position.side, state.trail, stimulus), ()
        case StopHit():
            moved = StopMoved(
                trailing_stop=stimulus.trailing_stop, extreme=stimulus.extreme, trade_id=stimulus.trade_id
            )
            triggered = ExitTriggered(
                reason=ExitReason.TRAILING_STOP,
                price=stimulus.price,
                trailing_stop=stimulus.trailing_stop,
                trade_id=stimulus.trade_id,
                crossed_at=stimulus.crossed_at,
            )
            before = follow(position.side, state.trail, moved)
            placed, orders = leave(position, state.entry.quantity, state.entry.fees_by_asset, stimulus.exit_terms)
            return (*before, triggered, *placed), orders
        case ExitRequested():
            before = follow(position.side, state.trail, stimulus.trail) if stimulus.trail else ()
            placed, orders = leave(position, state.entry.quantity, state.entry.fees_by_asset, stimulus.exit_terms)
            return (*before, ExitTriggered(reason=stimulus.reason), *placed), orders
        case SignalArrived():
            _wrong_state(position, "take a signal", "it is already in the market")
        case DisarmRequested():
            _wrong_state(position, "be disarmed", "it is in the market: use close")
        case FaultFound():
            return fault(stimulus)
        case SignalFailed() | EntryExecuted() | EntryRefused() | ExitExecuted() | RemainderFound() | FlatProved():
            return NOTHING
        case _ as never:
            assert_never(never)


def _exiting(position: Position, state: Exiting, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case ExitExecuted():
            return record_exit(state.exit, stimulus), ()
        case RemainderFound():
            return exit_orders(
                position, stimulus.quantity, state.exit.attempt + 1, stimulus.exit_terms, stimulus.order_side
            )
        case FlatProved():
            return settle(position, state, stimulus), ()
        case ExitRequested() | StopHit():
            return NOTHING
        case SignalArrived():
            _wrong_state(position, "take a signal", "it is leaving the market")
        case DisarmRequested():
            _wrong_state(position, "be disarmed", "it is leaving the market")
        case FaultFound():
            return fault(stimulus)
        case SignalFailed() | EntryExecuted() | EntryRefused() | StopMoved():
            return NOTHING
        case _ as never:
            assert_never(never)


def _closed(position: Position, stimulus: Stimulus) -> Outcome:
    match stimulus:
        case SignalArrived():
            _wrong_state(position, "take a signal", "arm a new one")
        case DisarmRequested():
            _wrong_state(position, "be disarmed", "it is over")
        case ExitRequested(reason=ExitReason.OPERATOR_CLOSE):
            _wrong_state(position, "close", "it is over")
        case (
            ExitRequested()
            | SignalFailed()
            | EntryExecuted()
            | EntryRefused()
            | StopMoved()
            | StopHit()
            | ExitExecuted()
            | RemainderFound()
            | FlatProved()
            | FaultFound()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)


def _error(position: Position, state: Error, stimulus: Stimulus) -> Outcome:
    holds_nothing = state.entry is None and state.client_order_id is None
    match stimulus:
        case ExitRequested():
            return ((PositionDisarmed(),) if holds_nothing else (ExitTriggered(reason=stimulus.reason),)), ()
        case DisarmRequested():
            if not holds_nothing:
                _wrong_state(position, "be disarmed", "it may hold or owe something: use close")
            return (PositionDisarmed(),), ()
        # An order that was on its way when the fault struck is settled all the same.
        case EntryExecuted(client_order_id=state.client_order_id) if state.signal is not None:
            return enter(position, state.signal, state.exit.trigger if state.exit else None, stimulus)
        case EntryRefused(client_order_id=state.client_order_id) if state.signal is not None:
            return refuse(state.signal, state.exit.trigger if state.exit else None, stimulus)
        case ExitExecuted() if state.exit is not None:
            return record_exit(state.exit, stimulus), ()
        case SignalArrived():
            _wrong_state(position, "take a signal", f"it needs a person: {state.message}")
        case (
            EntryExecuted()
            | EntryRefused()
            | ExitExecuted()
            | SignalFailed()
            | StopMoved()
            | StopHit()
            | RemainderFound()
            | FlatProved()
            | FaultFound()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)
