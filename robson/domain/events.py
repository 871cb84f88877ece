"""The twelve facts that make up a position's life, and the notices that stand beside them in the same sequence."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from robson.domain.codec import to_wire
from robson.domain.values import ClientOrderId, ExitReason, Fence, OrderSide, PositionId, Side, Value


class Event(Value, tag_field="type", tag="event"):
    """A stored fact about one position."""


class PositionArmed(Event, tag="position_armed"):
    """The trader armed a position; capital in quote, risk in percent of it."""

    symbol: str
    side: Side
    strategy: str
    capital: Decimal
    risk_percent: Decimal
    params: dict[str, str] = {}


class EntrySignalReceived(Event, tag="entry_signal_received"):
    """A signal passed every rule; `quantity` (base) is what will be ordered, `cut_by` the limit that shrank it."""

    signal_id: str
    entry_price: Decimal
    technical_stop: Decimal
    stop_distance: Decimal
    quantity: Decimal
    cut_by: str | None = None
    evidence: dict[str, Any] = {}


class SignalRejected(Event, tag="signal_rejected"):
    """A signal came to nothing at `stage` (rule, pair, margin, venue, stale); the position is Armed again."""

    signal_id: str
    stage: str
    code: str
    message: str


class EntryOrderPlaced(Event, tag="entry_order_placed"):
    """The entry intent is durable; the order may be on its way."""

    client_order_id: ClientOrderId
    order_side: OrderSide
    quantity: Decimal


class EntryFilled(Event, tag="entry_filled"):
    """The entry executed `quantity` (base) at the average `fill_price`; the stop is re-anchored to `trailing_stop`.

    A holding that was taken over had no order: both ids are empty, and `fill_price` is what the trader said.
    `borrowed` is the loan the venue made for this order, by asset; `trade_id` the feed's last trade before the fill:
    what comes after it moves the stop.
    """

    client_order_id: ClientOrderId
    venue_order_id: str
    fill_price: Decimal
    quantity: Decimal
    fees_by_asset: dict[str, Decimal]
    trailing_stop: Decimal
    borrowed: dict[str, Decimal] = {}
    trade_id: int | None = None
    filled_at: datetime | None = None


class TrailingStopUpdated(Event, tag="trailing_stop_updated"):
    """The stop followed the extreme; `trade_id` is the last trade seen when this was written, `seen_at` its time.

    Without a `trade_id` the price came from a candle, or from a source that has no ids: then `seen_at` alone tells up
    to where prices were taken into account. `adjusted` says that the operator moved it, not a price.
    """

    previous_stop: Decimal
    trailing_stop: Decimal
    extreme: Decimal
    trade_id: int | None = None
    seen_at: datetime | None = None
    adjusted: bool = False


class ExitTriggered(Event, tag="exit_triggered"):
    """The exit has an owner. While Entering it means that the exit follows the fill.

    `price` and `crossed_at` tell where and when a stop was crossed; both are null for an operator's exit. With
    `candle_seconds` the crossing was found in a candle of that length that began at `crossed_at`: `price` is its
    extreme, the trade is not known.
    """

    reason: ExitReason
    price: Decimal | None = None
    trailing_stop: Decimal | None = None
    trade_id: int | None = None
    crossed_at: datetime | None = None
    candle_seconds: int | None = None


class ExitOrderPlaced(Event, tag="exit_order_placed"):
    """An exit intent is durable; `attempt` counts from 1, `part` from 0 where the exit is split above the maximum."""

    client_order_id: ClientOrderId
    attempt: int
    fence: Fence
    order_side: OrderSide
    quantity: Decimal
    part: int = 0


class ExitFilled(Event, tag="exit_filled"):
    """An exit order executed `quantity` (base) at the average `fill_price`.

    `elsewhere` is null for an order of ours; otherwise closed_elsewhere or liquidated, and the ids are that order's.
    An Active position that was only reduced elsewhere stays Active.
    Its exit_order_placed names the order side: the last short out may sell again what was bought too much.
    """

    client_order_id: ClientOrderId
    venue_order_id: str
    fill_price: Decimal
    quantity: Decimal
    fees_by_asset: dict[str, Decimal]
    trade_id: int | None = None
    filled_at: datetime | None = None
    elsewhere: ExitReason | None = None


class PositionClosed(Event, tag="position_closed"):
    """The position is flat and its debt is gone, or (reason released) left to the trader.

    Money in quote: `realized_pnl` is gross, `net_pnl` is after `fees` and `interest`. `dust` is the base that was left
    because it is less than one sellable order.
    """

    exit_reason: ExitReason
    entry_price: Decimal
    exit_price: Decimal
    quantity: Decimal
    realized_pnl: Decimal
    fees: Decimal
    interest: Decimal
    net_pnl: Decimal
    dust: Decimal


class PositionDisarmed(Event, tag="position_disarmed"):
    """The position left without ever having been in the market."""


class PositionError(Event, tag="position_error"):
    """A person is needed; `recoverable` says whether `close` may try again."""

    code: str
    message: str
    recoverable: bool


PositionEvent = (
    PositionArmed
    | EntrySignalReceived
    | SignalRejected
    | EntryOrderPlaced
    | EntryFilled
    | TrailingStopUpdated
    | ExitTriggered
    | ExitOrderPlaced
    | ExitFilled
    | PositionClosed
    | PositionDisarmed
    | PositionError
)

EVENT_TYPES: dict[str, type[PositionEvent]] = {
    kind.__struct_config__.tag: kind  # type: ignore[misc]  # tags are strings here; msgspec types them as unions
    for kind in (
        PositionArmed,
        EntrySignalReceived,
        SignalRejected,
        EntryOrderPlaced,
        EntryFilled,
        TrailingStopUpdated,
        ExitTriggered,
        ExitOrderPlaced,
        ExitFilled,
        PositionClosed,
        PositionDisarmed,
        PositionError,
    )
}

NOTICE_TYPES = (
    "panic_latched",
    "panic_released",
    "entries_paused",
    "entries_unpaused",
    "feed_stale",
    "feed_recovered",
    "order_in_doubt",
    "order_resolved",
    "exit_refused",
    "exit_failing",
    "journal_degraded",
    "journal_recovered",
    "journal_copied",
    "drift_found",
    "unprotected",
    "recovered",
    "gap_forgiven",
    "gap_unfilled",
)


class Fact(Value):
    """An event with the position it belongs to and the time at which it was decided (UTC)."""

    position_id: PositionId
    at: datetime
    event: PositionEvent


class Notice(Value):
    """Something worth telling that is not a fact of a position's life; kept in the same sequence as the events."""

    type: str
    at: datetime
    position_id: PositionId | None = None
    data: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.type not in NOTICE_TYPES:
            raise ValueError(f"notice type was {self.type!r}, which is not one of {', '.join(NOTICE_TYPES)}")


def event_type(event: PositionEvent) -> str:
    """The event's name on the wire and in the journal."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str), tag
    return tag


def event_data(event: PositionEvent) -> dict[str, Any]:
    """The event's fields as plain JSON types, without its name."""
    fields = to_wire(event)
    assert isinstance(fields, dict)
    del fields["type"]
    return fields


def read_event(kind: str, data: str | bytes) -> PositionEvent:
    """Rebuild an event from its name and its JSON fields; raises msgspec.ValidationError on a mismatch."""
    return msgspec.json.decode(data, type=EVENT_TYPES[kind])
