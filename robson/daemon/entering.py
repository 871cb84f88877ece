"""From a signal to a decision: what the venue and the neighbours say is read first, then judged in one step."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import structlog
import trio

from robson.daemon.credit import ask_credit
from robson.daemon.life import Life
from robson.daemon.loans import stray_loans
from robson.daemon.surroundings import AccountBehind
from robson.domain.account import Credit, PairAccount
from robson.domain.errors import RuleError, VenueError
from robson.domain.events import SignalRejected
from robson.domain.position import Armed, Entering
from robson.domain.sequence import StoredReply
from robson.domain.stimuli import EntryTerms, SignalArrived, SignalFailed
from robson.domain.values import ZERO
from robson.engine.decide import Decision
from robson.executor.intents import backoff_seconds
from robson.ports import PairRecord

READ_TIMEOUT_SECONDS = 5.0
# As long as a pending entry may wait to be sent.
LANE_TIMEOUT_SECONDS = 5.0
FIRST_PRICE_SECONDS = 3.0

_log = structlog.get_logger("robson.position")


async def judge(
    life: Life,
    signal_id: str,
    entry_price: Decimal,
    technical_stop: Decimal,
    evidence: dict[str, Any],
    *,
    reply: Callable[[Decision], StoredReply | None] | None = None,
) -> bool:
    """Judge one signal; True when it was accepted and the position has left Armed.

    A refusal is an event. Raises RuleError `wrong_state` when the position is no longer Armed.
    """
    around, symbol = life.around, life.position.symbol
    lane = around.entry_lanes.setdefault(symbol, trio.Lock())
    async with lane:
        try:
            with trio.fail_after(LANE_TIMEOUT_SECONDS):
                await _earlier_entries(life)
        except trio.TooSlowError:
            pass  # the neighbour is still Entering: the rules refuse with pair_busy
        # It may have left Armed while this signal waited for its turn; its symbol may not even be streamed any more.
        _refuse_unless_armed(life)
        try:
            terms, baseline = await _read_terms(life)
        except (VenueError, trio.TooSlowError) as error:
            _refuse_unless_armed(life)
            text = str(error) or f"no answer within {READ_TIMEOUT_SECONDS:g} s"
            life.feel(
                SignalFailed(
                    signal_id=signal_id,
                    stage="venue",
                    code="account_not_read",
                    message=f"{symbol} was not read: {text}",
                ),
                reply=reply,
            )
            return False
        decision = life.feel(
            SignalArrived(
                signal_id=signal_id,
                entry_price=entry_price,
                technical_stop=technical_stop,
                terms=terms,
                evidence=evidence,
            ),
            pairs=baseline,
            reply=reply,
        )
        if baseline:
            around.fills_at_baseline[symbol] = around.reads[symbol].fills
        return bool(decision.actions)


def _refuse_unless_armed(life: Life) -> None:
    if not isinstance(life.position.state, Armed):
        raise RuleError(
            "wrong_state",
            f"position {life.position.position_id} was {life.position.state_name}, so it cannot take a signal",
        )


async def _earlier_entries(life: Life) -> None:
    """Wait until no entry of this side is on its way on the pair, so that the account read next includes it."""
    around, position = life.around, life.position
    for other in list(around.lives.values()):
        if other is not life and other.position.symbol == position.symbol and other.position.side is position.side:
            await other.out_of(Entering)


async def _read_terms(life: Life) -> tuple[EntryTerms, tuple[PairRecord, ...]]:
    """Everything outside the position that the entry must respect, and the pair's baseline when it is the first."""
    around, position = life.around, life.position
    symbol = position.symbol
    with trio.move_on_after(FIRST_PRICE_SECONDS):
        # Armed a moment ago, the symbol may not have had its first price; without one the rules refuse.
        await around.market.observation(symbol, position.side).last_price()
    with trio.fail_after(READ_TIMEOUT_SECONDS):
        instrument = await around.instrument(symbol)
        terms = await around.pair_terms(symbol)
        credit = await ask_credit(around.venue, symbol, position.side) or Credit()
        # Last of all: while anything else is waited for, a neighbour may leave, and what it sold is no baseline.
        account = await _settled_account(life)
    # From here to the decision nothing awaits, so the neighbours cannot change any more.
    neighbours = around.neighbours(symbol, but=position.position_id)
    entry = EntryTerms(
        instrument=instrument,
        account=account,
        terms=terms,
        credit=credit,
        last_price=around.market.prices(symbol),
        neighbours=neighbours,
        latched=around.record.latched,
        paused=around.record.paused,
        stale=around.market.prices(symbol) is None or around.market.is_stale(symbol),
        degraded=around.record.degraded,
        unexplained_debt=max(stray_loans(account, around).values(), default=ZERO),
    )
    # What a stray loan brought in is nobody's holding: it goes with its repayment.
    counts = not neighbours and entry.unexplained_debt <= 0
    return entry, (_baseline(life, account),) if counts else ()


async def _settled_account(life: Life) -> PairAccount:
    """The account once it shows our last fills: what a position has just sold is no baseline."""
    around, symbol = life.around, life.position.symbol
    failures = 0
    while True:
        account = await around.account(symbol)
        price = around.market.prices(symbol)
        try:
            if price is not None:
                around.refuse_behind(account, price)
        except AccountBehind:
            failures += 1
            await trio.sleep(backoff_seconds(failures))
        else:
            return account


def _baseline(life: Life, account: PairAccount) -> PairRecord:
    """What the account holds before our first position on the pair, less the dust that earlier ones left there.

    A difference of less than a step to what is remembered is dust that nobody could name; only more is the trader's.
    """
    symbol, around = life.position.symbol, life.around
    # Base that was lent without its order goes back: it is nobody's.
    lent = stray_loans(account, around).get(around.instruments[symbol].base, ZERO)
    total = account.base.total - min(lent, account.base.free)
    known = around.record.pair(symbol) or PairRecord(symbol=symbol, baseline_base=ZERO, baseline_quote=ZERO)
    # With nobody on the pair a surplus lies free: a neighbour whose entry came to nothing did not take it along.
    baseline = total - known.dust_base - known.surplus_base
    if abs(baseline - known.baseline_base) < around.instruments[symbol].step_size:
        baseline = min(known.baseline_base, total)
    baseline = max(baseline, ZERO)
    return PairRecord(
        symbol=symbol,
        baseline_base=baseline,
        baseline_quote=account.quote.total,
        dust_base=total - baseline,
        carried_base=min(known.carried_base, account.base.borrowed),
        carried_quote=min(known.carried_quote, account.quote.borrowed),
        # What the trader has repaid meanwhile must not hide a loan of ours later.
        handed_base=min(known.handed_base, account.base.borrowed),
        handed_quote=min(known.handed_quote, account.quote.borrowed),
        judged_trade_id=known.judged_trade_id,
    )


def refusal_of(decision: Decision) -> SignalRejected | None:
    """The refusal that a judged signal led to, if it did."""
    for fact in decision.facts:
        if isinstance(fact.event, SignalRejected):
            return fact.event
    return None
