"""One hung loop is enough: no sign of life goes out for the feed, the executor or any one monitor."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from robson.daemon import course, leaving
from robson.daemon.life import Life
from robson.pulse import Pulse
from robson.service.announcer import SIGNS
from robson.service.proof import EXIT_STEP_MOST_SECONDS, Proof, listed
from tests.rig import Rig
from tests.unit.service.manager import Heard, announcer_of

PATIENCE_SECONDS = 9.0


class Loop:
    """A feed's loop."""

    def __init__(self) -> None:
        self.news = trio.Event()
        self.pulse = Pulse(self.wake)

    def wake(self) -> None:
        self.news.set()

    async def run(self) -> None:
        with self.pulse.running():
            while True:
                self.pulse.beat()
                self.news = trio.Event()
                await self.news.wait()


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[Heard]:
    """A daemon with a service manager."""
    heard, feed = Heard(), Loop()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        async with rig.running():
            nursery.start_soon(announcer_of(rig, heard, feed.pulse, watchdog_seconds=PATIENCE_SECONDS).run)
            yield heard
        nursery.cancel_scope.cancel()


async def test_a_daemon_that_is_well_gives_a_sign_three_times_in_the_managers_patience(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig = Rig(tmp_path)
    async with watched(rig) as heard:
        active, armed = await rig.active(), await rig.arm("ETHUSDT")
        rig.tick("94000")
        closing = await rig.active(symbol="SOLUSDT", entry="200", stop="196")
        await rig.close(closing)
        before, began = heard.count("WATCHDOG=1"), trio.current_time()
        await trio.sleep(PATIENCE_SECONDS * 10)
        assert trio.current_time() - began == PATIENCE_SECONDS * 10
        assert heard.count("WATCHDOG=1") - before == SIGNS * 10
        assert {rig.position(x).state_name for x in (active, armed)} == {"Active", "Armed"}


async def hang(_life: Life, *_: object) -> None:
    await trio.sleep_forever()


Hanging = Callable[[pytest.MonkeyPatch], object]


@pytest.mark.parametrize("state", ["Armed", "Active"])
async def test_one_hung_monitor_among_many_ends_the_signs_of_life(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    rig = Rig(tmp_path)
    async with watched(rig) as heard:
        for symbol, entry, stop in (("ETHUSDT", "3000", "2950"), ("SOLUSDT", "200", "196")):
            await rig.active(symbol=symbol, entry=entry, stop=stop)
        await trio.testing.wait_all_tasks_blocked()
        with monkeypatch.context() as patch:
            patch.setattr(course, "_until_hit" if state == "Active" else "_until_out_of", hang)
            hung = await (rig.active() if state == "Active" else rig.arm())
            # It runs into what hangs before the patch is taken away.
            await trio.testing.wait_all_tasks_blocked()
        if state == "Active":
            await rig.until(hung, "Active")
        rig.supervisor.lives[hung].pulse.ask()
        await trio.sleep(2 * PATIENCE_SECONDS / SIGNS)
        before = heard.count("WATCHDOG=1")
        await trio.sleep(PATIENCE_SECONDS * 5)
        assert heard.count("WATCHDOG=1") == before
        assert heard.status.startswith(f"HUNG: the monitor of {hung}")


async def test_a_hung_executor_ends_them(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    monkeypatch.setattr(rig.executor, "_take_intents", hang)
    async with watched(rig) as heard:
        await trio.sleep(2 * PATIENCE_SECONDS)
        before = heard.count("WATCHDOG=1")
        await trio.sleep(PATIENCE_SECONDS * 5)
        assert heard.count("WATCHDOG=1") == before
        assert "HUNG: the executor" in heard.status


async def test_a_hung_feed_ends_them_and_one_that_goes_on_brings_them_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, heard, pulse = Rig(tmp_path), Heard(), Pulse(lambda: None)
    async with rig.running(), trio.open_nursery() as nursery:
        nursery.start_soon(announcer_of(rig, heard, pulse, watchdog_seconds=PATIENCE_SECONDS).run)
        with pulse.running():
            await trio.sleep(PATIENCE_SECONDS)
            before = heard.count("WATCHDOG=1")
            await trio.sleep(PATIENCE_SECONDS * 5)
            assert heard.count("WATCHDOG=1") == before
            assert "HUNG: the feed" in heard.status
        # It ended, as a tape does: a restart would not mend that.
        await trio.sleep(PATIENCE_SECONDS)
        assert heard.count("WATCHDOG=1") > before
        assert "HUNG" not in heard.status
        nursery.cancel_scope.cancel()


async def test_an_exit_that_stands_at_one_step_ends_them(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    monkeypatch.setattr(leaving, "_step", hang)
    async with watched(rig) as heard:
        position_id = await rig.active()
        rig.tick("93000")
        await rig.until(position_id, "Exiting")
        await trio.sleep(EXIT_STEP_MOST_SECONDS + 2 * PATIENCE_SECONDS)
        before = heard.count("WATCHDOG=1")
        await trio.sleep(PATIENCE_SECONDS * 5)
        assert heard.count("WATCHDOG=1") == before
        assert f"HUNG: the exit of {position_id}" in heard.status


async def test_a_position_that_nobody_looks_after_ends_them(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    monkeypatch.setattr(course, "run", hang)
    async with watched(rig) as heard:
        position_id = await rig.arm()
        await trio.sleep(2 * PATIENCE_SECONDS)
        before = heard.count("WATCHDOG=1")
        await trio.sleep(PATIENCE_SECONDS * 5)
        assert heard.count("WATCHDOG=1") == before
        assert f"the monitor of {position_id}, which is gone" in heard.status


async def test_a_venue_that_is_out_of_reach_is_no_reason_to_be_killed(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    async with watched(rig) as heard:
        await rig.active()
        monkeypatch.setattr(rig.executor.reach, "hear_account", lambda *_, **__: None)
        rig.executor.reach.placed = False
        await trio.sleep(PATIENCE_SECONDS)
        before = heard.count("WATCHDOG=1")
        await trio.sleep(PATIENCE_SECONDS * 10)
        assert heard.count("WATCHDOG=1") - before == SIGNS * 10
        assert heard.status.startswith("degraded: the venue: out of reach")


async def test_every_loop_is_asked_anew(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        armed = await rig.arm()
        await trio.testing.wait_all_tasks_blocked()
        proof = Proof(rig.supervisor, None)
        assert proof.take() == []
        assert listed(proof.take()) == f"the executor, the monitor of {armed}", "asked, and not yet let run"
        await trio.testing.wait_all_tasks_blocked()
        assert proof.take() == []


def test_a_long_list_is_counted() -> None:
    assert listed([str(number) for number in range(8)]) == "0, 1, 2, 3, 4 and 3 more"
