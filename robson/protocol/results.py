"""Every result as it is sent, one struct a command; every field is always there, null where nothing is known."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta

from robson.domain.values import Value

Mode = Literal["paper", "live"]
DaemonState = Literal["recovering", "degraded", "live"]


OLDEST = "the first seq that can be asked for: 1, unless older events were moved to the archive"


class Result(Value):
    """What a command gives."""


class HelloResult(Result):
    """Which daemon this is."""

    protocol: Annotated[int, Meta(description="the version of this protocol")]
    version: Annotated[str, Meta(description="Robson's version")]
    mode: Annotated[Mode, Meta(description="whether the money is real")]
    state: Annotated[
        DaemonState,
        Meta(
            description="recovering until every stop is watched; degraded while feed, venue or journal is out of reach"
        ),
    ]
    paused: Annotated[bool, Meta(description="whether signals are refused until `unpause`")] = False


class VersionResult(Result):
    """What runs."""

    version: Annotated[str, Meta(description="Robson's")]
    protocol: int
    python: str
    sqlite: str


class PingResult(Result):
    """The daemon answers."""

    at: Annotated[datetime, Meta(description="the daemon's clock")]


class FieldHelp(Result):
    """One field of a request."""

    name: str
    type: Annotated[str, Meta(description="in words, with its limits")]
    required: bool
    meaning: str


class CommandHelp(Result):
    """One command."""

    cmd: str
    summary: str
    mutating: Annotated[bool, Meta(description="whether it changes something and takes an idempotency_key")]
    takes: tuple[FieldHelp, ...]
    example: Annotated[str, Meta(description="a request line")]


class HelpResult(Result):
    """Every command."""

    commands: tuple[CommandHelp, ...]


class Check(Result):
    """One thing that must be in order."""

    ok: bool
    detail: str


class HealthResult(Result):
    """Whether the daemon lives and is ready."""

    live: Annotated[bool, Meta(description="its loop turns")]
    ready: Annotated[bool, Meta(description="every stop is watched and nothing it needs is out of reach")]
    checks: Annotated[dict[str, Check], Meta(description="by name")]


class FeedView(Result):
    """The prices of one symbol."""

    age_seconds: Annotated[float | None, Meta(description="since the last tick, null before the first")]
    last_price: Annotated[Decimal | None, Meta(description="quote per base")]
    stale: bool


class PositionView(Result, kw_only=True):
    """One position; money in quote, quantity in base, prices in quote per base."""

    position_id: str
    symbol: str
    side: Literal["long", "short"]
    state: Literal["Armed", "Entering", "Active", "Exiting", "Closed", "Error"]
    strategy: str
    capital: Decimal
    risk_percent: Decimal
    quantity: Annotated[Decimal | None, Meta(description="what its fills bought or sold; planned while Entering")] = (
        None
    )
    entry_price: Annotated[Decimal | None, Meta(description="the average fill; the signal's while Entering")] = None
    technical_stop: Decimal | None = None
    stop_distance: Decimal | None = None
    trailing_stop: Decimal | None = None
    extreme: Annotated[Decimal | None, Meta(description="the best price since the entry")] = None
    last_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    realized_pnl: Annotated[Decimal | None, Meta(description="gross of fees and interest")] = None
    fees: Annotated[Decimal | None, Meta(description="all fees, valued in quote")] = None
    fees_by_asset: dict[str, Decimal] = {}
    interest: Decimal | None = None
    net_pnl: Annotated[Decimal | None, Meta(description="realized_pnl - fees - interest")] = None
    exit_price: Decimal | None = None
    exit_reason: str | None = None
    detail: Annotated[str | None, Meta(description="why it is in Error, or why its last signal was refused")] = None
    armed_at: datetime
    entered_at: datetime | None = None
    closed_at: datetime | None = None
    unprotected_seconds: Annotated[
        float, Meta(description="without a fresh price, a monitor or a reachable executor")
    ] = 0.0
    order_in_doubt: Annotated[bool, Meta(description="an order of it was sent and its outcome is unknown")] = False
    tick_size: Annotated[
        Decimal | None,
        Meta(description="the pair's step of prices; null for Closed and Error, and until its filters are known"),
    ] = None
    step_size: Annotated[Decimal | None, Meta(description="the pair's step of quantities; null as tick_size is")] = None


class StatusResult(Result):
    """The daemon, the feeds and the positions."""

    mode: Mode
    state: DaemonState
    panic_latched: bool
    feed: Annotated[dict[str, FeedView], Meta(description="by symbol")]
    unprotected_seconds: float
    positions: tuple[PositionView, ...]
    time_to_protected_seconds: Annotated[
        float | None,
        Meta(description="from the start of the process until every stop was rebuilt and watched; null before that"),
    ] = None
    paused: Annotated[bool, Meta(description="whether signals are refused until `unpause`")] = False


class PlanResult(Result, kw_only=True):
    """What a signal would order, and what it would put at stake; money in quote."""

    quantity: Annotated[Decimal, Meta(description="base, what would be ordered")]
    raw_quantity: Annotated[Decimal, Meta(description="base, before flooring and cuts")]
    notional: Decimal
    risk_amount: Annotated[Decimal, Meta(description="capital x risk_percent / 100")]
    stop_distance: Decimal
    stop_distance_percent: Decimal
    margin_required: Decimal
    leverage: Decimal
    liquidation_price: Decimal | None = None
    fees_estimate: Annotated[Decimal, Meta(description="entry and exit at the stop")]
    worst_case_loss: Annotated[Decimal, Meta(description="at an exact fill on the stop, with fees")]
    cut_by: Annotated[str | None, Meta(description="the limit that made it smaller than the Golden Rule's size")] = None
    borrowable: Annotated[
        Decimal | None, Meta(description="what the venue would lend now: quote for a long, base for a short")
    ] = None
    index_price: Annotated[Decimal | None, Meta(description="the price that decides on liquidation")] = None
    notes: Annotated[
        tuple[str, ...], Meta(description="what could not be read now, and what was taken in its place; empty when all")
    ] = ()


class ArmResult(Result):
    """The new position."""

    position_id: str


class Reason(Result):
    """Why a rule refused."""

    code: str
    message: str


class SignalResult(Result):
    """Whether the signal was taken."""

    accepted: bool
    quantity: Annotated[Decimal | None, Meta(description="base, what is ordered; null when refused")] = None
    reason: Annotated[Reason | None, Meta(description="null when accepted")] = None


class DisarmResult(Result):
    """The position is Closed, reason disarmed."""

    position_id: str


class CloseResult(Result):
    """How far the exit came."""

    position_id: str
    outcome: Annotated[Literal["closed", "pending"], Meta(description="pending: it goes on by itself")]
    detail: str = ""


class AdoptResult(Result):
    """The position that stands behind its stop now; prices in quote per base."""

    position_id: str
    quantity: Annotated[Decimal, Meta(description="base")]
    entry_price: Annotated[Decimal, Meta(description="the request's, or the present price")]
    trailing_stop: Decimal
    borrowed: Annotated[dict[str, Decimal], Meta(description="the debt that goes with it, by asset")]


class ReleaseResult(Result):
    """The position is Closed, reason released."""

    position_id: str
    symbol: str
    side: Literal["long", "short"]
    quantity: Annotated[Decimal, Meta(description="base that is the trader's now: held for a long, owed for a short")]
    owed: Annotated[dict[str, Decimal], Meta(description="principal that is the trader's now, by asset")]


class PanicOutcome(Result):
    """What became of one position."""

    position_id: str
    outcome: Literal["closed", "disarmed", "pending", "failed"]
    detail: str = ""
    symbol: str = ""
    side: Literal["long", "short"] | None = None
    exit_price: Annotated[Decimal | None, Meta(description="the average, quote per base; null until it is closed")] = (
        None
    )
    net_pnl: Annotated[Decimal | None, Meta(description="quote; null until it is closed")] = None


class PanicResult(Result):
    """The latch, and what became of each open position."""

    latched: bool
    positions: tuple[PanicOutcome, ...]


class ResumeResult(Result):
    """The latch is open."""

    panic_latched: bool = False


class PriceLine(Result):
    """The newest price of one symbol, for a subscriber that asked for prices."""

    event: Literal["price"]
    at: Annotated[datetime, Meta(description="when it was looked at, by the daemon's clock")]
    data: Annotated[dict[str, Any], Meta(description="symbol, price (quote per base), age_seconds, stale")]
    seq: Annotated[None, Meta(description="not part of the sequence")] = None
    position_id: None = None


class EventLine(Result):
    """One event or notice, as `events` lists it and `subscribe` sends it."""

    event: Annotated[str, Meta(description="its type")]
    seq: Annotated[int, Meta(description="ascending from 1, without gaps")]
    at: datetime
    position_id: Annotated[str | None, Meta(description="null for a notice about no position")]
    data: Annotated[dict[str, Any], Meta(description="the type's fields")]


class EventsResult(Result):
    """A page of the sequence."""

    events: tuple[EventLine, ...]
    next_seq: Annotated[int, Meta(description="from_seq of the next page")]
    last_seq: Annotated[int, Meta(description="the newest committed seq, 0 before the first")]
    oldest_seq: Annotated[int, Meta(description=OLDEST)] = 1


class SubscribeResult(Result):
    """The subscription stands; event lines follow."""

    from_seq: int
    oldest_seq: Annotated[int, Meta(description=OLDEST)] = 1
