"""Orders in doubt and exits that come no further are told in `status`, in `health` and as notices."""

from pathlib import Path

from trio.testing import MockClock

from robson.daemon.record import ALARMS
from robson.domain.events import NOTICE_TYPES
from robson.ports import Venue
from tests.faults import FaultyVenue
from tests.rig import Rig


def faulty(directory: Path, *faults: str) -> Rig:
    def wrap(venue: Venue) -> Venue:
        made = FaultyVenue(venue)
        made.faults.extend(faults)
        return made

    return Rig(directory, wrap=wrap)


async def hit(rig: Rig) -> str:
    """A position whose stop was just hit."""
    position_id = await rig.arm()
    rig.tick("95000")
    await rig.signal(position_id, "95000", "93500")
    await rig.until(position_id, "Active")
    rig.tick("93400")
    return position_id


async def test_an_order_in_doubt_is_a_flag_a_check_and_an_alarm(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with faulty(tmp_path, "", "request_lost").running() as rig:
        position_id = await hit(rig)
        before = await rig.view(position_id)
        while rig.events()[-1] != "order_in_doubt":
            await rig.record.wait_events(rig.record.last_seq)
        during, check = await rig.view(position_id), await rig.orders_check()
        await rig.until(position_id, "Closed")
        after, calm = await rig.view(position_id), await rig.orders_check()
    assert (before.order_in_doubt, during.order_in_doubt, after.order_in_doubt) == (False, True, False)
    assert during.detail == "its exit order is in doubt: no answer within 2 s"
    assert (check.ok, check.detail) == (False, f"in doubt: exit of {position_id} (BTCUSDT)")
    assert (calm.ok, calm.detail) == (True, "none in doubt, no exit failing")
    assert "order_resolved" in rig.events()


async def test_an_exit_that_comes_no_further_is_told_at_the_third_failure_and_only_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with faulty(tmp_path, "", *["refused"] * 6).running() as rig:
        position_id = await hit(rig)
        await rig.until(position_id, "Closed")
        rows = [row for row in rig.journal.events() if row.type in {"exit_refused", "exit_failing"}]
    assert [row.type for row in rows] == [*["exit_refused"] * 3, "exit_failing", *["exit_refused"] * 3]
    assert rows[3].data["failures"] == 3
    assert "-2010" in rows[3].data["detail"]


async def test_two_failures_are_no_alarm(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with faulty(tmp_path, "", "refused", "refused").running() as rig:
        position_id = await hit(rig)
        await rig.until(position_id, "Closed")
    assert "exit_failing" not in rig.events()


def test_every_alarm_is_a_notice() -> None:
    assert set(NOTICE_TYPES) >= ALARMS
