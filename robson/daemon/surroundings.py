"""What every position of one daemon shares: the clock, the venue, the market, the record and the other positions."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, Protocol

import structlog
import trio

from robson.clock import process_age_seconds
from robson.daemon.record import Record
from robson.daemon.tallies import OrderTally
from robson.detectors.registry import Registry
from robson.domain.account import PairAccount, PairTerms
from robson.domain.errors import JournalUnwritable, Rejected, RuleError, VenueError
from robson.domain.instrument import Instrument
from robson.domain.position import Armed, Entering, Error, Exiting, Position
from robson.domain.stimuli import Neighbour
from robson.domain.values import ZERO, Fence, PositionId, Side, plain
from robson.executor import self_fence
from robson.executor.closing import bought_back_by, held_by
from robson.executor.debts import outstanding_principal
from robson.executor.executor import Executor
from robson.feed.fanout import FanOut
from robson.ports import Clock, SlippageEstimate, Venue
from robson.protocol.results import Check

_log = structlog.get_logger("robson.position")

# The paper venue's own word, and Binance's "Invalid symbol".
UNKNOWN_SYMBOL_CODES = frozenset({"unknown_symbol", "-1121"})

# Binance's records were seen to lag by more than twenty seconds (reference: peers, ambiguous outcomes).
ACCOUNT_LAG_SECONDS = 60.0


class AccountBehind(VenueError):
    """The venue's account lags behind its own trades: nothing may be concluded from it yet."""


# An account read that is older than this decides nothing, although no fill of ours has changed it.
READ_AGE_MAX_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class AccountRead:
    """A pair's account as it was read: after how many fills that were known, and when it was asked for (steady, s)."""

    account: PairAccount
    fills: int
    asked_at: float


# What orders elsewhere have to do with a holding that is gone.
Verdict = Literal["settled", "wait", "unexplained"]


async def _nobody_knows(_position_id: PositionId) -> Verdict:
    return "unexplained"


class Housemate(Protocol):
    """Another living position, as far as its neighbours need to know it."""

    position: Position

    async def out_of(self, *states: type[object]) -> None:
        """Return once the position is in none of these states."""


@dataclass(slots=True)
class Surroundings:
    """Shared by all positions; `lives` holds every position that is not Closed, by id (the supervisor keeps it).

    `explain` asks for the orders elsewhere that took what an Exiting position should hold or owe.
    """

    clock: Clock
    venue: Venue
    market: FanOut
    record: Record
    executor: Executor
    strategies: Registry
    new_id: Callable[[], str]
    process_age: Callable[[], float] = process_age_seconds
    lives: Mapping[str, Housemate] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    terms: dict[str, PairTerms] = field(default_factory=dict)
    entry_lanes: dict[str, trio.Lock] = field(default_factory=dict)
    exit_lanes: dict[str, trio.Lock] = field(default_factory=dict)
    # The pairs whose filters refused an order since they were read, and the event that says so.
    refused_symbols: set[str] = field(default_factory=set)
    filters_refused: trio.Event = field(default_factory=trio.Event)
    # When the last fill on a pair was learnt (the run's steady clock).
    filled_at: dict[str, float] = field(default_factory=dict)
    # Positions whose exits may have gone out unwritten, and were not looked for yet: theirs wait.
    unlisted: set[str] = field(default_factory=set)
    # The newest read of each pair's account, and how many fills on it this run has learnt of.
    reads: dict[str, AccountRead] = field(default_factory=dict)
    fills: Counter[str] = field(default_factory=Counter)
    # How many of those were known when the pair's baseline was read.
    fills_at_baseline: Counter[str] = field(default_factory=Counter)
    tally: OrderTally = field(default_factory=OrderTally)
    explain: Callable[[PositionId], Awaitable[Verdict]] = _nobody_knows
    # What a market order would lose now, for who wants to know before; nothing depends on it.
    slippage: SlippageEstimate | None = None
    # What else `health` looks at, by name: the composition root knows the machine.
    checks: dict[str, Callable[[], Check]] = field(default_factory=dict)

    async def instrument(self, symbol: str) -> Instrument:
        """The pair's filters as last known; at first raises as the venue does, RuleError when it has no such pair."""
        if symbol not in self.instruments:
            try:
                self.keep_instrument(await self.venue.instrument(symbol))
            except Rejected as error:
                if error.code in UNKNOWN_SYMBOL_CODES:
                    raise RuleError("unknown_symbol", error.text, hint="a pair that the venue trades") from error
                raise
        return self.instruments[symbol]

    def keep_instrument(self, instrument: Instrument) -> None:
        """Take filters that were just read, and remember them for a start while the venue does not tell them."""
        self.instruments[instrument.symbol] = instrument
        if self.record.degraded is None and self.remembered(instrument.symbol) != instrument:
            with suppress(JournalUnwritable):
                self.record.journal.keep_instrument(instrument)

    def remembered(self, symbol: str) -> Instrument | None:
        """The pair's filters as an earlier run has left them."""
        return next((one for one in self.record.recovery.instruments if one.symbol == symbol), None)

    def doubt_filters(self, symbol: str) -> None:
        """An order was refused by the pair's filters: they are not what we know any more."""
        self.refused_symbols.add(symbol)
        self.filters_refused.set()

    async def pair_terms(self, symbol: str) -> PairTerms:
        """The pair's tier, fees and rates, freshly read; the last known ones when the venue cannot be asked."""
        self.terms[symbol] = await self.venue.terms(symbol)
        return self.terms[symbol]

    def heard_at(self, venue_time: datetime) -> datetime:
        """A moment of the venue's clock as the run's own tells it: the two need not agree."""
        apart = self.clock.now() - datetime.fromtimestamp(self.venue.timestamp_ms() / 1000, UTC)
        return venue_time + apart

    async def look_at(self, symbol: str) -> PairAccount:
        """The pair's account, freshly read; what the venue answers to that says whether it is in reach."""
        reach = self.executor.reach
        try:
            account = await self.venue.account(symbol)
        except VenueError as error:
            reach.hear_account(error)
            raise
        reach.hear_account(None, idle=not self.record.open_intents())
        return account

    async def account(self, symbol: str) -> PairAccount:
        """The pair's account, freshly read; what a stop needs to know of it later is remembered."""
        fills, asked_at = self.fills[symbol], self.clock.monotonic()
        account = await self.look_at(symbol)
        self.reads[symbol] = AccountRead(account, fills, asked_at)
        return account

    def is_alone(self, position: Position) -> bool:
        """Whether no other position is on the pair but Armed ones, and no other order is open there."""
        mine, symbol = position.position_id, position.symbol
        return not any(
            key != mine and life.position.symbol == symbol and not isinstance(life.position.state, Armed)
            for key, life in self.lives.items()
        ) and not any(i.order.symbol == symbol and i.order.position_id != mine for i in self.record.open_intents())

    def fence_for(self, position: Position, quantity: Decimal, *, fresh: bool = False) -> Fence:
        """The fence of an exit attempt of `quantity` (base), from what is already known: no attempt waits for a read.

        `fresh` says that the newest read was made just now, with no order of the position on its way.
        """
        symbol = position.symbol
        read, price = self.reads.get(symbol), self.market.prices(symbol)
        if read is None or price is None or self.record.degraded is not None or position.position_id in self.unlisted:
            return Fence.CLOCK
        if position.exit is not None and (not fresh or position.exit.fence is Fence.CLOCK):
            return Fence.CLOCK
        newer = read.fills == self.fills[symbol]
        recent = self.clock.monotonic() - read.asked_at <= READ_AGE_MAX_SECONDS
        open_orders = self.record.intents_of(position.position_id)
        if not newer or not recent or open_orders or not self.is_alone(position):
            return Fence.CLOCK
        expected = self.expected_net_base(symbol)
        return self_fence.decide(
            position, quantity, read.account, self.instruments[symbol], price, expected_net_base=expected
        )

    def on_pair(self, symbol: str, *, but: str) -> list[Position]:
        """Our other positions on a pair that are in the market, or may be, or left something there."""
        return [
            life.position
            for position_id, life in self.lives.items()
            if position_id != but and life.position.symbol == symbol and weighs_on_pair(life.position)
        ]

    def neighbours(self, symbol: str, *, but: str) -> tuple[Neighbour, ...]:
        """The same, as an entry has to respect them."""
        return tuple(
            Neighbour(
                side=position.side,
                in_market=not isinstance(position.state, Entering),
                stop=position.trail.stop if position.trail else None,
                order_in_doubt=position.position_id in self.unlisted
                or any(intent.status == "in_doubt" for intent in self.record.intents_of(position.position_id)),
                self_fenced=isinstance(position.state, Exiting) and position.state.exit.fence is Fence.SELF,
            )
            for position in self.on_pair(symbol, but=but)
        )

    def expected_net_base(self, symbol: str) -> Decimal:
        """Base held less base owed, by our fills and the pair's record; loans and repayments do not change it."""
        base, pair = self.instruments[symbol].base, self.record.pair(symbol)
        expected = ZERO
        if pair is not None:
            expected = pair.baseline_base + pair.dust_base + pair.surplus_base - pair.carried_base - pair.handed_base
        for position in self.on_pair(symbol, but=""):
            if position.entry is None:
                continue
            if position.side is Side.LONG:
                expected += held_by(position, base)
            else:
                expected -= position.entry.quantity - bought_back_by(position, base)
        return expected

    def refuse_behind(self, account: PairAccount, price: Decimal) -> None:
        """Raise AccountBehind when an account does not show our fills yet; `price` is quote per base.

        For a minute after a fill whatever else explains the difference counts as lag, too; then it is believed.
        """
        symbol, instrument = account.symbol, self.instruments[account.symbol]
        learnt = self.filled_at.get(symbol)
        if learnt is None or self.clock.monotonic() > learnt + ACCOUNT_LAG_SECONDS:
            return
        apart = account.base.total - account.base.debt - self.expected_net_base(symbol)
        pair = self.record.pair(symbol)
        # In and out again, a position leaves the base as it was, yet not the quote: its fees are gone.
        untouched = pair is not None and account.quote.total == pair.baseline_quote != ZERO
        ours = self.on_pair(symbol, but="")
        is_later = self.fills[symbol] > self.fills_at_baseline[symbol]
        has_traded = is_later or any(position.entry is not None for position in ours)
        # The smallest order brings in a little less than its quantity.
        is_alone = has_traded and len(ours) <= 1
        if 2 * abs(apart) >= instrument.smallest_sellable(price) or (untouched and is_alone):
            raise AccountBehind(
                f"the account of {symbol} did not show our fills yet: {plain(apart)} {instrument.base} apart"
            )

    def principal(self, symbol: str, asset: str) -> Decimal:
        """What the live positions on a pair borrowed of an asset and have not brought in again."""
        instrument = self.instruments[symbol]
        return sum(
            (outstanding_principal(position, instrument, asset) for position in self.on_pair(symbol, but="")), ZERO
        )


def weighs_on_pair(position: Position) -> bool:
    """Whether a position holds or owes something on its pair, or may do so at any moment."""
    state = position.state
    if isinstance(state, Error):
        return state.entry is not None or state.client_order_id is not None
    return position.entry is not None or isinstance(state, (Entering, Exiting))
