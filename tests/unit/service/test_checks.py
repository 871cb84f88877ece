"""The machine's clock, the journal's disk and the loop, as `health` tells of them."""

import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.protocol.requests import HealthRequest
from robson.service.checks import LoopDelay, clock_check, disk_check
from tests.rig import NOBODY, Rig


@pytest.mark.parametrize(
    ("offset", "ok", "told"),
    [
        (None, True, "not compared"),
        (0.25, True, "0.250 s behind"),
        (-5.0, True, "5.000 s ahead of"),
        (5.001, False, "5.001 s behind"),
        (-60.0, False, "60.000 s ahead of"),
    ],
)
def test_a_clock_that_is_wrong_is_told(offset: float | None, ok: bool, told: str) -> None:
    check = clock_check(lambda: offset)()
    assert (check.ok, told in check.detail) == (ok, True)


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk_check(tmp_path)().ok
    found = os.statvfs(tmp_path)
    nearly = os.statvfs_result((found.f_bsize, 1_000_000, 100, 49, 49, *tuple(found)[5:10]))
    monkeypatch.setattr(os, "statvfs", lambda _path: nearly)
    check = disk_check(tmp_path)()
    assert (check.ok, check.detail) == (False, "49 MB free")


def test_a_disk_that_is_gone_is_told(tmp_path: Path) -> None:
    assert not disk_check(tmp_path / "gone")().ok


async def test_a_loop_that_is_late_is_told_and_forgotten_a_minute_later(mock_clock: MockClock) -> None:
    delay = LoopDelay()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delay.run)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(6.0)
        await trio.testing.wait_all_tasks_blocked()
        assert not delay.check().ok
        assert "5500 ms" in delay.check().detail
        for _ in range(120):
            mock_clock.jump(0.5)
            await trio.testing.wait_all_tasks_blocked()
        assert delay.check().ok
        nursery.cancel_scope.cancel()


async def test_health_has_them_and_is_not_ready_without(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        rig.around.checks["clock"] = clock_check(lambda: 60.0)
        health = await rig.desk.health(HealthRequest(), NOBODY)
    assert not health.ready
    assert not health.checks["clock"].ok
