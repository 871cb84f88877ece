"""Positions from Armed to Closed in one process on simulated time, through the real desk, executor and paper venue."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.codec import to_wire
from robson.domain.errors import RuleError
from robson.domain.position import Closed
from robson.domain.values import Side
from robson.protocol import requests as ask
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.rig import NOBODY, Rig

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


async def test_a_long_trails_and_leaves_at_its_stop(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("96000")
        rig.tick("97000")
        await trio.sleep(1)
        assert (await rig.view(position_id)).trailing_stop == Decimal(95500)
        rig.tick("95500.01")
        assert rig.position(position_id).state_name == "Active"
        rig.tick("95500")
        position = await rig.until(position_id, "Closed")
        view = await rig.view(position_id)
        assert (view.exit_reason, view.exit_price, view.entry_price) == (
            "trailing_stop",
            Decimal(95500),
            Decimal(95000),
        )
        assert view.quantity is not None
        assert view.realized_pnl == Decimal(500) * view.quantity
        assert view.fees is not None
        assert view.interest is not None
        assert view.net_pnl == view.realized_pnl - view.fees - view.interest
        account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        assert isinstance(position.state, Closed)
        assert position.state.result is not None
        assert account.base.total == position.state.result.dust
    assert rig.events(position_id) == [
        "position_armed",
        "entry_signal_received",
        "entry_order_placed",
        "entry_filled",
        "trailing_stop_updated",
        "exit_triggered",
        "exit_order_placed",
        "exit_filled",
        "position_closed",
    ]


async def test_a_short_is_the_mirror_image_and_repays_its_loan(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active(Side.SHORT, entry="95000", stop="96500")
        account = await rig.venue.account("BTCUSDT")
        assert account.base.borrowed > 0
        rig.tick("93000")
        rig.tick("94500")
        await rig.until(position_id, "Closed")
        view = await rig.view(position_id)
        assert view.exit_price == Decimal(94500)
        assert view.quantity is not None
        assert view.realized_pnl == Decimal(500) * view.quantity
        assert view.interest is not None
        assert view.interest > 0
        account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        assert account.base.total < Decimal("0.00001")


async def test_a_hit_that_comes_with_the_tick_before_the_flush_keeps_the_moved_stop(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("99000")
        rig.tick("97000")
        await rig.until(position_id, "Closed")
    rows = [row for row in rig.journal.events() if row.type in {"trailing_stop_updated", "exit_triggered"}]
    assert [row.data["trailing_stop"] for row in rows] == ["97500", "97500"]


async def test_stops_are_flushed_once_for_many_ticks(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        for price in range(95_100, 96_000, 10):
            rig.tick(str(price))
        await trio.sleep(1)
        assert rig.events(position_id).count("trailing_stop_updated") == 1
        assert rig.position(position_id) == rig.folded(position_id)


async def test_status_is_the_folded_journal_and_survives_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("96000")
        await trio.sleep(1)
        rig.tick("94400")
        await rig.until(position_id, "Closed")
        before = await rig.view(position_id)
        assert rig.position(position_id) == rig.folded(position_id)
    async with Rig(tmp_path, journal=journal.reopened(), settings=EXACT).running() as again:
        assert to_wire(await again.view(position_id)) == to_wire(before)


async def test_a_restart_while_active_goes_on_with_the_same_stop(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("96000")
        await trio.sleep(1)
        before = await rig.view(position_id)
    # The crash loses the flushed stop, too; the prices since the last durable trade bring it back.
    crashed = Rig(tmp_path, journal=journal.reopened(crashed=True), settings=EXACT, feed=rig.feed)
    async with crashed.running() as again:
        after = await again.view(position_id)
        assert (after.trailing_stop, after.extreme, after.quantity) == (Decimal(94500), Decimal(96000), before.quantity)
        assert again.supervisor.lives[position_id].is_watched
        again.tick("94500")
        await again.until(position_id, "Closed")


async def test_a_stop_crossed_while_down_exits_at_once_and_says_when(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("96000")
        await trio.sleep(1)
        feed = rig.feed
    down = Rig(tmp_path, journal=journal.reopened(), settings=EXACT, feed=feed)
    for price in ("97000", "95400", "98000"):
        down.tick(price)
    async with down.running() as again:
        again.tick("98000")
        await again.until(position_id, "Closed")
        triggered = [row for row in again.journal.events() if row.type == "exit_triggered"]
        assert triggered[0].data["price"] == "95400"
        assert triggered[0].data["trailing_stop"] == "95500"


async def test_close_joins_and_answers_when_it_is_over(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        results = []

        async def close() -> None:
            results.append(await rig.close(position_id))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close)
            nursery.start_soon(close)
        assert [result.outcome for result in results] == ["closed", "closed"]
        assert rig.events(position_id).count("exit_order_placed") == 1
        with pytest.raises(RuleError, match="was Closed"):
            await rig.close(position_id)


async def test_close_while_entering_exits_on_the_fill(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.arm()
        rig.tick("95000")
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        assert rig.position(position_id).state_name == "Entering"
        result = await rig.close(position_id)
        assert result.outcome == "closed"
        events = rig.events(position_id)
        assert events.index("exit_triggered") < events.index("entry_filled") < events.index("exit_filled")


async def test_panic_latches_disarms_and_closes_everything(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        active = await rig.active()
        armed = await rig.arm("ETHUSDT")
        entering = await rig.arm()
        rig.tick("95000")
        assert (await rig.signal(entering, "95000", "93500")).accepted
        result = await rig.panic()
        assert result.latched
        outcomes = {outcome.position_id: outcome.outcome for outcome in result.positions}
        # The second entry was decided, but panic came before it was sent or filled: either way nothing stays open.
        assert outcomes[active] == "closed"
        assert outcomes[armed] == "disarmed"
        assert outcomes[entering] in {"closed", "disarmed"}
        assert rig.events().index("panic_latched") < rig.events().index("exit_triggered")
        with pytest.raises(RuleError, match="panic latch"):
            await rig.arm()
        account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0


async def test_a_panic_that_a_crash_interrupted_is_finished(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.supervisor.panic()
    async with Rig(tmp_path, journal=journal.reopened(), settings=EXACT).running() as again:
        assert again.record.latched
        await again.until(position_id, "Closed")
        assert (await again.view(position_id)).exit_reason == "operator_panic"
        await again.desk.resume(ask.ResumeRequest(), NOBODY, None)
        assert not again.record.latched


async def test_a_signal_is_refused_by_rule_and_the_position_stays_armed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.arm()
        rig.tick("95000")
        refused = await rig.signal(position_id, "95000", "96000", signal_id="one")
        assert not refused.accepted
        assert refused.reason is not None
        assert refused.reason.code == "stop_on_wrong_side"
        view = await rig.view(position_id)
        assert view.state == "Armed"
        assert "stop_on_wrong_side" in (view.detail or "")
        again = await rig.signal(position_id, "95000", "93500", signal_id="one")
        assert again.accepted


async def test_the_same_accepted_signal_is_answered_and_not_executed_twice(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.arm()
        rig.tick("95000")
        first = await rig.signal(position_id, "95000", "93500", signal_id="one")
        second = await rig.signal(position_id, "95000", "93500", signal_id="one")
        assert first == second
        await rig.until(position_id, "Active")
        assert await rig.signal(position_id, "95000", "93500", signal_id="one") == first
        with pytest.raises(RuleError, match="was Active"):
            await rig.signal(position_id, "95000", "93500", signal_id="two")
        assert rig.events(position_id).count("entry_order_placed") == 1


async def test_one_pair_takes_one_side(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        await rig.active()
        other = await rig.arm(side=Side.SHORT)
        refused = await rig.signal(other, "95000", "96500")
        assert refused.reason is not None
        assert refused.reason.code == "pair_busy"


async def test_several_on_one_pair_leave_it_flat(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        rig_ids = [await rig.active(stop=stop) for stop in ("93500", "94000", "94500")]
        rig.tick("94400")
        await rig.until(rig_ids[2], "Closed")
        rig.tick("93400")
        for position_id in rig_ids:
            await rig.until(position_id, "Closed")
        account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        pair = rig.record.pair("BTCUSDT")
        assert pair is not None
        assert account.base.total == pair.dust_base
        assert account.base.total < Decimal("0.0001")


async def test_entries_wait_for_a_first_price_and_are_refused_without(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.arm()
        refused = await rig.signal(position_id, "95000", "93500")
        assert refused.reason is not None
        assert refused.reason.code == "feed_stale"


async def test_unprotected_seconds_are_counted_while_the_feed_is_silent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        await trio.sleep(30)
        view = await rig.view(position_id)
        assert 19 < view.unprotected_seconds < 21
        assert rig.desk.state() == "degraded"
        rig.tick("95000")
        await trio.sleep(5)
        after = await rig.view(position_id)
        assert 19 < after.unprotected_seconds < 21
        assert rig.desk.state() == "live"
    assert "feed_stale" in rig.events()
    assert "feed_recovered" in rig.events()
    assert rig.events(position_id).count("unprotected") == 1
