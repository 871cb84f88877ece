"""Orders at the ledger: what is refused and with which words, what executes, and what is left of it."""

from decimal import Decimal

import msgspec
import pytest

from robson.domain.errors import Rejected
from robson.venue.ledger import (
    OrderStatus,
    SideEffect,
    accept,
    cancel,
    check_window,
    execute,
    mark,
    open_pair,
    place,
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
    levels,
    rules,
    ticket,
)

NONE = SideEffect.NONE


@pytest.mark.parametrize(
    ("quantity", "name"),
    [
        ("0.000001", "LOT_SIZE"),
        ("0.000015", "LOT_SIZE"),
        ("0", "LOT_SIZE"),
        ("-0.1", "LOT_SIZE"),
        ("NaN", "LOT_SIZE"),
        ("100.00001", "MARKET_LOT_SIZE"),
        ("99999999999999999999.99999", "MARKET_LOT_SIZE"),
        ("0.00008", "NOTIONAL"),
    ],
)
def test_a_filter_refuses_by_its_name(quantity: str, name: str) -> None:
    with pytest.raises(Rejected, match=f"^-1013: Filter failure: {name}$"):
        place(account(), RULES, ticket(BUY, quantity, ENTRY), DEEP, NOON_THIRTY)


def test_the_least_quantity_and_the_least_notional_are_accepted() -> None:
    least = place(account(), RULES, ticket(BUY, "0.00009", NONE), DEEP, NOON_THIRTY)
    assert least.orders[0].status is OrderStatus.FILLED


def test_a_market_maximum_of_zero_is_off() -> None:
    unlimited = rules(instrument=msgspec.structs.replace(INSTRUMENT, maximum_quantity=Decimal(0)))
    bought = place(account(10_000_000), unlimited, ticket(BUY, "150", NONE), DEEP, NOON_THIRTY)
    assert bought.orders[0].executed == 150


def test_a_pair_that_is_not_trading_is_closed() -> None:
    halted = rules(instrument=msgspec.structs.replace(INSTRUMENT, tradable=False))
    with pytest.raises(Rejected, match="^-2010: Market is closed"):
        place(account(), halted, ticket(BUY, "0.01", NONE), DEEP, NOON_THIRTY)


@pytest.mark.parametrize("client_order_id", ["", "a" * 37, "a.b", "a:b", "a/b", "café", "a b", "a\n"])
def test_an_illegal_client_order_id_is_refused(client_order_id: str) -> None:
    order = ticket(BUY, "0.01", NONE, client_order_id=client_order_id)
    with pytest.raises(Rejected, match="^-1100: Illegal characters found in parameter 'newClientOrderId'"):
        place(account(), RULES, order, DEEP, NOON_THIRTY)


@pytest.mark.parametrize("client_order_id", ["a", "A-b_9", "z" * 36])
def test_a_legal_client_order_id_is_taken(client_order_id: str) -> None:
    order = ticket(BUY, "0.01", NONE, client_order_id=client_order_id)
    assert place(account(), RULES, order, DEEP, NOON_THIRTY).orders[0].ticket.client_order_id == client_order_id


def test_nothing_is_traded_before_there_is_a_price() -> None:
    with pytest.raises(Rejected, match="^-3042: PriceIndex not available for this margin pair"):
        place(open_pair(INSTRUMENT, NOON_THIRTY), RULES, ticket(BUY, "0.01", ENTRY), DEEP, NOON_THIRTY)


def test_a_reused_client_order_id_trades_again_once_the_first_order_is_final() -> None:
    order = ticket(BUY, "0.01", NONE)
    first = place(account(), RULES, order, DEEP, NOON_THIRTY)
    second = place(first.pair, RULES, order, levels((30000, 1)), NOON_THIRTY)

    assert [first.orders[0].order_id, second.orders[0].order_id] == [1, 2]
    assert second.pair.account.base.free == 2 * Decimal("0.00999")


def test_an_id_among_the_open_orders_is_a_duplicate() -> None:
    order = ticket(BUY, "0.01", NONE)
    waiting = accept(account(), RULES, order, DEEP, NOON_THIRTY)
    assert waiting.orders[0].status is OrderStatus.NEW
    with pytest.raises(Rejected, match="^-2010: Duplicate order sent"):
        accept(waiting.pair, RULES, order, DEEP, NOON_THIRTY)


def test_without_borrowing_an_order_needs_its_own_funds() -> None:
    poor = account(599)
    for effect in (NONE, EXIT):
        with pytest.raises(Rejected, match="^-2010: Account has insufficient balance for requested action"):
            place(poor, RULES, ticket(BUY, "0.01", effect), DEEP, NOON_THIRTY)
        with pytest.raises(Rejected, match="^-2010: Account has insufficient balance"):
            place(poor, RULES, ticket(SELL, "0.01", effect), DEEP, NOON_THIRTY)
    assert place(account(600), RULES, ticket(BUY, "0.01", EXIT), DEEP, NOON_THIRTY).pair.account.quote.free == 0


def test_an_underfunded_market_buy_may_be_filled_in_part_where_the_venue_does_that() -> None:
    lenient = rules(fills_underfunded_buys=True)
    bought = place(account(599), lenient, ticket(BUY, "0.01", EXIT), DEEP, NOON_THIRTY)
    assert bought.orders[0].status is OrderStatus.EXPIRED
    assert bought.orders[0].expiry_reason == "INSUFFICIENT_FUNDS"
    assert bought.orders[0].executed == Decimal("0.00998")
    assert bought.pair.account.quote == msgspec.structs.replace(bought.pair.account.quote, free=Decimal("0.2"))


def test_the_funds_of_an_underfunded_buy_run_out_along_the_book() -> None:
    lenient = rules(fills_underfunded_buys=True)
    book = levels((60000, "0.005"), (60001, "0.005"))
    bought = place(account(599), lenient, ticket(BUY, "0.01", EXIT), book, NOON_THIRTY)
    assert [trade.quantity for trade in bought.executions] == [Decimal("0.005"), Decimal("0.00498")]
    assert bought.pair.account.quote.free == 599 - 300 - Decimal("298.80498")


def test_an_order_walks_the_book_and_is_several_trades_with_consecutive_ids() -> None:
    book = levels((60000, "0.004"), ("60000.01", "0.005"), (60001, 10))
    bought = place(account(), RULES, ticket(BUY, "0.01", NONE), book, NOON_THIRTY)

    assert [(str(trade.price), str(trade.quantity)) for trade in bought.executions] == [
        ("60000", "0.004"),
        ("60000.01", "0.005"),
        ("60001", "0.001"),
    ]
    assert [trade.trade_id for trade in bought.executions] == [1, 2, 3]
    assert bought.orders[0].executed_quote == Decimal("600.00105")
    assert bought.pair.account.base.free == Decimal("0.00999")
    again = place(bought.pair, RULES, ticket(SELL, "0.005", EXIT), DEEP, NOON_THIRTY)
    assert [trade.trade_id for trade in again.executions] == [4]


def test_a_market_order_that_finds_too_little_expires_with_what_it_got_and_keeps_the_whole_loan() -> None:
    entry = place(account(100), RULES, ticket(BUY, "0.01", ENTRY), levels((60000, "0.004")), NOON_THIRTY)

    order = entry.orders[0]
    assert (order.status, order.executed, order.expiry_reason) == (
        OrderStatus.EXPIRED,
        Decimal("0.004"),
        "INSUFFICIENT_LIQUIDITY",
    )
    assert entry.pair.account.quote.borrowed == 500
    assert entry.pair.account.quote.free == 360
    assert entry.pair.account.quote.locked == 0


def test_a_loan_may_exist_although_nothing_executed() -> None:
    entry = place(account(100), RULES, ticket(SELL, "0.01", ENTRY), (), NOON_THIRTY)
    assert entry.orders[0].status is OrderStatus.EXPIRED
    assert not entry.executions
    assert entry.pair.account.base.borrowed == entry.pair.account.base.free == Decimal("0.01")


def test_the_loan_of_an_unfilled_order_is_repaid_as_far_as_it_is_there_where_asked_for() -> None:
    order = ticket(BUY, "0.01", ENTRY, repay_unfilled=True)
    entry = place(account(100), RULES, order, levels((60000, "0.004")), NOON_THIRTY)
    # 600 were set aside, 240 spent, so 360 came back; the interest of one hour went first.
    assert entry.pair.account.quote.free == 0
    assert entry.pair.account.quote.debt == Decimal("500.005") - 360


def test_fees_come_from_what_was_received_or_from_a_third_asset() -> None:
    bought = place(account(), RULES, ticket(BUY, "0.01", NONE), DEEP, NOON_THIRTY)
    sold = place(bought.pair, RULES, ticket(SELL, "0.00999", NONE), DEEP, NOON_THIRTY)
    assert (sold.executions[0].fee, sold.executions[0].fee_asset) == (Decimal("0.5994"), "USDT")

    burning = rules(fee_asset="BNB", fee_asset_price=Decimal(600))
    whole = place(account(), burning, ticket(BUY, "0.01", NONE), DEEP, NOON_THIRTY)
    assert (whole.executions[0].fee, whole.executions[0].fee_asset) == (Decimal("0.001"), "BNB")
    assert whole.pair.account.base.free == Decimal("0.01")


def test_an_amount_is_rounded_to_eight_places_against_the_trader() -> None:
    fine = rules(instrument=msgspec.structs.replace(INSTRUMENT, tick_size=Decimal("0.00000001")))
    price = levels(("60000.00000001", 1))
    bought = place(account(), fine, ticket(BUY, "0.01001", NONE), price, NOON_THIRTY)
    assert bought.executions[0].quote == Decimal("600.60000001")
    sold = place(bought.pair, fine, ticket(SELL, "0.00999", NONE), price, NOON_THIRTY)
    assert sold.executions[0].quote == Decimal("599.40000000")
    assert sold.executions[0].fee == Decimal("0.59940000")


def test_auto_repay_pays_interest_first_and_only_with_what_the_trade_brought() -> None:
    entry = place(account(1000), RULES, ticket(BUY, "0.1", ENTRY), DEEP, NOON_THIRTY)
    later = NOON_THIRTY + HOUR
    sold = mark(entry.pair, RULES, later, None).then(place, RULES, ticket(SELL, "0.01", EXIT), DEEP, later)

    (loan,) = sold.loans
    assert loan.interest == Decimal("0.1")  # two hours on 5000
    assert loan.principal == Decimal("599.4") - Decimal("0.1")
    assert sold.pair.account.quote.free == 0
    assert sold.pair.account.quote.borrowed == 5000 - loan.principal


def test_auto_repay_may_fail_silently() -> None:
    entry = place(account(100), RULES, ticket(BUY, "0.01", ENTRY), DEEP, NOON_THIRTY)
    sold = place(entry.pair, RULES, ticket(SELL, "0.00999", EXIT), DEEP, NOON_THIRTY, repays=False)
    assert sold.orders[0].status is OrderStatus.FILLED
    assert sold.pair.account.quote.borrowed == 500
    assert sold.pair.account.quote.free == Decimal("599.4") - Decimal("0.5994")


def test_a_limit_order_rests_fills_in_parts_and_can_be_cancelled() -> None:
    order = ticket(BUY, "0.01", NONE, limit_price=Decimal(59000))
    resting = place(account(), RULES, order, DEEP, NOON_THIRTY)
    assert resting.orders[0].status is OrderStatus.NEW
    assert (resting.pair.account.quote.free, resting.pair.account.quote.locked) == (410, 590)

    partly = execute(resting.pair, RULES, 1, levels((58000, "0.003"), (59000, "0.001")), NOON_THIRTY)
    assert partly.orders[0].status is OrderStatus.PARTIALLY_FILLED
    assert partly.pair.account.quote.total == 1000 - 233

    ended = cancel(partly.pair, RULES, 1, NOON_THIRTY)
    assert ended.orders[0].status is OrderStatus.CANCELED
    assert (ended.pair.account.quote.free, ended.pair.account.quote.locked) == (767, 0)
    assert ended.pair.open_orders == ()
    with pytest.raises(Rejected, match="^-2011: Unknown order sent"):
        cancel(ended.pair, RULES, 1, NOON_THIRTY)


def test_a_limit_price_off_the_tick_is_refused() -> None:
    with pytest.raises(Rejected, match="^-1013: Filter failure: PRICE_FILTER"):
        place(account(), RULES, ticket(BUY, "0.01", NONE, limit_price=Decimal("59000.001")), DEEP, NOON_THIRTY)


@pytest.mark.parametrize(("timestamp_ms", "text"), [(-5001, "outside of the recvWindow"), (1000, "1000ms ahead")])
def test_a_request_from_another_time_is_refused(timestamp_ms: int, text: str) -> None:
    with pytest.raises(Rejected, match=f"^-1021: .*{text}"):
        check_window(NOON_THIRTY + timestamp_ms, 5000, NOON_THIRTY)


@pytest.mark.parametrize("timestamp_ms", [-5000, 0, 999])
def test_a_request_inside_its_window_is_taken(timestamp_ms: int) -> None:
    check_window(NOON_THIRTY + timestamp_ms, 5000, NOON_THIRTY)


def test_an_account_has_to_be_marked_before_it_is_used() -> None:
    with pytest.raises(AssertionError, match="not marked"):
        place(account(), RULES, ticket(BUY, "0.01", NONE), DEEP, NOON_THIRTY + HOUR)


def test_the_price_of_a_sale_may_differ_from_the_index() -> None:
    bought = place(account(), RULES, ticket(BUY, "0.01", NONE), DEEP, NOON_THIRTY)
    sold = place(bought.pair, RULES, ticket(SELL, "0.00999", EXIT), levels((PRICE - 1000, 1)), NOON_THIRTY)
    assert sold.executions[0].quote == Decimal("589.41")
