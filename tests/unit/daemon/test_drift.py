"""The account changes behind the daemon's back: what is concluded from it, when, and what is left alone."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from robson.domain.ids import exit_order_id
from robson.domain.position import Closed
from robson.domain.values import OrderSide, PositionId, Side
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests import by_hand
from tests.faults import FaultyVenue
from tests.rig import Rig

RICH = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)
# Entries borrow.
EXACT = PaperSettings(collateral=Decimal(2000), spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)
BUY, SELL = OrderSide.BUY, OrderSide.SELL
# Rounds are every 30 s and a finding is confirmed when it is 60 s old.
BEFORE_CONFIRMED, CONFIRMED = 55, 100


def found(rig: Rig) -> list[dict[str, Any]]:
    return [row.data for row in rig.journal.events() if row.type == "drift_found"]


def kinds(rig: Rig) -> list[str]:
    return [str(data["kind"]) for data in found(rig)]


def orders_of_ours(rig: Rig, position_id: str) -> int:
    return rig.events(position_id).count("exit_order_placed")


async def pass_time(rig: Rig, seconds: float, price: str = "95000") -> None:
    """Let it pass with a fresh price every few seconds."""
    for _ in range(int(seconds // 5)):
        await trio.sleep(5)
        rig.tick(price)
    await trio.sleep(seconds % 5)


async def held(rig: Rig) -> Decimal:
    return (await rig.paper.account("BTCUSDT")).base.total


async def test_a_long_sold_by_hand_is_closed_elsewhere_with_its_true_profit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("96000")
        sold = await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
        await pass_time(rig, BEFORE_CONFIRMED, "96000")
        assert rig.position(position_id).state_name == "Active"
        await pass_time(rig, CONFIRMED, "96000")
        view = await rig.view(position_id)
        assert (view.state, view.exit_reason, view.exit_price) == ("Closed", "closed_elsewhere", Decimal(96_000))
        assert view.quantity is not None
        assert view.realized_pnl == 1000 * view.quantity
        assert view.fees == Decimal(95_000) * view.quantity / 1000 + sold.executed * 96_000 / 1000
        assert orders_of_ours(rig, position_id) == 0
        assert kinds(rig) == ["closed_elsewhere"]
        assert rig.position(position_id) == rig.folded(position_id)
        account = await rig.paper.account("BTCUSDT")
        assert account.quote.debt == account.base.debt == 0
        fills = [fill for fill in rig.journal.fills(PositionId(position_id)) if fill.role.value == "exit"]
        assert [fill.client_order_id for fill in fills] == [sold.client_order_id]


async def test_a_sale_by_hand_that_repays_nothing_leaves_no_debt(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        assert (await rig.paper.account("BTCUSDT")).quote.borrowed > 0
        await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"), borrows=True)
        assert (await rig.paper.account("BTCUSDT")).quote.borrowed > 0
        await pass_time(rig, CONFIRMED + 60)
        assert rig.position(position_id).state_name == "Closed"
        assert (await rig.paper.account("BTCUSDT")).quote.debt == 0


async def test_a_short_bought_back_by_hand_is_closed_elsewhere(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active(Side.SHORT, stop="96500")
        entry = rig.position(position_id).entry
        assert entry is not None
        await by_hand.trade(rig.paper, BUY, (entry.quantity * Decimal("1.002")).quantize(Decimal("0.00001")))
        await pass_time(rig, CONFIRMED + 60)
        view = await rig.view(position_id)
        assert (view.state, view.exit_reason, view.exit_price) == ("Closed", "closed_elsewhere", Decimal(95_000))
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0


@pytest.mark.parametrize(
    ("side", "stop", "by", "hit"), [("long", "93500", SELL, "93500"), ("short", "96500", BUY, "96500")]
)
async def test_what_was_reduced_by_hand_leaves_later_with_what_is_there(
    tmp_path: Path, side: str, stop: str, by: OrderSide, hit: str, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active(Side(side), stop=stop)
        entry = rig.position(position_id).entry
        assert entry is not None
        reduced = await by_hand.trade(rig.paper, by, (entry.quantity / 2).quantize(Decimal("0.00001")))
        await pass_time(rig, CONFIRMED)
        position = rig.position(position_id)
        assert position.state_name == "Active"
        assert position.reduction.quantity == reduced.executed
        assert position == rig.folded(position_id)
        assert kinds(rig) == ["reduced_elsewhere"]
        rig.tick(hit)
        closed = (await rig.until(position_id, "Closed")).state
        assert isinstance(closed, Closed)
        assert closed.exit is not None
        # One order of ours, over what was left: neither refused nor too much.
        (order,) = closed.exit.orders
        assert order.filled
        assert order.quantity < entry.quantity * Decimal("0.52")
        view = await rig.view(position_id)
        assert view.exit_reason == "trailing_stop"
        middle = (Decimal(95_000) + Decimal(hit)) / 2
        assert view.exit_price is not None
        assert abs(view.exit_price - middle) < 5
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        assert account.base.total < Decimal("0.0001")


async def test_base_moved_in_is_the_traders_and_never_sold(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        by_hand.move(rig.paper, "BTC", "0.5")
        await pass_time(rig, CONFIRMED)
        assert kinds(rig) == ["holding_increased"]
        await pass_time(rig, 300)
        assert kinds(rig) == ["holding_increased"]
        pair = rig.record.pair("BTCUSDT")
        assert pair is not None
        assert pair.baseline_base == Decimal("0.5")
        rig.tick("93000")
        await rig.until(position_id, "Closed")
        assert Decimal("0.5") <= await held(rig) < Decimal("0.5001")


async def test_base_bought_by_hand_on_credit_is_the_traders_with_its_debt(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        await by_hand.trade(rig.paper, BUY, "0.05", borrows=True)
        await pass_time(rig, CONFIRMED)
        assert kinds(rig) == ["holding_increased"]
        pair = rig.record.pair("BTCUSDT")
        assert pair is not None
        assert pair.handed_quote > 4_000
        assert pair.baseline_base == Decimal("0.04995")
        # The trader's debt bars nobody, and repaying it by hand does not hide a loan of ours.
        other = await rig.arm()
        assert (await rig.signal(other, "95000", "93500")).accepted
        await rig.until(other, "Active")
        rig.tick("93000")
        for mine in (position_id, other):
            await rig.until(mine, "Closed")
        assert Decimal("0.04995") <= await held(rig) < Decimal("0.0501")


async def test_a_loss_without_a_fill_is_shown_once_and_concludes_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=RICH).running() as rig:
        position_id = await rig.active()
        by_hand.move(rig.paper, "BTC", -(await held(rig)) / 2)
        await pass_time(rig, CONFIRMED + 300)
        assert kinds(rig) == ["holding_missing"]
        assert not found(rig)[0]["settled"]
        view = await rig.view(position_id)
        assert view.state == "Active"
        assert "is not as it should be" in (view.detail or "")
        by_hand.move(rig.paper, "BTC", Decimal("0.03333"))
        await pass_time(rig, 60)
        assert (await rig.view(position_id)).detail is None


async def test_a_debt_repaid_elsewhere_is_reported_and_nothing_follows(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        await pass_time(rig, 40)
        by_hand.move(rig.paper, "USDT", "1000")
        await rig.paper.repay("BTCUSDT", "USDT", Decimal(1000))
        await pass_time(rig, CONFIRMED + 300)
        assert kinds(rig) == ["debt_repaid_elsewhere"]
        assert rig.position(position_id).state_name == "Active"
        rig.tick("93000")
        await rig.until(position_id, "Closed")
        assert (await rig.paper.account("BTCUSDT")).quote.debt == 0


async def test_a_neighbours_profit_that_repays_our_debt_is_no_drift(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        first, second = await rig.active(), await rig.active()
        await pass_time(rig, 35)
        for price in ("97000", "99000"):
            rig.tick(price)
        assert (await rig.close(first)).outcome == "closed"
        await pass_time(rig, CONFIRMED + 60, "99000")
        assert rig.position(second).state_name == "Active"
        assert kinds(rig) == []


async def test_it_is_no_drift_after_a_restart_either(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        first = await rig.active()
        for _ in range(2):
            await rig.active()
        for price in ("97000", "99000"):
            rig.tick(price)
        assert (await rig.close(first)).outcome == "closed"
    async with Rig(tmp_path, journal=journal.reopened(), settings=EXACT, feed=rig.feed).running() as again:
        await pass_time(again, CONFIRMED + 60, "99000")
        assert kinds(again) == []


async def test_what_a_reduction_by_hand_left_owed_is_repaid_and_bars_nobody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        await rig.active()
        owed = (await rig.paper.account("BTCUSDT")).quote.borrowed
        await by_hand.trade(rig.paper, SELL, "0.03", borrows=True)
        assert (await rig.paper.account("BTCUSDT")).quote.borrowed == owed
        await pass_time(rig, CONFIRMED)
        assert (await rig.paper.account("BTCUSDT")).quote.borrowed < owed - 2_800
        other = await rig.arm()
        assert (await rig.signal(other, "95000", "93500")).accepted


async def test_hand_made_trades_that_cancel_out_are_reported_only(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        by_hand.move(rig.paper, "USDT", "1000")
        await by_hand.trade(rig.paper, BUY, "0.01")
        await by_hand.trade(rig.paper, SELL, "0.01")
        await pass_time(rig, CONFIRMED + 300)
        assert kinds(rig) == ["orders_elsewhere"]
        assert rig.position(position_id).reduction.quantity == 0


async def test_an_order_with_an_id_of_ours_that_nobody_knows_is_shown_and_not_taken_for_the_traders(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        stranger = exit_order_id(PositionId("another life"), 1, 0)
        await by_hand.trade(rig.paper, BUY, "0.01", borrows=True, client_order_id=stranger)
        await pass_time(rig, CONFIRMED + 120)
        assert kinds(rig) == ["order_unknown"]
        assert stranger in found(rig)[0]["message"]
        assert "id of ours" in ((await rig.view(position_id)).detail or "")
        pair = rig.record.pair("BTCUSDT")
        assert pair is not None
        assert pair.baseline_base == 0


async def test_two_positions_reduced_by_hand_stay_open_until_it_can_be_told_whose_it_was(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        first, second = await rig.active(), await rig.active()
        await by_hand.trade(rig.paper, SELL, "0.05")
        await pass_time(rig, CONFIRMED + 60)
        assert kinds(rig) == ["shared_reduction"]
        assert {rig.position(first).state_name, rig.position(second).state_name} == {"Active"}
        await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
        await pass_time(rig, CONFIRMED + 60)
        assert kinds(rig) == ["shared_reduction", "closed_elsewhere"]
        for position_id in (first, second):
            view = await rig.view(position_id)
            assert (view.state, view.exit_reason, view.exit_price) == ("Closed", "closed_elsewhere", Decimal(95_000))
            assert rig.position(position_id) == rig.folded(position_id)
        assert (await rig.paper.account("BTCUSDT")).quote.debt == 0


@pytest.mark.parametrize(("side", "stop", "fall"), [(Side.LONG, "87000", "88500"), (Side.SHORT, "103000", "101500")])
async def test_a_liquidation_is_noticed_and_closes_the_position_as_liquidated(
    tmp_path: Path, side: Side, stop: str, fall: str, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.arm(side=side, capital="100000", risk_percent="5")
        rig.tick("95000")
        assert (await rig.signal(position_id, "95000", stop)).accepted
        await rig.until(position_id, "Active")
        # Without its collateral the account is liquidated before the stop.
        free = (await rig.paper.account("BTCUSDT")).quote.free if side is Side.SHORT else Decimal(0)
        entry = rig.position(position_id).entry
        assert entry is not None
        if side is Side.SHORT:
            by_hand.move(rig.paper, "USDT", -(free - entry.quantity * 95_000 * Decimal("1.12")))
        else:
            account = await rig.paper.account("BTCUSDT")
            surplus = account.equity(Decimal(95_000)) - account.quote.debt * Decimal("0.12")
            by_hand.move(rig.paper, "BTC", -(surplus / 95_000).quantize(Decimal("0.00000001")))
        rig.tick(fall)
        assert rig.position(position_id).state_name == "Active"
        await pass_time(rig, CONFIRMED + 60, fall)
        view = await rig.view(position_id)
        assert (view.state, view.exit_reason) == ("Closed", "liquidated")
        assert kinds(rig) == ["liquidated"]
        assert view.exit_price is not None
        assert abs(view.exit_price - Decimal(fall)) < 1
        assert rig.position(position_id) == rig.folded(position_id)
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0


async def test_a_liquidation_by_the_tick_that_hits_the_stop_is_no_error(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.arm(capital="100000", risk_percent="5")
        rig.tick("95000")
        assert (await rig.signal(position_id, "95000", "87000")).accepted
        await rig.until(position_id, "Active")
        rig.tick("60000")
        await rig.until(position_id, "Exiting")
        await pass_time(rig, CONFIRMED + 60, "60000")
        view = await rig.view(position_id)
        assert (view.state, view.exit_reason) == ("Closed", "liquidated")
        assert "position_error" not in rig.events(position_id)


async def test_an_exit_that_finds_its_holding_sold_by_hand_is_settled_by_those_fills(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
        rig.tick("93000")
        await trio.sleep(20)
        assert rig.position(position_id).state_name == "Exiting"
        assert "confirmed" in ((await rig.view(position_id)).detail or "")
        await rig.until(position_id, "Closed", 200)
        view = await rig.view(position_id)
        assert (view.exit_reason, view.exit_price) == ("closed_elsewhere", Decimal(95_000))
        assert "position_error" not in rig.events(position_id)


async def test_two_exits_that_find_their_holdings_sold_by_hand_do_not_wait_for_each_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        both = [await rig.active(), await rig.active()]
        await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
        rig.tick("93000")
        for position_id in both:
            await rig.until(position_id, "Closed", 300)
            view = await rig.view(position_id)
            assert (view.exit_reason, view.exit_price) == ("closed_elsewhere", Decimal(95_000))
            assert rig.position(position_id) == rig.folded(position_id)
        assert (await rig.paper.account("BTCUSDT")).quote.debt == 0


async def test_an_error_that_a_person_has_cleared_away_is_closed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=RICH).running() as rig:
        position_id = await rig.active()
        amount = await held(rig)
        by_hand.move(rig.paper, "BTC", -amount)
        rig.tick("93000")
        await rig.until(position_id, "Error", 90)
        by_hand.move(rig.paper, "BTC", amount)
        await by_hand.trade(rig.paper, SELL, amount.quantize(Decimal("0.00001"), "ROUND_DOWN"))
        await pass_time(rig, CONFIRMED + 60, "93000")
        view = await rig.view(position_id)
        assert (view.state, view.exit_reason, view.exit_price) == ("Closed", "closed_elsewhere", Decimal(93_000))
        assert (await rig.paper.account("BTCUSDT")).quote.debt == 0


async def test_drift_while_the_daemon_was_down_is_found_after_the_start(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
    down = Rig(tmp_path, journal=journal.reopened(), settings=EXACT, feed=rig.feed)
    down.tick("95000")
    await by_hand.trade(down.paper, SELL, (await held(down)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
    async with down.running() as again:
        await pass_time(again, BEFORE_CONFIRMED)
        assert again.position(position_id).state_name == "Active"
        await pass_time(again, CONFIRMED)
        assert (await again.view(position_id)).exit_reason == "closed_elsewhere"
        assert again.position(position_id) == again.folded(position_id)


async def test_a_reduction_survives_a_restart_and_is_not_counted_twice(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
        await by_hand.trade(rig.paper, SELL, "0.03")
        await pass_time(rig, CONFIRMED)
        before = rig.position(position_id)
        assert before.reduction.quantity == Decimal("0.03")
    async with Rig(tmp_path, journal=journal.reopened(), settings=EXACT, feed=rig.feed).running() as again:
        again.tick("95000")
        await pass_time(again, CONFIRMED + 60)
        assert again.position(position_id).reduction == before.reduction
        assert len(found(again)) == 1


async def test_nothing_is_concluded_while_the_venue_does_not_answer(tmp_path: Path, autojump_clock: MockClock) -> None:
    class Mute(FaultyVenue):
        mute = False

        async def account(self, symbol: str) -> Any:
            if self.mute:
                await trio.sleep_forever()
            return await super().account(symbol)

    async with Rig(tmp_path, settings=EXACT, wrap=Mute).running() as rig:
        position_id = await rig.active()
        assert isinstance(rig.venue, Mute)
        rig.venue.mute = True
        await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
        await pass_time(rig, 300)
        assert rig.position(position_id).state_name == "Active"
        assert kinds(rig) == []
        rig.venue.mute = False
        await pass_time(rig, CONFIRMED + 60)
        assert rig.position(position_id).state_name == "Closed"


async def test_nothing_is_concluded_while_the_journal_cannot_be_written(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.record.degraded = "the disk is full"
        await by_hand.trade(rig.paper, SELL, (await held(rig)).quantize(Decimal("0.00001"), "ROUND_DOWN"))
        await pass_time(rig, 300)
        assert (rig.position(position_id).state_name, kinds(rig)) == ("Active", [])
        rig.record.degraded = None
        await pass_time(rig, 60)
        assert rig.position(position_id).state_name == "Closed"


async def test_one_account_is_read_for_all_positions_of_a_pair(tmp_path: Path, autojump_clock: MockClock) -> None:
    class Counting(FaultyVenue):
        reads = 0

        async def account(self, symbol: str) -> Any:
            self.reads += 1
            return await super().account(symbol)

    async with Rig(tmp_path, settings=EXACT, wrap=Counting).running() as rig:
        for _ in range(3):
            await rig.active()
        assert isinstance(rig.venue, Counting)
        await trio.sleep(1)
        rig.venue.reads = 0
        await rig.supervisor.drift.look_everywhere()
        assert rig.venue.reads == 1
