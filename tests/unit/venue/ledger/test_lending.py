"""Loans at the ledger: limits, minima, interest by the hour, repayment and collateral."""

from decimal import Decimal

import pytest

from robson.domain.errors import Rejected
from robson.venue.ledger import (
    LoanKind,
    LoanOrigin,
    Pair,
    accrue,
    borrow,
    max_borrowable,
    open_pair,
    place,
    repay,
    transfer,
)
from tests.unit.venue.ledger.accounts import (
    BUY,
    DEEP,
    ENTRY,
    EXIT,
    HOUR,
    INSTRUMENT,
    NOON_THIRTY,
    PRICE,
    RULES,
    SELL,
    account,
    rules,
    ticket,
)

ONE_O_CLOCK = NOON_THIRTY + HOUR // 2


def indebted(asset: str = "USDT", amount: object = 900, **changes: object) -> Pair:
    return borrow(account(1000), rules(**changes), asset, Decimal(str(amount)), NOON_THIRTY).pair


def test_interest_is_charged_at_the_loan_and_at_each_full_hour_on_the_principal_alone() -> None:
    pair = indebted()
    assert pair.account.quote.interest == Decimal("0.009")
    assert accrue(pair, RULES, ONE_O_CLOCK - 1).interest == ()

    day = accrue(pair, RULES, ONE_O_CLOCK + 23 * HOUR)

    assert len(day.interest) == 24
    assert day.interest[0].at_ms == ONE_O_CLOCK
    assert {charge.interest for charge in day.interest} == {Decimal("0.009")}
    assert day.pair.account.quote.interest == 25 * Decimal("0.009")
    assert accrue(day.pair, RULES, ONE_O_CLOCK + 23 * HOUR).interest == ()


def test_charging_hour_by_hour_or_at_once_comes_to_the_same() -> None:
    at_once = accrue(indebted(), RULES, ONE_O_CLOCK + 9 * HOUR).pair
    step_by_step = indebted()
    for hour in range(10):
        step_by_step = accrue(step_by_step, RULES, ONE_O_CLOCK + hour * HOUR).pair
    assert at_once == step_by_step


def test_a_clock_that_goes_back_charges_nothing_twice() -> None:
    charged = accrue(indebted(), RULES, ONE_O_CLOCK).pair
    assert accrue(charged, RULES, ONE_O_CLOCK - HOUR).pair == charged
    assert accrue(accrue(charged, RULES, ONE_O_CLOCK - HOUR).pair, RULES, ONE_O_CLOCK).interest == ()


def test_time_without_a_debt_costs_nothing_and_is_not_charged_later() -> None:
    idle = accrue(account(1000), RULES, ONE_O_CLOCK + 100 * HOUR)
    assert not idle.has_records
    lent = borrow(idle.pair, RULES, "USDT", Decimal(100), ONE_O_CLOCK + 100 * HOUR)
    assert lent.pair.account.quote.interest == Decimal("0.001")


def test_the_smallest_debt_bears_interest() -> None:
    pair = indebted(amount="0.00000001")
    assert pair.account.quote.interest == Decimal("0.00000001")


def test_the_multiple_bounds_the_debt_to_nine_times_the_equity() -> None:
    most = max_borrowable(account(1000), RULES, "USDT")
    # Nine thousand, less what the first hour's interest takes from the equity ten times over.
    assert most == Decimal("8999.10008989")
    borrow(account(1000), RULES, "USDT", most, NOON_THIRTY)
    with pytest.raises(Rejected, match="^-3006: Your borrow amount has exceed maximum borrow amount"):
        borrow(account(1000), RULES, "USDT", most + Decimal("0.00000001"), NOON_THIRTY)
    assert max_borrowable(account(1000), RULES, "BTC") == Decimal("0.14998340")


def test_the_initial_risk_ratio_bounds_a_lower_tier() -> None:
    tighter = rules(initial_risk_ratio=Decimal("1.25"), quote_hourly_interest_rate=Decimal(0))
    assert max_borrowable(account(1000), tighter, "USDT") == 4000


def test_a_loan_at_the_limit_leaves_the_initial_risk_ratio_after_its_first_interest() -> None:
    dear = rules(initial_risk_ratio=Decimal("1.25"), quote_hourly_interest_rate=Decimal("0.01"))
    most = max_borrowable(account(1000), dear, "USDT")
    level = borrow(account(1000), dear, "USDT", most, NOON_THIRTY).pair.account.margin_level(PRICE)
    assert level is not None
    assert Decimal("1.25") <= level < Decimal("1.2500001")


def test_the_limit_of_the_asset_counts_what_is_already_borrowed() -> None:
    limited = rules(quote_borrow_limit=Decimal(1000))
    assert max_borrowable(indebted(), limited, "USDT") == 100
    assert max_borrowable(indebted(), rules(quote_borrow_limit=Decimal(10)), "USDT") == 0
    with pytest.raises(Rejected, match="^-3006: "):
        place(indebted(), limited, ticket(BUY, "0.05", ENTRY), DEEP, NOON_THIRTY)


@pytest.mark.parametrize(("side", "quantity"), [(BUY, "0.1667"), (SELL, "0.15")])
def test_an_order_that_needs_more_than_the_tier_allows_is_refused_whole(side: object, quantity: str) -> None:
    with pytest.raises(Rejected, match="^-11008: Exceeding the account's maximum borrowable limit"):
        place(account(1000), RULES, ticket(side, quantity, ENTRY), DEEP, NOON_THIRTY)  # type: ignore[arg-type]


def test_one_percent_below_the_tier_is_accepted() -> None:
    for side, quantity in ((BUY, "0.165"), (SELL, "0.1484")):
        assert place(account(1000), RULES, ticket(side, quantity, ENTRY), DEEP, NOON_THIRTY).orders[0].borrowed > 0


def test_an_entry_borrows_only_its_shortfall_but_at_least_the_minimum() -> None:
    enough = place(account(1000), RULES, ticket(BUY, "0.01", ENTRY), DEEP, NOON_THIRTY)
    assert enough.loans == ()
    assert enough.orders[0].borrowed_asset is None

    least = rules(minimum_borrow={"USDT": Decimal(10)})
    lacking = place(account(599), least, ticket(BUY, "0.01", ENTRY), DEEP, NOON_THIRTY)
    (loan,) = lacking.loans
    assert (loan.kind, loan.origin, loan.principal, loan.order_id) == (
        LoanKind.BORROW,
        LoanOrigin.AUTO,
        Decimal(10),
        lacking.orders[0].order_id,
    )
    assert lacking.pair.account.quote.free == 9


def test_the_venue_may_lend_more_than_the_shortfall() -> None:
    generous = rules(borrow_excess=Decimal("0.001"))
    lent = place(account(100), generous, ticket(SELL, "0.01", ENTRY), DEEP, NOON_THIRTY)
    assert lent.orders[0].borrowed == Decimal("0.01001")
    assert lent.pair.account.base.free == Decimal("0.00001")


def test_free_base_is_sold_before_any_is_borrowed() -> None:
    sold = place(account(1000, base="0.004"), RULES, ticket(SELL, "0.01", ENTRY), DEEP, NOON_THIRTY)
    assert sold.orders[0].borrowed == Decimal("0.006")


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        ("900.00900001", "-3015: Repay amount exceeds borrow amount."),
        ("0", "-1100: Illegal characters"),
        ("-1", "-1100: Illegal characters"),
        ("NaN", "-1100: Illegal characters"),
        ("1.000000001", "-1111: Precision is over the maximum"),
        ("4", "-3016: Repay amount less than minimum repay amount."),
        ("899", "-3015: The unpaid debt is too small after this repayment."),
    ],
)
def test_a_repayment_is_refused_in_the_venues_words(amount: str, refusal: str) -> None:
    least = rules(minimum_repay={"USDT": Decimal(5)})
    with pytest.raises(Rejected) as refused:
        repay(indebted(), least, "USDT", Decimal(amount), NOON_THIRTY)
    assert str(refused.value).startswith(refusal)


def test_a_debt_that_is_not_covered_by_what_is_free_is_refused() -> None:
    spent = place(indebted(), RULES, ticket(BUY, "0.03", EXIT), DEEP, NOON_THIRTY).pair
    with pytest.raises(Rejected, match="^-3041: Balance is not enough"):
        repay(spent, RULES, "USDT", Decimal(900), NOON_THIRTY)


def test_only_the_pairs_own_assets_are_lent() -> None:
    with pytest.raises(Rejected, match="^-3027: Not a valid margin asset"):
        borrow(account(), RULES, "BNB", Decimal(1), NOON_THIRTY)
    with pytest.raises(Rejected, match="^-3027: "):
        repay(account(), RULES, "BNB", Decimal(1), NOON_THIRTY)


def test_a_request_below_the_minimum_loan_is_refused() -> None:
    least = rules(minimum_borrow={"USDT": Decimal(10)})
    with pytest.raises(Rejected, match="^-3013: "):
        borrow(account(), least, "USDT", Decimal(9), NOON_THIRTY)


def test_repayment_takes_interest_first_then_principal() -> None:
    part = repay(indebted(), RULES, "USDT", Decimal("0.004"), NOON_THIRTY)
    assert part.pair.account.quote.interest == Decimal("0.005")
    assert part.pair.account.quote.borrowed == 900
    more = repay(part.pair, RULES, "USDT", Decimal(100), NOON_THIRTY)
    assert (more.loans[0].interest, more.loans[0].principal) == (Decimal("0.005"), Decimal("99.995"))
    rest = repay(more.pair, RULES, "USDT", more.pair.account.quote.debt, NOON_THIRTY)
    assert rest.pair.account.quote.debt == 0


def test_collateral_leaves_only_while_assets_stay_twice_the_debts() -> None:
    pair = indebted(amount=500, quote_hourly_interest_rate=Decimal(0))
    assert transfer(pair, "USDT", Decimal(-500), NOON_THIRTY).pair.account.quote.free == 1000
    with pytest.raises(Rejected, match="^-3020: Transfer out amount exceeds max amount"):
        transfer(pair, "USDT", Decimal("-500.00000001"), NOON_THIRTY)
    with pytest.raises(Rejected, match="^-3020: "):
        transfer(account(10), "USDT", Decimal("-10.00000001"), NOON_THIRTY)
    assert transfer(account(10), "USDT", Decimal(-10), NOON_THIRTY).pair.account.quote.free == 0


def test_a_loan_needs_a_price() -> None:
    unpriced = transfer(open_pair(INSTRUMENT, NOON_THIRTY), "USDT", Decimal(1000), NOON_THIRTY).pair
    with pytest.raises(Rejected, match="^-3042: PriceIndex not available for this margin pair"):
        borrow(unpriced, RULES, "USDT", Decimal(1), NOON_THIRTY)
