"""The way out: after each settled exit order the account is read, until nothing is held and nothing is owed."""

from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

import msgspec
import structlog
import trio

from robson.daemon.beside import known_instrument, known_price, known_terms
from robson.daemon.exit_terms import exit_terms
from robson.daemon.life import Life
from robson.daemon.second_attempt import orders_settled
from robson.domain.account import PairAccount, PairTerms
from robson.domain.errors import RateLimited, VenueError
from robson.domain.events import Notice
from robson.domain.instrument import Instrument
from robson.domain.position import Exiting, Position
from robson.domain.stimuli import FaultFound, FlatProved, RemainderFound
from robson.domain.values import ZERO, ExitReason, Side, cut_to_unit
from robson.executor.closing import Flat, Repay, Step, Stuck, Trade, carried_debt, held_by, next_step, surplus_of
from robson.executor.debts import BORROW_CHARGE_SLACK, interest_paid, without_handed
from robson.executor.intents import backoff_seconds
from robson.ports import PairRecord

READ_TIMEOUT_SECONDS = 5.0
REPAY_TIMEOUT_SECONDS = 12.0
# Page after page, for a position that was held for months; it is flat already.
INTEREST_TIMEOUT_SECONDS = 20.0
# Binance asks for 100 ms between borrow and repay calls (-3007).
AFTER_REPAY_SECONDS = 0.1
ALARM_AFTER_FAILURES = 3
# While a missing holding's explanation is being confirmed.
EVIDENCE_SECONDS = 5.0
GONE_CODES = frozenset({"holding_missing", "debt_missing"})

_log = structlog.get_logger("robson.exit")


async def leave(life: Life) -> None:
    """Work until the position is Closed or a person is needed; the caller cancels this when it has left Exiting."""
    failures = life.exit_failures = 0
    lane = life.around.exit_lanes.setdefault(life.position.symbol, trio.Lock())
    while isinstance(life.position.state, Exiting):
        await life.listed()
        await orders_settled(life)
        orders, executed = _exit_so_far(life.position)
        # The attempt that the trigger itself has made may have come to nothing, too.
        lost = 0 if executed or not orders else 1
        try:
            async with lane:
                waits = await _timed_step(life)
        except (VenueError, trio.TooSlowError) as error:
            failures += 1
            pause = backoff_seconds(failures)
            if isinstance(error, RateLimited):
                pause = max(pause, error.retry_after_seconds)
            life.detail = f"exit step failed {failures} times: {error or 'no answer'}"
            level = _log.error if failures >= ALARM_AFTER_FAILURES else _log.warning
            level("exit_step_failed", position_id=life.position.position_id, failures=failures, error=str(error))
            _note_failures(life, failures + lost)
            await trio.sleep(pause)
            continue
        if waits:
            await trio.sleep(EVIDENCE_SECONDS)
        if _exit_so_far(life.position)[0] == orders:
            continue
        await orders_settled(life)
        if _exit_so_far(life.position)[1] > executed:
            failures = life.exit_failures = 0
        else:
            failures += 1
            _note_failures(life, failures + lost)
            await trio.sleep(backoff_seconds(failures))


def _note_failures(life: Life, failures: int) -> None:
    """Keep how often the exit came no further, and say it once when that is too often; it goes on all the same."""
    before, life.exit_failures = life.exit_failures, failures
    if before >= ALARM_AFTER_FAILURES or failures < ALARM_AFTER_FAILURES:
        return
    position, at = life.position, life.around.clock.now()
    told = {"failures": failures, "detail": life.detail or "nothing was executed"}
    life.around.record.notice(Notice(type="exit_failing", at=at, position_id=position.position_id, data=told))


def _exit_so_far(position: Position) -> tuple[int, Decimal]:
    """How many exit orders were decided on, and what they executed (base)."""
    progress = position.exit
    return (len(progress.orders), progress.quantity + progress.returned) if progress is not None else (0, ZERO)


async def _timed_step(life: Life) -> bool:
    life.exit_step_since = life.around.clock.monotonic()
    try:
        return await _step(life)
    finally:
        life.exit_step_since = None


async def _step(life: Life) -> bool:
    """Do the next thing; True when what is gone is explained by orders elsewhere that are still to be confirmed."""
    around, position = life.around, life.position
    symbol = position.symbol
    with trio.fail_after(READ_TIMEOUT_SECONDS):
        instrument = await known_instrument(around, symbol)
        terms = await known_terms(around, symbol)
        price = await known_price(around, symbol)
        account = await around.account(symbol)
    others = around.on_pair(symbol, but=position.position_id)
    pair = around.record.pair(symbol)
    step = next_step(position, others, account, pair, instrument, terms, price)
    if isinstance(step, Flat) or _is_by_account_alone(step, position, instrument, price):
        around.refuse_behind(account, price)
    match step:
        case Trade():
            # The account was read just now and nothing is on its way; the fence may only be lost, never gained.
            fence = around.fence_for(position, step.quantity, fresh=True)
            rest = msgspec.structs.replace(exit_terms(position, around), fence=fence)
            life.feel(RemainderFound(quantity=step.quantity, exit_terms=rest, order_side=step.order_side))
        case Repay():
            with trio.fail_after(REPAY_TIMEOUT_SECONDS):
                await around.venue.repay(symbol, step.asset, step.amount)
            await trio.sleep(AFTER_REPAY_SECONDS)
        case Flat():
            await _flat(life, step, others, account, pair, instrument, terms, price)
        case Stuck() if step.code in GONE_CODES and _is_liquidated(position):
            # A liquidation also seizes, and writes off, what it does not trade.
            await _flat(life, Flat(dust=ZERO), others, account, pair, instrument, terms, price)
        case Stuck():
            verdict = await around.explain(position.position_id) if step.code in GONE_CODES else "unexplained"
            if verdict == "wait":
                life.detail = f"{step.message}; orders elsewhere explain it, which is confirmed within a minute or two"
                return True
            if verdict == "unexplained":
                around.refuse_behind(account, price)
                life.feel(FaultFound(code=step.code, message=step.message, recoverable=True))
        case _ as never:
            assert_never(never)
    return False


def _is_liquidated(position: Position) -> bool:
    progress = position.exit
    return progress is not None and ExitReason.LIQUIDATED in {progress.elsewhere, progress.trigger.reason}


async def _flat(
    life: Life,
    step: Flat,
    others: Sequence[Position],
    account: PairAccount,
    pair: PairRecord | None,
    instrument: Instrument,
    terms: PairTerms,
    price: Decimal,
) -> None:
    position = life.position
    interest = await _interest(life, instrument, price)
    surplus = surplus_of(position, instrument.base, terms)
    ours = without_handed(account, pair)
    life.feel(
        FlatProved(instrument=instrument, interest=interest, dust=step.dust),
        pairs=(_pair_after(position, others, ours, pair, instrument, step.dust, surplus),),
    )


def _is_by_account_alone(step: Step, position: Position, instrument: Instrument, price: Decimal) -> bool:
    """Whether nothing but the account speaks for an order: by its own fills the position has nothing left to trade."""
    if not isinstance(step, Trade) or position.entry is None or position.exit is None:
        return False
    rest = position.entry.quantity - position.exit.quantity + position.exit.returned
    return rest < instrument.smallest_sellable(price)


async def _interest(life: Life, instrument: Instrument, price: Decimal) -> Decimal:
    """This position's share of the pair's interest, in quote; what the venue cannot tell counts as zero, said aloud."""
    position = life.position
    assert position.entry is not None, position
    average = position.exit.average if position.exit is not None else None
    try:
        with trio.fail_after(INTEREST_TIMEOUT_SECONDS):
            charges = await life.around.venue.interest(position.symbol, position.entry.filled_at - BORROW_CHARGE_SLACK)
    except (VenueError, trio.TooSlowError) as error:
        _log.warning("interest_not_read", position_id=position.position_id, error=str(error))
        return ZERO
    return interest_paid(position, charges, instrument, average or price)


def _pair_after(
    position: Position,
    others: Sequence[Position],
    account: PairAccount,
    pair: PairRecord | None,
    instrument: Instrument,
    dust: Decimal,
    surplus: Decimal,
) -> PairRecord:
    """The pair's ledger of dust, surplus and carried debt after this position: the last one out leaves what it names.

    Beside other shorts nobody holds base: no more than what is free is dust, for a short's entry may have sold some;
    and no more than was named, for what else is free may be an order's that nobody knows of yet.
    """
    if pair is None:
        pair = PairRecord(symbol=position.symbol, baseline_base=ZERO, baseline_quote=account.quote.total)
    if others and position.side is Side.SHORT:
        left = min(max(account.base.free - pair.baseline_base, ZERO), pair.dust_base + dust)
    elif others:
        # What it sold beyond its own was earlier dust: it was alone then.
        left = max(pair.dust_base + held_by(position, instrument.base), ZERO)
    else:
        left = dust
    base, quote = instrument.base, instrument.quote
    sunk = pair.surplus_base if others else ZERO
    if others and position.side is Side.SHORT:
        # What is still free is dust. What is not has paid others' debt, or saved them from borrowing it: the rest of a
        # surplus, and earlier dust that a short's entry sold. Below zero, it was theirs and repaid this one's.
        sunk += surplus + pair.dust_base - left
    carried = carried_debt(
        account.base,
        base,
        pair.carried_base,
        position,
        others,
        instrument,
        baseline=pair.baseline_base,
        surplus=max(sunk, ZERO),
    )
    if sunk < 0:
        # What it took beyond every surplus was dust, or is owed: a neighbour whose exit was not repaid hides it.
        taken = max(pair.carried_base - carried - sunk, ZERO)
        left, carried = left - min(taken, left), carried + cut_to_unit(max(taken - left, ZERO))
    return msgspec.structs.replace(
        pair,
        dust_base=left,
        surplus_base=max(sunk, ZERO),
        carried_base=carried,
        carried_quote=carried_debt(account.quote, quote, pair.carried_quote, position, others, instrument),
    )
