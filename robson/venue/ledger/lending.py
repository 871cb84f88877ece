"""Loans and their interest: what may be lent, an hour charged at once, each full hour after, interest repaid first."""

from decimal import Decimal

import msgspec

from robson.domain.errors import Rejected
from robson.domain.values import UNIT, ZERO, cut_to_unit
from robson.venue.ledger.pair import Pair, PairRules
from robson.venue.ledger.records import (
    Change,
    InterestRecord,
    LoanKind,
    LoanOrigin,
    LoanRecord,
    TransferRecord,
)
from robson.venue.ledger.refusals import (
    ABOVE_BORROWABLE,
    ABOVE_MAXIMUM_BORROW,
    ABOVE_MAXIMUM_TRANSFER,
    BALANCE_NOT_ENOUGH,
    BELOW_MINIMUM_BORROW,
    BELOW_MINIMUM_REPAY,
    ILLEGAL_AMOUNT,
    REPAY_ABOVE_DEBT,
    REPAY_LEAVES_CRUMB,
    TOO_PRECISE,
)
from robson.venue.ledger.units import MS_PER_HOUR, full_hour, is_whole, raise_to_unit, times_up

# Collateral may leave while assets stay at least twice the debts (Binance: transfer-out ratio of isolated margin).
TRANSFER_OUT_RATIO = Decimal(2)


def accrue(pair: Pair, rules: PairRules, now_ms: int) -> Change:
    """Charge each full UTC hour that has passed since the last charge, on the principal alone (simple interest)."""
    change = Change(pair=pair)
    this_hour = full_hour(now_ms)
    if this_hour <= pair.accrued_hour:
        return change
    if pair.account.base.borrowed > 0 or pair.account.quote.borrowed > 0:
        for hour in range(pair.accrued_hour + 1, this_hour + 1):
            for asset in (pair.base_asset, pair.quote_asset):
                change = change.then(
                    _charge, rules, asset, pair.leg(asset).borrowed, hour * MS_PER_HOUR, on_borrow=False
                )
    return change.then(_accrued_until, this_hour)


def max_borrowable(pair: Pair, rules: PairRules, asset: str) -> Decimal:
    """The most that the account may still borrow of the asset, the first hour's interest included; never negative.

    Debts stay within the tier's multiple of the equity, assets within the initial risk ratio, the asset within its own
    limit. Rejected -3042 without an index price.
    """
    price = pair.priced()
    unit_value = price if asset == pair.base_asset else Decimal(1)
    terms, rate = rules.terms, rules.hourly_rate(asset)
    debts, equity = pair.account.debt_value(price), pair.account.equity(price)
    # A loan b adds b to the assets and b(1 + rate) to the debts, so it takes b x rate from the equity; the interest is
    # rounded up, by less than one unit.
    rounding = unit_value * UNIT if rate > 0 else ZERO
    multiple, ratio = terms.multiple, terms.initial_risk_ratio
    by_multiple = ((multiple - 1) * equity - debts - multiple * rounding) / (1 + multiple * rate)
    by_ratio = (equity + debts - ratio * (debts + rounding)) / (ratio * (1 + rate) - 1)
    most = min(by_multiple, by_ratio) / unit_value
    limit = rules.borrow_limit(asset)
    if limit is not None:
        most = min(most, limit - pair.leg(asset).borrowed)
    return max(cut_to_unit(most), ZERO)


def borrow(pair: Pair, rules: PairRules, asset: str, amount: Decimal, now_ms: int) -> Change:
    """Lend on request; Rejected -3006, -3013, -3027 or -3042. The account must be marked to this moment."""
    pair.leg(asset)
    _check_amount(amount)
    if amount < rules.minimum_borrow.get(asset, ZERO):
        raise Rejected(*BELOW_MINIMUM_BORROW)
    if amount > max_borrowable(pair, rules, asset):
        raise Rejected(*ABOVE_MAXIMUM_BORROW)
    return _lend(pair, rules, asset, amount, now_ms, origin=LoanOrigin.MANUAL, order_id=None)


def borrow_shortfall(
    pair: Pair, rules: PairRules, asset: str, shortfall: Decimal, now_ms: int, order_id: int
) -> Change:
    """Lend an order what it lacks, at least the minimum.

    Rejected -11008 beyond what the tier allows, -3006 beyond the asset's own limit.
    """
    minimum = raise_to_unit(rules.minimum_borrow.get(asset, ZERO))
    amount = max(times_up(shortfall, 1 + rules.borrow_excess), minimum)
    limit = rules.borrow_limit(asset)
    if limit is not None and pair.leg(asset).borrowed + amount > limit:
        raise Rejected(*ABOVE_MAXIMUM_BORROW)
    if amount > max_borrowable(pair, rules, asset):
        raise Rejected(*ABOVE_BORROWABLE)
    return _lend(pair, rules, asset, amount, now_ms, origin=LoanOrigin.AUTO, order_id=order_id)


def repay(pair: Pair, rules: PairRules, asset: str, amount: Decimal, now_ms: int) -> Change:
    """Repay on request, interest first; Rejected -3015 (both texts), -3016, -3027 or -3041.

    The account must be marked to this moment: an hour that has passed since its owner read it is owed as well.
    """
    leg = pair.leg(asset)
    _check_amount(amount)
    least = rules.minimum_repay.get(asset, ZERO)
    if amount > leg.debt:
        raise Rejected(*REPAY_ABOVE_DEBT)
    if amount > leg.free:
        raise Rejected(*BALANCE_NOT_ENOUGH)
    if amount < least and amount < leg.debt:
        raise Rejected(*BELOW_MINIMUM_REPAY)
    if 0 < leg.debt - amount < least:
        raise Rejected(*REPAY_LEAVES_CRUMB)
    return pay_down(pair, asset, amount, now_ms, origin=LoanOrigin.MANUAL)


def pay_down(
    pair: Pair, asset: str, amount: Decimal, now_ms: int, *, origin: LoanOrigin, order_id: int | None = None
) -> Change:
    """Take up to `amount` from what is free to the asset's debt, interest first; nothing when nothing is owed."""
    leg = pair.leg(asset)
    paid = min(amount, leg.free, leg.debt)
    if paid <= 0:
        return Change(pair=pair)
    interest = min(paid, leg.interest)
    principal = paid - interest
    after = pair.move(asset, free=-paid, borrowed=-principal, interest=-interest)
    return record_loan(after, asset, LoanKind.REPAY, principal, interest, now_ms, origin=origin, order_id=order_id)


def record_loan(
    pair: Pair,
    asset: str,
    kind: LoanKind,
    principal: Decimal,
    interest: Decimal,
    now_ms: int,
    *,
    origin: LoanOrigin,
    order_id: int | None = None,
) -> Change:
    """Number a loan or repayment that the balances already show."""
    record = LoanRecord(
        transaction_id=pair.next_transaction_id,
        asset=asset,
        kind=kind,
        origin=origin,
        principal=principal,
        interest=interest,
        at_ms=now_ms,
        order_id=order_id,
    )
    after = msgspec.structs.replace(pair, next_transaction_id=pair.next_transaction_id + 1)
    return Change(pair=after, loans=(record,))


def transfer(pair: Pair, asset: str, amount: Decimal, now_ms: int) -> Change:
    """Bring collateral in, or (a negative amount) take it out; Rejected -3020, -3027 or -3042.

    With a debt, only what leaves assets of twice the debts may go out.
    """
    leg = pair.leg(asset)
    _check_amount(abs(amount))
    after = msgspec.structs.replace(pair, next_transaction_id=pair.next_transaction_id + 1)
    if amount < 0:
        if -amount > leg.free:
            raise Rejected(*ABOVE_MAXIMUM_TRANSFER)
        if pair.account.base.debt > 0 or pair.account.quote.debt > 0:
            price = pair.priced()
            level = pair.move(asset, free=amount).account.margin_level(price)
            if level is None or level < TRANSFER_OUT_RATIO:
                raise Rejected(*ABOVE_MAXIMUM_TRANSFER)
    record = TransferRecord(transaction_id=pair.next_transaction_id, asset=asset, amount=amount, at_ms=now_ms)
    return Change(pair=after.move(asset, free=amount), transfers=(record,))


def _lend(
    pair: Pair, rules: PairRules, asset: str, amount: Decimal, now_ms: int, *, origin: LoanOrigin, order_id: int | None
) -> Change:
    lent = pair.move(asset, free=amount, borrowed=amount)
    change = record_loan(lent, asset, LoanKind.BORROW, amount, ZERO, now_ms, origin=origin, order_id=order_id)
    return change.then(_charge, rules, asset, amount, now_ms, on_borrow=True)


def _accrued_until(pair: Pair, hour: int) -> Change:
    return Change(pair=msgspec.structs.replace(pair, accrued_hour=hour))


def _charge(pair: Pair, rules: PairRules, asset: str, principal: Decimal, at_ms: int, *, on_borrow: bool) -> Change:
    rate = rules.hourly_rate(asset)
    interest = times_up(principal, rate)
    if interest == 0:
        return Change(pair=pair)
    record = InterestRecord(
        asset=asset, interest=interest, principal=principal, hourly_rate=rate, on_borrow=on_borrow, at_ms=at_ms
    )
    return Change(pair=pair.move(asset, interest=interest), interest=(record,))


def _check_amount(amount: Decimal) -> None:
    if not (amount.is_finite() and amount > 0):
        raise Rejected(*ILLEGAL_AMOUNT)
    if not is_whole(amount, UNIT):
        raise Rejected(*TOO_PRECISE)
