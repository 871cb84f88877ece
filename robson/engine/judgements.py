"""The judgements behind `decide`: taking a signal, entering, following, leaving and settling the account."""

from collections.abc import Iterable, Sequence

from robson.domain.actions import PlaceOrder
from robson.domain.codec import to_wire
from robson.domain.errors import RuleError
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitTriggered,
    PositionClosed,
    PositionDisarmed,
    PositionError,
    PositionEvent,
    SignalRejected,
    TrailingStopUpdated,
)
from robson.domain.ids import entry_order_id
from robson.domain.position import (
    Entry,
    Exiting,
    ExitOrder,
    ExitProgress,
    Position,
    Reduction,
    Signal,
    Trail,
    Trigger,
)
from robson.domain.stimuli import (
    EntryExecuted,
    EntryRefused,
    ExitExecuted,
    ExitsFound,
    ExitTerms,
    FaultFound,
    FlatProved,
    SignalArrived,
    StopMoved,
    StopTightened,
)
from robson.domain.values import ZERO, ExitReason, Role, Side, add_amounts, average_price, entry_order_side, plain
from robson.engine.admission import admit
from robson.engine.exits import exit_orders, fees_in_quote, first_exit_quantity, found_orders
from robson.engine.sizing import Refusal, size
from robson.engine.trailing import anchor, is_beyond

Outcome = tuple[Iterable[PositionEvent], Iterable[PlaceOrder]]
NOTHING: Outcome = ((), ())


def wrong_state(position: Position, request: str, hint: str) -> RuleError:
    """The refusal of a request that the state forbids."""
    return RuleError(
        "wrong_state", f"position {position.position_id} was {position.state_name}, so it cannot {request}", hint=hint
    )


def take_signal(position: Position, arrived: SignalArrived) -> Outcome:
    """Size the entry and ask for its order, or say which rule refuses the signal."""
    if any(spent.signal_id == arrived.signal_id for spent in position.spent_signals):
        return NOTHING
    side, entry = position.side, arrived.terms
    try:
        admit(side, arrived.entry_price, entry)
        sized = size(
            side,
            position.capital,
            position.risk_percent,
            arrived.entry_price,
            arrived.technical_stop,
            instrument=entry.instrument,
            terms=entry.terms,
            account=entry.account,
            credit=entry.credit,
            last_price=entry.last_price,
            other_stops=[neighbour.stop for neighbour in entry.neighbours if neighbour.stop is not None],
        )
    except Refusal as refusal:
        message = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
        rejected = SignalRejected(signal_id=arrived.signal_id, stage=refusal.stage, code=refusal.code, message=message)
        return (rejected,), ()
    received = EntrySignalReceived(
        signal_id=arrived.signal_id,
        entry_price=arrived.entry_price,
        technical_stop=arrived.technical_stop,
        stop_distance=sized.stop_distance,
        quantity=sized.quantity,
        cut_by=sized.cut_by,
        evidence=to_wire(arrived.evidence),  # as the journal gives it back, so that state == fold(events)
    )
    order = PlaceOrder(
        position_id=position.position_id,
        client_order_id=entry_order_id(position.position_id, arrived.signal_id),
        symbol=position.symbol,
        role=Role.ENTRY,
        order_side=entry_order_side(side),
        quantity=sized.quantity,
    )
    placed = EntryOrderPlaced(
        client_order_id=order.client_order_id, order_side=order.order_side, quantity=order.quantity
    )
    return (received, placed), (order,)


def enter(position: Position, signal: Signal, trigger: Trigger | None, executed: EntryExecuted) -> Outcome:
    """Keep what executed, re-anchor the stop, and leave at once when asked to or when the fill is beyond the stop.

    `trigger` is the exit that was decided before the fill, if any.
    """
    price = average_price(executed.quote, executed.quantity)
    side = position.side
    stop = anchor(side, price, signal.technical_stop, signal.stop_distance)
    filled = EntryFilled(
        client_order_id=executed.client_order_id,
        venue_order_id=executed.venue_order_id,
        fill_price=price,
        quantity=executed.quantity,
        fees_by_asset=executed.fees_by_asset,
        trailing_stop=stop,
        borrowed=executed.borrowed,
        trade_id=executed.trade_id,
        filled_at=executed.filled_at,
    )
    beyond = is_beyond(side, price, stop)
    if trigger is None and not beyond:
        return (filled,), ()
    placed, orders = leave(position, filled, Reduction(), executed.exit_terms)
    if trigger is not None:
        return (filled, *placed), orders
    triggered = ExitTriggered(
        reason=ExitReason.TRAILING_STOP,
        price=price,
        trailing_stop=stop,
        trade_id=executed.trade_id,
        crossed_at=executed.filled_at,
    )
    return (filled, triggered, *placed), orders


def refuse(signal: Signal, trigger: Trigger | None, refused: EntryRefused) -> Outcome:
    """The entry came to nothing: Armed again, unless somebody asked to leave meanwhile.

    Whoever asked wanted out for good: the position must not wait for another signal.
    """
    rejected = SignalRejected(
        signal_id=signal.signal_id, stage=refused.stage, code=refused.code, message=refused.message
    )
    return ((rejected,) if trigger is None else (rejected, PositionDisarmed())), ()


def leave(
    position: Position, entry: Entry | EntryFilled, reduction: Reduction, terms: ExitTerms
) -> tuple[Iterable[PositionEvent], Iterable[PlaceOrder]]:
    """The first attempt to get rid of what the entry executed and others have not taken out already."""
    rest, fees = entry.quantity - reduction.quantity, add_amounts(entry.fees_by_asset, reduction.fees_by_asset)
    if position.side is Side.SHORT:
        rest += reduction.fees_by_asset.get(terms.instrument.base, ZERO)
    first = first_exit_quantity(position.side, max(rest, ZERO), fees, terms)
    return exit_orders(position, first, 1, terms)


def take_over(position: Position, known: Sequence[ExitOrder], found: ExitsFound) -> Outcome:
    """The exit orders that are at the venue already, as far as the position does not have them."""
    ids = {(order.attempt, order.part) for order in known}
    return found_orders(position, [order for order in found.orders if (order.attempt, order.part) not in ids])


def follow(side: Side, trail: Trail, moved: StopMoved) -> tuple[TrailingStopUpdated, ...]:
    """The update that a moved stop is worth; none when it did not get tighter."""
    tighter = (moved.trailing_stop - trail.stop) * side.sign
    if tighter <= 0:
        return ()
    return (
        TrailingStopUpdated(
            previous_stop=trail.stop,
            trailing_stop=moved.trailing_stop,
            extreme=moved.extreme,
            trade_id=moved.trade_id,
            seen_at=moved.seen_at,
        ),
    )


def tighten(position: Position, trail: Trail, asked: StopTightened) -> tuple[TrailingStopUpdated, ...]:
    """The operator's own stop, tighter than the present one; none when it stands there already.

    Raises RuleError with the numbers: `stop_looser`, or `stop_passed` where the price is at or beyond it.
    """
    side, wanted, present = position.side, asked.trailing_stop, asked.present
    followed = follow(side, trail, present)
    stands = present.trailing_stop if followed else trail.stop
    if (wanted - stands) * side.sign < 0:
        direction = "below" if side is Side.LONG else "above"
        raise RuleError(
            "stop_looser",
            f"the new stop was {plain(wanted)}, {direction} the present one of {plain(stands)}: it only gets tighter",
            hint=f"a stop between {plain(stands)} and the price of {plain(asked.price)}",
        )
    if is_beyond(side, asked.price, wanted):
        raise RuleError(
            "stop_passed",
            f"the new stop was {plain(wanted)}, and the price of {position.symbol} was {plain(asked.price)} already",
            hint=f"a stop between {plain(stands)} and the price; `close` leaves at once",
        )
    if wanted == stands:
        return followed
    adjusted = TrailingStopUpdated(
        previous_stop=stands,
        trailing_stop=wanted,
        extreme=present.extreme,
        trade_id=present.trade_id,
        seen_at=present.seen_at,
        adjusted=True,
    )
    return (*followed, adjusted)


def record_exit(progress: ExitProgress, executed: ExitExecuted) -> tuple[PositionEvent, ...]:
    """The fill of an exit order of ours that was not recorded before."""
    known = any(order.client_order_id == executed.client_order_id and not order.filled for order in progress.orders)
    if not known or executed.quantity <= 0:
        return ()
    return (
        ExitFilled(
            client_order_id=executed.client_order_id,
            venue_order_id=executed.venue_order_id,
            fill_price=average_price(executed.quote, executed.quantity),
            quantity=executed.quantity,
            fees_by_asset=executed.fees_by_asset,
            trade_id=executed.trade_id,
            filled_at=executed.filled_at,
        ),
    )


def settle(position: Position, state: Exiting, flat: FlatProved) -> tuple[PositionClosed, ...]:
    """The final account of a position whose holding and debt are gone.

    realized = (exit - entry) x quantity, mirrored for shorts, gross; net is after fees and interest. A position whose
    whole holding was too small to sell closes at its entry price.
    """
    entry, progress = state.entry, state.exit
    exit_price = progress.average if progress.average is not None else entry.fill_price
    realized = (exit_price - entry.fill_price) * position.side.sign * entry.quantity
    fees = fees_in_quote(entry.fees_by_asset, flat.instrument, entry.fill_price, flat.fee_prices)
    fees += fees_in_quote(progress.fees_by_asset, flat.instrument, exit_price, flat.fee_prices)
    return (
        PositionClosed(
            exit_reason=_reason(progress),
            entry_price=entry.fill_price,
            exit_price=exit_price,
            quantity=entry.quantity,
            realized_pnl=realized,
            fees=fees,
            interest=flat.interest,
            net_pnl=realized - fees - flat.interest,
            dust=flat.dust,
        ),
    )


def _reason(progress: ExitProgress) -> ExitReason:
    """Why it left: what others did goes before a reason to exit that no order of ours has carried out."""
    if progress.elsewhere is None:
        return progress.trigger.reason
    by_us = any(order.filled for order in progress.orders)
    return progress.elsewhere if progress.elsewhere is ExitReason.LIQUIDATED or not by_us else progress.trigger.reason


def fault(found: FaultFound) -> Outcome:
    """Stop and ask for a person."""
    return (PositionError(code=found.code, message=found.message, recoverable=found.recoverable),), ()
