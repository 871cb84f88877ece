"""Why a position went in and out as it did: the chain from price to fill, from its rows, orders and fills alone."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from robson.domain.codec import encode
from robson.domain.events import (
    EVENT_TYPES,
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    PositionArmed,
    PositionClosed,
    PositionEvent,
    SignalRejected,
    TrailingStopUpdated,
    event_type,
    read_event,
)
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import EXACT, plain
from robson.protocol.oversight_results import Leg, OrderView, Step, WhyResult

_BPS = Decimal(10_000)
_HUNDREDTH = Decimal("0.01")
_MOVED = "trailing_stop_updated"

E = TypeVar("E", bound=PositionEvent)
StepName = Literal["signal", "tick", "stop", "decision", "order", "fill", "result"]


class Reasons:
    """Takes one position's rows, oldest first; of the moved stops only the last one before something else is kept."""

    def __init__(self) -> None:
        self.begins = False
        self.moves = 0
        self.adjustments = 0
        self._kept: list[tuple[Recorded, PositionEvent]] = []
        self._last_move: Recorded | None = None

    def take(self, row: Recorded) -> None:
        """The next row; notices explain nothing here."""
        if row.type not in EVENT_TYPES:
            return
        if row.type == _MOVED:
            self.moves += 1
            self.adjustments += row.data.get("adjusted") is True
            self._last_move = row
            return
        if row.type == "exit_triggered":
            self._keep_last_move()
        event = _event(row)
        if isinstance(event, (SignalRejected, EntrySignalReceived)):
            # What came before came to nothing: only the last word on entering explains where it is now.
            self._kept = [(known, kept) for known, kept in self._kept if isinstance(kept, PositionArmed)]
        self.begins = self.begins or isinstance(event, PositionArmed)
        self._kept.append((row, event))

    def _keep_last_move(self) -> None:
        if self._last_move is not None:
            self._kept.append((self._last_move, _event(self._last_move)))
            self._last_move = None

    def explain(
        self, position: Position, orders: Iterable[OrderView], stages: Mapping[str, float] | None = None
    ) -> WhyResult:
        """What the rows told, with the position's orders by id, and the stages of its exit (s) where timed."""
        self._keep_last_move()
        known = {order.client_order_id: order for order in orders}
        steps = [step for row, event in self._kept for step in _steps(row, event, known)]
        return WhyResult(
            position_id=position.position_id,
            symbol=position.symbol,
            side=position.side.value,
            state=position.state_name,
            complete=self.begins,
            stop_moves=self.moves,
            adjustments=self.adjustments,
            entry=self._entry(position, known),
            exit=self._exit(position, known, stages),
            chain=tuple(_timed(steps)),
        )

    def _entry(self, position: Position, orders: Mapping[str, OrderView]) -> Leg | None:
        signalled = self._newest(EntrySignalReceived)
        if signalled is None:
            return None
        row, signal = signalled
        placed, filled = self._newest(EntryOrderPlaced), self._newest(EntryFilled)
        order = orders.get(placed[1].client_order_id) if placed is not None else None
        fill = filled[1] if filled is not None else None
        # A holding that was taken over was not bought at the price that its signal names.
        reference = signal.entry_price if placed is not None else None
        sent_at = order.sent_at if order is not None else None
        filled_at = fill.filled_at if fill is not None else None
        return Leg(
            reason=signal.signal_id,
            reference_price=reference,
            stop_price=signal.technical_stop,
            fill_price=fill.fill_price if fill is not None else None,
            quantity=fill.quantity if fill is not None else None,
            orders=int(placed is not None),
            slippage_bps=_slippage(reference, fill.fill_price if fill is not None else None, -position.side.sign),
            decision_to_sent_ms=_milliseconds(row.at, sent_at),
            sent_to_fill_ms=_milliseconds(sent_at, filled_at),
            fill_to_known_ms=_milliseconds(filled_at, filled[0].at) if filled is not None else None,
        )

    def _exit(
        self, position: Position, orders: Mapping[str, OrderView], stages: Mapping[str, float] | None
    ) -> Leg | None:
        triggered = self._newest(ExitTriggered)
        if triggered is None:
            return None
        row, trigger = triggered
        placed = [event for _, event in self._kept if isinstance(event, ExitOrderPlaced)]
        first = orders.get(placed[0].client_order_id) if placed else None
        filled = self._newest(ExitFilled)
        out = position.reduction
        # Of a candle only the extreme is known, neither the trade that crossed the stop nor its moment.
        reference, crossed_at = (trigger.price, trigger.crossed_at) if trigger.candle_seconds is None else (None, None)
        sent_at = first.sent_at if first is not None else None
        return Leg(
            reason=trigger.reason.value,
            reference_price=reference,
            stop_price=trigger.trailing_stop,
            fill_price=out.average,
            quantity=out.quantity if out.average is not None else None,
            orders=len(placed),
            slippage_bps=_slippage(reference, out.average, position.side.sign),
            stop_slippage_bps=_slippage(trigger.trailing_stop, out.average, position.side.sign),
            tick_to_decision_ms=_milliseconds(crossed_at, row.at),
            decision_to_sent_ms=_milliseconds(row.at, sent_at),
            sent_to_fill_ms=_milliseconds(sent_at, first.filled_at if first is not None else None),
            fill_to_known_ms=_milliseconds(filled[1].filled_at, filled[0].at) if filled is not None else None,
            stages_us={stage: round(seconds * 1_000_000) for stage, seconds in stages.items()} if stages else None,
        )

    def _newest(self, kind: type[E]) -> tuple[Recorded, E] | None:
        for row, event in reversed(self._kept):
            if isinstance(event, kind):
                return row, event
        return None


def _event(row: Recorded) -> PositionEvent:
    return read_event(row.type, encode(row.data))


def _steps(row: Recorded, event: PositionEvent, orders: Mapping[str, OrderView]) -> Iterable[Step]:
    match event:
        case EntrySignalReceived():
            stop = plain(event.technical_stop)
            yield Step(
                step="signal", seq=row.seq, price=event.entry_price, words=f"{event.signal_id}, technical stop {stop}"
            )
            cut = f", cut by {event.cut_by}" if event.cut_by else ""
            words = f"enter: {plain(event.quantity)} at a stop distance of {plain(event.stop_distance)}{cut}"
            yield _ours(row, "decision", words, quantity=event.quantity)
        case TrailingStopUpdated():
            mover = "the operator" if event.adjusted else f"the extreme {plain(event.extreme)}"
            words = f"moved by {mover}" + (f", trade {event.trade_id} seen" if event.trade_id is not None else "")
            yield _theirs("stop", event.seen_at, row, words, price=event.trailing_stop)
        case ExitTriggered():
            yield from _trigger_steps(row, event)
        case EntryOrderPlaced() | ExitOrderPlaced():
            order = orders.get(event.client_order_id)
            status = f", {order.status}" if order is not None else ""
            words = f"{event.order_side.value} {event.client_order_id}{status}"
            sent_at = order.sent_at if order is not None else None
            yield _theirs("order", sent_at, row, words, quantity=event.quantity)
        case EntryFilled():
            words = event.venue_order_id or "taken over: there was no order"
            yield _theirs("fill", event.filled_at, row, words, price=event.fill_price, quantity=event.quantity)
            yield _theirs("stop", event.filled_at, row, "anchored at the fill", price=event.trailing_stop)
        case ExitFilled():
            words = event.venue_order_id + (f", {event.elsewhere.value}" if event.elsewhere is not None else "")
            yield _theirs("fill", event.filled_at, row, words, price=event.fill_price, quantity=event.quantity)
        case PositionClosed():
            yield _ours(row, "result", f"{event.exit_reason.value}, net {plain(event.net_pnl)}", price=event.exit_price)
        case SignalRejected():
            yield _ours(row, "result", f"{event.signal_id} was refused ({event.stage}, {event.code}): {event.message}")
        case PositionArmed():
            return
        case _:
            yield _ours(row, "result", event_type(event))


def _trigger_steps(row: Recorded, event: ExitTriggered) -> Iterable[Step]:
    if event.price is not None:
        words = f"trade {event.trade_id}" if event.trade_id is not None else "no trade id"
        if event.candle_seconds is not None:
            words = f"somewhere in a candle of {event.candle_seconds} s, of which this is the extreme"
        yield _theirs("tick", event.crossed_at, row, words, price=event.price)
    stop = f" of {plain(event.trailing_stop)}" if event.trailing_stop is not None else ""
    yield _ours(row, "decision", f"leave: {event.reason.value}{stop}", price=event.trailing_stop)


def _ours(
    row: Recorded, step: StepName, words: str, *, price: Decimal | None = None, quantity: Decimal | None = None
) -> Step:
    return Step(step=step, at=row.at, clock="ours", seq=row.seq, price=price, quantity=quantity, words=words)


def _theirs(
    step: StepName,
    at: datetime | None,
    row: Recorded,
    words: str,
    *,
    price: Decimal | None = None,
    quantity: Decimal | None = None,
) -> Step:
    clock: Literal["venue"] | None = "venue" if at is not None else None
    return Step(step=step, at=at, clock=clock, seq=row.seq, price=price, quantity=quantity, words=words)


def _timed(steps: Iterable[Step]) -> Iterable[Step]:
    before: datetime | None = None
    for step in steps:
        yield msgspec.structs.replace(step, after_ms=_milliseconds(before, step.at))
        before = step.at


def _milliseconds(begin: datetime | None, end: datetime | None) -> int | None:
    """Whole milliseconds from one moment to the other; venues know no smaller ones."""
    if begin is None or end is None:
        return None
    return (_cut(end) - _cut(begin)) // timedelta(milliseconds=1)


def _cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _slippage(reference: Decimal | None, fill: Decimal | None, sign: int) -> Decimal | None:
    """How much less (sign 1: it was sold) or more (-1: it was bought) than the reference, in 1/10000 of it."""
    if reference is None or fill is None:
        return None
    return EXACT.divide((reference - fill) * sign * _BPS, reference).quantize(_HUNDREDTH)
