"""The only writer of state: what each event makes of a position."""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from robson.domain.errors import IllegalTransition
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionArmed,
    PositionClosed,
    PositionDisarmed,
    PositionError,
    SignalRejected,
    TrailingStopUpdated,
    event_type,
)
from robson.domain.position import (
    Active,
    Armed,
    Closed,
    Entering,
    Error,
    Exiting,
    ExitProgress,
    Position,
    SpentSignal,
    State,
)
from robson.domain.values import ExitReason, Side
from robson.engine import parts

# A position can only come back to Armed after a refusal, so an older id could at worst be tried anew, never twice.
SPENT_SIGNALS_MAX = 64


def fold(facts: Iterable[Fact]) -> Position:
    """The position after all its facts, oldest first; raises IllegalTransition on an impossible sequence."""
    position: Position | None = None
    for fact in facts:
        position = evolve(position, fact)
    if position is None:
        raise IllegalTransition("a position without events was folded")
    return position


def evolve(position: Position | None, fact: Fact) -> Position:
    """The position after one more fact; raises IllegalTransition when it cannot happen in this state."""
    if position is None:
        return _begin(fact)
    match position.state:
        case Armed():
            return _armed(position, position.state, fact)
        case Entering():
            return _with(position, _entering(position.state, fact))
        case Active():
            return _with(position, _active(position.state, fact))
        case Exiting():
            return _with(position, _exiting(position.state, fact, position.side))
        case Error():
            return _with(position, _error(position.state, fact, position.side))
        case Closed():
            raise _impossible(position.state_name, fact)
        case _ as never:
            assert_never(never)


def _with(position: Position, state: State) -> Position:
    return msgspec.structs.replace(position, state=state)


def _impossible(state: str, fact: Fact) -> IllegalTransition:
    return IllegalTransition(f"event {event_type(fact.event)} of position {fact.position_id} was applied in {state}")


def _begin(fact: Fact) -> Position:
    event = fact.event
    if not isinstance(event, PositionArmed):
        raise _impossible("no state: it was never armed", fact)
    return Position(
        position_id=fact.position_id,
        symbol=event.symbol,
        side=event.side,
        strategy=event.strategy,
        capital=event.capital,
        risk_percent=event.risk_percent,
        params=event.params,
        armed_at=fact.at,
        state=Armed(),
    )


def _armed(position: Position, state: Armed, fact: Fact) -> Position:
    match fact.event:
        case EntrySignalReceived() as event if state.signal is None:
            spent = (*position.spent_signals, SpentSignal(signal_id=event.signal_id, quantity=event.quantity))
            return msgspec.structs.replace(
                position,
                state=Armed(signal=parts.signal_of(event), rejection=state.rejection),
                spent_signals=spent[-SPENT_SIGNALS_MAX:],
            )
        case EntryOrderPlaced() as event if state.signal is not None:
            return _with(position, Entering(signal=state.signal, client_order_id=event.client_order_id))
        # A holding that was taken over had no order.
        case EntryFilled(client_order_id="") as event if state.signal is not None:
            entry, trail = parts.entry_of(event, fact), parts.trail_of(event, state.signal, fact)
            return _with(position, Active(signal=state.signal, entry=entry, trail=trail))
        case SignalRejected() as event:
            return _with(position, Armed(rejection=parts.rejection_of(event, fact)))
        case PositionDisarmed():
            return _with(position, Closed(reason=ExitReason.DISARMED, closed_at=fact.at))
        case PositionError() as event:
            return _with(position, parts.error_by(event, fact))
        case _:
            raise _impossible("Armed", fact)


def _entering(state: Entering, fact: Fact) -> State:
    match fact.event:
        case EntryFilled() as event:
            entry, trail = parts.entry_of(event, fact), parts.trail_of(event, state.signal, fact)
            if state.trigger is None:
                return Active(signal=state.signal, entry=entry, trail=trail)
            return Exiting(signal=state.signal, entry=entry, trail=trail, exit=ExitProgress(trigger=state.trigger))
        case SignalRejected() as event:
            return Armed(rejection=parts.rejection_of(event, fact))
        case ExitTriggered() as event if state.trigger is None:
            return msgspec.structs.replace(state, trigger=parts.trigger_of(event, fact))
        case PositionError() as event:
            # The operator's wish to leave outlives the fault: the entry may still fill.
            progress = ExitProgress(trigger=state.trigger) if state.trigger is not None else None
            return parts.error_by(
                event, fact, signal=state.signal, client_order_id=state.client_order_id, progress=progress
            )
        case _:
            raise _impossible("Entering", fact)


def _active(state: Active, fact: Fact) -> State:
    match fact.event:
        case TrailingStopUpdated() as event:
            return msgspec.structs.replace(state, trail=parts.trail_after(state.trail, event, fact))
        case ExitTriggered() as event:
            progress = parts.begin_exit(event, fact, state.reduction)
            return Exiting(signal=state.signal, entry=state.entry, trail=state.trail, exit=progress)
        case ExitFilled(elsewhere=ExitReason()) as event:
            return msgspec.structs.replace(state, reduction=parts.reduce(state.reduction, event))
        case PositionClosed(exit_reason=ExitReason.RELEASED) as event:
            return parts.closed_by(state, event, fact)
        case PositionError() as event:
            return parts.error_by(
                event, fact, signal=state.signal, entry=state.entry, trail=state.trail, reduction=state.reduction
            )
        case _:
            raise _impossible("Active", fact)


def _exiting(state: Exiting, fact: Fact, side: Side) -> State:
    match fact.event:
        case ExitOrderPlaced() as event:
            return msgspec.structs.replace(state, exit=parts.add_order(state.exit, event))
        case ExitFilled() as event:
            return msgspec.structs.replace(state, exit=parts.add_fill(state.exit, event, side))
        case PositionClosed() as event:
            return parts.closed_by(state, event, fact)
        case PositionError() as event:
            return parts.error_by(
                event, fact, signal=state.signal, entry=state.entry, trail=state.trail, progress=state.exit
            )
        case _:
            raise _impossible("Exiting", fact)


def _error(state: Error, fact: Fact, side: Side) -> State:
    match fact.event:
        case ExitTriggered() as event if state.signal is not None:
            trigger = parts.trigger_of(event, fact)
            if state.entry is not None and state.trail is not None:
                # Orders of earlier attempts stay: their ids must never be used again.
                earlier = state.exit or parts.begin_exit(event, fact, state.reduction)
                progress = msgspec.structs.replace(earlier, trigger=trigger)
                return Exiting(signal=state.signal, entry=state.entry, trail=state.trail, exit=progress)
            if state.client_order_id is not None:
                return Entering(signal=state.signal, client_order_id=state.client_order_id, trigger=trigger)
            raise _impossible("Error", fact)
        # What became of an order that was on its way when the fault struck.
        case EntryFilled() as event if state.signal is not None and state.client_order_id is not None:
            entry, trail = parts.entry_of(event, fact), parts.trail_of(event, state.signal, fact)
            if state.exit is not None:
                return Exiting(signal=state.signal, entry=entry, trail=trail, exit=state.exit)
            return msgspec.structs.replace(state, client_order_id=None, entry=entry, trail=trail)
        case SignalRejected() if state.client_order_id is not None:
            return msgspec.structs.replace(state, signal=None, client_order_id=None, exit=None)
        case ExitFilled() as event if state.entry is not None and state.exit is not None:
            return msgspec.structs.replace(state, exit=parts.add_fill(state.exit, event, side))
        case ExitFilled(elsewhere=ExitReason()) as event if state.entry is not None:
            return msgspec.structs.replace(state, reduction=parts.reduce(state.reduction, event))
        case PositionClosed(exit_reason=ExitReason.RELEASED) as event if state.entry is not None:
            return parts.closed_by(state, event, fact)
        case PositionDisarmed() if state.entry is None and state.client_order_id is None:
            return Closed(reason=ExitReason.DISARMED, closed_at=fact.at)
        case _:
            raise _impossible("Error", fact)
