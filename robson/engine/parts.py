"""The parts of a state, each built from the event that tells it."""

import msgspec

from robson.domain.events import (
    EntryFilled,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionClosed,
    PositionError,
    SignalRejected,
    TrailingStopUpdated,
)
from robson.domain.position import (
    Active,
    Closed,
    Entry,
    Error,
    Exiting,
    ExitOrder,
    ExitProgress,
    Reduction,
    Rejection,
    Result,
    Signal,
    Trail,
    Trigger,
)
from robson.domain.values import ZERO, ClientOrderId, Side, add_amounts, exit_order_side


def signal_of(event: EntrySignalReceived) -> Signal:
    """The accepted signal."""
    return Signal(
        signal_id=event.signal_id,
        entry_price=event.entry_price,
        technical_stop=event.technical_stop,
        stop_distance=event.stop_distance,
        quantity=event.quantity,
        cut_by=event.cut_by,
        evidence=event.evidence,
    )


def trail_of(event: EntryFilled, signal: Signal, fact: Fact) -> Trail:
    """The trailing stop as the fill re-anchored it."""
    return Trail(
        stop=event.trailing_stop,
        extreme=event.fill_price,
        distance=signal.stop_distance,
        trade_id=event.trade_id,
        seen_at=event.filled_at or fact.at,
    )


def trail_after(trail: Trail, event: TrailingStopUpdated, fact: Fact) -> Trail:
    """The trailing stop as it followed; what an older version wrote has no `seen_at`, its moment is near enough."""
    keeps_id = event.trade_id is None and event.seen_at is None
    return Trail(
        stop=event.trailing_stop,
        extreme=event.extreme,
        distance=trail.distance,
        trade_id=trail.trade_id if keeps_id else event.trade_id,
        seen_at=trail.seen_at if keeps_id else event.seen_at or fact.at,
    )


def entry_of(event: EntryFilled, fact: Fact) -> Entry:
    """What the entry really executed."""
    return Entry(
        client_order_id=event.client_order_id,
        venue_order_id=event.venue_order_id,
        fill_price=event.fill_price,
        quantity=event.quantity,
        fees_by_asset=event.fees_by_asset,
        borrowed=event.borrowed,
        trade_id=event.trade_id,
        filled_at=event.filled_at or fact.at,
    )


def rejection_of(event: SignalRejected, fact: Fact) -> Rejection:
    """Why the signal came to nothing."""
    return Rejection(signal_id=event.signal_id, stage=event.stage, code=event.code, message=event.message, at=fact.at)


def trigger_of(event: ExitTriggered, fact: Fact) -> Trigger:
    """Why the exit was decided."""
    return Trigger(
        reason=event.reason,
        at=fact.at,
        price=event.price,
        trailing_stop=event.trailing_stop,
        trade_id=event.trade_id,
        crossed_at=event.crossed_at,
    )


def add_order(progress: ExitProgress, event: ExitOrderPlaced) -> ExitProgress:
    """The exit after one more order was decided on."""
    order = ExitOrder(
        client_order_id=event.client_order_id,
        attempt=event.attempt,
        part=event.part,
        order_side=event.order_side,
        quantity=event.quantity,
        fence=event.fence,
    )
    return msgspec.structs.replace(progress, orders=(*progress.orders, order))


def add_fill(progress: ExitProgress, event: ExitFilled, side: Side) -> ExitProgress:
    """The exit of a position of this side after one more fill."""
    returns = any(
        order.client_order_id == event.client_order_id and order.order_side is not exit_order_side(side)
        for order in progress.orders
    )
    orders = tuple(
        msgspec.structs.replace(order, filled=True) if order.client_order_id == event.client_order_id else order
        for order in progress.orders
    )
    return msgspec.structs.replace(
        progress,
        orders=orders,
        quantity=progress.quantity + (ZERO if returns else event.quantity),
        quote=progress.quote + (ZERO if returns else event.quantity * event.fill_price),
        fees_by_asset=add_amounts(progress.fees_by_asset, event.fees_by_asset),
        returned=progress.returned + (event.quantity if returns else ZERO),
        elsewhere=event.elsewhere or progress.elsewhere,
    )


def reduce(reduction: Reduction, event: ExitFilled) -> Reduction:
    """What is out of the market after one more fill, before an exit was decided."""
    return Reduction(
        quantity=reduction.quantity + event.quantity,
        quote=reduction.quote + event.quantity * event.fill_price,
        fees_by_asset=add_amounts(reduction.fees_by_asset, event.fees_by_asset),
    )


def begin_exit(event: ExitTriggered, fact: Fact, reduction: Reduction) -> ExitProgress:
    """The exit of a position of which a part may be out already."""
    return ExitProgress(
        trigger=trigger_of(event, fact),
        quantity=reduction.quantity,
        quote=reduction.quote,
        fees_by_asset=reduction.fees_by_asset,
    )


def closed_by(state: Active | Exiting | Error, event: PositionClosed, fact: Fact) -> Closed:
    """The end of a position that was in the market."""
    result = Result(
        exit_price=event.exit_price,
        quantity=event.quantity,
        realized_pnl=event.realized_pnl,
        fees=event.fees,
        interest=event.interest,
        net_pnl=event.net_pnl,
        dust=event.dust,
    )
    return Closed(
        reason=event.exit_reason,
        closed_at=fact.at,
        signal=state.signal,
        entry=state.entry,
        trail=state.trail,
        exit=None if isinstance(state, Active) else state.exit,
        result=result,
    )


def error_by(
    event: PositionError,
    fact: Fact,
    *,
    signal: Signal | None = None,
    client_order_id: ClientOrderId | None = None,
    entry: Entry | None = None,
    trail: Trail | None = None,
    progress: ExitProgress | None = None,
    reduction: Reduction | None = None,
) -> Error:
    """The state that waits for a person, with what was known when it happened."""
    return Error(
        code=event.code,
        message=event.message,
        recoverable=event.recoverable,
        at=fact.at,
        signal=signal,
        client_order_id=client_order_id,
        entry=entry,
        trail=trail,
        exit=progress,
        reduction=reduction or Reduction(),
    )
