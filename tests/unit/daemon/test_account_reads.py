"""The account of a pair is kept read for an exit that may come; whatever happens to that, the stop is watched."""

from pathlib import Path

import trio
from trio.testing import MockClock

from robson.domain.account import PairAccount
from robson.ports import Venue
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig


class Unreadable(FaultyVenue):
    """A venue whose adapter itself fails when it reads an account."""

    fails = False

    async def account(self, symbol: str) -> PairAccount:
        if self.fails:
            raise KeyError("baseAsset")
        return await super().account(symbol)


async def test_an_adapter_that_fails_to_read_the_account_ends_no_watch(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    made: list[Unreadable] = []

    def wrap(venue: Venue) -> Venue:
        made.append(Unreadable(venue))
        return made[0]

    rig = Rig(tmp_path, wrap=wrap, settings=PaperSettings(fills_max=1))
    async with rig.running():
        position_id = await rig.active()
        made[0].fails = True
        for second in range(120):
            await trio.sleep(1)
            rig.tick(str(95000 + second % 3))
            assert rig.position(position_id).state_name == "Active"
            assert rig.supervisor.lives[position_id].is_watched, second
        made[0].fails = False
        rig.tick("93000")
        await rig.until(position_id, "Closed")
        assert "unprotected" not in rig.events(position_id)
