"""An exit that went out while nothing could be written is taken over after a restart, never sent again."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.stimuli import FaultFound
from robson.domain.values import PositionId, Role, Side
from robson.ports import Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, ScriptedFeed, folded

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


def rig_with_venue(
    directory: Path, journal: MemoryJournal, feed: ScriptedFeed | None = None
) -> tuple[Rig, FaultyVenue]:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> FaultyVenue:
        made.append(FaultyVenue(venue))
        return made[0]

    return Rig(directory, journal=journal, settings=EXACT, feed=feed, wrap=wrap), made[0]


async def test_the_others_holding_is_not_sold_for_an_exit_that_was_forgotten(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    rig, _ = rig_with_venue(tmp_path, journal)
    async with rig.running():
        first = await rig.active()
        second = await rig.active(stop="94000")
        journal.broken = "no space left on device"
        assert (await rig.close(first)).outcome == "closed"
        assert journal.position(first).state_name == "Active"  # type: ignore[union-attr]
    again, venue = rig_with_venue(tmp_path, journal.reopened(crashed=True))
    async with again.running():
        again.tick("95000")
        await again.until(first, "Closed")
        assert not [request for request in venue.requests if request.role is Role.EXIT]
        assert again.position(second).state_name == "Active"
        await again.close(second)
        account = await again.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0
        for position_id in (first, second):
            assert folded(again.journal, position_id) == again.position(position_id)


async def test_a_stop_that_fired_unwritten_is_told_as_a_stop(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    rig, _ = rig_with_venue(tmp_path, journal)
    async with rig.running():
        position_id = await rig.active(Side.SHORT, stop="96500")
        journal.broken = "no space left on device"
        rig.tick("96600")
        await trio.sleep(5)
    again, venue = rig_with_venue(tmp_path, journal.reopened(crashed=True))
    async with again.running():
        again.tick("96600")
        await again.until(position_id, "Closed")
        assert (await again.view(position_id)).exit_reason == "trailing_stop"
        assert venue.requests == []


async def test_a_stop_that_moves_before_its_fill_is_written_waits_for_the_disk(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal, settings=EXACT).running() as rig:
        position_id = await rig.arm()
        rig.tick("95000")
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        await trio.sleep(0.01)
        assert rig.journal.intents(PositionId(position_id))[0].status == "sent"
        journal.broken = "no space left on device"
        await trio.sleep(0.2)
        assert rig.position(position_id).state_name == "Active"
        rig.tick("96000")
        # The disk is back before anybody has noticed, and the stop is the first thing to be written.
        journal.broken = None
        await trio.sleep(0.5)
        assert rig.events(position_id)[-2:] == ["entry_filled", "trailing_stop_updated"]
        await trio.sleep(3)
        assert rig.record.degraded is None


async def time_to_close(rig: Rig, position_id: str) -> float:
    began = trio.current_time()
    await rig.until(position_id, "Closed")
    return trio.current_time() - began


async def test_after_a_crash_just_before_the_first_byte_an_exit_is_asked_about_and_goes_out_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It was written as sent with its decision: nobody can know that nothing has left."""
    journal = MemoryJournal()
    rig, _ = rig_with_venue(tmp_path, journal)
    async with rig.running():
        position_id = await rig.active()
        rig.executor.wake = lambda: None  # type: ignore[method-assign]  # the crash comes before the executor wakes
        rig.tick("93000")
        await rig.until(position_id, "Exiting")
        assert [intent.status for intent in rig.record.intents_of(position_id)] == ["sent"]
    again, venue = rig_with_venue(tmp_path, journal.reopened(crashed=True), rig.feed)
    async with again.running():
        assert 12 < await time_to_close(again, position_id) < 40
        assert len(venue.requests) == 1


async def test_after_an_outage_that_was_mended_an_exit_goes_out_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    rig, _ = rig_with_venue(tmp_path, journal)
    async with rig.running():
        position_id = await rig.active()
        journal.broken = "no space left on device"
        rig.tick("95500")
        await trio.sleep(3)
        assert rig.record.degraded is not None
        journal.broken = None
        await trio.sleep(3)
        assert rig.record.degraded is None
    again, _ = rig_with_venue(tmp_path, journal.reopened(crashed=True), rig.feed)
    async with again.running():
        again.tick("90000")
        assert await time_to_close(again, position_id) < 1


async def test_a_stop_crossed_while_exits_may_be_unwritten_waits_for_the_fence_and_no_longer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    rig, _ = rig_with_venue(tmp_path, journal)
    async with rig.running():
        position_id = await rig.active()
        journal.broken = "no space left on device"
        rig.tick("95500")
        await trio.sleep(3)
    # A second crash before the look at the venue's orders is over changes nothing: the next run looks as well.
    again, _ = rig_with_venue(tmp_path, journal.reopened(crashed=True), rig.feed)
    async with again.running():
        await trio.sleep(5)
    last, venue = rig_with_venue(tmp_path, again.journal.reopened(crashed=True), rig.feed)  # type: ignore[attr-defined]
    async with last.running():
        beside = await last.arm()
        last.tick("90000")
        refusal = await last.signal(beside, "90000", "89000")
        assert refusal.reason is not None
        assert refusal.reason.code == "pair_busy"
        await last.until(position_id, "Exiting")
        assert "waits until it is known" in str((await last.view(position_id)).detail)
        assert 12 < await time_to_close(last, position_id) < 16
        assert len(venue.requests) == 1
        told = [row.data for row in last.journal.events() if row.type == "unprotected"]
        assert ["unwritten"] in [data["causes"] for data in told]


async def test_an_unwritten_exit_of_a_position_in_error_is_found(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    rig, _ = rig_with_venue(tmp_path, journal)
    async with rig.running():
        position_id = await rig.active()
        rig.supervisor.lives[position_id].feel(FaultFound(code="monitor_died", message="as a test", recoverable=True))
        journal.broken = "no space left on device"
        assert (await rig.close(position_id)).outcome == "closed"
        assert journal.position(position_id).state_name == "Error"  # type: ignore[union-attr]
    again, venue = rig_with_venue(tmp_path, journal.reopened(crashed=True), rig.feed)
    async with again.running():
        again.tick("95000")
        await again.until(position_id, "Closed")
        assert venue.requests == []


async def test_an_exit_that_waits_for_the_look_at_unwritten_ones_is_unprotected_from_the_start(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    rig, venue = rig_with_venue(tmp_path, journal)
    async with rig.running():
        position_id = await rig.active()
        venue.faults.append("refused")
        rig.tick("93000")
        await rig.until(position_id, "Exiting")
        journal.broken = "no space left on device"
        rig.supervisor.panic()
    again, _ = rig_with_venue(tmp_path, journal.reopened(crashed=True), rig.feed)
    began = trio.current_time()
    async with again.running():
        assert position_id in again.around.unlisted
        await trio.sleep(3)
        assert again.supervisor.vigil.seconds(position_id) == pytest.approx(trio.current_time() - began)
