"""The results of what `oversight` asks: a position's orders, the chain to its fills, what the journal holds."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from robson.protocol.results import OLDEST, EventLine, PositionView, Result

_LATENCY = "null where one of the two moments is not known"


class FillView(Result):
    """One execution of an order; price in quote per base, quantity in base."""

    trade_id: Annotated[int, Meta(description="the venue's")]
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    at: Annotated[datetime, Meta(description="by the venue's clock")]


class OrderView(Result, kw_only=True):
    """One order that Robson meant to place, and what became of it."""

    client_order_id: str
    venue_order_id: str | None = None
    role: Literal["entry", "exit"]
    order_side: Literal["buy", "sell"]
    quantity: Annotated[Decimal, Meta(description="base, as it was decided")]
    attempt: Annotated[int, Meta(description="counts an exit's orders from 1; 0 for an entry")]
    part: int
    fence: str
    status: Annotated[str, Meta(description="pending, sent, in_doubt, filled, partly_filled, rejected or absent")]
    decided_at: Annotated[datetime, Meta(description="when it became durable, by the daemon's clock")]
    sent_at: Annotated[datetime | None, Meta(description="the timestamp of its last sending, by the venue's clock")] = (
        None
    )
    filled_at: Annotated[datetime | None, Meta(description="its last fill, by the venue's clock")] = None
    executed: Annotated[Decimal, Meta(description="base")]
    average_price: Annotated[Decimal | None, Meta(description="of its fills, quote per base")] = None
    detail: str
    fills: tuple[FillView, ...] = ()


class ShowResult(PositionView, kw_only=True):
    """The position as `status` shows it, then its orders and its events."""

    orders: Annotated[tuple[OrderView, ...], Meta(description="oldest first")]
    oldest_seq: Annotated[int, Meta(description="the journal's first seq; older events are in the archive")]
    next_seq: Annotated[int | None, Meta(description="from_seq of the next page of its events; null: these are all")]
    events: Annotated[tuple[EventLine, ...], Meta(description="ascending")] = ()


class Step(Result, kw_only=True):
    """One link of the chain."""

    step: Literal["signal", "tick", "stop", "decision", "order", "fill", "result"]
    at: datetime | None = None
    clock: Annotated[
        Literal["ours", "venue"] | None, Meta(description="whose clock `at` is of; venue: also the price source's")
    ] = None
    seq: Annotated[int | None, Meta(description="the event that tells it")] = None
    price: Annotated[Decimal | None, Meta(description="quote per base")] = None
    quantity: Annotated[Decimal | None, Meta(description="base")] = None
    after_ms: Annotated[int | None, Meta(description=f"since the step before; {_LATENCY}")] = None
    words: str


class Leg(Result, kw_only=True):
    """The way into the market or out of it; latencies in whole milliseconds, between two clocks as those told them."""

    reason: Annotated[str | None, Meta(description="the signal's id, or why it left")] = None
    reference_price: Annotated[
        Decimal | None, Meta(description="the signal's entry price, or the price that hit the stop")
    ] = None
    stop_price: Annotated[Decimal | None, Meta(description="the technical stop, or the trailing stop that was hit")] = (
        None
    )
    fill_price: Annotated[Decimal | None, Meta(description="the average of its fills")] = None
    quantity: Annotated[Decimal | None, Meta(description="base that its fills executed")] = None
    orders: Annotated[int, Meta(description="how many were decided")] = 0
    slippage_bps: Annotated[
        Decimal | None, Meta(description="how much worse the fill was than reference_price, in 1/10000 of it")
    ] = None
    stop_slippage_bps: Annotated[
        Decimal | None, Meta(description="how much worse the exit's fill was than the stop that was hit")
    ] = None
    tick_to_decision_ms: Annotated[int | None, Meta(description=_LATENCY)] = None
    decision_to_sent_ms: Annotated[int | None, Meta(description=f"of its first order; {_LATENCY}")] = None
    sent_to_fill_ms: Annotated[int | None, Meta(description=f"of its first order; {_LATENCY}")] = None
    fill_to_known_ms: Annotated[int | None, Meta(description=f"until its last fill was in the journal; {_LATENCY}")] = (
        None
    )
    stages_us: Annotated[
        dict[str, int] | None,
        Meta(
            description="microseconds of each stage from the frame that hit a stop to the first byte; in its run only"
        ),
    ] = None


class WhyResult(Result, kw_only=True):
    """The chain, and the way in and out in numbers."""

    position_id: str
    symbol: str
    side: Literal["long", "short"]
    state: str
    complete: Annotated[bool, Meta(description="false: its first events are in the archive, and missing here")]
    stop_moves: Annotated[int, Meta(description="trailing_stop_updated events; several prices may share one")]
    adjustments: Annotated[int, Meta(description="how many of them were the operator's")]
    entry: Annotated[Leg | None, Meta(description="null before a signal that was taken")] = None
    exit: Annotated[Leg | None, Meta(description="null before an exit was decided")] = None
    chain: Annotated[tuple[Step, ...], Meta(description="in the order in which Robson learnt of it")]


class AdjustResult(Result):
    """Where the stop stands now; quote per base."""

    position_id: str
    previous_stop: Decimal
    trailing_stop: Decimal
    price: Annotated[Decimal, Meta(description="the one that it was compared with")]


class PauseResult(Result):
    """Whether signals are refused."""

    paused: bool


class BackupView(Result):
    """A whole copy of the journal that `robson backup` made."""

    file: str
    at: datetime
    last_seq: int
    size_bytes: int


class JournalResult(Result):
    """What the journal holds."""

    place: str
    writable: bool
    size_bytes: Annotated[int, Meta(description="the file and its log")]
    oldest_seq: Annotated[int, Meta(description=OLDEST)]
    last_seq: Annotated[int, Meta(description="the newest committed seq, 0 before the first")]
    events: int
    positions: int
    open_positions: int
    orders: int
    open_orders: Annotated[int, Meta(description="those that the venue has yet to answer")]
    fills: int
    replies: Annotated[int, Meta(description="stored under idempotency keys")]
    archives: Annotated[int, Meta(description="files with older events")]
    epoch: Annotated[int, Meta(description="the number of this run")]
    last_backup: Annotated[BackupView | None, Meta(description="null: none is remembered")]
