"""An hour without the server: nothing lost, nothing out of order, and trading does not notice; on simulated time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from robson.daemon.telling import notifier_of
from robson.domain.events import Notice
from robson.notify.http import Http
from robson.notify.message import Refused, Unsent
from robson.notify.opening import Outlets
from robson.notify.settings import NotifySettings
from tests.rig import Rig
from tests.unit.notify.test_courier import Desk, Phone

HOUR = 3600.0
LIFE = (
    *("position_armed", "entry_signal_received", "entry_order_placed"),
    *("exit_triggered", "exit_order_placed", "exit_filled"),
)
EVERYTHING = dict.fromkeys([*LIFE, "journal_degraded"], "on")


class Doomed(Phone):
    """A phone whose server is away until `back`; then it takes each message, and loses one answer in three."""

    back = HOUR
    answers = 0

    async def send(self, message: object) -> None:
        if trio.current_time() < self.back:
            await trio.sleep(5)
            raise Unsent("HTTP 502")
        await super().send(message)  # type: ignore[arg-type]
        self.answers += 1
        if self.answers % 3 == 0:
            raise Unsent("the answer was lost")


async def test_an_hour_of_events_comes_in_order_each_once_by_its_id_and_none_is_lost(autojump_clock: MockClock) -> None:
    desk, phone = Desk(), Doomed()
    async with desk.carried(phone) as courier:
        for _ in range(60):
            desk.say("feed_stale", "exit_failing", "feed_recovered")
            await trio.sleep(60)
        assert phone.got == []
        assert courier.backlog == 180
        await trio.sleep(HOUR)
        assert (courier.backlog, courier.trouble) == (0, None)
        assert courier.delivered == 180
    # What was taken although its sender could not know comes again under the same id, and before anything newer.
    assert len(phone.got) > 180
    assert list(dict.fromkeys(phone.ids)) == [f"paper-ntfy-{seq}" for seq in range(1, 181)]
    assert phone.ids == sorted(phone.ids, key=lambda told: int(told.rpartition("-")[2]))
    assert [m.event for m in phone.got if m.seq in {1, 2, 3}][:1] == ["feed_stale"]


async def test_when_the_server_is_back_the_first_try_is_within_a_minute(autojump_clock: MockClock) -> None:
    desk, phone = Desk(), Doomed()
    async with desk.carried(phone):
        desk.say("exit_failing")
        await trio.sleep(HOUR + 66)
        assert phone.ids[:1] == ["paper-ntfy-1"]


async def test_a_restart_in_the_middle_of_an_outage_loses_nothing(autojump_clock: MockClock) -> None:
    desk, phone = Desk(), Doomed()
    async with desk.carried(phone):
        desk.say("exit_failing", "exit_refused")
        await trio.sleep(HOUR / 2)
    again = Desk(desk.journal.reopened(crashed=True))
    async with again.carried(phone):
        again.say("panic_latched")
        await trio.sleep(HOUR)
    assert list(dict.fromkeys(phone.ids)) == ["paper-ntfy-1", "paper-ntfy-2", "paper-ntfy-3"]


# --- beside trading --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def telling(rig: Rig, *phones: Phone) -> AsyncIterator[None]:
    """The rig's daemon with these channels, which are told of nearly everything."""
    settings = NotifySettings(events=EVERYTHING)  # type: ignore[arg-type]
    outlets = Outlets(settings, list(phones), Http(rig.clock), None)
    rig.desk.notifier = notifier_of(outlets, rig.desk, rig.record, rig.clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.desk.notifier.run)
        await wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def life(rig: Rig) -> list[tuple[str, float]]:
    """Each event of a position from armed to closed, with the seconds until it was decided."""
    began = rig.clock.now()
    position_id = await rig.active()
    rig.tick("96000")
    await trio.sleep(1)
    rig.tick("94000")
    await rig.until(position_id, "Closed")
    return [(row.type, round((row.at - began).total_seconds(), 3)) for row in rig.journal.events() if row.position_id]


async def test_trading_goes_on_to_the_millisecond_as_if_there_were_no_server_that_hangs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for name in ("alone", "told"):
        (tmp_path / name).mkdir()
    async with Rig(tmp_path / "alone").running() as rig:
        alone = await life(rig)
    phones = [Phone(*["hang"] * 100), Phone(*(Refused("HTTP 400") for _ in range(100)))]
    phones[1].name = "webhook"
    async with Rig(tmp_path / "told").running() as rig, telling(rig, *phones):
        told = await life(rig)
        assert phones[0].tries
        await trio.sleep(300)
        assert phones[0].got == phones[1].got == []
    assert told == alone
    assert [kind for kind, _ in told][-1] == "position_closed"


async def test_an_exit_while_the_journal_could_not_be_written_is_told_once_it_can(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    phone = Phone()
    async with Rig(tmp_path).running() as rig, telling(rig, phone):
        position_id = await rig.active()
        rig.journal.broken = "no space left on device"  # type: ignore[attr-defined]
        rig.tick("93000")
        rig.record.notice(Notice(type="exit_failing", at=rig.clock.now(), data={"failures": 3}))
        await trio.sleep(600)
        assert rig.record.unwritten(position_id).state_name == "Closed"  # type: ignore[union-attr]
        before = [message.event for message in phone.got]
        rig.journal.broken = None  # type: ignore[attr-defined]
        await trio.sleep(10)
    assert before[-1] == "journal_degraded"
    assert "position_closed" not in before
    after = [message.event for message in phone.got[len(before) :]]
    assert [kind for kind in after if kind in {*LIFE, "position_closed"}] == [
        *("exit_triggered", "exit_order_placed", "exit_filled", "position_closed"),
    ]
    # What was worth an alarm meanwhile is told as well, and that it is over comes last.
    assert "exit_failing" in after
    assert after[-1] == "journal_recovered"
    seqs = [message.seq for message in phone.got if message.seq is not None]
    assert seqs == sorted(set(seqs))
