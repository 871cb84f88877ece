"""What the service manager is told: ready once every stop is watched, or with the reason why not."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.daemon import supervisor
from robson.domain.errors import Unreachable
from robson.service.announcer import OUT_OF_REACH_SECONDS, READY_MOST_SECONDS, STATUS_SECONDS
from tests.rig import Rig, ScriptedFeed
from tests.unit.service.manager import Heard, announcer_of


async def second_run(directory: Path) -> tuple[Rig, ScriptedFeed, str]:
    """A daemon that is to recover one position in the market."""
    first = Rig(directory)
    async with first.running():
        position_id = await first.active()
    feed = ScriptedFeed()
    feed.kept = first.feed.kept
    return Rig(directory, journal=first.reopened(), feed=feed), feed, position_id


async def test_ready_is_told_once_every_stop_is_watched(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, feed, _ = await second_run(tmp_path)
    gate = feed.gate["BTCUSDT"] = trio.Event()
    heard = Heard()
    async with rig.running(recovered=False), trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard).run)
        await trio.sleep(OUT_OF_REACH_SECONDS / 2)
        assert heard.count("READY=1") == 0
        assert heard.count("EXTEND_TIMEOUT_USEC=60000000") > 1
        assert heard.status.startswith("recovering: 1 of 1 stops are not watched yet")
        gate.set()
        await rig.supervisor.recovered.wait()
        await trio.sleep(0.001)
        assert heard.count("READY=1") == 1
        rig.tick("95000")
        await trio.sleep(60)
        assert heard.count("READY=1") == 1
        nursery.cancel_scope.cancel()


async def test_a_source_that_is_out_of_reach_makes_ready_late_and_degraded(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, feed, _ = await second_run(tmp_path)
    feed.fails = Unreachable("no route to the exchange")
    heard = Heard()
    async with rig.running(recovered=False), trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard, watchdog_seconds=9.0).run)
        await trio.sleep(OUT_OF_REACH_SECONDS + 3 * STATUS_SECONDS)
        assert heard.count("READY=1") == 1
        assert heard.status.startswith("degraded: 1 of 1 stops are not watched yet")
        assert "no route to the exchange" in heard.status
        signs = heard.count("WATCHDOG=1")
        await trio.sleep(30)
        assert heard.count("WATCHDOG=1") == signs + 10, "a restart would not bring the exchange back"
        feed.fails = None
        await rig.supervisor.recovered.wait()
        rig.tick("95000")
        await trio.sleep(2 * STATUS_SECONDS)
        assert heard.status.startswith("live, 1 position (1 Active)")
        nursery.cancel_scope.cancel()


async def test_a_recovery_that_takes_long_for_no_known_reason_is_bounded(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_life: object) -> None:
        await trio.sleep_forever()

    rig, _, _ = await second_run(tmp_path)
    monkeypatch.setattr(supervisor, "prepare", hang)
    heard = Heard()
    async with rig.running(recovered=False), trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard).run)
        await trio.sleep(READY_MOST_SECONDS - 2 * STATUS_SECONDS)
        assert heard.count("READY=1") == 0
        await trio.sleep(4 * STATUS_SECONDS)
        assert heard.count("READY=1") == 1
        nursery.cancel_scope.cancel()


async def test_the_status_tells_positions_prices_and_latches_when_they_change(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    heard = Heard()
    async with Rig(tmp_path).running() as rig, trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard).run)
        await rig.active()
        await rig.arm("ETHUSDT")
        rig.tick("3000", "ETHUSDT")
        rig.tick("95010")
        await trio.sleep(2 * STATUS_SECONDS)
        assert heard.status.startswith("live, 2 positions (1 Active, 1 Armed), feed ")
        assert ", PnL +0.6" in heard.status
        assert heard.status.endswith(" USDT")
        await rig.panic()
        await trio.sleep(2 * STATUS_SECONDS)
        assert heard.status == "live, 0 positions, PANIC LATCHED"
        before = len(heard.told)
        await trio.sleep(100)
        assert len(heard.told) == before, "nothing has changed"
        nursery.cancel_scope.cancel()


async def test_the_status_changes_at_most_once_in_a_while(tmp_path: Path, autojump_clock: MockClock) -> None:
    heard = Heard()
    async with Rig(tmp_path).running() as rig, trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard).run)
        await rig.active()
        before = len(heard.told)
        for number in range(300):
            rig.tick(f"{95000 + number}")
            await trio.sleep(0.1)
        assert len(heard.told) - before <= 30 / STATUS_SECONDS + 1
        nursery.cancel_scope.cancel()


async def test_ready_is_told_again_until_it_is_taken(tmp_path: Path, autojump_clock: MockClock) -> None:
    heard = Heard()
    heard.deaf = True
    async with Rig(tmp_path).running() as rig, trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard).run)
        await trio.sleep(5)
        heard.deaf = False
        await trio.sleep(2 * STATUS_SECONDS)
        assert heard.count("READY=1") == 1
        nursery.cancel_scope.cancel()


async def test_the_end_says_that_positions_stay_open(tmp_path: Path, autojump_clock: MockClock) -> None:
    heard = Heard()
    async with Rig(tmp_path).running() as rig:
        await rig.active()
        announcer_of(rig, heard).stopping("SIGTERM")
    assert heard.told[0] == "STOPPING=1"
    assert heard.status == "stopping (SIGTERM): 1 positions stay open, unwatched"
