"""The way out: after each settled exit order the account is read, until nothing is held and nothing is owed."""

from decimal import Decimal
from typing import assert_never

import msgspec
import structlog
import trio

from robson.daemon.life import Life
from robson.daemon.surroundings import exit_terms
from robson.domain.account import PairAccount
from robson.domain.errors import RateLimited, VenueError
from robson.domain.instrument import Instrument
from robson.domain.position import Exiting, Position
from robson.domain.stimuli import FaultFound, FlatProved, RemainderFound
from robson.domain.values import ZERO, Side
from robson.executor.closing import BORROW_CHARGE_SLACK, Flat, Repay, Stuck, Trade, interest_paid, next_step, surplus_of
from robson.executor.intents import backoff_seconds
from robson.ports import PairRecord

READ_TIMEOUT_SECONDS = 5.0
REPAY_TIMEOUT_SECONDS = 12.0
# Binance asks for 100 ms between borrow and repay calls (-3007).
AFTER_REPAY_SECONDS = 0.1
ALARM_AFTER_FAILURES = 3

_log = structlog.get_logger("robson.exit")


async def leave(life: Life) -> None:
    """Work until the position is Closed or a person is needed; the caller cancels this when it has left Exiting."""
    failures = 0
    lane = life.around.exit_lanes.setdefault(life.position.symbol, trio.Lock())
    while isinstance(life.position.state, Exiting):
        await life.listed()
        await _orders_settled(life)
        orders, executed = _exit_so_far(life.position)
        try:
            async with lane:
                await _step(life)
        except (VenueError, trio.TooSlowError) as error:
            failures += 1
            pause = backoff_seconds(failures)
            if isinstance(error, RateLimited):
                pause = max(pause, error.retry_after_seconds)
            life.detail = f"exit step failed {failures} times: {error or 'no answer'}"
            level = _log.error if failures >= ALARM_AFTER_FAILURES else _log.warning
            level("exit_step_failed", position_id=life.position.position_id, failures=failures, error=str(error))
            await trio.sleep(pause)
            continue
        if _exit_so_far(life.position)[0] == orders:
            continue
        await _orders_settled(life)
        if _exit_so_far(life.position)[1] > executed:
            failures = 0
        else:
            failures += 1
            await trio.sleep(backoff_seconds(failures))


def _exit_so_far(position: Position) -> tuple[int, Decimal]:
    """How many exit orders were decided on, and what they executed (base)."""
    return (len(position.exit.orders), position.exit.quantity) if position.exit is not None else (0, ZERO)


async def _orders_settled(life: Life) -> None:
    while life.around.record.intents_of(life.position.position_id):
        await life.news()


async def _step(life: Life) -> None:
    around, position = life.around, life.position
    symbol = position.symbol
    with trio.fail_after(READ_TIMEOUT_SECONDS):
        instrument = await around.instrument(symbol)
        terms = await around.pair_terms(symbol)
        price = await around.venue.price(symbol)
        account = await around.venue.account(symbol)
    others = around.on_pair(symbol, but=position.position_id)
    pair = around.record.pair(symbol)
    step = next_step(position, others, account, pair, instrument, terms, price)
    match step:
        case Trade():
            rest = exit_terms(position, around)
            life.feel(RemainderFound(quantity=step.quantity, exit_terms=rest))
        case Repay():
            with trio.fail_after(REPAY_TIMEOUT_SECONDS):
                await around.venue.repay(symbol, step.asset, step.amount)
            await trio.sleep(AFTER_REPAY_SECONDS)
        case Flat():
            interest = await _interest(life, instrument, price)
            surplus = surplus_of(position, instrument.base, terms)
            life.feel(
                FlatProved(instrument=instrument, interest=interest, dust=step.dust),
                pairs=_pair_after(position, bool(others), account, pair, step.dust, surplus),
            )
        case Stuck():
            life.feel(FaultFound(code=step.code, message=step.message, recoverable=True))
        case _ as never:
            assert_never(never)


async def _interest(life: Life, instrument: Instrument, price: Decimal) -> Decimal:
    """This position's share of the pair's interest, in quote; what the venue cannot tell counts as zero, said aloud."""
    position = life.position
    assert position.entry is not None, position
    average = position.exit.average if position.exit is not None else None
    try:
        with trio.fail_after(READ_TIMEOUT_SECONDS):
            charges = await life.around.venue.interest(position.symbol, position.entry.filled_at - BORROW_CHARGE_SLACK)
    except (VenueError, trio.TooSlowError) as error:
        _log.warning("interest_not_read", position_id=position.position_id, error=str(error))
        return ZERO
    return interest_paid(position, charges, instrument, average or price)


def _pair_after(
    position: Position,
    shared: bool,
    account: PairAccount,
    pair: PairRecord | None,
    dust: Decimal,
    surplus: Decimal,
) -> tuple[PairRecord, ...]:
    """The pair's ledger of dust and surplus after this position: the last one out leaves exactly what it names.

    Beside other shorts nobody holds base: no more than what is free is dust, for a short's entry may have sold some;
    and no more than was named, for what else is free may be an order's that nobody knows of yet.
    """
    if pair is None:
        pair = PairRecord(symbol=position.symbol, baseline_base=ZERO, baseline_quote=account.quote.total)
    if shared and position.side is Side.SHORT:
        left = min(max(account.base.free - pair.baseline_base, ZERO), pair.dust_base + dust)
    else:
        left = pair.dust_base + dust if shared else dust
    surplus = pair.surplus_base + surplus if shared else ZERO
    return (msgspec.structs.replace(pair, dust_base=left, surplus_base=surplus),)
