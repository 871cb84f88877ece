"""Loans that no live position accounts for: found in the pair's account, repaid, and barring entries until then.

A loan precedes its order (Binance: "borrowing is considered complete when the order is placed"), so it can exist
without one; and an entry that executed in part has borrowed for the whole.
"""

from decimal import Decimal

import msgspec
import structlog
import trio

from robson.daemon.beside import known_price
from robson.daemon.surroundings import Surroundings
from robson.domain.account import Leg, PairAccount
from robson.domain.errors import RateLimited, RuleError, VenueError
from robson.domain.position import Entering
from robson.domain.values import ZERO, cut_to_unit, plain
from robson.executor.intents import backoff_seconds
from robson.ports import Commit

READ_TIMEOUT_SECONDS = 5.0
REPAY_TIMEOUT_SECONDS = 12.0
# A loan that cannot be repaid waits for the trader; the account is looked at again this often.
STUCK_SECONDS = 30.0

_log = structlog.get_logger("robson.loans")


def stray_loans(account: PairAccount, around: Surroundings) -> dict[str, Decimal]:
    """Principal beyond what the live positions on the pair borrowed and what departed ones left behind, by asset.

    What the trader has borrowed, or was handed back, is no stray.
    """
    instrument, pair = around.instruments[account.symbol], around.record.pair(account.symbol)
    strays = {}
    for asset, leg, known in (
        (instrument.base, account.base, pair.carried_base + pair.handed_base if pair is not None else ZERO),
        (instrument.quote, account.quote, pair.carried_quote + pair.handed_quote if pair is not None else ZERO),
    ):
        beyond = cut_to_unit(leg.borrowed - around.principal(account.symbol, asset) - known)
        if beyond > 0:
            strays[asset] = beyond
    return strays


async def repay_strays(symbol: str, around: Surroundings) -> None:
    """Repay what no live position accounts for, until nothing is left of it.

    Holds the pair's entry lane, so that no entry is decided meanwhile; an entry on its way is waited for.
    """
    failures = 0
    while True:
        try:
            async with around.entry_lanes.setdefault(symbol, trio.Lock()):
                if await _repay_once(symbol, around):
                    return
            pause = STUCK_SECONDS
        except (VenueError, RuleError, trio.TooSlowError) as error:
            failures += 1
            pause = backoff_seconds(failures)
            if isinstance(error, RateLimited):
                pause = max(pause, error.retry_after_seconds)
            _log.warning("stray_loan_not_repaid", symbol=symbol, failures=failures, error=str(error))
        await trio.sleep(pause)


async def _repay_once(symbol: str, around: Surroundings) -> bool:
    """True when the account shows no stray loan (any more)."""
    for other in list(around.lives.values()):
        if other.position.symbol == symbol:
            await other.out_of(Entering)
    with trio.fail_after(READ_TIMEOUT_SECONDS):
        await around.instrument(symbol)
        price = await known_price(around, symbol)
        account = await around.account(symbol)
    around.refuse_behind(account, price)
    instrument = around.instruments[symbol]
    for asset, amount in stray_loans(account, around).items():
        leg = account.base if asset == instrument.base else account.quote
        # Interest is paid before principal, everybody's: what is paid for others is not owed by them any more.
        payable = cut_to_unit(min(amount + leg.interest, leg.free))
        if payable <= ZERO:
            continue
        _log.warning("stray_loan_repaid", symbol=symbol, asset=asset, amount=plain(payable))
        with trio.fail_after(REPAY_TIMEOUT_SECONDS):
            await around.venue.repay(symbol, asset, payable)
    with trio.fail_after(READ_TIMEOUT_SECONDS):
        price = await known_price(around, symbol)
        account = await around.account(symbol)
    for asset, amount in stray_loans(account, around).items():
        leg = account.base if asset == instrument.base else account.quote
        if not _carry(symbol, asset, amount, leg, price, around):
            _log.error("stray_loan", symbol=symbol, asset=asset, owed=plain(amount), free=plain(leg.free))
            return False
    return True


def _carry(symbol: str, asset: str, amount: Decimal, leg: Leg, price: Decimal, around: Surroundings) -> bool:
    """Remember a debt that nothing is free to repay and that is too small to be bought back; the last one out repays.

    A loan without its order leaves one: its first hour's interest is paid from the loan itself.
    """
    instrument, pair = around.instruments[symbol], around.record.pair(symbol)
    is_base = asset == instrument.base
    least = instrument.smallest_sellable(price) if is_base else instrument.minimum_notional
    if pair is None or amount >= least or cut_to_unit(leg.free) > ZERO:
        return False
    carried = (pair.carried_base if is_base else pair.carried_quote) + amount
    _log.warning("crumb_carried", symbol=symbol, asset=asset, amount=plain(amount), carried=plain(carried))
    name = "carried_base" if is_base else "carried_quote"
    around.record.write(Commit(pairs=(msgspec.structs.replace(pair, **{name: carried}),)))
    return True
