"""Shorts that come and go on one pair without a pause: what each bought too much must not strand the last one."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from robson.domain.position import Closed
from robson.domain.values import OrderSide, Side
from robson.store.memory import MemoryJournal
from tests.rig import Rig, folded


async def overlap(rig: Rig, count: int) -> str:
    """So many shorts, each beginning before the last one ends; gives the one that is left.

    Each exit is rounded up to a step and repays the pair's debt with all that it bought: it adds up.
    """
    held = await rig.active(Side.SHORT, "ETHUSDT", "3300", "3333.33")
    for number in range(count):
        rig.tick(str(3300 - number % 7), "ETHUSDT")
        position_id = await rig.arm("ETHUSDT", Side.SHORT)
        price = rig.market.prices("ETHUSDT")
        assert (await rig.signal(position_id, str(price), str(price + 30))).accepted
        await rig.until(position_id, "Active")
        assert (await rig.close(held)).outcome == "closed"
        held = position_id
    account = await rig.venue.account("ETHUSDT")
    fallen_short = rig.position(held).entry.quantity - account.base.debt
    assert fallen_short * 3300 > 5, "the others have repaid less than a sellable part of its debt: no test at all"
    return held


async def check_left_clean(rig: Rig, position_id: str) -> None:
    assert isinstance(rig.position(position_id).state, Closed)
    assert rig.folded(position_id) == rig.position(position_id)
    account = await rig.venue.account("ETHUSDT")
    assert account.base.debt == account.quote.debt == 0
    assert account.base.total == rig.record.pair("ETHUSDT").dust_base
    assert account.base.total < rig.around.instruments["ETHUSDT"].smallest_sellable(Decimal(3300))
    # The next short finds nothing that bars it.
    await rig.active(Side.SHORT, "ETHUSDT", "3300", "3333.33")


async def test_the_last_of_many_overlapping_shorts_closes(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        held = await overlap(rig, 60)
        # The first order executes in part, so that the rest is sized by what the account still owes.
        whole = rig.paper._settings
        rig.paper._settings = msgspec.structs.replace(whole, partial_fill_probability=Decimal(1))
        results = []
        async with trio.open_nursery() as nursery:

            async def close() -> None:
                results.append(await rig.close(held))

            nursery.start_soon(close)
            while "exit_filled" not in rig.events(held):
                await rig.record.wait_events(rig.record.last_seq)
            rig.paper._settings = whole
        assert results[0].outcome == "closed", rig.position(held)
        await check_left_clean(rig, held)


async def test_what_they_bought_too_much_is_sold_again_by_the_last(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """Dust worth more than one order would bar every later short: base that could be sold is not borrowed."""
    rig = Rig(tmp_path)
    async with rig.running():
        held = await overlap(rig, 60)
        assert (await rig.close(held)).outcome == "closed"
        position = rig.position(held)
        assert position.exit.returned > 0
        assert [order.order_side.value for order in position.exit.orders] == ["buy", "sell"]
        # The sale of what was bought too much is not part of the exit's price or size.
        assert position.exit.quantity == position.exit.orders[0].quantity
        assert position.state.result.exit_price == 3300 - 59 % 7
        assert folded(rig.journal, held).exit == position.exit
        await check_left_clean(rig, held)


@pytest.mark.parametrize("crash_after", ["exit_order_placed", "exit_filled"])
async def test_a_sale_of_the_surplus_outlives_a_crash(
    crash_after: str, tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    journal = MemoryJournal()
    rig = Rig(tmp_path, journal=journal)
    async with rig.running():
        held = await overlap(rig, 60)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.close, held)
            while rig.events(held).count(crash_after) < 2:
                await rig.record.wait_events(rig.record.last_seq)
            nursery.cancel_scope.cancel()
    again = Rig(tmp_path, journal=journal.reopened(crashed=True), feed=rig.feed)
    async with again.running():
        await again.until(held, "Closed")
        bought, *sold = again.position(held).exit.orders
        assert bought.order_side is OrderSide.BUY
        # The order that the crash cut off may never have arrived: then it is denied, and another one sells.
        assert [order.filled for order in sold] == [False] * (len(sold) - 1) + [True]
        assert {order.order_side for order in sold} == {OrderSide.SELL}
        again.tick("3300", "ETHUSDT")
        await check_left_clean(again, held)
