"""The Golden Rule, and the limits that may cut what it says.

quantity = capital x risk% / |entry - technical stop|, floored to the lot step. The stop gives the size, never the other
way round. A size that the margin cannot carry is cut down and the cut is announced; a size that could not be sold again
is refused, never rounded up.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Context, Decimal

import msgspec

from robson.domain.account import Credit, PairAccount, PairTerms
from robson.domain.errors import RuleError
from robson.domain.instrument import Instrument
from robson.domain.values import EXACT, HUNDRED, ZERO, Side, Value, plain

STOP_DISTANCE_PERCENT_MIN = Decimal("0.1")
STOP_DISTANCE_PERCENT_MAX = Decimal(10)
LEVERAGE_MAX = Decimal(10)
# One percent stays free for fees, slippage and interest (reference: upstream lesson 22).
HEADROOM = Decimal("0.99")
# What must be sellable at its own stop after fees: the venue's minimum and ten percent.
RESALE_FACTOR = Decimal("1.1")
ONE = Decimal(1)
# Index and last price that are nearer to each other differ by the moment at which they were read.
BASIS_NOISE = Decimal("0.001")
_UNKNOWN = Credit()
# Half-even rounding of the last digit could lift a quotient onto the next step.
_DOWN = Context(prec=28, rounding=ROUND_DOWN)


class Refusal(RuleError):
    """A signal that a rule refuses; `stage` is rule, pair, margin or stale."""

    def __init__(self, stage: str, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.stage = stage


class Size(Value):
    """What to order, and what it puts at stake; quantities in base, everything else in quote."""

    quantity: Decimal
    raw_quantity: Decimal
    stop_distance: Decimal
    stop_distance_percent: Decimal
    notional: Decimal
    risk_amount: Decimal
    leverage: Decimal
    margin_required: Decimal
    liquidation_price: Decimal
    fees_estimate: Decimal
    worst_case_loss: Decimal
    cut_by: str | None


def stop_distance(side: Side, entry_price: Decimal, technical_stop: Decimal) -> Decimal:
    """The distance in quote; raises Refusal when the stop is on the wrong side, too near or too far.

    Both ends of 0.1 % .. 10 % are allowed; the comparison is exact (no division, no rounding).
    """
    distance = EXACT.multiply(EXACT.subtract(entry_price, technical_stop), side.sign)
    if distance <= 0:
        where = "below" if side is Side.LONG else "above"
        raise Refusal(
            "rule",
            "stop_on_wrong_side",
            f"the technical stop of a {side} was {plain(technical_stop)} with an entry at {plain(entry_price)}",
            hint=f"a {side}'s stop lies {where} its entry",
        )
    percent = distance * HUNDRED / entry_price
    allowed = f"a distance of {STOP_DISTANCE_PERCENT_MIN} % to {STOP_DISTANCE_PERCENT_MAX} % of the entry is allowed"
    shown = f"the stop distance was {plain(distance)} ({percent:.4f} % of the entry {plain(entry_price)})"
    if EXACT.multiply(distance, HUNDRED) < EXACT.multiply(STOP_DISTANCE_PERCENT_MIN, entry_price):
        raise Refusal("rule", "stop_too_near", shown, hint=allowed)
    if EXACT.multiply(distance, HUNDRED) > EXACT.multiply(STOP_DISTANCE_PERCENT_MAX, entry_price):
        raise Refusal("rule", "stop_too_far", shown, hint=allowed)
    return distance


def size(
    side: Side,
    capital: Decimal,
    risk_percent: Decimal,
    entry_price: Decimal,
    technical_stop: Decimal,
    *,
    instrument: Instrument,
    terms: PairTerms,
    account: PairAccount,
    credit: Credit = _UNKNOWN,
    last_price: Decimal | None = None,
    other_stops: Iterable[Decimal] = (),
) -> Size:
    """Size an entry on this account; raises Refusal with the numbers.

    `other_stops` are the stops of our other positions on the pair (quote per base): the account must not be liquidated
    before the farthest of them, by the index price, as far from `last_price` as it is now.
    """
    distance = stop_distance(side, entry_price, technical_stop)
    raw = _DOWN.divide(EXACT.multiply(capital, risk_percent), EXACT.multiply(HUNDRED, distance))
    stops = (technical_stop, *other_stops)
    basis = _index_basis(credit, last_price)
    farthest = min(stops) * min(basis, ONE) if side is Side.LONG else max(stops) * max(basis, ONE)
    leverage = min(LEVERAGE_MAX, terms.multiple)
    limits = _limits(side, capital, entry_price, farthest, instrument, terms, account, credit, leverage)
    cut_by, most = min(limits, key=lambda limit: limit[1])
    quantity = instrument.floor(min(raw, max(most, ZERO)))
    cut = cut_by if most < raw and instrument.floor(raw) > quantity else None
    refuse_unsellable(quantity, entry_price, technical_stop, instrument, terms, raw=raw, cut_by=cut)
    notional = quantity * entry_price
    fees = quantity * (entry_price + technical_stop) * terms.taker_fee_rate
    return Size(
        quantity=quantity,
        raw_quantity=raw,
        stop_distance=distance,
        stop_distance_percent=distance * HUNDRED / entry_price,
        notional=notional,
        risk_amount=capital * risk_percent / HUNDRED,
        leverage=leverage,
        margin_required=notional / leverage,
        liquidation_price=liquidation_price(side, quantity, entry_price, terms, account),
        fees_estimate=fees,
        worst_case_loss=quantity * distance + fees,
        cut_by=cut,
    )


def liquidation_price(
    side: Side, quantity: Decimal, entry_price: Decimal, terms: PairTerms, account: PairAccount
) -> Decimal:
    """The price (quote per base) at which assets / debts reaches the liquidation ratio after this entry.

    Zero when no positive price could liquidate it (a long without debt). Fees are taken from the received asset.
    """
    after = _after_entry(side, quantity, entry_price, terms, account)
    ratio = terms.liquidation_risk_ratio
    # assets(p) = base x p + quote, debts(p) = base_debt x p + quote_debt; solve assets = ratio x debts for p.
    slope = after.base.total - ratio * after.base.debt
    constant = ratio * after.quote.debt - after.quote.total
    if slope == 0:
        return ZERO
    return max(constant / slope, ZERO)


def _after_entry(
    side: Side, quantity: Decimal, entry_price: Decimal, terms: PairTerms, account: PairAccount
) -> PairAccount:
    """The account as it would stand after the entry, the shortfall borrowed."""
    base, quote = account.base, account.quote
    kept = 1 - terms.taker_fee_rate
    if side is Side.LONG:
        paid = quantity * entry_price
        loan = max(paid - quote.free, ZERO)
        return PairAccount(
            symbol=account.symbol,
            base=msgspec.structs.replace(base, free=base.free + quantity * kept),
            quote=msgspec.structs.replace(quote, free=quote.free + loan - paid, borrowed=quote.borrowed + loan),
        )
    loan = max(quantity - base.free, ZERO)
    return PairAccount(
        symbol=account.symbol,
        base=msgspec.structs.replace(base, free=base.free + loan - quantity, borrowed=base.borrowed + loan),
        quote=msgspec.structs.replace(quote, free=quote.free + quantity * entry_price * kept),
    )


def _limits(
    side: Side,
    capital: Decimal,
    entry_price: Decimal,
    farthest_stop: Decimal,
    instrument: Instrument,
    terms: PairTerms,
    account: PairAccount,
    credit: Credit,
    leverage: Decimal,
) -> list[tuple[str, Decimal]]:
    """The largest quantity (base) that each limit allows, by name."""
    equity = account.equity(entry_price)
    debt_allowed = min((leverage - 1) * equity, equity / (terms.initial_risk_ratio - 1))
    borrowable = max(debt_allowed - account.debt_value(entry_price), ZERO)
    limits = [("leverage", HEADROOM * leverage * capital / entry_price)]
    if side is Side.LONG:
        own = account.quote.free
        limits.append(("margin", HEADROOM * (own + borrowable) / entry_price))
        if terms.quote_borrow_limit is not None:
            room = max(terms.quote_borrow_limit - account.quote.borrowed, ZERO)
            limits.append(("borrow_limit", HEADROOM * (own + room) / entry_price))
        lent = _lent_less(credit, borrowable)
        if lent is not None:
            limits.append(("borrow_limit", HEADROOM * (own + lent) / entry_price))
    else:
        limits.append(("margin", HEADROOM * borrowable / entry_price))
        if terms.base_borrow_limit is not None:
            room = max(terms.base_borrow_limit - account.base.borrowed, ZERO)
            limits.append(("borrow_limit", HEADROOM * room))
        lent = _lent_less(credit, borrowable / entry_price)
        if lent is not None:
            limits.append(("borrow_limit", HEADROOM * lent))
    limits.append(("liquidation", HEADROOM * _liquidation_limit(side, entry_price, farthest_stop, terms, account)))
    largest = instrument.largest_order()
    if largest is not None:
        limits.append(("maximum_quantity", largest))
    return limits


def _lent_less(credit: Credit, expected: Decimal) -> Decimal | None:
    """What the venue would lend, if that is noticeably less than the account's margin allows (both in the asset)."""
    lent = credit.borrowable
    return lent if lent is not None and lent < HEADROOM * expected else None


def _index_basis(credit: Credit, last_price: Decimal | None) -> Decimal:
    """The index price per last price; 1 where one of them is unknown, or they differ by the moment of their reading."""
    if credit.index_price is None or last_price is None:
        return ONE
    basis = credit.index_price / last_price
    return basis if abs(basis - ONE) > BASIS_NOISE else ONE


def _liquidation_limit(
    side: Side, entry_price: Decimal, farthest_stop: Decimal, terms: PairTerms, account: PairAccount
) -> Decimal:
    """The largest quantity whose liquidation price still lies beyond the farthest stop.

    From assets >= ratio x debts at that stop, once with everything beyond the free funds borrowed and once with nothing
    borrowed; both are linear in the quantity and the smaller one holds on either side of the point where they meet.
    """
    ratio, kept = terms.liquidation_risk_ratio, 1 - terms.taker_fee_rate
    base, quote = account.base, account.quote
    spare = (base.total - ratio * base.debt) * farthest_stop + quote.total - ratio * quote.debt
    if side is Side.LONG:
        paid, gained, own = entry_price, kept * farthest_stop, quote.free
    else:
        paid, gained, own = farthest_stop, kept * entry_price, base.free * farthest_stop
    borrowing = (spare + (ratio - 1) * own) / (ratio * paid - gained)
    return min(borrowing, spare / (paid - gained))


def refuse_unsellable(
    quantity: Decimal,
    entry_price: Decimal,
    technical_stop: Decimal,
    instrument: Instrument,
    terms: PairTerms,
    *,
    raw: Decimal | None = None,
    cut_by: str | None = None,
) -> None:
    """Raise Refusal for a quantity that the venue would not take at the entry, or not take back at the stop.

    `raw` is what the Golden Rule said, None for a holding that is there already.
    """
    stage = "margin" if cut_by in {"margin", "borrow_limit", "liquidation"} else "rule"
    origin = "a holding" if raw is None else f"{raw:.8f} {instrument.base} by the Golden Rule"
    origin += f", cut by {cut_by}" if cut_by else ""
    if not instrument.is_sellable(quantity, entry_price):
        raise Refusal(
            stage,
            "below_minimum",
            f"the quantity was {plain(quantity)} {instrument.base} ({origin}), worth {plain(quantity * entry_price)} "
            f"{instrument.quote}",
            hint=f"{instrument.symbol} takes at least {plain(instrument.minimum_quantity)} {instrument.base} and "
            f"{plain(instrument.minimum_notional)} {instrument.quote}; more capital, more risk or a nearer stop",
        )
    least = instrument.minimum_notional * RESALE_FACTOR
    lowest = min(entry_price, technical_stop)
    worth = instrument.floor(quantity * (1 - terms.taker_fee_rate)) * lowest
    if worth < least:
        raise Refusal(
            stage,
            "unsellable_at_stop",
            f"the quantity {plain(quantity)} {instrument.base} ({origin}) would be worth {plain(worth)} "
            f"{instrument.quote} at {plain(lowest)} after fees",
            hint=f"it must be worth at least {plain(least)} {instrument.quote} there to be sold again",
        )
