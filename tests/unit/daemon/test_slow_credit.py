"""An entry judges the account as it is when everything else has been answered, however slow that was."""

from pathlib import Path

import trio
from trio.testing import MockClock

from robson.domain.account import Credit
from robson.domain.values import Side
from tests.faults import FaultyVenue
from tests.rig import Rig


class SlowLender(FaultyVenue):
    """A venue that takes its time to say what it would lend."""

    slowly = 0.0

    async def credit(self, symbol: str, side: Side) -> Credit:
        await trio.sleep(self.slowly)
        return await super().credit(symbol, side)


async def test_what_a_neighbour_sold_meanwhile_is_no_baseline(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, wrap=SlowLender).running() as rig, trio.open_nursery() as nursery:
        leaving = await rig.active()
        entering = await rig.arm()
        assert isinstance(rig.venue, SlowLender)
        rig.venue.slowly = 1.5
        nursery.start_soon(rig.signal, entering, "95000", "93500")
        await trio.sleep(0.5)
        assert (await rig.close(leaving)).outcome == "closed"
        await rig.until(entering, "Active")
        pair = rig.record.pair("BTCUSDT")
        assert pair is not None
        assert pair.baseline_base == 0
        assert (await rig.close(entering)).outcome == "closed"
