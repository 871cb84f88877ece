"""What every venue must remember: all of it, however many pages that takes, in order and by every question."""

from datetime import timedelta
from decimal import Decimal

import trio
from trio.testing import MockClock

from tests.contract.venue.rehearsals import BUY, ENTRY, EXIT, HOUR_SECONDS, SELL, SYMBOL, Rehearsal
from tests.unit.venue.clocks import START

# One more than the exchange gives at once: a thousand trades, of orders half as many, of charges a hundred.
MANY_ORDERS = 1_001
MANY_HOURS = 101
DAY_SECONDS = 24 * HOUR_SECONDS


async def test_more_orders_and_trades_than_a_page_holds_are_all_told_once(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    await rehearsal.place(BUY, EXIT, "0.004", "o-0")
    for number in range(1, MANY_ORDERS):
        await rehearsal.place(SELL if number % 2 else BUY, EXIT, "0.0002", f"o-{number}")
        if number % 100 == 0:
            await trio.sleep(1)
    venue = rehearsal.venue

    orders = await venue.orders(SYMBOL, START)
    assert [order.client_order_id for order in orders] == [f"o-{number}" for number in range(MANY_ORDERS)]
    ids = [trade.trade_id for trade in await venue.trades(SYMBOL, since=START)]
    assert len(ids) == MANY_ORDERS
    assert ids == sorted(set(ids))
    assert [trade.trade_id for trade in await venue.trades(SYMBOL, from_id=ids[0])] == ids
    assert [trade.trade_id for trade in await venue.trades(SYMBOL, from_id=ids[-3])] == ids[-3:]
    newest = [trade.trade_id for trade in await venue.trades(SYMBOL)]
    assert newest == ids[-len(newest) :]
    assert len(newest) >= 500


async def test_every_hour_of_a_long_debt_is_listed_once(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(SELL, ENTRY, "0.005")
    await trio.sleep(MANY_HOURS * HOUR_SECONDS)

    charges = await rehearsal.venue.interest(SYMBOL, START)

    assert [charge.on_borrow for charge in charges] == [True] + [False] * MANY_HOURS
    hours = [charge.at for charge in charges[1:]]
    assert hours == [hours[0] + timedelta(hours=n) for n in range(MANY_HOURS)]
    assert sum(charge.amount for charge in charges) == (await rehearsal.venue.account(SYMBOL)).base.interest


async def test_what_lies_days_apart_is_found_across_the_days(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    first = await rehearsal.place(BUY, ENTRY, "0.001", "order-1")
    await trio.sleep(3 * DAY_SECONDS)
    later = rehearsal.clock.now()
    second = await rehearsal.place(SELL, EXIT, "0.0005", "exit-1")
    await trio.sleep(2 * DAY_SECONDS)
    venue = rehearsal.venue

    assert [order.client_order_id for order in await venue.orders(SYMBOL, START)] == ["order-1", "exit-1"]
    assert [order.client_order_id for order in await venue.orders(SYMBOL, later)] == ["exit-1"]
    assert tuple(await venue.trades(SYMBOL, since=START)) == first.trades + second.trades
    assert tuple(await venue.trades(SYMBOL, since=later)) == second.trades
    assert not await venue.orders(SYMBOL, rehearsal.clock.now())
    assert not await venue.trades(SYMBOL, since=rehearsal.clock.now())


async def test_conditions_on_trades_hold_together(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    first = await rehearsal.place(BUY, ENTRY, "0.001", "order-1")
    await trio.sleep(60)
    later = rehearsal.clock.now()
    second = await rehearsal.place(SELL, EXIT, "0.0005", "exit-1")
    ask = rehearsal.venue.trades
    one, two = first.trades[0].trade_id, second.trades[0].trade_id

    assert tuple(await ask(SYMBOL, venue_order_id=second.venue_order_id, from_id=one)) == second.trades
    assert tuple(await ask(SYMBOL, venue_order_id=first.venue_order_id, since=START)) == first.trades
    assert not await ask(SYMBOL, venue_order_id=first.venue_order_id, since=later)
    assert not await ask(SYMBOL, venue_order_id=first.venue_order_id, from_id=two)
    assert tuple(await ask(SYMBOL, from_id=one, since=later)) == second.trades
    for unknown in ("999", "autoclose"):
        assert not await ask(SYMBOL, venue_order_id=unknown)


async def test_an_account_without_debt_was_never_charged(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(BUY, EXIT, "0.001")
    await trio.sleep(3 * HOUR_SECONDS)
    assert not await rehearsal.venue.interest(SYMBOL, START)
    assert not await rehearsal.venue.liquidations(SYMBOL, START)


async def test_interest_on_both_assets_is_told_hour_by_hour(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(BUY, ENTRY, "0.01")
    await rehearsal.place(SELL, ENTRY, "0.012", "order-2")
    await trio.sleep(HOUR_SECONDS)

    charges = await rehearsal.venue.interest(SYMBOL, START)

    assert [(charge.asset, charge.on_borrow) for charge in charges[:2]] == [("USDT", True), ("BTC", True)]
    assert {(charge.asset, charge.on_borrow) for charge in charges[2:]} == {("USDT", False), ("BTC", False)}
    account = await rehearsal.venue.account(SYMBOL)
    for asset, leg in (("BTC", account.base), ("USDT", account.quote)):
        assert sum(charge.amount for charge in charges if charge.asset == asset) == leg.interest


async def test_the_price_is_the_markets_last(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    rehearsal.set_price(Decimal("61234.56"))
    assert await rehearsal.venue.price(SYMBOL) == Decimal("61234.56")


async def test_orders_sent_side_by_side_are_all_executed_once(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    told: dict[str, str] = {}

    async def send(name: str) -> None:
        told[name] = (await rehearsal.place(BUY, EXIT, "0.0005", name)).venue_order_id

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(send, f"order-{number}")

    assert len(set(told.values())) == 10
    listed = await rehearsal.venue.orders(SYMBOL, START)
    assert {order.client_order_id: order.venue_order_id for order in listed} == told
    assert (await rehearsal.venue.account(SYMBOL)).quote.total == 500 - 10 * 30
