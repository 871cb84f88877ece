"""Shorts that come and go on one pair without a pause: what each bought too much must not strand the last one."""

from decimal import Decimal
from pathlib import Path

import msgspec
import trio

from robson.domain.position import Closed
from robson.domain.values import Side
from tests.rig import Rig


async def test_the_last_of_many_overlapping_shorts_closes(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    """Each exit is rounded up to a step and repays the pair's debt with all that it bought: it adds up."""
    rig = Rig(tmp_path)
    async with rig.running():
        held = await rig.active(Side.SHORT, "ETHUSDT", "3300", "3333.33")
        for number in range(60):
            rig.tick(str(3300 - number % 7), "ETHUSDT")
            position_id = await rig.arm("ETHUSDT", Side.SHORT)
            price = rig.market.prices("ETHUSDT")
            assert (await rig.signal(position_id, str(price), str(price + 30))).accepted
            await rig.until(position_id, "Active")
            assert (await rig.close(held)).outcome == "closed"
            held = position_id
        account = await rig.venue.account("ETHUSDT")
        fallen_short = rig.position(held).entry.quantity - account.base.debt
        assert fallen_short * 3300 > 5, "the others have repaid less than a sellable part of its debt: no test at all"
        # The first order executes in part, so that the rest is sized by what the account still owes.
        whole = rig.paper._settings
        rig.paper._settings = msgspec.structs.replace(whole, partial_fill_probability=Decimal(1))
        results = []
        async with trio.open_nursery() as nursery:

            async def close() -> None:
                results.append(await rig.close(held))

            nursery.start_soon(close)
            while "exit_filled" not in rig.events(held):
                await rig.record.wait_events(rig.record.last_seq)
            rig.paper._settings = whole
        assert results[0].outcome == "closed", rig.position(held)
        assert isinstance(rig.position(held).state, Closed)
        account = await rig.venue.account("ETHUSDT")
        assert account.base.debt == account.quote.debt == 0
        pair = rig.record.pair("ETHUSDT")
        assert account.base.total == pair.dust_base
