"""What a position waits for before its entry: its own terms, and rest after each refusal."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from robson.daemon.seeking import pause_seconds
from robson.domain.position import Armed
from robson.protocol import requests as ask
from robson.store.memory import MemoryJournal
from tests.rig import NOBODY, Rig


@pytest.mark.parametrize(("refusals", "seconds"), [(0, 0), (1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (10_000, 900)])
def test_a_detector_rests_longer_after_each_refusal(refusals: int, seconds: float) -> None:
    assert pause_seconds(refusals) == seconds


async def test_a_detector_that_is_refused_neither_gives_up_nor_insists(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """Its technical stop is refused each time: seconds of rest, doubled, and the reason to be seen."""
    rig = Rig(tmp_path)
    async with rig.running():
        rig.tick("95000")
        position_id = await rig.arm("BTCUSDT", strategy="immediate")
        refused_at = []
        for _ in range(4):
            while rig.events(position_id).count("signal_rejected") == len(refused_at):
                rig.tick("95000")
                with trio.move_on_after(1):
                    await rig.record.wait_events(rig.record.last_seq)
            refused_at.append(trio.current_time())
        waits = [round(later - earlier) for earlier, later in pairwise(refused_at)]
        assert waits == [5, 10, 20]
        position = rig.position(position_id)
        assert isinstance(position.state, Armed)
        assert position.state.rejection is not None
        assert position.state.rejection.message in ((await rig.view(position_id)).detail or "")


async def test_each_position_is_sized_by_the_capital_and_risk_it_was_armed_with(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """Another arm, before or after, changes nothing about it, and neither does a restart."""
    journal = MemoryJournal()
    rig = Rig(tmp_path, journal=journal)
    wanted = {("10000", "1"): "0.06666", ("5000", "1"): "0.03333", ("10000", "0.5"): "0.03333", ("30000", "2"): "0.4"}
    armed = {}
    async with rig.running():
        for capital, risk in wanted:
            armed[await rig.arm("BTCUSDT", capital=capital, risk_percent=risk)] = (capital, risk)
    again = Rig(tmp_path, journal=journal.reopened(crashed=True), feed=rig.feed)
    async with again.running():
        for position_id, terms in reversed(armed.items()):
            again.tick("95000")
            result = await again.signal(position_id, "95000", "93500")
            assert result.accepted, result
            assert Decimal(result.quantity or 0) == Decimal(wanted[terms]), terms
            await again.until(position_id, "Active")


async def test_a_detector_lives_while_its_position_is_armed(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    """Taking the position back ends it, and so does its one signal; nothing is left that could fire again."""
    rig = Rig(tmp_path)
    async with rig.running():
        rig.tick("95000")
        position_id = await rig.arm("BTCUSDT", strategy="delay", params={"seconds": "60"})
        await trio.testing.wait_all_tasks_blocked()
        waiting = trio.lowlevel.current_statistics().tasks_living
        await rig.desk.disarm(ask.DisarmRequest(position_id=position_id), NOBODY, None)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living < waiting
        await trio.sleep(120)
        assert "entry_signal_received" not in rig.events(position_id)
