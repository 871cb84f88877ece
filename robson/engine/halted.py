"""What a stimulus means for a position that is over, or that waits for a person."""

from typing import assert_never

from robson.domain.events import ExitTriggered, PositionDisarmed
from robson.domain.position import Error, Position
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
from robson.domain.values import ExitReason
from robson.engine.elsewhere import fill_elsewhere, release
from robson.engine.judgements import (
    NOTHING,
    Outcome,
    enter,
    record_exit,
    refuse,
    take_over,
    wrong_state,
)


def over(position: Position, stimulus: Stimulus) -> Outcome:
    """What a stimulus means for a position that is Closed."""
    match stimulus:
        case SignalArrived() | HoldingAdopted():
            raise wrong_state(position, "take a signal", "arm a new one")
        case ReleaseRequested():
            raise wrong_state(position, "be released", "it is over")
        case StopTightened():
            raise wrong_state(position, "be adjusted", "it is over")
        case DisarmRequested():
            raise wrong_state(position, "be disarmed", "it is over")
        case ExitRequested(reason=ExitReason.OPERATOR_CLOSE):
            raise wrong_state(position, "close", "it is over")
        case (
            ExitRequested()
            | SignalFailed()
            | EntryExecuted()
            | EntryRefused()
            | StopMoved()
            | StopHit()
            | ExitExecuted()
            | FilledElsewhere()
            | RemainderFound()
            | ExitsFound()
            | FlatProved()
            | FaultFound()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)


def halted(position: Position, state: Error, stimulus: Stimulus) -> Outcome:
    """What a stimulus means for a position in Error, that waits for a person."""
    holds_nothing = state.entry is None and state.client_order_id is None
    match stimulus:
        case ExitRequested():
            return ((PositionDisarmed(),) if holds_nothing else (ExitTriggered(reason=stimulus.reason),)), ()
        case DisarmRequested():
            if not holds_nothing:
                raise wrong_state(position, "be disarmed", "it may hold or owe something: use close")
            return (PositionDisarmed(),), ()
        # An order that was on its way when the fault struck is settled all the same.
        case EntryExecuted(client_order_id=state.client_order_id) if state.signal is not None:
            return enter(position, state.signal, state.exit.trigger if state.exit else None, stimulus)
        case EntryRefused(client_order_id=state.client_order_id) if state.signal is not None:
            return refuse(state.signal, state.exit.trigger if state.exit else None, stimulus)
        case ExitExecuted() if state.exit is not None:
            return record_exit(state.exit, stimulus), ()
        case ExitsFound() if state.entry is not None:
            placed, orders = take_over(position, state.exit.orders if state.exit else (), stimulus)
            return (ExitTriggered(reason=stimulus.reason), *placed), orders
        # A person was asked for, and perhaps has closed it by hand.
        case FilledElsewhere() if state.entry is not None:
            return fill_elsewhere(stimulus), ()
        case ReleaseRequested():
            if state.entry is None:
                raise wrong_state(position, "be released", "nothing is known of what it holds: use disarm or close")
            return release(position, state.entry, stimulus), ()
        case SignalArrived() | HoldingAdopted():
            raise wrong_state(position, "take a signal", f"it needs a person: {state.message}")
        case StopTightened():
            raise wrong_state(position, "be adjusted", "its stop is not watched: use close or release")
        case (
            EntryExecuted()
            | EntryRefused()
            | ExitExecuted()
            | FilledElsewhere()
            | SignalFailed()
            | StopMoved()
            | StopHit()
            | RemainderFound()
            | ExitsFound()
            | FlatProved()
            | FaultFound()
        ):
            return NOTHING
        case _ as never:
            assert_never(never)
