"""The venue's clock and ours are seconds apart: which prices came after a fill is known all the same."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.ports import OrderReport, OrderRequest
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, SimulatedClock

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


class SlowReplies(FaultyVenue):
    """A venue that executes at once and answers two seconds later."""

    async def place(self, request: OrderRequest) -> OrderReport:
        report = await super().place(request)
        await trio.sleep(2)
        return report


@pytest.mark.parametrize("apart", [-3, 0, 3])
@pytest.mark.parametrize(("before", "after", "exits"), [("94000", "95000", False), ("95000", "93000", True)])
async def test_prices_since_the_fill_are_held_against_the_stop_and_no_others(
    before: str, after: str, exits: bool, apart: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    venue_clock = SimulatedClock(timedelta(seconds=apart))
    async with Rig(tmp_path, settings=EXACT, wrap=SlowReplies, venue_clock=venue_clock).running() as rig:
        position_id = await rig.arm()
        rig.tick("94000" if before == "94000" else "95000")
        await trio.sleep(1)
        rig.tick("95000")
        assert (await rig.signal(position_id, "95000", "94100")).accepted
        await trio.sleep(1)
        rig.tick(after)
        await trio.sleep(3)
        assert "entry_filled" in rig.events(position_id)
        assert ("exit_triggered" in rig.events(position_id)) is exits
