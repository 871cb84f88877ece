"""The exit arithmetic that the reference works out (8.3), and the interest example of the venue's own pages."""

from decimal import Decimal

import pytest

from robson.domain.errors import Rejected
from robson.venue.ledger import Change, mark, place, repay
from tests.unit.venue.ledger.accounts import (
    BUY,
    DEEP,
    ENTRY,
    EXIT,
    HOUR,
    NOON_THIRTY,
    RULES,
    SELL,
    account,
    levels,
    rules,
    ticket,
)

LATER = NOON_THIRTY + 2 * HOUR


def test_a_long_holds_what_it_bought_less_the_fee_and_leaves_dust_when_it_is_sold() -> None:
    entry = place(account(500), RULES, ticket(BUY, "0.01534", ENTRY), DEEP, NOON_THIRTY)

    assert entry.pair.account.base.free == Decimal("0.01532466")
    assert entry.executions[0].fee == Decimal("0.00001534")
    assert entry.executions[0].fee_asset == "BTC"
    # 0.01534 x 60000 = 920.40 of which 500 were there.
    assert entry.pair.account.quote.borrowed == Decimal("420.40")
    assert entry.orders[0].borrowed == Decimal("420.40")

    leaving = place(entry.pair, RULES, ticket(SELL, "0.01532", EXIT), DEEP, NOON_THIRTY)

    assert leaving.pair.account.base.free == Decimal("0.00000466")
    assert leaving.pair.account.quote.debt == 0
    # 919.20 received, 0.91920 of fee, 420.40 and one hour of interest repaid.
    assert leaving.pair.account.quote.free == Decimal("919.20") - Decimal("0.9192") - Decimal("420.404204")


def test_a_short_owes_three_hours_of_interest_and_buys_back_more_than_it_sold() -> None:
    entry = place(account(500), RULES, ticket(SELL, "0.01534", ENTRY), DEEP, NOON_THIRTY)
    assert entry.pair.account.base.borrowed == Decimal("0.01534")
    assert entry.pair.account.base.interest == Decimal("0.00000017")

    held = mark(entry.pair, RULES, LATER, None)
    assert [charge.on_borrow for charge in entry.interest + held.interest] == [True, False, False]
    assert held.pair.account.base.debt == Decimal("0.01534051")

    leaving = place(held.pair, RULES, ticket(BUY, "0.01536", EXIT), DEEP, LATER)
    assert leaving.executions[0].fee == Decimal("0.00001536")
    assert leaving.pair.account.base.debt == 0
    assert leaving.pair.account.base.free == Decimal("0.00000413")


def test_buying_back_only_what_was_sold_leaves_a_debt_that_accrues() -> None:
    entry = place(account(500), RULES, ticket(SELL, "0.01534", ENTRY), DEEP, NOON_THIRTY)
    naive = mark(entry.pair, RULES, LATER, None).then(place, RULES, ticket(BUY, "0.01534", EXIT), DEEP, LATER)

    assert naive.pair.account.base.debt == Decimal("0.00001585")
    assert naive.pair.account.base.interest == 0
    accrued = mark(naive.pair, RULES, LATER + HOUR, None)
    assert accrued.pair.account.base.debt == Decimal("0.00001586")


def test_a_thousand_at_a_thousandth_percent_owe_two_cents_at_half_past_two() -> None:
    five_to_two = NOON_THIRTY + HOUR + 25 * 60_000
    half_past_two = NOON_THIRTY + 2 * HOUR
    cheap = rules(quote_hourly_interest_rate=Decimal("0.00001"), taker_fee_rate=Decimal(0))
    start = mark(account(1000), cheap, five_to_two, None).pair
    lent = place(start, cheap, ticket(BUY, "0.03333", ENTRY), DEEP, five_to_two)
    assert lent.pair.account.quote.borrowed == Decimal("999.80")

    later = mark(lent.pair, cheap, half_past_two, None)

    assert later.pair.account.quote.interest == 2 * Decimal("0.009998")


def test_a_losing_long_is_not_debt_free_until_it_repays_from_its_collateral() -> None:
    held = place(account(1000), RULES, ticket(BUY, "0.1", ENTRY), DEEP, NOON_THIRTY).pair
    fallen = mark(held, RULES, NOON_THIRTY, Decimal(54000)).pair
    sold = place(fallen, RULES, ticket(SELL, "0.0999", EXIT), levels((50000, 1)), NOON_THIRTY)
    leg = sold.pair.account.quote
    assert leg.borrowed > 0
    assert leg.interest == 0
    assert leg.free == 0
    with pytest.raises(Rejected, match="-3041: Balance is not enough"):
        repay(sold.pair, RULES, "USDT", leg.debt, NOON_THIRTY)


def test_an_hour_between_reading_a_debt_and_repaying_it_leaves_that_hours_interest() -> None:
    held = place(account(500), RULES, ticket(BUY, "0.01534", ENTRY), DEEP, NOON_THIRTY).pair
    sold = place(held, RULES, ticket(SELL, "0.0075", EXIT), DEEP, NOON_THIRTY, repays=False).pair
    read = sold.account.quote.debt
    one_o_clock = NOON_THIRTY + HOUR // 2

    on_time = repay(sold, RULES, "USDT", read, one_o_clock - 1)
    late: Change = mark(sold, RULES, one_o_clock, None).then(repay, RULES, "USDT", read, one_o_clock)

    assert on_time.pair.account.quote.debt == 0
    assert late.pair.account.quote.debt == Decimal("0.004204")
    assert late.pair.account.quote.interest == 0
    with pytest.raises(Rejected, match="The unpaid debt is too small after this repayment"):
        mark(sold, RULES, one_o_clock, None).then(
            repay, rules(minimum_repay={"USDT": Decimal("0.01")}), "USDT", read, one_o_clock
        )
