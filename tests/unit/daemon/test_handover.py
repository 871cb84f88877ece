"""Holdings taken over behind a stop, positions handed back: what is owned by whom afterwards, also after a restart."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.values import OrderSide, Side
from robson.protocol import requests as ask
from robson.protocol import results as give
from robson.protocol.operations import Ticket, body_digest
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests import by_hand
from tests.rig import NOBODY, Rig

EXACT = PaperSettings(collateral=Decimal(2000), spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)
BUY, SELL = OrderSide.BUY, OrderSide.SELL


async def adopt(
    rig: Rig,
    quantity: str = "0.04995",
    stop: str = "93500",
    side: Side = Side.LONG,
    ticket: Ticket | None = None,
    **more: Any,
) -> give.AdoptResult:
    request = ask.AdoptRequest(symbol="BTCUSDT", side=side, quantity=quantity, stop_price=stop, **more)
    return await rig.desk.adopt(request, NOBODY, ticket)


async def release(rig: Rig, position_id: str) -> give.ReleaseResult:
    return await rig.desk.release(ask.ReleaseRequest(position_id=position_id), NOBODY, None)


async def refused(rig: Rig, quantity: str = "0.04995", stop: str = "93500", side: Side = Side.LONG, **more: Any) -> str:
    with pytest.raises(RuleError) as caught:
        await adopt(rig, quantity, stop, side, **more)
    assert not rig.supervisor.lives
    return f"{caught.value.code}: {caught.value.message}"


async def bought(rig: Rig, quantity: str = "0.05") -> None:
    """A long by hand: base worth 4,750 of which most is borrowed."""
    await started(rig)
    await by_hand.trade(rig.paper, BUY, quantity, borrows=True)


async def started(rig: Rig, price: str = "95000") -> None:
    await rig.market.subscribe("BTCUSDT")
    rig.tick(price)


async def ticking(rig: Rig, price: str, seconds: int = 1) -> None:
    """Prices come while a command waits for its first one."""
    for _ in range(seconds * 5):
        await trio.sleep(0.2)
        rig.tick(price)


async def adopted(rig: Rig, price: str = "95000", **more: Any) -> give.AdoptResult:
    rig.tick(price)
    return await adopt(rig, **more)


async def test_a_holding_bought_by_hand_trails_and_leaves_like_any_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        await bought(rig)
        result = await adopted(rig)
        assert (result.entry_price, result.trailing_stop) == (Decimal(95_000), Decimal(93_500))
        assert result.borrowed["USDT"] > 2_700
        view = await rig.view(result.position_id)
        assert (view.state, view.strategy, view.quantity) == ("Active", "adopted", Decimal("0.04995"))
        # The Golden Rule holds backwards: capital x risk / distance is what is there.
        assert abs(view.capital * view.risk_percent / 100 / 1500 - Decimal("0.04995")) < Decimal("1e-8")
        rig.tick("97000")
        await trio.sleep(1)
        assert (await rig.view(result.position_id)).trailing_stop == Decimal(95_500)
        rig.tick("95500")
        await rig.until(result.position_id, "Closed")
        view = await rig.view(result.position_id)
        assert (view.exit_reason, view.realized_pnl) == ("trailing_stop", 500 * Decimal("0.04995"))
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == account.base.total == 0
        assert rig.position(result.position_id) == rig.folded(result.position_id)
    assert rig.events(result.position_id)[:3] == ["position_armed", "entry_signal_received", "entry_filled"]


async def test_a_short_sold_by_hand_is_adopted_and_bought_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        await started(rig)
        await by_hand.trade(rig.paper, SELL, "0.05", borrows=True)
        result = await adopted(rig, quantity="0.05", stop="96500", side=Side.SHORT, entry_price="95500")
        assert result.entry_price == 95_500
        assert result.borrowed == {"BTC": Decimal("0.05")}
        rig.tick("96500")
        await rig.until(result.position_id, "Closed")
        view = await rig.view(result.position_id)
        assert view.realized_pnl == -1000 * Decimal("0.05")
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        assert account.base.total < Decimal("0.0001")


async def test_an_adopted_position_survives_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        await bought(rig)
        result = await adopted(rig)
        rig.tick("96000")
        await trio.sleep(1)
    async with Rig(tmp_path, journal=journal.reopened(), settings=EXACT, feed=rig.feed).running() as again:
        view = await again.view(result.position_id)
        assert (view.state, view.trailing_stop) == ("Active", Decimal(94_500))
        assert again.supervisor.lives[result.position_id].is_watched
        again.tick("94500")
        await again.until(result.position_id, "Closed")
        assert (await again.paper.account("BTCUSDT")).quote.debt == 0


async def test_an_adoption_is_refused_with_the_numbers(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        assert "feed_stale" in await refused(rig)
        await bought(rig)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ticking, rig, "95000", 20)
            text = await refused(rig, quantity="0.05")
            assert text.startswith("not_held")
            assert "0.04995 BTC free" in text
            assert "0.05 were to be adopted" in text
            assert "not_held" in await refused(rig, stop="96500", side=Side.SHORT)
            assert "stop_too_far" in await refused(rig, stop="80000")
            assert "stop_on_wrong_side" in await refused(rig, stop="96000")
            assert "stop_passed" in await refused(rig, stop="95500", entry_price="97000")
            assert "below_minimum" in await refused(rig, quantity="0.00002")
            await rig.panic()
            assert "panic_latched" in await refused(rig)
            nursery.cancel_scope.cancel()
        assert rig.record.pair("BTCUSDT") is None
        assert "position_armed" not in rig.events()


async def test_what_other_positions_own_is_not_adopted_nor_the_other_side(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        with pytest.raises(RuleError, match=r"held 0 BTC free beyond the 0\.06659334") as caught:
            await adopt(rig, "0.01")
        assert caught.value.code == "not_held"
        with pytest.raises(RuleError) as caught:
            await adopt(rig, "0.01", "96500", Side.SHORT)
        assert caught.value.code == "pair_busy"
        # Bought on top by hand, it may be: each position then sells its own.
        await by_hand.trade(rig.paper, BUY, "0.02", borrows=True)
        other = await adopt(rig, "0.01998", "94000")
        rig.tick("94000")
        await rig.until(other.position_id, "Closed")
        assert rig.position(position_id).state_name == "Active"
        rig.tick("93500")
        await rig.until(position_id, "Closed")
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        assert account.base.total < Decimal("0.0001")


async def test_the_reply_is_stored_with_the_position(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        await bought(rig)
        request = ask.AdoptRequest(symbol="BTCUSDT", side=Side.LONG, quantity="0.04995", stop_price="93500")
        ticket = Ticket("monday", body_digest(request), rig.clock.now())
        result = await adopted(rig, ticket=ticket)
        stored = rig.journal.stored_reply("monday")
        assert stored is not None
        assert result.position_id.encode() in stored.reply


async def test_released_a_long_is_the_traders_and_nobody_sells_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
        held = (await rig.paper.account("BTCUSDT")).base.free
        result = await release(rig, position_id)
        assert (result.quantity, result.symbol) == (held, "BTCUSDT")
        assert result.owed["USDT"] > 4_000
        view = await rig.view(position_id)
        assert (view.state, view.exit_reason, view.realized_pnl) == ("Closed", "released", Decimal(0))
        assert rig.events(position_id)[-1] == "position_closed"
        assert "exit_order_placed" not in rig.events(position_id)
        assert rig.position(position_id) == rig.folded(position_id)
        rig.tick("93000")
        await trio.sleep(120)
        rig.tick("95000")
        assert (await rig.paper.account("BTCUSDT")).base.free == held
    async with Rig(tmp_path, journal=journal.reopened(), settings=EXACT, feed=rig.feed).running() as again:
        # Its debt bars nobody, also after a restart; the next position leaves holding and debt alone.
        await trio.sleep(1)
        owed = (await again.paper.account("BTCUSDT")).quote.borrowed
        assert owed > 4_000
        by_hand.move(again.paper, "USDT", "1000")
        other = await again.active()
        again.tick("93500")
        await again.until(other, "Closed")
        account = await again.paper.account("BTCUSDT")
        assert held <= account.base.free < held + Decimal("0.0001")
        assert 0 < account.quote.borrowed <= owed
        assert again.position(other).state_name == "Closed"


async def test_released_beside_another_position_it_is_no_drift_and_stays(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        first, second = await rig.active(), await rig.active()
        result = await release(rig, first)
        for _ in range(40):
            await trio.sleep(5)
            rig.tick("95000")
        assert "drift_found" not in rig.events()
        by_hand.move(rig.paper, "USDT", "1000")
        rig.tick("93500")
        await rig.until(second, "Closed")
        held = (await rig.paper.account("BTCUSDT")).base.free
        assert result.quantity <= held < result.quantity + Decimal("0.0001")


async def test_released_a_short_leaves_its_debt_to_the_trader(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active(Side.SHORT, stop="96500")
        owed = (await rig.paper.account("BTCUSDT")).base.borrowed
        result = await release(rig, position_id)
        assert result.owed == {"BTC": owed}
        await trio.sleep(120)
        assert (await rig.paper.account("BTCUSDT")).base.borrowed == owed
        # A second short beside the trader's own: it buys back its own part.
        other = await rig.active(Side.SHORT, stop="96500")
        rig.tick("96500")
        await rig.until(other, "Closed")
        account = await rig.paper.account("BTCUSDT")
        assert abs(account.base.debt - account.base.total - owed) < Decimal("0.0001")


async def test_released_and_adopted_again_it_is_as_before(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        result = await release(rig, position_id)
        rig.tick("95000")
        again = await adopt(rig, str(result.quantity), entry_price="95000")
        assert again.borrowed == result.owed
        pair = rig.record.pair("BTCUSDT")
        assert pair is not None
        assert pair.handed_quote == pair.baseline_base == 0
        rig.tick("93500")
        await rig.until(again.position_id, "Closed")
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        assert account.base.total < Decimal("0.0001")


async def test_only_what_is_in_the_market_without_an_order_out_is_released(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        armed = await rig.arm()
        rig.tick("95000")
        with pytest.raises(RuleError, match="was Armed, so it cannot be released"):
            await release(rig, armed)
        assert (await rig.signal(armed, "95000", "93500")).accepted
        with pytest.raises(RuleError) as caught:
            await release(rig, armed)
        assert (caught.value.code, caught.value.retryable) == ("orders_out", True)
        await rig.until(armed, "Active")
        await rig.close(armed)
        with pytest.raises(RuleError, match="was Closed, so it cannot be released"):
            await release(rig, armed)


async def test_a_position_in_error_is_released(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        by_hand.move(rig.paper, "USDT", "10000")
        by_hand.move(rig.paper, "BTC", -(await rig.paper.account("BTCUSDT")).base.free)
        rig.tick("93000")
        await rig.until(position_id, "Error", 90)
        await release(rig, position_id)
        assert (await rig.view(position_id)).exit_reason == "released"
