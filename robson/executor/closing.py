"""What is still to be done, by the account's own word, until a position is flat and owes nothing.

Isolated margin has no reduce-only: a position sells at most what its fills left it, buys back at most what it sold plus
interest and fee, and the rest is repaid from what is free. Nothing here waits or sends.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from robson.domain.account import InterestCharge, Leg, PairAccount, PairTerms
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.values import ZERO, Side, Value, plain
from robson.engine.exits import interest_estimate
from robson.ports import PairRecord

# An ON_BORROW charge is booked with the order that caused it; clocks of venue and fill may differ a little.
BORROW_CHARGE_SLACK = timedelta(seconds=10)


class Trade(Value):
    """Sell (long) or buy (short) `quantity` base at market."""

    quantity: Decimal


class Repay(Value):
    """Repay `amount` of the asset's debt from what is free."""

    asset: str
    amount: Decimal


class Flat(Value):
    """Nothing is held beyond `dust` (base), nothing of it is owed."""

    dust: Decimal


class Stuck(Value):
    """Neither trading nor repaying can finish this."""

    code: str
    message: str


Step = Trade | Repay | Flat | Stuck


def next_step(
    position: Position,
    others: Sequence[Position],
    account: PairAccount,
    pair: PairRecord | None,
    instrument: Instrument,
    terms: PairTerms,
    price: Decimal,
) -> Step:
    """The next thing to do for an Exiting position without an order on its way.

    `others` are our other positions on the pair that hold or owe something; `price` is the venue's (quote per base).
    """
    assert position.entry is not None, position
    assert position.exit is not None, position
    if position.side is Side.LONG:
        step = _sell_rest(position, bool(others), account, pair, instrument, price)
    else:
        step = _buy_back_rest(position, others, account, pair, instrument, terms, price)
    if step is not None:
        return step
    for asset, leg in ((instrument.base, account.base), (instrument.quote, account.quote)):
        excess = _excess_debt(leg, asset, others)
        payable = min(excess, leg.free)
        if payable > 0:
            return Repay(asset=asset, amount=payable)
        # On a shared pair a loss may leave a debt that the others' holdings cover: the last one out repays it.
        if excess > 0 and not others:
            return Stuck(
                code="debt_left",
                message=f"{plain(excess)} {asset} were owed and nothing was free to repay them: move {asset} in",
            )
    return Flat(dust=_dust(position, bool(others), account, pair, instrument))


def held_by(position: Position, base: str) -> Decimal:
    """The base that a long's own fills left it, after fees taken in base."""
    assert position.entry is not None, position
    out = position.reduction
    held = position.entry.quantity - position.entry.fees_by_asset.get(base, ZERO)
    return held - out.quantity - out.fees_by_asset.get(base, ZERO)


def bought_back_by(position: Position, base: str) -> Decimal:
    """The base that was bought back of a short so far, after fees taken in base."""
    return position.reduction.quantity - position.reduction.fees_by_asset.get(base, ZERO)


def surplus_of(position: Position, base: str, terms: PairTerms) -> Decimal:
    """The base that a short bought beyond what it sold and its interest, such as the rest of a step.

    Repaid automatically, it has paid others' debt: the last one out will miss that much of its own.
    """
    if position.side is Side.LONG or position.entry is None or position.exit is None:
        return ZERO
    interest = _interest_so_far(position, base, terms.base_hourly_interest_rate)
    return max(bought_back_by(position, base) - position.entry.quantity - interest, ZERO)


def _baseline(pair: PairRecord | None) -> Decimal:
    return pair.baseline_base if pair is not None else ZERO


def _remembered_dust(pair: PairRecord | None) -> Decimal:
    return pair.dust_base if pair is not None else ZERO


def _sell_rest(
    position: Position,
    shared: bool,
    account: PairAccount,
    pair: PairRecord | None,
    instrument: Instrument,
    price: Decimal,
) -> Step | None:
    held = held_by(position, instrument.base)
    free = account.base.free
    # The last one out takes the dust of earlier positions along, never what the trader held or moved in.
    alone = min(held + _remembered_dust(pair), free - _baseline(pair))
    target = min(held, free) if shared else alone
    quantity = instrument.floor(max(target, ZERO))
    if instrument.is_sellable(quantity, price):
        return Trade(quantity=quantity)
    if instrument.is_sellable(instrument.floor(max(held, ZERO)), price):
        return Stuck(
            code="holding_missing",
            message=f"the position holds {plain(held)} {instrument.base} by its fills, only {plain(free)} were free",
        )
    return None


def _buy_back_rest(
    position: Position,
    others: Sequence[Position],
    account: PairAccount,
    pair: PairRecord | None,
    instrument: Instrument,
    terms: PairTerms,
    price: Decimal,
) -> Step | None:
    assert position.entry is not None, position
    leg, shared = account.base, bool(others)
    least = instrument.smallest_sellable(price)
    rest = position.entry.quantity - bought_back_by(position, instrument.base)
    interest = _interest_so_far(position, instrument.base, terms.base_hourly_interest_rate)
    own = rest + (interest if shared else max(interest, leg.interest))
    missing = leg.debt - max(leg.free - _baseline(pair), ZERO)
    if shared:
        # Neighbours come and go in the same account: what this one owes, its own fills say. The last one out
        # takes the crumbs.
        missing = min(missing, own)
    if missing <= 0 or (shared and missing < least):
        explained = _remembered_dust(pair) + (pair.surplus_base if pair is not None else ZERO)
        if rest - explained < least:
            return None
        return Stuck(
            code="debt_missing",
            message=f"the position sold {plain(rest)} {instrument.base} more than it bought back by its fills, but "
            f"{plain(leg.debt)} were owed and {plain(leg.free)} free",
        )
    if not shared and (own + least <= 0 or missing > max(own, ZERO) + least):
        return Stuck(
            code="debt_unexplained",
            message=f"{plain(missing)} {instrument.base} were owed, of which the position's own fills explain "
            f"{plain(max(own, ZERO))}",
        )
    # Below the venue's minimum the smallest order is bought: a debt grows for ever, a surplus does not.
    return Trade(quantity=max(instrument.ceil(missing / (1 - terms.taker_fee_rate)), least))


def _interest_so_far(position: Position, asset: str, hourly_rate: Decimal) -> Decimal:
    """What the position's loan had cost when its exit was triggered, in the asset.

    Computed, because the account cannot tell: a repayment pays the interest first, everybody's.
    """
    assert position.entry is not None, position
    assert position.exit is not None, position
    entry, until = position.entry, position.exit.trigger.at
    return interest_estimate(entry.borrowed.get(asset, ZERO), hourly_rate, entry.filled_at, until)


def _excess_debt(leg: Leg, asset: str, others: Sequence[Position]) -> Decimal:
    """What the pool owes beyond the principal of the other positions; alone, all of it."""
    if not others:
        return leg.debt
    principals = [other.entry.borrowed.get(asset, ZERO) for other in others if other.entry is not None]
    return max(leg.borrowed - sum(principals, ZERO), ZERO)


def _dust(
    position: Position, shared: bool, account: PairAccount, pair: PairRecord | None, instrument: Instrument
) -> Decimal:
    if not shared:
        return max(account.base.total - _baseline(pair), ZERO)
    if position.side is Side.LONG:
        return max(held_by(position, instrument.base), ZERO)
    # Other shorts hold no base, unless a repayment of theirs is due: only what this one bought too much is its own.
    assert position.entry is not None, position
    surplus = bought_back_by(position, instrument.base) - position.entry.quantity
    return max(min(surplus, account.base.free - _baseline(pair) - _remembered_dust(pair)), ZERO)


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
    for charge in charges:
        mine = entry.borrowed.get(charge.asset, ZERO)
        if mine <= 0:
            continue
        if charge.on_borrow:
            near = abs(charge.at - entry.filled_at) <= BORROW_CHARGE_SLACK
            amount = charge.amount if near and charge.principal == mine else ZERO
        elif charge.at < entry.filled_at or charge.principal <= 0:
            amount = ZERO
        else:
            amount = charge.amount * min(mine, charge.principal) / charge.principal
        total += amount * base_price if charge.asset == instrument.base else amount
    return total
