"""What an account held before our first position on a pair, when earlier ones have left something there."""

from decimal import Decimal
from pathlib import Path

import msgspec
from trio.testing import MockClock

from robson.domain.account import Leg
from robson.ports import Commit, PairRecord
from tests.unit.daemon.test_lagging_account import lagging


async def test_a_surplus_that_nobody_took_along_is_ours_and_not_the_traders(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    dust, surplus, traders = Decimal("0.00002"), Decimal("0.00003"), Decimal(2)
    rig, venue = lagging(tmp_path)
    async with rig.running():
        position_id = await rig.arm()
        rig.tick("95000")
        account = await rig.venue.account("BTCUSDT")
        venue.shown = msgspec.structs.replace(account, base=Leg(free=traders + dust + surplus))
        before = PairRecord(
            symbol="BTCUSDT", baseline_base=traders, baseline_quote=Decimal(0), dust_base=dust, surplus_base=surplus
        )
        rig.record.write(Commit(pairs=(before,)))
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        after = rig.record.pair("BTCUSDT")
        assert after is not None
        assert (after.baseline_base, after.dust_base, after.surplus_base) == (traders, dust + surplus, 0)
