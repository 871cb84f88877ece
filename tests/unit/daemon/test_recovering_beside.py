"""Two positions on a pair after a start: one is back long before the other, and leaves."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.daemon import recovery
from robson.daemon.life import Life
from robson.ports import Venue
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


async def test_a_neighbour_that_leaves_takes_no_watch_along(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(FaultyVenue(venue))
        return made[0]

    rig = Rig(tmp_path, settings=EXACT, wrap=wrap)
    async with rig.running():
        first = await rig.active(stop="94000")
        second = await rig.arm()
        rig.tick("95000")
        made[0].faults.append("reply_lost")
        assert (await rig.signal(second, "95000", "92000")).accepted
        await trio.sleep(1)
    prepare = recovery._prepare

    async def prepare_late(life: Life) -> None:
        if life.position.position_id == second:
            await trio.sleep(30)
        await prepare(life)

    monkeypatch.setattr(recovery, "_prepare", prepare_late)
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed)
    async with again.running(recovered=False):
        again.tick("95000")
        await trio.sleep(10)
        again.tick("93900")
        await trio.sleep(50)
        again.tick("93900")
        assert again.position(first).state_name == "Closed"
        assert again.position(second).state_name == "Active"
        again.tick("91900")
        await trio.sleep(5)
        assert again.position(second).state_name == "Closed"
