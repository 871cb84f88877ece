"""What only counts stands in the way of no fact: a fill is recorded although its tally fails."""

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from robson.daemon.tallies import OrderTally
from tests.rig import Rig


async def test_a_fill_is_recorded_although_its_tally_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    async with Rig(tmp_path).running() as rig:
        monkeypatch.setattr(OrderTally, "note_fill", fail)
        position_id = await rig.active()
        assert rig.events(position_id).count("entry_filled") == 1
        assert (await rig.close(position_id)).outcome == "closed"
        assert rig.events(position_id).count("exit_filled") == 1
