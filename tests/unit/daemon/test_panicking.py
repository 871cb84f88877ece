"""Panic where prices or the venue are missing: what can leave leaves, what cannot is asked again."""

from pathlib import Path
from typing import Any

import trio

from robson.commands.panic import Panic
from robson.domain.errors import Unreachable
from robson.domain.instrument import Instrument
from robson.domain.values import ExitReason
from robson.ports import Venue
from tests.faults import FaultyVenue
from tests.rig import Rig, ScriptedFeed, forget_filters

START = "95000"


class Unread(FaultyVenue):
    """A venue that tells no filters while it is shut."""

    def __init__(self, inner: Venue) -> None:
        super().__init__(inner)
        self.is_shut = True

    async def instrument(self, symbol: str) -> Instrument:
        if self.is_shut:
            await trio.lowlevel.checkpoint()
            raise Unreachable("no route")
        return await super().instrument(symbol)


async def died_active(tmp_path: Path) -> tuple[Rig, str]:
    """A run that ended, as killed, with a position in the market, by a version that kept no filters."""
    async with Rig(tmp_path).running() as rig:
        position_id = await rig.active(entry=START)
    forget_filters(rig)
    return rig, position_id


def deaf() -> ScriptedFeed:
    """A feed that has no prices and cannot tell past ones."""
    feed = ScriptedFeed()
    feed.broken = Unreachable("no route")
    return feed


async def test_a_latched_position_leaves_without_the_prices_it_has_missed(tmp_path: Path, autojump_clock: Any) -> None:
    before, position_id = await died_active(tmp_path)
    rig = Rig(tmp_path, journal=before.reopened(), feed=deaf())
    rig.supervisor.latch()
    async with rig.running(recovered=False):
        closed = await rig.until(position_id, "Closed")
        assert closed.state.reason is ExitReason.OPERATOR_PANIC
        assert rig.supervisor.recovered.is_set()


async def test_a_panic_while_the_prices_are_being_read_does_not_wait_for_them(
    tmp_path: Path, autojump_clock: Any
) -> None:
    before, position_id = await died_active(tmp_path)
    async with Rig(tmp_path, journal=before.reopened(), feed=deaf()).running(recovered=False) as rig:
        await trio.sleep(5)
        assert not rig.supervisor.recovered.is_set()
        (outcome,) = (await rig.panic()).positions
        assert (outcome.outcome, outcome.symbol, outcome.side) == ("closed", "BTCUSDT", "long")
        assert outcome.exit_price == rig.position(position_id).state.result.exit_price
        assert outcome.net_pnl == rig.position(position_id).state.result.net_pnl


async def test_a_position_that_is_not_recovered_is_pending_and_leaves_once_it_is(
    tmp_path: Path, autojump_clock: Any
) -> None:
    before, position_id = await died_active(tmp_path)
    async with Rig(tmp_path, journal=before.reopened(), wrap=Unread).running(recovered=False) as rig:
        (outcome,) = (await rig.panic()).positions
        assert outcome.outcome == "pending"
        assert "no route" in outcome.detail
        assert isinstance(rig.venue, Unread)
        rig.venue.is_shut = False
        closed = await rig.until(position_id, "Closed")
        assert closed.state.reason is ExitReason.OPERATOR_PANIC


async def test_the_errand_latches_before_anything_moves_and_tells_what_became_of_each(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with Rig(tmp_path).running() as before:
        held = await before.active(entry=START)
        armed = await before.arm("ETHUSDT", strategy="immediate")
    rig = Rig(tmp_path, journal=before.reopened(), feed=deaf())
    errand = Panic(60.0)
    errand.begin(rig.supervisor)
    assert rig.events()[-1] == "panic_latched"
    async with rig.running(recovered=False):
        await errand.carry_out(rig.supervisor)
        left = {one.position_id: one.outcome for one in errand.result().positions}
        assert left == {held: "closed", armed: "disarmed"}
        assert errand.is_durable


async def test_the_errand_leaves_what_it_cannot_do_in_time_to_the_next_daemon(
    tmp_path: Path, autojump_clock: Any
) -> None:
    before, position_id = await died_active(tmp_path)
    rig = Rig(tmp_path, journal=before.reopened(), wrap=Unread)
    errand = Panic(7.0)
    errand.begin(rig.supervisor)
    async with rig.running(recovered=False):
        began = trio.current_time()
        await errand.carry_out(rig.supervisor)
        assert trio.current_time() - began == 7
    (outcome,) = errand.result().positions
    assert (outcome.outcome, errand.result().latched) == ("pending", True)
    assert outcome.detail.startswith("it is left Active to the next daemon")
    async with Rig(tmp_path, journal=rig.reopened()).running(recovered=False) as after:
        closed = await after.until(position_id, "Closed")
        assert closed.state.reason is ExitReason.OPERATOR_PANIC
