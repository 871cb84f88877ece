"""An exit that went out while nothing could be written is taken over after a restart, never sent again."""

from decimal import Decimal
from pathlib import Path

import trio
from trio.testing import MockClock

from robson.domain.values import Role, Side
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
