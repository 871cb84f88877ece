"""What of a pair's pooled debt and interest belongs to one position."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from robson.domain.account import InterestCharge, PairAccount
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.values import ZERO, Side
from robson.ports import PairRecord

# An ON_BORROW charge is booked with the order that caused it; clocks of venue and fill may differ a little.
BORROW_CHARGE_SLACK = timedelta(seconds=10)


def without_handed(account: PairAccount, pair: PairRecord | None) -> PairAccount:
    """The account without the principal that is the trader's own; interest cannot be told apart and stays."""
    if pair is None or not (pair.handed_base or pair.handed_quote):
        return account
    base, quote = account.base, account.quote
    return PairAccount(
        symbol=account.symbol,
        base=msgspec.structs.replace(base, borrowed=max(base.borrowed - pair.handed_base, ZERO)),
        quote=msgspec.structs.replace(quote, borrowed=max(quote.borrowed - pair.handed_quote, ZERO)),
    )


def brought_in(position: Position, instrument: Instrument, asset: str) -> Decimal:
    """What the exit fills of a position brought in of the asset that it owes, after fees."""
    out = position.reduction
    if position.side is Side.SHORT and asset == instrument.base:
        return out.quantity - out.returned - out.fees_by_asset.get(asset, ZERO)
    if position.side is Side.LONG and asset == instrument.quote:
        return out.quote - out.fees_by_asset.get(asset, ZERO)
    return ZERO


def principal_of(position: Position, instrument: Instrument, asset: str) -> Decimal:
    """What the pair's account owes for a position, without interest; zero for one without an entry.

    A short owes all that it sold. What it did not borrow for that was there already: dust, or what a neighbour had
    bought back and the venue not repaid yet. The neighbour's loan then stays, and is this one's to repay.
    """
    entry = position.entry
    if entry is None:
        return ZERO
    if position.side is Side.SHORT and asset == instrument.base:
        return entry.quantity
    return entry.borrowed.get(asset, ZERO)


def outstanding_principal(position: Position, instrument: Instrument, asset: str) -> Decimal:
    """The part of what is owed for a position that its own exit has not yet brought in again."""
    return max(principal_of(position, instrument, asset) - brought_in(position, instrument, asset), ZERO)


def interest_paid(
    position: Position, charges: Iterable[InterestCharge], instrument: Instrument, base_price: Decimal
) -> Decimal:
    """This position's share of the interest charged on the pair while it lived, in quote.

    The charge at borrowing belongs to the loan it was made for; an hourly charge is shared by principal.
    """
    entry = position.entry
    if entry is None:
        return ZERO
    total = ZERO
    kept = tuple(charges)
    for asset, mine in entry.borrowed.items():
        on_borrow = _charge_of_loan(kept, asset, mine, entry.filled_at)
        total += _in_quote(on_borrow.amount, asset, instrument, base_price) if on_borrow is not None else ZERO
    for charge in kept:
        mine = entry.borrowed.get(charge.asset, ZERO)
        if mine <= 0 or charge.on_borrow:
            continue
        if charge.at < entry.filled_at or charge.principal <= 0:
            amount = ZERO
        else:
            amount = charge.amount * min(mine, charge.principal) / charge.principal
        total += _in_quote(amount, charge.asset, instrument, base_price)
    return total


def _charge_of_loan(
    charges: tuple[InterestCharge, ...], asset: str, principal: Decimal, at: datetime
) -> InterestCharge | None:
    """The first hour's charge of one loan: a neighbour may have borrowed as much a moment earlier."""
    near = [
        charge
        for charge in charges
        if charge.on_borrow
        and (charge.asset, charge.principal) == (asset, principal)
        and abs(charge.at - at) <= BORROW_CHARGE_SLACK
    ]
    return min(near, key=lambda charge: abs(charge.at - at), default=None)


def _in_quote(amount: Decimal, asset: str, instrument: Instrument, base_price: Decimal) -> Decimal:
    return amount * base_price if asset == instrument.base else amount
