"""A position and its six states; only `engine.evolve` makes a new one."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from robson.domain.values import (
    ZERO,
    ClientOrderId,
    ExitReason,
    Fence,
    OrderSide,
    PositionId,
    Side,
    Value,
    add_amounts,
    average_price,
)


class Signal(Value):
    """The accepted signal; prices in quote per base, `quantity` in base as it was ordered."""

    signal_id: str
    entry_price: Decimal
    technical_stop: Decimal
    stop_distance: Decimal
    quantity: Decimal
    cut_by: str | None = None
    evidence: dict[str, Any] = {}


class Rejection(Value):
    """Why the last signal came to nothing."""

    signal_id: str
    stage: str
    code: str
    message: str
    at: datetime


class Entry(Value):
    """What the entry really executed."""

    client_order_id: ClientOrderId
    venue_order_id: str
    fill_price: Decimal
    quantity: Decimal
    fees_by_asset: dict[str, Decimal]
    borrowed: dict[str, Decimal]
    trade_id: int | None
    filled_at: datetime


class Trail(Value):
    """The trailing stop: `extreme` is the best price since the fill, `trade_id` the last trade taken into account.

    `seen_at` is the time of that trade, or of the last candle, by the clock of the price source.
    """

    stop: Decimal
    extreme: Decimal
    distance: Decimal
    trade_id: int | None = None
    seen_at: datetime | None = None


class Trigger(Value):
    """Why, where and when the exit was decided; prices are null for an operator's exit."""

    reason: ExitReason
    at: datetime
    price: Decimal | None = None
    trailing_stop: Decimal | None = None
    trade_id: int | None = None
    crossed_at: datetime | None = None


class ExitOrder(Value):
    """One exit order that was decided on; `filled` once a fill of it was recorded."""

    client_order_id: ClientOrderId
    attempt: int
    part: int
    order_side: OrderSide
    quantity: Decimal
    filled: bool = False
    fence: Fence = Fence.CLOCK


class Reduction(Value):
    """What has been sold of a long or bought back of a short so far, by whomever; `quantity` in base.

    `returned` is what a short's exit has bought too much and sold again.
    """

    quantity: Decimal = ZERO
    quote: Decimal = ZERO
    fees_by_asset: dict[str, Decimal] = {}
    returned: Decimal = ZERO

    @property
    def average(self) -> Decimal | None:
        """The average price, or None while nothing was sold or bought back."""
        return average_price(self.quote, self.quantity) if self.quantity > 0 else None


class ExitProgress(Value):
    """How far the exit has come; `quantity` (base) and `quote` are what its orders executed so far.

    `elsewhere` is set once an order that was not ours executed a part of it.
    `returned` is the base that a short's exit bought beyond what it owed and sold again.
    """

    trigger: Trigger
    orders: tuple[ExitOrder, ...] = ()
    quantity: Decimal = ZERO
    quote: Decimal = ZERO
    fees_by_asset: dict[str, Decimal] = {}
    elsewhere: ExitReason | None = None
    returned: Decimal = ZERO

    @property
    def attempt(self) -> int:
        """The number of the latest attempt, 0 before the first."""
        return max((order.attempt for order in self.orders), default=0)

    @property
    def fence(self) -> Fence | None:
        """What every order of this exit so far was decided under, None before the first: it is never upgraded."""
        if not self.orders:
            return None
        return Fence.SELF if all(order.fence is Fence.SELF for order in self.orders) else Fence.CLOCK

    @property
    def average(self) -> Decimal | None:
        """The average exit price so far, or None before the first fill."""
        return average_price(self.quote, self.quantity) if self.quantity > 0 else None


class Result(Value):
    """The closed position's money, in quote."""

    exit_price: Decimal
    quantity: Decimal
    realized_pnl: Decimal
    fees: Decimal
    interest: Decimal
    net_pnl: Decimal
    dust: Decimal


class Armed(Value, tag_field="name", tag="Armed"):
    """Waiting for a signal; `signal` is set only between the two events of one entry decision."""

    signal: Signal | None = None
    rejection: Rejection | None = None


class Entering(Value, tag_field="name", tag="Entering"):
    """The entry order is durable and may be on its way; `trigger` is set when the exit must follow the fill."""

    signal: Signal
    client_order_id: ClientOrderId
    trigger: Trigger | None = None


class Active(Value, tag_field="name", tag="Active"):
    """In the market, behind a trailing stop; `reduction` is what others have already sold or bought back of it."""

    signal: Signal
    entry: Entry
    trail: Trail
    reduction: Reduction = Reduction()


class Exiting(Value, tag_field="name", tag="Exiting"):
    """On the way out; only one trigger owns the exit."""

    signal: Signal
    entry: Entry
    trail: Trail
    exit: ExitProgress


class Closed(Value, tag_field="name", tag="Closed"):
    """Over. A position that was disarmed has no entry and no result."""

    reason: ExitReason
    closed_at: datetime
    signal: Signal | None = None
    entry: Entry | None = None
    trail: Trail | None = None
    exit: ExitProgress | None = None
    result: Result | None = None


class Error(Value, tag_field="name", tag="Error"):
    """A person is needed; what was known when it happened is kept."""

    code: str
    message: str
    recoverable: bool
    at: datetime
    signal: Signal | None = None
    client_order_id: ClientOrderId | None = None
    entry: Entry | None = None
    trail: Trail | None = None
    exit: ExitProgress | None = None
    reduction: Reduction = Reduction()


State = Armed | Entering | Active | Exiting | Closed | Error
STATE_NAMES = ("Armed", "Entering", "Active", "Exiting", "Closed", "Error")


class SpentSignal(Value):
    """A signal that was accepted once: the same id is answered, never executed, again."""

    signal_id: str
    quantity: Decimal


class Position(Value):
    """One position; state == fold(events)."""

    position_id: PositionId
    symbol: str
    side: Side
    strategy: str
    capital: Decimal
    risk_percent: Decimal
    params: dict[str, str]
    armed_at: datetime
    state: State
    spent_signals: tuple[SpentSignal, ...] = ()

    @property
    def state_name(self) -> str:
        """The state's name as people and scripts see it."""
        return type(self.state).__name__

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it without a person (Error counts as open: something may be held)."""
        return not isinstance(self.state, Closed)

    @property
    def entry(self) -> Entry | None:
        """What was bought or sold, once known."""
        return getattr(self.state, "entry", None)

    @property
    def trail(self) -> Trail | None:
        """The trailing stop, once there is one."""
        return getattr(self.state, "trail", None)

    @property
    def signal(self) -> Signal | None:
        """The signal that led into the market, if any."""
        return getattr(self.state, "signal", None)

    @property
    def exit(self) -> ExitProgress | None:
        """How far the exit has come, once triggered after the fill."""
        return getattr(self.state, "exit", None)

    @property
    def reduction(self) -> Reduction:
        """What is out of the market again, before the exit or by it."""
        out = self.exit
        if out is None:
            reduction: Reduction = getattr(self.state, "reduction", Reduction())
            return reduction
        return Reduction(quantity=out.quantity, quote=out.quote, fees_by_asset=out.fees_by_asset, returned=out.returned)

    @property
    def fees_by_asset(self) -> dict[str, Decimal]:
        """All fees of the entry and the exit so far."""
        return add_amounts(self.entry.fees_by_asset if self.entry else {}, self.reduction.fees_by_asset)
