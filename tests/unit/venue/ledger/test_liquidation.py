"""Liquidation at 1.05: both sides, the exact price, solvent or not, and the bounds that ticks are held against."""

from decimal import Decimal

import pytest

from robson.domain.ids import is_ours
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import (
    LoanOrigin,
    OrderStatus,
    Pair,
    SideEffect,
    accept,
    borrow,
    is_liquidation_due,
    liquidation_bounds,
    mark,
    open_pair,
    place,
    transfer,
)
from tests.unit.venue.ledger.accounts import (
    BUY,
    DEEP,
    ENTRY,
    HOUR,
    INSTRUMENT,
    NOON_THIRTY,
    RULES,
    SELL,
    account,
    rules,
    ticket,
)

FREE = rules(
    taker_fee_rate=Decimal(0),
    base_hourly_interest_rate=Decimal(0),
    quote_hourly_interest_rate=Decimal(0),
)
CENT = Decimal("0.01")


def long(quantity: object = "0.1") -> Pair:
    return place(account(1000), FREE, ticket(BUY, quantity, ENTRY), DEEP, NOON_THIRTY).pair


def short(quantity: object = "0.1") -> Pair:
    return place(account(1000), FREE, ticket(SELL, quantity, ENTRY), DEEP, NOON_THIRTY).pair


def test_a_long_is_liquidated_exactly_where_assets_are_1_05_of_its_debt() -> None:
    # 0.1 BTC against 5000 USDT: 0.1 p = 1.05 x 5000.
    pair = long()
    assert liquidation_bounds(pair, FREE) == (Decimal(52500), Decimal("Infinity"))
    assert not mark(pair, FREE, NOON_THIRTY, 52500 + CENT).liquidations

    change = mark(pair, FREE, NOON_THIRTY, Decimal(52500))

    (record,), (order,) = change.liquidations, change.orders
    assert record.margin_level == Decimal("1.05")
    assert record.order_id == order.order_id
    assert (order.ticket.side, order.status, order.executed) == (SELL, OrderStatus.FILLED, Decimal("0.09524"))
    assert not is_ours(order.ticket.client_order_id)
    assert change.executions[0].order_id == order.order_id
    account_after = change.pair.account
    assert account_after.quote.debt == account_after.base.debt == 0
    assert account_after.base.free == Decimal("0.00476")
    # The rest of the proceeds went to the clearance fee of 2 %.
    assert record.seized == {"USDT": Decimal("0.1")}
    assert not is_liquidation_due(change.pair, FREE)


def test_a_short_is_liquidated_exactly_where_assets_are_1_05_of_its_debt() -> None:
    # 7000 USDT against 0.1 BTC: 7000 = 1.05 x 0.1 p.
    pair = short()
    low, high = liquidation_bounds(pair, FREE)
    assert low == 0
    assert Decimal("66666.66666") < high < Decimal("66666.66667")
    assert not mark(pair, FREE, NOON_THIRTY, Decimal("66666.66")).liquidations

    change = mark(pair, FREE, NOON_THIRTY, Decimal("66666.67"))

    (record,), (order,) = change.liquidations, change.orders
    assert (order.ticket.side, order.executed) == (BUY, Decimal("0.1"))
    assert change.pair.account.base.total == change.pair.account.base.debt == 0
    fee = Decimal("133.33334")
    assert record.seized == {"USDT": fee}
    assert change.pair.account.quote.free == 7000 - Decimal("6666.667") - fee


@pytest.mark.parametrize(("side", "price"), [(BUY, 30000), (SELL, 120000)])
def test_a_gap_far_beyond_leaves_the_account_at_zero_and_its_debt_with_the_insurance_fund(
    side: object, price: int
) -> None:
    # The fee leaves a fraction of a step, which cannot be sold and is seized too.
    pair = place(account(1000), RULES, ticket(BUY if side is BUY else SELL, "0.09137", ENTRY), DEEP, NOON_THIRTY).pair
    change = mark(pair, RULES, NOON_THIRTY, Decimal(price))

    after = change.pair.account
    assert after.base == after.quote == type(after.base)()
    (record,) = change.liquidations
    assert record.written_off.keys() == ({"USDT"} if side is BUY else {"BTC"})
    written_off = change.loans[-1]
    assert written_off.origin is LoanOrigin.INSURANCE
    assert written_off.principal + written_off.interest == next(iter(record.written_off.values()))


def test_fees_are_covered_so_that_no_unit_of_debt_remains() -> None:
    for quantity in ("0.1", "0.09137", "0.12003", "0.13131"):
        for make in (long, short):
            pair = make(quantity)
            low, high = liquidation_bounds(pair, RULES)
            price = INSTRUMENT.tick_size * int((low or high) / INSTRUMENT.tick_size) + (CENT if make is short else 0)
            change = mark(pair, RULES, NOON_THIRTY, price)
            assert change.liquidations[0].written_off == {}
            assert change.pair.account.base.debt == change.pair.account.quote.debt == 0


def test_one_step_more_is_sold_where_both_roundings_would_leave_a_unit_of_debt() -> None:
    # 140.9456 ETH at 0.06138 bring 8.64258967 after the fee: one unit short of the debt.
    instrument = builtin_instrument("ETHBTC")
    pair = open_pair(instrument, NOON_THIRTY).move("BTC", borrowed=Decimal("8.64258968"))
    change = mark(pair.move("ETH", free=Decimal(147)), rules(instrument=instrument), NOON_THIRTY, Decimal("0.06138"))
    assert change.liquidations[0].written_off == {}
    assert change.liquidations[0].quantity == Decimal("140.9457")
    assert change.pair.account.quote.debt == 0


def test_interest_alone_can_liquidate() -> None:
    dear = rules(taker_fee_rate=Decimal(0), quote_hourly_interest_rate=Decimal("0.01"))
    pair = mark(long(), dear, NOON_THIRTY, Decimal(52600)).pair
    assert mark(pair, dear, NOON_THIRTY + HOUR, None).liquidations


def test_open_orders_are_cancelled_first() -> None:
    resting = ticket(SELL, "0.05", SideEffect.NONE, client_order_id="resting", limit_price=Decimal(90000))
    pair = accept(long(), FREE, resting, (), NOON_THIRTY).pair
    assert pair.account.base.locked == Decimal("0.05")
    change = mark(pair, FREE, NOON_THIRTY, Decimal(52500))
    assert [order.status for order in change.orders] == [OrderStatus.CANCELED, OrderStatus.FILLED]
    assert change.pair.account.base.locked == 0


def test_a_debt_that_its_own_asset_covers_is_paid_without_a_trade() -> None:
    # Both legs owe: the loan of 17 000 lies idle in quote, the short is under water.
    pair = borrow(account(3000), FREE, "USDT", Decimal(17000), NOON_THIRTY).pair
    pair = borrow(pair, FREE, "BTC", Decimal("0.1"), NOON_THIRTY).pair
    pair = place(pair, FREE, ticket(SELL, "0.1", SideEffect.NONE), DEEP, NOON_THIRTY).pair
    change = mark(pair, FREE, NOON_THIRTY, Decimal(80000))
    assert change.loans[0].asset == "USDT"
    assert change.loans[0].principal == 17000
    assert change.pair.account.base.debt == change.pair.account.quote.debt == 0
    assert change.liquidations[0].written_off == {}


def test_without_debt_nothing_liquidates() -> None:
    pair = account(1000)
    assert liquidation_bounds(pair, FREE) == (0, Decimal("Infinity"))
    assert not is_liquidation_due(transfer(pair, "USDT", Decimal(-1000), NOON_THIRTY).pair, FREE)


def test_a_debt_in_quote_alone_is_judged_at_any_price() -> None:
    idle = borrow(account(100), FREE, "USDT", Decimal(800), NOON_THIRTY).pair
    assert liquidation_bounds(idle, FREE) == (0, Decimal("Infinity"))
    drained = place(idle, FREE, ticket(BUY, "0.01", SideEffect.NONE), DEEP, NOON_THIRTY).pair
    assert liquidation_bounds(drained, FREE)[0] == Decimal(54000)
