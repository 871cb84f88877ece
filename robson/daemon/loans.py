"""Loans that no live position accounts for: found in the pair's account, repaid, and barring entries until then.

A loan precedes its order (Binance: "borrowing is considered complete when the order is placed"), so it can exist
without one; and an entry that executed in part has borrowed for the whole.
"""

from decimal import Decimal

import structlog
import trio

from robson.daemon.surroundings import Surroundings
from robson.domain.account import PairAccount
from robson.domain.errors import RateLimited, VenueError
from robson.domain.position import Entering
from robson.domain.values import ZERO, plain
from robson.executor.intents import backoff_seconds

READ_TIMEOUT_SECONDS = 5.0
REPAY_TIMEOUT_SECONDS = 12.0
# A loan that cannot be repaid waits for the trader; the account is looked at again this often.
STUCK_SECONDS = 30.0

_log = structlog.get_logger("robson.loans")


def stray_loans(account: PairAccount, around: Surroundings) -> dict[str, Decimal]:
    """Principal beyond what the live positions on the pair borrowed, by asset."""
    instrument = around.instruments[account.symbol]
    strays = {}
    for asset, leg in ((instrument.base, account.base), (instrument.quote, account.quote)):
        beyond = leg.borrowed - around.principal(account.symbol, asset)
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
        except (VenueError, trio.TooSlowError) as error:
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
        account = await around.venue.account(symbol)
    instrument = around.instruments[symbol]
    for asset, amount in stray_loans(account, around).items():
        leg = account.base if asset == instrument.base else account.quote
        # Interest is paid before principal, everybody's: what is paid for others is not owed by them any more.
        payable = min(amount + leg.interest, leg.free)
        if payable <= ZERO:
            _log.error("stray_loan", symbol=symbol, asset=asset, owed=plain(amount), free=plain(leg.free))
            return False
        _log.warning("stray_loan_repaid", symbol=symbol, asset=asset, amount=plain(payable))
        with trio.fail_after(REPAY_TIMEOUT_SECONDS):
            await around.venue.repay(symbol, asset, payable)
    with trio.fail_after(READ_TIMEOUT_SECONDS):
        account = await around.venue.account(symbol)
    return not stray_loans(account, around)
