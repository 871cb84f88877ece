"""What is still to be done, by the account's own word, until a position is flat and owes nothing.

Isolated margin has no reduce-only: a position sells at most what its fills left it, buys back at most what it sold plus
interest and fee, and the rest is repaid from what is free. Nothing here waits or sends.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from robson.domain.account import Leg, PairAccount, PairTerms
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.values import ZERO, OrderSide, Side, Value, cut_to_unit, plain
from robson.engine.exits import NEXT_HOUR_MARGIN, interest_estimate
from robson.executor.debts import outstanding_principal, principal_of, without_handed
from robson.ports import PairRecord


class Trade(Value):
    """Sell or buy `quantity` base at market; a short sells what it has bought back too much."""

    order_side: OrderSide
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
    Debts that are the trader's own are left alone.
    """
    assert position.entry is not None, position
    assert position.exit is not None, position
    account = without_handed(account, pair)
    step: Step | None
    if position.side is Side.LONG:
        step = _repay_crumb(bool(others), account, instrument, price)
        step = step or _sell_rest(position, bool(others), account, pair, instrument, price)
    else:
        step = _buy_back_rest(position, others, account, pair, instrument, terms, price)
    if step is not None:
        return step
    for asset, leg in ((instrument.base, account.base), (instrument.quote, account.quote)):
        # Less than the venue's unit cannot be repaid, so it is no debt.
        excess = cut_to_unit(_excess_debt(leg, asset, others, instrument))
        payable = cut_to_unit(min(excess, leg.free))
        if payable > 0:
            return Repay(asset=asset, amount=payable)
        # On a shared pair a loss may leave a debt that the others' holdings cover: the pair's record carries it, and
        # the last one out repays it.
        is_crumb = asset == instrument.base and position.side is Side.LONG and _is_crumb(excess, instrument, price)
        if excess > 0 and not others and not is_crumb:
            return Stuck(
                code="debt_left",
                message=f"{plain(excess)} {asset} were owed and nothing was free to repay them: move {asset} in",
            )
    if not others and position.side is Side.SHORT:
        surplus = instrument.floor(
            max(min(_base_of_ours(position, pair, instrument, terms), _above(account, pair)), ZERO)
        )
        if instrument.is_sellable(surplus, price):
            return Trade(order_side=OrderSide.SELL, quantity=surplus)
    return Flat(dust=_dust(position, bool(others), account, pair, instrument, price))


def held_by(position: Position, base: str) -> Decimal:
    """The base that a long's own fills left it, after fees taken in base."""
    assert position.entry is not None, position
    out = position.reduction
    held = position.entry.quantity - position.entry.fees_by_asset.get(base, ZERO)
    return held - out.quantity - out.fees_by_asset.get(base, ZERO)


def bought_back_by(position: Position, base: str) -> Decimal:
    """The base that was bought back of a short so far, after fees taken in base and what was sold again."""
    out = position.reduction
    return out.quantity - out.returned - out.fees_by_asset.get(base, ZERO)


def surplus_of(position: Position, base: str, terms: PairTerms) -> Decimal:
    """The base that a short bought beyond what it sold and its interest, such as the rest of a step.

    Repaid automatically, it has paid others' debt: the last one out will miss that much of its own. Negative where the
    pair owed less than the short itself, because others had bought too much: it has used up so much of theirs.
    """
    if position.side is Side.LONG or position.entry is None or position.exit is None:
        return ZERO
    interest = _interest_so_far(position, base, terms.base_hourly_interest_rate, margin=timedelta(0))
    return bought_back_by(position, base) - position.entry.quantity - interest


def _baseline(pair: PairRecord | None) -> Decimal:
    return pair.baseline_base if pair is not None else ZERO


def _remembered_dust(pair: PairRecord | None) -> Decimal:
    return pair.dust_base if pair is not None else ZERO


def _above(account: PairAccount, pair: PairRecord | None) -> Decimal:
    """The free base beyond what the account held before us; negative when some of that is gone."""
    return account.base.free - _baseline(pair)


def _base_of_ours(position: Position, pair: PairRecord | None, instrument: Instrument, terms: PairTerms) -> Decimal:
    """What our fills explain of the base above the baseline once a short, the last one, owes nothing.

    Whatever else is there came from elsewhere: a deposit is never sold.
    """
    assert position.entry is not None, position
    interest = _interest_so_far(position, instrument.base, terms.base_hourly_interest_rate, margin=timedelta(0))
    surplus = pair.surplus_base if pair is not None else ZERO
    carried = pair.carried_base if pair is not None else ZERO
    bought = bought_back_by(position, instrument.base) - position.entry.quantity
    return bought - interest + surplus + _remembered_dust(pair) - carried


def _is_crumb(base: Decimal, instrument: Instrument, price: Decimal) -> bool:
    """Whether an amount of base is less than one order."""
    return base < instrument.smallest_sellable(price)


def _repay_crumb(shared: bool, account: PairAccount, instrument: Instrument, price: Decimal) -> Repay | None:
    """The interest of a base loan without its order, paid from what the last long holds, before it is sold."""
    payable = cut_to_unit(min(account.base.debt, account.base.free))
    if shared or payable <= 0 or not _is_crumb(account.base.debt, instrument, price):
        return None
    return Repay(asset=instrument.base, amount=payable)


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
    alone = min(held + _remembered_dust(pair), _above(account, pair))
    target = min(held, free) if shared else alone
    quantity = instrument.floor(max(target, ZERO))
    if instrument.is_sellable(quantity, price):
        return Trade(order_side=OrderSide.SELL, quantity=quantity)
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
    own = rest + (interest if shared else max(interest, leg.interest) + (pair.carried_base if pair else ZERO))
    missing = cut_to_unit(leg.debt - max(_above(account, pair), ZERO))
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
    quantity = max(instrument.ceil(missing / (1 - terms.taker_fee_rate)), least)
    return Trade(order_side=OrderSide.BUY, quantity=quantity)


def _interest_so_far(
    position: Position, asset: str, hourly_rate: Decimal, *, margin: timedelta = NEXT_HOUR_MARGIN
) -> Decimal:
    """What the position's loan had cost when its exit was triggered, in the asset.

    Computed, because the account cannot tell: a repayment pays the interest first, everybody's.
    """
    assert position.entry is not None, position
    assert position.exit is not None, position
    entry, until = position.entry, position.exit.trigger.at
    return interest_estimate(entry.borrowed.get(asset, ZERO), hourly_rate, entry.filled_at, until, margin=margin)


def _excess_debt(leg: Leg, asset: str, others: Sequence[Position], instrument: Instrument) -> Decimal:
    """What the pool owes beyond the principal of the other positions; alone, all of it."""
    if not others:
        return leg.debt
    principals = [principal_of(other, instrument, asset) for other in others]
    return max(leg.borrowed - sum(principals, ZERO), ZERO)


def carried_debt(
    leg: Leg,
    asset: str,
    known: Decimal,
    position: Position,
    others: Sequence[Position],
    instrument: Instrument,
    *,
    baseline: Decimal = ZERO,
    surplus: Decimal = ZERO,
) -> Decimal:
    """The principal that nobody's loan explains when a position leaves (in the asset); alone, what it could not repay.

    What is free above the `baseline` is not carried: a neighbour whose exit was not repaid has yet to repay it. Nor
    does the `surplus` of departed positions, which has paid the others' debt, pay for it.
    While a neighbour's entry is on its way its loan cannot be told from what is left: then no more than this position
    can have left.
    """
    if not others:
        return cut_to_unit(leg.borrowed)
    explained = sum((outstanding_principal(other, instrument, asset) for other in others), ZERO)
    measured = cut_to_unit(max(leg.borrowed + surplus - explained - max(leg.free - baseline, ZERO), ZERO))
    if all(other.entry is not None for other in others):
        return measured
    return min(measured, known + outstanding_principal(position, instrument, asset))


def _dust(
    position: Position,
    shared: bool,
    account: PairAccount,
    pair: PairRecord | None,
    instrument: Instrument,
    price: Decimal,
) -> Decimal:
    """What is left of ours, less than one sellable order; a deposit that came meanwhile is not ours."""
    assert position.entry is not None, position
    if shared and position.side is Side.LONG:
        return max(held_by(position, instrument.base), ZERO)
    bought = bought_back_by(position, instrument.base) - position.entry.quantity
    if shared:
        # Other shorts hold no base, unless a repayment of theirs is due: only what this one bought too much is its own.
        return max(min(bought, _above(account, pair) - _remembered_dust(pair)), ZERO)
    beyond = max(account.base.total - _baseline(pair), ZERO)
    if position.side is Side.LONG:
        ours = held_by(position, instrument.base) + _remembered_dust(pair)
    else:
        ours = bought + _remembered_dust(pair) + (pair.surplus_base if pair is not None else ZERO)
    # Interest is computed and the venue's is rounded, so that a crumb may be there that no fill explains.
    return beyond if beyond < instrument.smallest_sellable(price) else min(max(ours, ZERO), beyond)
