"""What can happen to a position from outside."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from robson.domain.account import Credit, PairAccount, PairTerms
from robson.domain.instrument import Instrument
from robson.domain.values import ZERO, ClientOrderId, ExitReason, Fence, OrderSide, Side, Value


class Neighbour(Value):
    """Another position of ours on the same pair that is in the market or about to be.

    `stop` is the price it would leave at, None while it has none; `self_fenced` says that its exit relies on an account
    that funds nothing else.
    """

    side: Side
    in_market: bool
    stop: Decimal | None
    order_in_doubt: bool = False
    self_fenced: bool = False


class EntryTerms(Value):
    """Everything outside the position that an entry must respect, read just before the decision.

    `last_price` is the market's (quote per base), None where there is none.
    `degraded` says why no entry may go out; `unexplained_debt` (in the asset) is what the pair owes beyond its live
    positions' loans.
    """

    instrument: Instrument
    account: PairAccount
    terms: PairTerms
    credit: Credit = Credit()
    last_price: Decimal | None = None
    neighbours: tuple[Neighbour, ...] = ()
    latched: bool = False
    paused: bool = False
    stale: bool = False
    degraded: str | None = None
    unexplained_debt: Decimal = ZERO


class ExitTerms(Value):
    """What an exit's size depends on besides the position itself.

    `interest_base` is this position's share of the interest owed in base; of a long, what it repays there for others.
    `fee_rate` is the share that the venue keeps of the base bought, zero when it takes its fee elsewhere.
    """

    instrument: Instrument
    fee_rate: Decimal = ZERO
    interest_base: Decimal = ZERO
    fence: Fence = Fence.CLOCK


class SignalArrived(Value):
    """A detector or a script says: enter now, at about `entry_price`, with this technical stop (quote per base)."""

    signal_id: str
    entry_price: Decimal
    technical_stop: Decimal
    terms: EntryTerms
    evidence: dict[str, Any] = {}


class SignalFailed(Value):
    """A detector fired or failed without a signal that could be judged; `stage` is rule or venue."""

    signal_id: str
    stage: str
    code: str
    message: str


class EntryExecuted(Value):
    """The venue executed the entry, wholly or in part; `quantity` in base, `quote` the sum of price x quantity."""

    client_order_id: ClientOrderId
    venue_order_id: str
    quantity: Decimal
    quote: Decimal
    fees_by_asset: dict[str, Decimal]
    exit_terms: ExitTerms
    borrowed: dict[str, Decimal] = {}
    trade_id: int | None = None
    filled_at: datetime | None = None


class EntryRefused(Value):
    """The entry surely did not and will not execute; `stage` is margin, venue, pair or stale."""

    client_order_id: ClientOrderId
    stage: str
    code: str
    message: str


class StopMoved(Value):
    """The watch moved the stop since the last flush; `trade_id` is the last trade it has seen, `seen_at` its time."""

    trailing_stop: Decimal
    extreme: Decimal
    trade_id: int | None
    seen_at: datetime | None = None


class StopTightened(Value):
    """The operator wants the stop at `trailing_stop`; `price` is the present one (both quote per base).

    `present` carries the stop and extreme of the watch.
    """

    trailing_stop: Decimal
    price: Decimal
    present: StopMoved


class StopHit(Value):
    """A price touched the stop; the watch's stop and extreme at that moment come with it.

    `candle_seconds` is set where the price is the extreme of a candle of that length that began at `crossed_at`.
    """

    price: Decimal
    trailing_stop: Decimal
    extreme: Decimal
    trade_id: int | None
    crossed_at: datetime
    exit_terms: ExitTerms
    candle_seconds: int | None = None


class ExitRequested(Value):
    """The operator wants out, by close or panic; `trail` carries the stop and extreme of the watch, if there is one."""

    reason: ExitReason
    exit_terms: ExitTerms
    trail: StopMoved | None = None


class DisarmRequested(Value):
    """The operator takes back an Armed position."""


class ExitExecuted(Value):
    """The venue executed one exit order, wholly or in part."""

    client_order_id: ClientOrderId
    venue_order_id: str
    quantity: Decimal
    quote: Decimal
    fees_by_asset: dict[str, Decimal]
    trade_id: int | None = None
    filled_at: datetime | None = None


class FilledElsewhere(Value):
    """An order that is not ours has sold of a long or bought back of a short; `reason` is why that closes it.

    `quantity` (base) and `quote` are this position's share, zero when a liquidation took it without a trade.
    `closes` says that nothing sellable is left, or that it was liquidated.
    """

    reason: ExitReason
    closes: bool
    client_order_id: ClientOrderId
    venue_order_id: str
    quantity: Decimal
    quote: Decimal
    fees_by_asset: dict[str, Decimal]
    trade_id: int | None = None
    filled_at: datetime | None = None


class HoldingAdopted(Value):
    """The trader hands over what the pair's account holds (long) or owes (short); `quantity` in base.

    `price` is the venue's present one, `entry_price` and `technical_stop` the trader's (all quote per base); `borrowed`
    is the debt that goes with the holding, by asset.
    """

    quantity: Decimal
    entry_price: Decimal
    technical_stop: Decimal
    price: Decimal
    terms: EntryTerms
    borrowed: dict[str, Decimal] = {}
    trade_id: int | None = None
    evidence: dict[str, Any] = {}


class ReleaseRequested(Value):
    """The operator takes the holding back as it is; `interest` in quote is what its loan has cost so far."""

    instrument: Instrument
    interest: Decimal = ZERO


class RemainderFound(Value):
    """The account shows that `quantity` (base, whole steps) is still to be sold or bought back.

    `order_side` is given where it is not the exit's own: what a short bought back too much is sold.
    """

    quantity: Decimal
    exit_terms: ExitTerms
    order_side: OrderSide | None = None


class FoundOrder(Value):
    """An exit order of ours at the venue that no journal has; `quantity` in base."""

    attempt: int
    part: int
    order_side: OrderSide
    quantity: Decimal


class ExitsFound(Value):
    """The venue has exit orders of this position that went out while nothing could be written.

    `reason` is why the position leaves, where that was lost as well; `trail` the watch's stop and extreme, if any.
    """

    orders: tuple[FoundOrder, ...]
    reason: ExitReason
    trail: StopMoved | None = None


class FlatProved(Value):
    """The account shows this position's holding and debt gone.

    `interest` in quote, `dust` in base; `fee_prices` values third assets (quote per unit), the others are known.
    """

    instrument: Instrument
    interest: Decimal
    dust: Decimal
    fee_prices: dict[str, Decimal] = {}


class FaultFound(Value):
    """Something that only a person can settle."""

    code: str
    message: str
    recoverable: bool


Stimulus = (
    SignalArrived
    | SignalFailed
    | EntryExecuted
    | EntryRefused
    | StopMoved
    | StopTightened
    | StopHit
    | ExitRequested
    | DisarmRequested
    | ExitExecuted
    | FilledElsewhere
    | HoldingAdopted
    | ReleaseRequested
    | RemainderFound
    | ExitsFound
    | FlatProved
    | FaultFound
)
