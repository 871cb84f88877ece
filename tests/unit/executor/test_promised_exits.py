"""An exit is durable as sent with its decision: one commit before its first byte, and never an old timestamp."""

from collections.abc import Sequence
from pathlib import Path

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from robson.domain.sequence import Recorded
from robson.domain.values import Role
from robson.executor.intents import YOUNG_MS
from robson.metrics import FRAME, STAGES
from robson.ports import Commit, OrderReport, OrderRequest, Venue
from robson.protocol import oversight
from robson.store.memory import MemoryJournal
from tests.faults import FaultyVenue
from tests.rig import NOBODY, Rig


class Counting(MemoryJournal):
    """Keeps what each commit said of exits."""

    def __init__(self) -> None:
        super().__init__()
        self.exits: list[tuple[str, int | None]] = []

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        self.exits += [(i.status, i.timestamp_ms) for i in commit.intents if i.order.role is Role.EXIT]
        return super().commit(commit)


class Wired(FaultyVenue):
    """Notes what was durable when an order came, and when its first byte left."""

    def __init__(self, inner: Venue, journal: Counting) -> None:
        super().__init__(inner)
        self.journal = journal
        self.seen: list[tuple[OrderRequest, Sequence[tuple[str, int | None]]]] = []

    async def place(self, request: OrderRequest) -> OrderReport:
        self.seen.append((request, tuple(self.journal.exits)))
        if not request.first_bytes:
            request.first_bytes.append(trio.current_time())
        return await super().place(request)


def wired(directory: Path) -> tuple[Rig, Wired]:
    journal = Counting()
    made: list[Wired] = []

    def wrap(venue: Venue) -> Venue:
        made.append(Wired(venue, journal))
        return made[0]

    return Rig(directory, journal=journal, wrap=wrap), made[0]


async def test_one_commit_stands_before_the_first_byte(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = wired(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        rig.tick("93000")
        await rig.until(position_id, "Closed")
    request, durable = venue.seen[-1]
    assert request.role is Role.EXIT
    assert list(durable) == [("sent", request.timestamp_ms)]


async def test_what_was_held_up_is_signed_and_written_anew(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = wired(tmp_path)
    venue.is_connected = False
    async with rig.running():
        position_id = await rig.active()
        wake, rig.executor.wake = rig.executor.wake, lambda: None  # type: ignore[method-assign]
        rig.tick("93000")
        await trio.sleep(3)
        wake()
        await rig.until(position_id, "Closed")
    request, durable = venue.seen[-1]
    first, second = (timestamp for _, timestamp in durable)
    assert first is not None
    assert second == request.timestamp_ms > first + YOUNG_MS
    assert [request.role for request, _ in venue.seen].count(Role.EXIT) == 1


async def test_the_stages_of_an_exit_are_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, _ = wired(tmp_path)
    async with rig.running():
        position_id, untimed = await rig.active(), await rig.active(stop="90000")
        now = trio.current_time()
        FRAME.stamps = (now - 0.002, now - 0.001)
        rig.tick("93000")
        FRAME.stamps = ()
        await rig.until(position_id, "Closed")
        await rig.close(untimed)
        why = await rig.desk.why(oversight.WhyRequest(position_id=position_id), NOBODY)
        other = await rig.desk.why(oversight.WhyRequest(position_id=untimed), NOBODY)
    assert why.exit is not None
    assert why.exit.stages_us is not None
    assert tuple(why.exit.stages_us) == STAGES
    assert (why.exit.stages_us["decode"], why.exit.stages_us["observe"]) == (1000, 1000)
    assert other.exit is not None
    assert other.exit.stages_us is None
    assert rig.supervisor.book.stage_seconds["send"].count == 1


async def test_a_daemon_that_stops_waits_for_what_was_promised(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Or an order that was written as sent and never left would be in doubt at the next start."""
    rig, venue = wired(tmp_path)
    venue.is_connected = False
    async with rig.running():
        position_id = await rig.active()
        wake, rig.executor.wake = rig.executor.wake, lambda: None  # type: ignore[method-assign]
        rig.tick("93000")
        await wait_all_tasks_blocked()
        assert [request.role for request, _ in venue.seen] == [Role.ENTRY]
        wake()
        await rig.executor.wait_idle()
        assert rig.folded(position_id).exit is not None
        assert [request.role for request, _ in venue.seen] == [Role.ENTRY, Role.EXIT]
