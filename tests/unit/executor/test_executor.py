"""Orders whose outcome is lost are found out, never repeated, and never guessed."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Unreachable
from robson.domain.values import ExitReason, Role, Side
from robson.executor.resolution import Outcome
from robson.ports import Intent, Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


def faulty(tmp_path: Path, *faults: str, journal: MemoryJournal | None = None) -> tuple[Rig, FaultyVenue]:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> FaultyVenue:
        made.append(FaultyVenue(venue))
        return made[0]

    rig = Rig(tmp_path, settings=EXACT, wrap=wrap, journal=journal)
    made[0].faults.extend(faults)
    return rig, made[0]


async def enter(rig: Rig) -> str:
    position_id = await rig.arm()
    rig.tick("95000")
    assert (await rig.signal(position_id, "95000", "93500")).accepted
    return position_id


async def executed(rig: Rig, role: Role, venue: FaultyVenue) -> list[str]:
    """The venue's own orders with something executed, by client order id."""
    ids = [request.client_order_id for request in venue.requests if request.role is role]
    found = [await rig.paper.order("BTCUSDT", client_order_id) for client_order_id in ids]
    return [report.client_order_id for report in found if report is not None and report.executed > 0]


async def test_a_lost_reply_to_an_entry_is_found_by_its_id(tmp_path: Path, autojump_clock: MockClock) -> None:
    for fault in ("reply_lost", "error_after", "broken"):
        directory = tmp_path / fault
        directory.mkdir()
        rig, venue = faulty(directory, fault)
        async with rig.running():
            position_id = await enter(rig)
            await rig.until(position_id, "Active")
            assert len(venue.requests) == 1
            assert "order_in_doubt" in rig.events()
            assert "order_resolved" in rig.events()


async def test_an_entry_that_never_arrived_is_refused_after_the_fence_and_not_sent_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for fault in ("request_lost", "error_before"):
        directory = tmp_path / fault
        directory.mkdir()
        rig, venue = faulty(directory, fault)
        async with rig.running():
            position_id = await enter(rig)
            began = trio.current_time()
            await rig.until(position_id, "Armed")
            # recvWindow 5 s and the venue's own 10 s must have passed before absence is believed.
            assert trio.current_time() - began > 15
            rejected = [row for row in rig.journal.events() if row.type == "signal_rejected"]
            assert [(row.data["stage"], row.data["code"]) for row in rejected] == [("stale", "absent")]
            assert len(venue.requests) == 1


async def test_an_order_that_the_venue_hides_at_first_is_not_taken_for_absent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path, "reply_lost")
    async with rig.running():
        position_id = await enter(rig)
        venue.hidden_until = trio.current_time() + 14
        await trio.sleep(13)
        view = await rig.view(position_id)
        assert view.state == "Entering"
        assert view.detail == "its entry order is in doubt: no answer within 12 s"
        await rig.until(position_id, "Active")
        assert len(venue.requests) == 1


async def test_an_exit_in_doubt_is_known_after_two_seconds(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.faults.append("reply_lost")
        began = trio.current_time()
        await rig.close(position_id)
        assert trio.current_time() - began < 5
        assert await executed(rig, Role.EXIT, venue) == [venue.requests[-1].client_order_id]
        account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0


async def test_an_exit_hidden_beyond_the_fence_is_seen_in_the_account(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for side, stop in ((Side.LONG, "93500"), (Side.SHORT, "96500")):
        directory = tmp_path / side
        directory.mkdir()
        rig, venue = faulty(directory)
        async with rig.running():
            position_id = await rig.active(side, stop=stop)
            venue.faults.append("reply_lost")
            venue.hidden_until = trio.current_time() + 30
            rig.supervisor.request_exit(rig.supervisor.lives[position_id], ExitReason.OPERATOR_CLOSE)
            await rig.until(position_id, "Closed", seconds=90)
            exits = [request for request in venue.requests if request.role is Role.EXIT]
            assert len(exits) == 1


async def test_a_venue_that_answers_again_with_a_denial_counts_as_reachable(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path, "request_lost")
    async with rig.running():
        position_id = await enter(rig)
        asked = venue.order

        async def out_of_reach(symbol: str, client_order_id: str) -> None:
            raise Unreachable("connection refused")

        venue.order = out_of_reach  # type: ignore[method-assign,assignment]
        await trio.sleep(60)
        assert not rig.executor.reachable
        venue.order = asked  # type: ignore[method-assign]
        await rig.until(position_id, "Armed")
        assert rig.executor.reachable


async def test_an_account_that_disagrees_for_ever_does_not_hold_up_an_exit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.faults.append("request_lost")
        rig.supervisor.book.shows_effect = lambda intent, account: True  # type: ignore[method-assign]  # a withdrawal, say
        rig.supervisor.request_exit(rig.supervisor.lives[position_id], ExitReason.OPERATOR_CLOSE)
        await rig.until(position_id, "Closed", seconds=120)
        assert trio.current_time() > 70


async def test_an_exit_that_never_arrived_is_sent_again_under_its_own_new_id(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.faults.append("request_lost")
        rig.tick("93000")
        await rig.until(position_id, "Closed")
        exits = [request for request in venue.requests if request.role is Role.EXIT]
        assert len(exits) == 2
        assert exits[0].client_order_id != exits[1].client_order_id
        assert await executed(rig, Role.EXIT, venue) == [exits[1].client_order_id]


async def test_an_unreachable_venue_refuses_an_entry_and_delays_an_exit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path, "unreachable")
    async with rig.running():
        position_id = await enter(rig)
        await rig.until(position_id, "Armed")
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        await rig.until(position_id, "Active")
        venue.faults.extend(["unreachable"] * 5)
        rig.tick("93000")
        await rig.until(position_id, "Closed")
        exits = [request for request in venue.requests if request.role is Role.EXIT]
        assert len({request.client_order_id for request in exits}) == 1


async def test_a_refused_exit_is_tried_again_until_it_is_through(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.faults.extend(["refused"] * 6)
        rig.tick("93000")
        await rig.until(position_id, "Closed", seconds=120)
        assert rig.events(position_id).count("exit_refused") == 6
        assert len(await executed(rig, Role.EXIT, venue)) == 1


async def test_entries_on_one_pair_go_out_one_after_the_other(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    in_flight: list[int] = []
    async with rig.running():
        ids = [await rig.arm() for _ in range(5)]
        rig.tick("95000")
        venue.on_place = lambda _request: in_flight.append(
            sum(1 for intent in rig.record.open_intents() if intent.status == "sent")
        )
        async with trio.open_nursery() as nursery:
            for position_id in ids:
                nursery.start_soon(rig.signal, position_id, "95000", "93500")
        for position_id in ids:
            await rig.until(position_id, "Active")
        assert in_flight == [1] * 5


async def test_an_intent_found_sent_after_a_crash_is_resolved_and_not_sent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    rig, venue = faulty(tmp_path, "reply_lost", journal=journal)
    async with rig.running():
        position_id = await enter(rig)
        await trio.sleep(1)
        assert len(venue.requests) == 1
    again, later = faulty(tmp_path, journal=journal.reopened(crashed=True))
    async with again.running(recovered=False):
        await again.until(position_id, "Active")
        assert later.requests == []


async def test_a_pending_entry_of_an_earlier_epoch_is_never_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    rig, _ = faulty(tmp_path, journal=journal)
    async with rig.running():
        position_id = await rig.arm()
        rig.tick("95000")
        rig.executor.wake = lambda: None  # type: ignore[method-assign]  # the crash comes before the executor wakes
        assert (await rig.signal(position_id, "95000", "93500")).accepted
    again, later = faulty(tmp_path, journal=journal.reopened(crashed=True))
    async with again.running():
        await again.until(position_id, "Armed")
        rejected = [row for row in again.journal.events() if row.type == "signal_rejected"]
        assert [(row.data["stage"], row.data["code"]) for row in rejected] == [("stale", "earlier_epoch")]
        assert later.requests == []


async def test_a_pending_exit_of_an_earlier_epoch_is_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    rig, _ = faulty(tmp_path, journal=journal)
    async with rig.running():
        position_id = await rig.active()
        rig.executor.wake = lambda: None  # type: ignore[method-assign]  # the crash comes before the executor wakes
        rig.tick("93000")
        await rig.until(position_id, "Exiting")
    again, later = faulty(tmp_path, journal=journal.reopened(crashed=True))
    async with again.running():
        await again.until(position_id, "Closed")
        assert len(later.requests) == 1


async def test_a_fault_that_stays_is_tried_less_often_and_called_out(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, _ = faulty(tmp_path)
    tried: list[float] = []
    async with rig.running():
        position_id = await rig.arm()
        rig.tick("95000")

        def broken(_intent: Intent, _outcome: Outcome) -> None:
            tried.append(trio.current_time())
            raise ZeroDivisionError

        monkeypatch.setattr(rig.supervisor.book, "settle", broken)
        said: list[str] = []
        for level in ("warning", "error"):
            monkeypatch.setattr(
                f"robson.executor.executor._log.{level}", lambda *_, said=said, level=level, **__: said.append(level)
            )
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        await trio.sleep(60)
        monkeypatch.undo()
        await rig.until(position_id, "Active")
    pauses = [int(later - earlier) for earlier, later in pairwise(tried)]
    assert pauses[:4] == [1, 2, 4, 5]
    assert set(pauses[4:]) == {5}
    assert said == ["warning"] * 2 + ["error"] * (len(tried) - 2)
