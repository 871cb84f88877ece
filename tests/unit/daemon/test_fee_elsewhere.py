"""A short whose fees are taken from a third asset buys back what it owes, and nothing for a fee."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from trio.testing import MockClock

from robson.domain.values import Role, Side
from tests.faults import FaultyVenue
from tests.rig import Rig
from tests.unit.daemon.test_protection import EXACT


@pytest.mark.parametrize("fee_asset", [None, "BNB"])
async def test_a_short_buys_its_fee_only_where_it_is_taken_in_base(
    tmp_path: Path, fee_asset: str | None, autojump_clock: MockClock
) -> None:
    settings = msgspec.structs.replace(EXACT, fee_asset=fee_asset)
    async with Rig(tmp_path, settings=settings, wrap=FaultyVenue).running() as rig:
        position_id = await rig.active(Side.SHORT, stop="96500")
        sold = rig.position(position_id).entry.quantity
        assert (await rig.close(position_id)).outcome == "closed"
        assert isinstance(rig.venue, FaultyVenue)
        exits = [request for request in rig.venue.requests if request.role is Role.EXIT]
        step = Decimal("0.00001")
        # The first hour's interest is less than a step.
        fee = sold / 1000 if fee_asset is None else 0
        assert sold + fee <= exits[0].quantity <= sold + fee + 2 * step
        assert len(exits) == 1
