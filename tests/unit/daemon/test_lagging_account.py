"""An account that lags behind its own trades: nothing is concluded from it until it shows what we know."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from robson.domain.account import PairAccount
from robson.domain.errors import RuleError, Unreachable
from robson.domain.values import Role, Side
from robson.ports import Venue
from robson.protocol import requests as ask
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import NOBODY, Rig

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


class LaggingVenue(FaultyVenue):
    """While `shown` is set, the account is what it was then; `down` makes it unreadable after a while."""

    def __init__(self, inner: Venue) -> None:
        super().__init__(inner)
        self.shown: PairAccount | None = None
        self.down = False

    async def account(self, symbol: str) -> PairAccount:
        if self.down:
            await trio.sleep(1)
            raise Unreachable("connection refused")
        account = await self.inner.account(symbol)
        return self.shown or account

    async def lag(self, seconds: float) -> None:
        """Show the present account for so long, whatever happens."""
        self.shown = await self.inner.account("BTCUSDT")
        await trio.sleep(seconds)
        self.shown = None


def lagging(directory: Path) -> tuple[Rig, LaggingVenue]:
    made: list[LaggingVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(LaggingVenue(venue))
        return made[0]

    return Rig(directory, settings=EXACT, wrap=wrap), made[0]


@pytest.mark.parametrize("side", list(Side))
async def test_an_exit_waits_for_the_account_to_show_it(
    side: Side, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    rig, venue = lagging(tmp_path)
    async with rig.running():
        position_id = await rig.active(side, stop="93500" if side is Side.LONG else "96500")
        nursery.start_soon(venue.lag, 4)
        await trio.sleep(0.5)
        began = trio.current_time()
        closed = await rig.close(position_id)
        assert closed.outcome == "closed"
        assert 3 < trio.current_time() - began < 15
        result = rig.position(position_id).state.result
        assert result.dust < Decimal("0.0001")
        pair = rig.record.pair("BTCUSDT")
        account = await rig.venue.account("BTCUSDT")
        assert pair.dust_base == account.base.total
    assert "position_error" not in rig.events()


async def test_what_a_position_has_just_sold_is_no_baseline(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    rig, venue = lagging(tmp_path)
    async with rig.running():
        first = await rig.active()
        second = await rig.arm()
        held = await rig.venue.account("BTCUSDT")
        assert (await rig.close(first)).outcome == "closed"
        rig.tick("95000")
        venue.shown = held

        async def catch_up() -> None:
            await trio.sleep(2)
            venue.shown = None

        nursery.start_soon(catch_up)
        assert (await rig.signal(second, "95000", "93500")).accepted
        assert rig.record.pair("BTCUSDT").baseline_base == 0


async def test_an_account_on_which_an_entry_was_refused_is_not_behind(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = lagging(tmp_path)
    async with rig.running():
        first = await rig.active()
        assert (await rig.close(first)).outcome == "closed"
        second = await rig.arm()
        rig.tick("95000")
        venue.faults.append("refused")
        assert (await rig.signal(second, "95000", "93500")).accepted
        await rig.until(second, "Armed")
        began = trio.current_time()
        assert (await rig.signal(second, "95000", "93500")).accepted
        assert trio.current_time() - began < 1


async def test_a_difference_that_stays_is_believed_after_a_minute(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = lagging(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.shown = await rig.venue.account("BTCUSDT")
        began = trio.current_time()
        await rig.close(position_id)
        with trio.fail_after(200):
            await rig.until(position_id, "Closed", 200)
        assert 60 < trio.current_time() - began < 70


async def test_a_signal_whose_position_left_while_the_account_was_not_read_is_refused(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    rig, venue = lagging(tmp_path)
    async with rig.running():
        position_id = await rig.arm()
        rig.tick("95000")
        venue.down = True

        async def disarm() -> None:
            await trio.sleep(0.5)
            await rig.desk.disarm(ask.DisarmRequest(position_id=position_id), NOBODY, None)

        nursery.start_soon(disarm)
        with pytest.raises(RuleError) as refused:
            await rig.signal(position_id, "95000", "93500")
        assert refused.value.code == "wrong_state"


async def test_no_crumb_is_bought_again_while_the_account_shows_it_still_owed(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    rig, venue = lagging(tmp_path)
    async with rig.running():
        position_id = await rig.active(Side.SHORT, stop="96500")
        present = await rig.venue.account("BTCUSDT")
        # A moment before the last order was repaid, again and again.
        crumb = msgspec.structs.replace(present.base, borrowed=Decimal("0.00004"))
        nursery.start_soon(rig.close, position_id)
        await trio.sleep(0.3)
        venue.shown = msgspec.structs.replace(present, base=crumb)
        await trio.sleep(20)
        exits = [request for request in venue.requests if request.role is Role.EXIT]
        assert len(exits) == 1, "a crumb was bought that is no more"
        venue.shown = None
        await rig.until(position_id, "Closed")


async def test_an_account_that_nobody_has_traded_on_is_not_behind_after_a_start(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, _ = lagging(tmp_path)
    async with rig.running():
        position_id = await rig.arm()
        rig.tick("95000")
        # Too near a stop is refused, after the account was read and remembered.
        assert not (await rig.signal(position_id, "95000", "94999")).accepted
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed)
    async with again.running():
        again.tick("95000")
        assert again.record.pair("BTCUSDT").baseline_quote > 0
        assert (await again.signal(position_id, "95000", "93500")).accepted
