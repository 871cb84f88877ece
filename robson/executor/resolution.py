"""What became of an order: found out from the venue's own records, never guessed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import msgspec
import structlog
import trio

from robson.domain.account import InterestCharge, PairAccount, Trade
from robson.domain.errors import Fatal, RateLimited, Rejected, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import ZERO, OrderSide, Role, Value, add_amounts
from robson.executor import intents
from robson.executor.news import News
from robson.executor.reach import Reach
from robson.ports import Intent, OrderReport, Venue

QUERY_TIMEOUT_SECONDS = 5.0
# A loan is booked with its order, by a clock of its own. Another's may lie within this, too: the nearest one counts.
LOAN_SLACK = timedelta(seconds=1)
# A request is signed with the venue's clock as last known, which may run ahead by almost a second.
SIGNING_SLACK = timedelta(seconds=1)

_log = structlog.get_logger("robson.executor")


class Executed(Value):
    """The order is final and something executed; `quote` is the sum of price x quantity."""

    report: OrderReport
    trades: tuple[Trade, ...]
    quote: Decimal
    fees_by_asset: dict[str, Decimal]


class Refused(Value):
    """The order surely did not and will not execute; `stage` is venue, margin or stale."""

    stage: str
    code: str
    message: str


class Absent(Value):
    """The venue denies the order after the clock fence and no trade speaks for it."""


Outcome = Executed | Refused | Absent


def account_for(report: OrderReport, trades: Sequence[Trade]) -> Executed:
    """The outcome of a final report whose trades are complete."""
    fees: dict[str, Decimal] = {}
    for trade in trades:
        fees = add_amounts(fees, {trade.fee_asset: trade.fee})
    quote = sum((trade.price * trade.quantity for trade in trades), ZERO)
    return Executed(report=report, trades=tuple(trades), quote=quote, fees_by_asset=fees)


def executed_in(trades: Sequence[Trade]) -> Decimal:
    """The base quantity that these trades add up to."""
    return sum((trade.quantity for trade in trades), ZERO)


def loan_of(report: OrderReport, instrument: Instrument, charges: Iterable[InterestCharge]) -> dict[str, Decimal]:
    """The one loan made for an order, by asset: of the asset that it pays, and booked nearest to it; empty without."""
    paid = instrument.quote if report.order_side is OrderSide.BUY else instrument.base
    near = [
        charge
        for charge in charges
        if charge.on_borrow and charge.asset == paid and abs(charge.at - report.at) <= LOAN_SLACK
    ]
    if not near:
        return {}
    return {paid: min(near, key=lambda charge: abs(charge.at - report.at)).principal}


class Knowledge(Protocol):
    """What is known of the account besides the order in question."""

    def is_listed(self, intent: Intent) -> bool:
        """Whether all that was ever sent for the intent's position is known; before that no exit is absent."""

    def knows_trade(self, symbol: str, trade_id: int) -> bool:
        """Whether this execution is accounted to an order of ours already."""

    def shows_effect(self, intent: Intent, account: PairAccount) -> bool:
        """Whether the account holds what it would hold if the order had executed."""


class Resolver:
    """Asks the venue until it knows; an unreachable venue is asked again, for as long as it takes."""

    def __init__(self, venue: Venue, reach: Reach | None = None, news: News | None = None) -> None:
        """`news` of an order makes the next question about it come at once."""
        self._venue = venue
        self._reach = reach or Reach()
        self._news = news or News()

    @property
    def reachable(self) -> bool:
        """Whether the venue answered the last time it was asked about an order."""
        return self._reach.asked

    @reachable.setter
    def reachable(self, answered: bool) -> None:
        self._reach.asked = answered

    async def complete(self, report: OrderReport) -> Outcome:
        """The outcome of an order that the venue knows: wait until it is final and its trades add up."""
        failures = 0
        trades: Sequence[Trade] = report.trades
        while True:
            if report.is_final and report.executed <= 0:
                code = report.status
                return Refused(stage="venue", code=code, message=f"the order ended {code} with nothing executed")
            if report.is_final and executed_in(trades) == report.executed:
                return account_for(report, trades)
            await self._news.wait(report.client_order_id, intents.backoff_seconds(failures))
            failures += 1
            try:
                with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                    if not report.is_final:
                        report = await self._venue.order(report.symbol, report.client_order_id) or report
                    trades = await self._venue.trades(report.symbol, venue_order_id=report.venue_order_id)
                self.reachable = True
            except (VenueError, trio.TooSlowError) as error:
                await self._pause(error, failures, "trades_not_read")

    async def take_reply(self, intent: Intent, report: OrderReport) -> Outcome:
        """The outcome of an order that the venue has answered, perhaps without all that its reply should tell."""
        outcome = await self.complete(report)
        is_whole = report.is_final and executed_in(report.trades) == report.executed
        if is_whole or report.borrowed or intent.order.role is not Role.ENTRY or not isinstance(outcome, Executed):
            return outcome
        return await self._with_loan(outcome)

    async def resolve(self, intent: Intent, book: Knowledge) -> Outcome:
        """The outcome of an intent that was sent and not answered.

        Absence is believed only after the clock fence, when the venue has denied the order several times, no trade
        since the request belongs to an order that nobody accounts for, and the account does not look as if it had
        executed.
        """
        order = intent.order
        denials = failures = 0
        while True:
            try:
                with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                    report = await self._venue.order(order.symbol, order.client_order_id)
                    self.reachable = True
                    # An exit may have been signed anew after its row was written, so that the row's fence is too early.
                    may_believe = order.role is Role.ENTRY or book.is_listed(intent)
                    past_ms = await self._past_fence_ms(intent) if report is None and may_believe else 0
                    if past_ms > 0:
                        denials += 1
                        is_late = denials >= intents.DENIALS_NEEDED and past_ms > intents.RECORDS_LAG_MS
                        if is_late and await self._is_absent(intent, book):
                            return Absent()
            except (VenueError, trio.TooSlowError) as error:
                failures += 1
                await self._pause(error, failures, "order_not_read")
                continue
            if report is not None:
                return await self._outcome_of(intent, report)
            failures += 1
            await self._news.wait(order.client_order_id, intents.backoff_seconds(failures))

    async def look(self, intent: Intent) -> Outcome | None:
        """The outcome of an order that the venue shows already; None while it does not, or cannot be asked."""
        order = intent.order
        try:
            with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                report = await self._venue.order(order.symbol, order.client_order_id)
        except Exception as error:  # noqa: BLE001  nobody has to know yet: those who do ask for themselves
            _log.debug("order_not_looked_at", symbol=order.symbol, error=str(error) or type(error).__name__)
            return None
        return None if report is None else await self._outcome_of(intent, report)

    async def _outcome_of(self, intent: Intent, report: OrderReport) -> Outcome:
        outcome = await self.complete(report)
        if isinstance(outcome, Executed) and intent.order.role is Role.ENTRY:
            return await self._with_loan(outcome)
        return outcome

    async def _with_loan(self, executed: Executed) -> Executed:
        """The outcome with the loan made for it, which a queried order does not tell (Binance: only the reply does).

        The loan is known by its ON_BORROW interest record.
        """
        report, failures = executed.report, 0
        while True:
            try:
                with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                    instrument = await self._venue.instrument(report.symbol)
                    charges = await self._venue.interest(report.symbol, report.at - LOAN_SLACK)
                loan = loan_of(report, instrument, charges)
                break
            except RateLimited as error:
                failures += 1
                await self._pause(error, failures, "loan_not_read")
            except Rejected as error:
                _log.warning("loan_not_read", symbol=report.symbol, error=str(error))
                loan = {}
                break
            except (VenueError, trio.TooSlowError) as error:
                failures += 1
                await self._pause(error, failures, "loan_not_read")
        return msgspec.structs.replace(executed, report=msgspec.structs.replace(report, borrowed=loan))

    async def _past_fence_ms(self, intent: Intent) -> int:
        return await self._venue.server_time_ms() - intents.fence_opens_ms(intent)

    async def _is_absent(self, intent: Intent, book: Knowledge) -> bool:
        """Whether trades and account agree that a denied order did not execute."""
        symbol = intent.order.symbol
        # By the venue's clock, as the request was signed: ours may have been set meanwhile.
        assert intent.timestamp_ms is not None, intent
        signed_at = datetime.fromtimestamp(intent.timestamp_ms / 1000, UTC) - SIGNING_SLACK
        trades = await self._venue.trades(symbol, since=signed_at)
        is_stray = any(not book.knows_trade(symbol, trade.trade_id) for trade in trades)
        if not is_stray and not book.shows_effect(intent, await self._venue.account(symbol)):
            return True
        # It may also be a trade by hand or a deposit, which must not hold up an exit for ever.
        too_long = await self._venue.server_time_ms() > intents.fence_opens_ms(intent) + intents.ACCOUNT_DISAGREES_MS
        if too_long:
            _log.error("account_disagrees", symbol=symbol, attempt=intent.order.attempt)
        return too_long

    async def _pause(self, error: Exception, failures: int, what: str) -> None:
        self._reach.asked = False
        if isinstance(error, (Fatal, RateLimited)):
            self._reach.hear_account(error)
        pause = intents.backoff_seconds(failures)
        if isinstance(error, RateLimited):
            pause = max(pause, error.retry_after_seconds)
        _log.warning(what, failures=failures, error=str(error) or type(error).__name__, pause_seconds=pause)
        await trio.sleep(pause)
