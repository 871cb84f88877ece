"""Moved stops reach the journal: only those that moved, in groups, and what the disk refused with the next flush."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from robson.daemon import ratchets
from robson.domain.events import Fact
from tests.rig import Rig

POSITIONS = 5


class Noted:
    """A rig's ratchets, by position."""

    def __init__(self, rig: Rig) -> None:
        self.groups: list[list[str]] = []
        inner = rig.journal.ratchet

        def ratchet(facts: Any) -> Any:
            rows = inner(facts)
            self.groups.append([fact.position_id for fact in facts if isinstance(fact, Fact)])
            return rows

        rig.journal.ratchet = ratchet  # type: ignore[method-assign]


async def test_those_that_moved_are_written_in_groups(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratchets, "GROUP", 2)
    async with Rig(tmp_path).running() as rig:
        ids = [await rig.active() for _ in range(POSITIONS)]
        await trio.sleep(1)
        noted = Noted(rig)
        rig.tick("95100")
        rig.tick("95200")
        await trio.sleep(1)
        assert noted.groups == [ids[0:2], ids[2:4], ids[4:]]
        for position_id in ids:
            trail = rig.position(position_id).trail
            assert trail is not None
            assert (trail.stop, trail.extreme) == (93_700, 95_200)
        await trio.sleep(1)
        assert len(noted.groups) == 3


async def test_whoever_stands_still_is_not_written(tmp_path: Path, autojump_clock: Any) -> None:
    async with Rig(tmp_path).running() as rig:
        low = await rig.active()
        rig.tick("94000")
        lower = await rig.active(entry="94000", stop="93000")
        await trio.sleep(1)
        noted = Noted(rig)
        rig.tick("94500")
        await trio.sleep(1)
        assert noted.groups == [[lower]]
        rig.tick("95500")
        await trio.sleep(1)
        assert [sorted(group) for group in noted.groups[1:]] == [sorted([low, lower])]


async def test_what_the_disk_refused_comes_with_the_next_flush(tmp_path: Path, autojump_clock: Any) -> None:
    async with Rig(tmp_path).running() as rig:
        first, second = await rig.active(), await rig.active(stop="93000")
        await trio.sleep(1)
        rig.journal.broken = "the disk was full"  # type: ignore[attr-defined]
        rig.tick("95300")
        await trio.sleep(0.5)
        rig.journal.broken = None  # type: ignore[attr-defined]
        await trio.sleep(5)
        noted = Noted(rig)
        rig.supervisor.flush_stops()
        assert noted.groups == [[first, second]]


async def test_many_that_move_at_once_leave_the_loop_most_of_the_time(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush that took two seconds is followed by eight without one."""
    async with Rig(tmp_path).running() as rig:
        await rig.active()
        await trio.sleep(1)
        moments = []
        inner = rig.journal.ratchet

        def slow(facts: Any) -> Any:
            moments.append(trio.current_time())
            autojump_clock.jump(2)
            return inner(facts)

        rig.journal.ratchet = slow  # type: ignore[method-assign]
        for step in range(1, 40):
            rig.tick(str(95_000 + step))
            await trio.sleep(0.5)
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert len(gaps) > 1
        assert min(gaps) > 9.9
