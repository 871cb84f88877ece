"""One channel's way through the sequence: order, retries, age, digests, marks and crashes, on simulated time."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from robson.domain.events import Notice
from robson.notify.courier import Courier, Story
from robson.notify.message import Message, Refused, Unsent
from robson.notify.notifier import Notifier, Trouble
from robson.notify.settings import NotifySettings
from robson.ports import Commit
from robson.store.memory import MemoryJournal
from tests.rig import SimulatedClock


class Phone:
    """A channel that takes what its script lets it: an exception to raise, or "hang"."""

    name = "ntfy"

    def __init__(self, *script: Any) -> None:
        self.script: deque[Any] = deque(script)
        self.got: list[Message] = []
        self.tries: list[tuple[float, str]] = []

    async def send(self, message: Message) -> None:
        await trio.lowlevel.checkpoint()
        self.tries.append((trio.current_time(), message.message_id))
        todo = self.script.popleft() if self.script else None
        if todo == "hang":
            await trio.sleep_forever()
        if isinstance(todo, Exception):
            raise todo
        self.got.append(message)

    @property
    def ids(self) -> list[str]:
        return [message.message_id for message in self.got]


class Desk:
    """A journal with a story to tell."""

    def __init__(self, journal: MemoryJournal | None = None) -> None:
        self.clock = SimulatedClock()
        self.journal = journal or MemoryJournal()
        self.last_seq = self.journal.recover().last_seq
        self.news = trio.Event()

    def say(self, *kinds: str, **data: Any) -> None:
        notices = tuple(Notice(type=kind, at=self.clock.now(), data=data) for kind in kinds)
        self.last_seq = self.journal.commit(Commit(notices=notices))[-1].seq
        self.news.set()
        self.news = trio.Event()

    async def wait(self, after: int) -> None:
        while self.last_seq <= after:
            await self.news.wait()

    def courier(self, phone: Phone, **settings: Any) -> Courier:
        story = Story(self.journal, lambda: self.last_seq, self.wait)
        given = NotifySettings(**settings)
        return Courier(phone, story, given, clock=self.clock, mode="paper", random=Random(1))

    @asynccontextmanager
    async def carried(self, phone: Phone, **settings: Any) -> AsyncIterator[Courier]:
        courier = self.courier(phone, **settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(courier.run)
            await wait_all_tasks_blocked()
            yield courier
            nursery.cancel_scope.cancel()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_is_on_is_sent_in_order_and_only_what_comes_after_the_beginning(
    autojump_clock: MockClock, desk: Desk
) -> None:
    phone = Phone()
    desk.say("panic_latched")
    async with desk.carried(phone):
        desk.say("exit_failing", "entries_paused", "feed_stale")
        await trio.sleep(1)
    assert phone.ids == ["paper-ntfy-2", "paper-ntfy-4"]
    assert [message.priority for message in phone.got] == ["urgent", "normal"]


async def test_a_failure_is_tried_again_with_pauses_that_grow_to_a_minute(
    autojump_clock: MockClock, desk: Desk
) -> None:
    phone = Phone(*(Unsent("500") for _ in range(12)))
    async with desk.carried(phone) as courier:
        desk.say("exit_failing")
        await trio.sleep(1000)
    assert phone.ids == ["paper-ntfy-1"]
    assert {told for _, told in phone.tries} == {"paper-ntfy-1"}
    pauses = [later - earlier for (earlier, _), (later, _) in zip(phone.tries, phone.tries[1:], strict=False)]
    assert all(min(60.0, 2.0**n) / 2 <= pause <= min(60.0, 2.0**n) for n, pause in enumerate(pauses))
    assert len(set(pauses[7:])) > 1
    assert (courier.failed, courier.delivered, courier.trouble) == (12, 1, None)


async def test_the_pause_that_the_server_asks_for_is_kept(autojump_clock: MockClock, desk: Desk) -> None:
    phone = Phone(Unsent("429", 120.0))
    async with desk.carried(phone):
        desk.say("exit_failing")
        await trio.sleep(130)
    assert phone.tries[1][0] - phone.tries[0][0] == 120.0


async def test_what_the_server_will_never_take_is_given_up_counted_and_told(
    autojump_clock: MockClock, desk: Desk
) -> None:
    phone = Phone(Refused("HTTP 400: bad"))
    async with desk.carried(phone) as courier:
        desk.say("exit_failing", "exit_refused")
        await trio.sleep(1)
        assert phone.ids == ["paper-ntfy-2"]
        assert (courier.given_up, courier.last_given_up) == (1, "HTTP 400: bad")


async def test_a_server_that_hangs_or_a_fault_in_the_channel_costs_one_attempt(
    autojump_clock: MockClock, desk: Desk
) -> None:
    phone = Phone("hang", KeyError("x"))
    async with desk.carried(phone, timeout_seconds=5) as courier:
        desk.say("exit_failing")
        await trio.sleep(60)
        assert phone.ids == ["paper-ntfy-1"]
        assert courier.failed == 2


@pytest.mark.parametrize("marked", [True, False])
async def test_after_a_kill_nothing_is_lost_and_what_was_not_marked_comes_again_under_its_id(
    autojump_clock: MockClock, desk: Desk, marked: bool
) -> None:
    phone = Phone()
    if not marked:
        desk.journal.note_delivery = lambda delivery: None if delivery.next_seq > 1 else keep(delivery)  # type: ignore[method-assign]
    keep = type(desk.journal).note_delivery.__get__(desk.journal)
    async with desk.carried(phone):
        desk.say("exit_failing")
        await trio.sleep(1)
    desk.say("exit_refused")
    again = Desk(desk.journal.reopened(crashed=True))
    async with again.carried(phone):
        await trio.sleep(1)
    assert phone.ids == ["paper-ntfy-1", *([] if marked else ["paper-ntfy-1"]), "paper-ntfy-2"]


async def test_what_is_silent_is_summed_up_once_an_hour(autojump_clock: MockClock, desk: Desk) -> None:
    phone = Phone()
    async with desk.carried(phone):
        desk.say("entries_paused", "entries_unpaused")
        await trio.sleep(3599)
        assert phone.got == []
        await trio.sleep(2)
        desk.say("entries_paused")
        await trio.sleep(3600)
    assert phone.ids == ["paper-ntfy-digest-1-2", "paper-ntfy-digest-3-3"]
    assert phone.got[0].priority == "low"
    assert len(phone.got[0].text.splitlines()) == 2


async def test_a_digest_under_way_is_the_same_after_a_crash(autojump_clock: MockClock, desk: Desk) -> None:
    phone = Phone(Unsent("500"))
    async with desk.carried(phone):
        desk.say("entries_paused")
        with trio.move_on_after(3600.1):
            await trio.sleep_forever()
    desk.say("entries_unpaused")
    again = Desk(desk.journal.reopened())
    async with again.carried(phone):
        await trio.sleep(1)
    assert {told for _, told in phone.tries} == {"paper-ntfy-digest-1-1"}


async def test_without_a_digest_silent_events_are_sent_without_a_sound(autojump_clock: MockClock, desk: Desk) -> None:
    phone = Phone()
    async with desk.carried(phone, digest_seconds=0):
        desk.say("entries_paused")
        await trio.sleep(1)
    assert [message.priority for message in phone.got] == ["low"]


async def test_after_a_long_outage_what_is_old_comes_as_one_message_urgent_things_first(
    autojump_clock: MockClock, desk: Desk
) -> None:
    phone = Phone(*(Unsent("down") for _ in range(10_000)))
    async with desk.carried(phone, max_age_seconds=3600, digest_seconds=0):
        desk.say("feed_stale", "feed_recovered")
        await trio.sleep(100)
        desk.say("exit_failing", detail="no balance")
        await trio.sleep(3700)
        desk.say("panic_latched")
        phone.script.clear()
        await trio.sleep(61)
    assert phone.ids[0].startswith("paper-ntfy-late-1-")
    assert phone.ids[-1] == "paper-ntfy-4"
    told = "\n".join(message.text for message in phone.got)
    assert "no balance" in told


async def test_after_a_daemon_was_down_for_long_all_of_it_is_one_message(autojump_clock: MockClock, desk: Desk) -> None:
    phone = Phone()
    async with desk.carried(phone):
        pass
    desk.say(*["feed_stale"] * 30, "exit_failing")
    again = Desk(desk.journal.reopened())
    again.clock.ahead = timedelta(hours=7)
    async with again.carried(phone):
        await trio.sleep(1)
    (told,) = phone.got
    assert (told.message_id, told.priority) == ("paper-ntfy-late-1-31", "urgent")
    assert "EXIT FAILING" in told.text.splitlines()[0]
    assert told.text.splitlines()[-1] == "and 11 x no fresh prices"


async def test_a_journal_that_cannot_be_written_stops_no_message_and_is_told_past_it(
    autojump_clock: MockClock, desk: Desk
) -> None:
    phone = Phone(Unsent("500"))
    courier, degraded, mended = desk.courier(phone), trio.Event(), trio.Event()
    trouble = Trouble(wait=degraded.wait, over=mended.wait, reason=lambda: "disk full")
    notifier = Notifier([courier], None, trouble=trouble, clock=desk.clock, mode="live")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifier.run)
        await wait_all_tasks_blocked()
        desk.say("exit_failing")
        desk.journal.broken = "disk full"
        await trio.sleep(5)
        assert phone.ids == ["paper-ntfy-1"]
        degraded.set()
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert (phone.got[1].title, phone.got[1].text) == ("LIVE journal cannot be written: exits only", "disk full")


async def test_a_channel_that_hangs_holds_up_no_other(autojump_clock: MockClock, desk: Desk) -> None:
    slow, quick = Phone("hang"), Phone()
    slow.name = "smtp"
    async with desk.carried(slow), desk.carried(quick):
        desk.say("exit_failing")
        await trio.sleep(1)
        assert (slow.ids, quick.ids) == ([], ["paper-ntfy-1"])
