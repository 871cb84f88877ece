"""What every venue must do: each test runs against every implementation of the port."""

from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Rejected
from robson.domain.ids import is_ours
from robson.domain.values import OrderSide, Role, Side
from robson.venue.ledger.units import to_ms
from tests.contract.venue.rehearsals import BUY, ENTRY, EXIT, HOUR_SECONDS, SELL, SYMBOL, Rehearsal
from tests.unit.venue.clocks import START


async def test_its_clock_is_the_runs_clock(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    before = to_ms(rehearsal.clock.now())
    answered = await rehearsal.venue.server_time_ms()
    assert before <= answered <= to_ms(rehearsal.clock.now())
    assert abs(rehearsal.venue.timestamp_ms() - to_ms(rehearsal.clock.now())) < 1000


async def test_it_knows_its_pairs_their_terms_and_their_price(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    instrument = await rehearsal.venue.instrument(SYMBOL)
    assert (instrument.base, instrument.quote, instrument.step_size) == ("BTC", "USDT", Decimal("0.00001"))
    terms = await rehearsal.venue.terms(SYMBOL)
    assert (terms.multiple, terms.liquidation_risk_ratio) == (10, Decimal("1.05"))
    assert terms.taker_fee_rate == Decimal("0.001")
    assert terms.base_hourly_interest_rate == Decimal("0.000011")
    assert await rehearsal.venue.price(SYMBOL) == 60000


async def test_it_says_what_an_entry_may_borrow_and_the_index_price(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    """Ten times the equity may be held: nine parts of it lent, less the first hour's interest."""
    long = await rehearsal.venue.credit(SYMBOL, Side.LONG)
    short = await rehearsal.venue.credit(SYMBOL, Side.SHORT)
    assert long.index_price == short.index_price == 60000
    assert 4490 < (long.borrowable or 0) <= 4500
    assert Decimal("0.0749") < (short.borrowable or 0) <= Decimal("0.075")
    assert (await rehearsal.place(BUY, ENTRY, "0.05")).status == "FILLED"
    after = (await rehearsal.venue.credit(SYMBOL, Side.LONG)).borrowable
    assert after is not None
    # 2500 were borrowed, and the fee of 3 counts ten times.
    assert 1960 < after < 1980


async def test_an_untouched_account_holds_its_collateral_and_owes_nothing(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    account = await rehearsal.venue.account(SYMBOL)
    assert account.quote.free == account.equity(Decimal(60000)) == 500
    assert account.base.total == account.base.debt == account.quote.debt == 0


async def test_a_long_borrows_quote_holds_base_after_fees_and_repays_when_it_is_sold(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    entry = await rehearsal.place(BUY, ENTRY, "0.01534")

    assert (entry.status, entry.is_final, entry.client_order_id) == ("FILLED", True, "order-1")
    assert (entry.order_side, entry.quantity, entry.executed) == (BUY, Decimal("0.01534"), Decimal("0.01534"))
    assert entry.executed_quote == Decimal("920.4")
    assert entry.borrowed == {"USDT": Decimal("420.4")}
    assert sum(trade.fee for trade in entry.trades) == Decimal("0.00001534")
    assert {(trade.fee_asset, trade.venue_order_id) for trade in entry.trades} == {("BTC", entry.venue_order_id)}
    held = await rehearsal.venue.account(SYMBOL)
    assert held.base.free == Decimal("0.01532466")
    assert held.quote.debt == Decimal("420.404204")

    leaving = await rehearsal.place(SELL, EXIT, "0.01532", "exit-1")

    assert leaving.borrowed == {}
    flat = await rehearsal.venue.account(SYMBOL)
    assert flat.base.free == Decimal("0.00000466")
    assert flat.quote.debt == flat.base.debt == 0


async def test_a_short_borrows_base_and_buys_back_its_debt_with_interest_and_fee(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    entry = await rehearsal.place(SELL, ENTRY, "0.01534")
    assert entry.borrowed == {"BTC": Decimal("0.01534")}
    await trio.sleep(2 * HOUR_SECONDS)
    owing = await rehearsal.venue.account(SYMBOL)
    assert owing.base.debt == Decimal("0.01534051")

    await rehearsal.place(BUY, EXIT, "0.01536", "exit-1")

    flat = await rehearsal.venue.account(SYMBOL)
    assert flat.base.debt == 0
    assert flat.base.free == Decimal("0.00000413")


async def test_interest_is_listed_with_its_hours(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(SELL, ENTRY, "0.01534")
    await trio.sleep(2 * HOUR_SECONDS)

    charges = await rehearsal.venue.interest(SYMBOL, START)

    assert [(charge.asset, charge.amount, charge.on_borrow) for charge in charges] == [
        ("BTC", Decimal("0.00000017"), True),
        ("BTC", Decimal("0.00000017"), False),
        ("BTC", Decimal("0.00000017"), False),
    ]
    assert [charge.at.hour for charge in charges] == [12, 13, 14]
    assert len(await rehearsal.venue.interest(SYMBOL, START + timedelta(minutes=1))) == 2


async def test_an_order_is_found_by_its_client_order_id_and_absent_otherwise(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    placed = await rehearsal.place(BUY, ENTRY, "0.001")
    found = await rehearsal.venue.order(SYMBOL, "order-1")
    assert found is not None
    assert (found.venue_order_id, found.status, found.executed) == (placed.venue_order_id, "FILLED", Decimal("0.001"))
    assert found.executed_quote == 60
    assert await rehearsal.venue.order(SYMBOL, "order-2") is None
    assert await rehearsal.venue.order("ETHUSDT", "order-1") is None


async def test_a_reused_client_order_id_trades_again_and_the_newest_order_is_found(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    first = await rehearsal.place(BUY, ENTRY, "0.001")
    second = await rehearsal.place(BUY, ENTRY, "0.002")

    assert first.venue_order_id != second.venue_order_id
    found = await rehearsal.venue.order(SYMBOL, "order-1")
    assert found is not None
    assert found.venue_order_id == second.venue_order_id
    assert (await rehearsal.venue.account(SYMBOL)).base.free == Decimal("0.002997")


async def test_orders_are_listed_by_time_whatever_became_of_them(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    first = await rehearsal.place(BUY, ENTRY, "0.001")
    await trio.sleep(60)
    later = rehearsal.clock.now()
    second = await rehearsal.place(SELL, EXIT, "0.0005", "exit-1")

    listed = await rehearsal.venue.orders(SYMBOL, START)
    assert [order.client_order_id for order in listed] == [first.client_order_id, second.client_order_id]
    assert [(order.order_side, order.executed) for order in listed] == [
        (BUY, Decimal("0.001")),
        (SELL, Decimal("0.0005")),
    ]
    assert [order.client_order_id for order in await rehearsal.venue.orders(SYMBOL, later)] == ["exit-1"]
    assert not await rehearsal.venue.orders("ETHUSDT", START)


async def test_trades_are_listed_by_order_by_id_and_by_time(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    first = await rehearsal.place(BUY, ENTRY, "0.001")
    await trio.sleep(60)
    later = rehearsal.clock.now()
    second = await rehearsal.place(SELL, EXIT, "0.0005", "exit-1")
    ask = rehearsal.venue.trades

    assert tuple(await ask(SYMBOL)) == first.trades + second.trades
    assert tuple(await ask(SYMBOL, venue_order_id=first.venue_order_id)) == first.trades
    assert tuple(await ask(SYMBOL, from_id=second.trades[0].trade_id)) == second.trades
    assert tuple(await ask(SYMBOL, since=later)) == second.trades
    assert not await ask("ETHUSDT")


async def test_market_orders_are_never_left_open(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(BUY, ENTRY, "0.001")
    assert not await rehearsal.venue.open_orders(SYMBOL)


@pytest.mark.parametrize(
    ("side", "role", "quantity", "client_order_id", "refusal"),
    [
        (BUY, ENTRY, "0.000001", "order-1", "-1013: Filter failure: LOT_SIZE"),
        (BUY, ENTRY, "0.00005", "order-1", "-1013: Filter failure: NOTIONAL"),
        (BUY, ENTRY, "0.001", "not.allowed", "-1100: Illegal characters"),
        (SELL, EXIT, "0.001", "order-1", "-2010: Account has insufficient balance"),
        (BUY, EXIT, "0.01", "order-1", "-2010: Account has insufficient balance"),
        (BUY, ENTRY, "0.09", "order-1", "-11008: Exceeding the account's maximum borrowable limit"),
    ],
)
async def test_a_refusal_has_no_effect(
    rehearsal: Rehearsal,
    side: OrderSide,
    role: Role,
    quantity: str,
    client_order_id: str,
    refusal: str,
    autojump_clock: MockClock,
) -> None:
    before = await rehearsal.venue.account(SYMBOL)
    with pytest.raises(Rejected) as refused:
        await rehearsal.place(side, role, quantity, client_order_id)
    assert str(refused.value).startswith(refusal)
    assert await rehearsal.venue.account(SYMBOL) == before
    assert await rehearsal.venue.order(SYMBOL, client_order_id) is None


async def test_a_request_that_arrives_after_its_window_is_refused(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    with pytest.raises(Rejected) as refused:
        await rehearsal.place(BUY, ENTRY, "0.001", age_ms=5001)
    assert refused.value.code == "-1021"
    with pytest.raises(Rejected) as refused:
        await rehearsal.place(BUY, ENTRY, "0.001", age_ms=-2000)
    assert refused.value.code == "-1021"
    assert not await rehearsal.venue.trades(SYMBOL)


async def test_a_losing_long_sold_in_two_parts_repays_its_loan_and_keeps_the_rest(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    # Bought for 2400 with 1900 borrowed, sold for 2037.96; the fee took 2.03796 and the first hour 0.019.
    await rehearsal.place(BUY, ENTRY, "0.04")
    rehearsal.set_price(Decimal(51000))
    await rehearsal.place(SELL, EXIT, "0.03", "exit-1")
    await rehearsal.place(SELL, EXIT, "0.00996", "exit-2")
    account = await rehearsal.venue.account(SYMBOL)
    assert account.quote.debt == 0
    assert account.quote.free == Decimal("135.90304")


async def test_a_repayment_is_exact_and_refused_beyond_the_debt(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    await rehearsal.place(SELL, ENTRY, "0.01")
    await rehearsal.place(BUY, ENTRY, "0.005", "order-2")
    owed = (await rehearsal.venue.account(SYMBOL)).base
    with pytest.raises(Rejected, match="^-3041: Balance is not enough"):
        await rehearsal.venue.repay(SYMBOL, "BTC", owed.debt)
    await rehearsal.venue.repay(SYMBOL, "BTC", Decimal("0.00499500"))
    left = (await rehearsal.venue.account(SYMBOL)).base
    assert (left.free, left.interest) == (0, 0)
    assert left.debt == owed.debt - Decimal("0.00499500")
    with pytest.raises(Rejected, match="^-3015: Repay amount exceeds borrow amount"):
        await rehearsal.venue.repay(SYMBOL, "BTC", owed.debt)


async def test_an_hour_between_the_reading_and_the_repayment_is_still_owed(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    await rehearsal.place(BUY, ENTRY, "0.01534")
    await trio.sleep(HOUR_SECONDS / 2 - 5)
    await rehearsal.place(SELL, ENTRY, "0.01", "order-2")  # sells what is held, repays nothing
    read = (await rehearsal.venue.account(SYMBOL)).quote.debt
    await trio.sleep(10)

    await rehearsal.venue.repay(SYMBOL, "USDT", read)

    left = (await rehearsal.venue.account(SYMBOL)).quote
    assert left.debt == left.borrowed == Decimal("0.004204")
    await rehearsal.venue.repay(SYMBOL, "USDT", left.debt)
    assert (await rehearsal.venue.account(SYMBOL)).quote.debt == 0


@pytest.mark.parametrize(("side", "price"), [(BUY, 52000), (SELL, 67000)])
async def test_an_account_is_liquidated_with_an_order_that_is_not_ours(
    rehearsal: Rehearsal, side: OrderSide, price: int, autojump_clock: MockClock
) -> None:
    entry = await rehearsal.place(side, ENTRY, "0.05")
    rehearsal.set_price(Decimal(price))

    account = await rehearsal.venue.account(SYMBOL)

    assert account.base.debt == account.quote.debt == 0
    trades = await rehearsal.venue.trades(SYMBOL)
    assert trades[-1].venue_order_id != entry.venue_order_id
    assert trades[-1].price == price
    found = await rehearsal.venue.order(SYMBOL, "order-1")
    assert found is not None
    assert found.venue_order_id == entry.venue_order_id
    (record,) = await rehearsal.venue.liquidations(SYMBOL, entry.at)
    assert record.venue_order_id == trades[-1].venue_order_id
    assert (record.average_price, record.executed, record.order_side) == (price, trades[-1].quantity, exit_side(side))
    closing = await rehearsal.venue.order_of(SYMBOL, trades[-1].venue_order_id)
    assert closing is not None
    assert not is_ours(closing.client_order_id)
    assert closing.order_side is exit_side(side)
    later = rehearsal.clock.now() + timedelta(minutes=1)
    assert not await rehearsal.venue.liquidations(SYMBOL, later)


def exit_side(side: OrderSide) -> OrderSide:
    return SELL if side is BUY else BUY


async def test_an_order_is_found_by_the_venues_own_id(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    first = await rehearsal.place(BUY, ENTRY, "0.001", "order-1")
    second = await rehearsal.place(BUY, ENTRY, "0.002", "order-1")

    found = await rehearsal.venue.order_of(SYMBOL, first.venue_order_id)

    assert found is not None
    assert (found.client_order_id, found.quantity) == ("order-1", Decimal("0.001"))
    assert first.venue_order_id != second.venue_order_id
    for unknown in ("999", "autoclose"):
        assert await rehearsal.venue.order_of(SYMBOL, unknown) is None
    assert not await rehearsal.venue.liquidations(SYMBOL, first.at)
