"""An exit that went out while nothing could be written is taken over after a restart, never sent again."""

from decimal import Decimal
from pathlib import Path

import trio
from trio.testing import MockClock

from robson.domain.values import PositionId, Role, Side
from robson.ports import Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, folded

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


def rig_with_venue(directory: Path, journal: MemoryJournal) -> tuple[Rig, FaultyVenue]:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> FaultyVenue:
        made.append(FaultyVenue(venue))
        return made[0]

    return Rig(directory, journal=journal, settings=EXACT, wrap=wrap), made[0]


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
