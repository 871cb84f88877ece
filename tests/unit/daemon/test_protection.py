"""The unprotected seconds, counted to the moment at which somebody acts on a hit again."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from robson.daemon.beside import BESIDE_SECONDS
from robson.domain.instrument import Instrument
from robson.domain.values import Side
from robson.ports import Commit, Venue
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, forget_filters

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


class SlowFilters(FaultyVenue):
    """A venue whose filters take three seconds to read."""

    async def instrument(self, symbol: str) -> Instrument:
        await trio.sleep(3)
        return await self.inner.instrument(symbol)


def seconds_told(rig: Rig, position_id: str) -> list[float]:
    rows = rig.journal.events()
    return [float(row.data["seconds"]) for row in rows if row.type == "unprotected" and row.position_id == position_id]


async def test_an_exit_is_unprotected_from_the_moment_the_venue_is_out_of_reach(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(FaultyVenue(venue))
        return made[0]

    async with Rig(tmp_path, settings=EXACT, wrap=wrap).running() as rig:
        position_id = await rig.active()
        made[0].faults.extend(["unreachable"] * 6)
        began = trio.current_time()
        await rig.close(position_id)
        lasted = trio.current_time() - began
        rig.position(position_id)
    # The first refusal is immediate, the last pause ends with an answer.
    (told,) = seconds_told(rig, position_id)
    assert told == pytest.approx(lasted, abs=0.7)
    assert told > 5


@pytest.mark.parametrize(("remembered", "seconds"), [(False, 3), (True, BESIDE_SECONDS)])
async def test_the_time_until_a_stop_is_rebuilt_is_unprotected(
    tmp_path: Path, autojump_clock: MockClock, remembered: bool, seconds: float
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        position_id = await rig.active()
        rig.tick("95000")
    if not remembered:
        forget_filters(rig)
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed, wrap=SlowFilters)
    async with again.running():
        again.tick("95000")
        await trio.sleep(1)
    (told,) = seconds_told(again, position_id)
    assert seconds < told < seconds + 0.5


async def test_a_stop_that_no_trade_ever_moved_is_protected_as_soon_as_it_is_watched(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        # Without a trade since the start the fill has no trade id: there is nothing to catch up with.
        position_id = await rig.arm(side=Side.LONG)
        rig.tick("95000", polled=True)
        rig.market._quotes["BTCUSDT"].arrived_at = trio.current_time()
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        await rig.until(position_id, "Active")
        assert rig.position(position_id).trail.trade_id is None
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed)
    async with again.running():
        await trio.sleep(4)
        again.tick("95000")
        await trio.sleep(4)
        again.tick("95000")
    (told,) = seconds_told(again, position_id)
    assert told < 0.5


class SomewhatSlowFilters(SlowFilters):
    """A venue whose filters take half a second to read."""

    async def instrument(self, symbol: str) -> Instrument:
        await trio.sleep(0.5)
        return await self.inner.instrument(symbol)


@pytest.mark.parametrize("ends_early", [False, True])
async def test_the_intervals_of_one_start_are_told_in_one_commit(
    tmp_path: Path, autojump_clock: MockClock, *, ends_early: bool
) -> None:
    async with Rig(tmp_path, settings=EXACT).running() as rig:
        ids = [await rig.active() for _ in range(5)]
        rig.tick("95000")
    forget_filters(rig)
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed, wrap=SomewhatSlowFilters)
    commits: list[int] = []
    inner = again.journal.commit

    def counted(commit: Commit) -> Any:
        commits.append(sum(notice.type == "unprotected" for notice in commit.notices))
        return inner(commit)

    again.journal.commit = counted  # type: ignore[method-assign]
    async with again.running(recovered=not ends_early):
        if ends_early:
            await trio.sleep(0.95)
            # As at the end of `robson run`.
            again.supervisor.flush()
        else:
            await trio.sleep(0.01)
    assert [count for count in commits if count] == [5]
    assert all(len(seconds_told(again, position_id)) == 1 for position_id in ids)
