"""Exits leave in the stretch in which they were decided, once, whatever becomes of the daemon; or the usual way."""

from pathlib import Path
from typing import Any

import pytest

from robson.domain.values import Role
from robson.ports import OrderReport, OrderRequest, Reply, Venue
from tests.faults import FaultyVenue
from tests.rig import Rig
from tests.unit.executor.test_executor import enter, executed, faulty


async def active(rig: Rig) -> str:
    position_id = await enter(rig)
    await rig.until(position_id, "Active")
    return position_id


def exits_of(venue: FaultyVenue) -> list[OrderRequest]:
    return [request for request in venue.requests if request.role is Role.EXIT]


async def test_the_order_has_left_when_the_price_that_hit_has_been_observed(
    tmp_path: Path, autojump_clock: Any
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await active(rig)
        left: list[str] = []

        def note(request: OrderRequest) -> None:
            known = {one.order.client_order_id: one.status for one in rig.record.open_intents()}
            left.append(known[request.client_order_id])

        venue.on_place = note
        rig.tick("93500")
        # No task has had its turn.
        assert left == ["sent"]
        assert rig.position(position_id).state_name == "Exiting"
        await rig.until(position_id, "Closed")
        assert len(exits_of(venue)) == 1
        assert rig.supervisor.book.tick_to_order.count == 1


@pytest.mark.parametrize("fault", ["reply_lost", "request_lost", "error_after", "late", "broken"])
async def test_what_has_left_without_an_answer_is_found_out(tmp_path: Path, autojump_clock: Any, fault: str) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await active(rig)
        venue.faults.append(fault)
        rig.tick("93500")
        await rig.until(position_id, "Closed")
        assert len(await executed(rig, Role.EXIT, venue)) == 1


async def test_without_a_connection_it_goes_the_usual_way(tmp_path: Path, autojump_clock: Any) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await active(rig)
        venue.faults.append("unreachable")
        left: list[OrderRequest] = []
        venue.on_place = left.append
        rig.tick("93500")
        assert not left
        await rig.until(position_id, "Closed")
        # The one that surely did not arrive, and the one that did: the same order.
        assert len({request.client_order_id for request in exits_of(venue)}) == 1


class Breaking(FaultyVenue):
    """An adapter with a fault of its own, before its first byte or after it."""

    after = False

    def hand(self, request: OrderRequest) -> Reply | None:
        if self.after:
            super().hand(request)
        raise KeyError("price")


@pytest.mark.parametrize("after", [False, True])
async def test_a_broken_adapter_is_believed_about_its_first_byte_only(
    tmp_path: Path, autojump_clock: Any, *, after: bool
) -> None:
    made: list[Breaking] = []

    def wrap(venue: Venue) -> Breaking:
        made.append(Breaking(venue))
        made[0].after = after
        return made[0]

    rig = Rig(tmp_path, wrap=wrap)
    async with rig.running():
        position_id = await active(rig)
        rig.tick("93500")
        await rig.until(position_id, "Closed")
        assert len(exits_of(made[0])) == 1
        assert ("order_in_doubt" in rig.events()) is after


class Noting(FaultyVenue):
    """Notes who was handed what at once, and who asked for a place."""

    def __init__(self, inner: Venue) -> None:
        super().__init__(inner)
        self.placed: list[str] = []

    async def place(self, request: OrderRequest) -> OrderReport:
        if request.role is Role.EXIT and not request.first_bytes:
            self.placed.append(request.client_order_id)
        return await super().place(request)


async def test_one_connection_takes_the_first_of_many_and_the_others_follow(
    tmp_path: Path, autojump_clock: Any
) -> None:
    made: list[Noting] = []

    def wrap(venue: Venue) -> Noting:
        made.append(Noting(venue))
        return made[0]

    rig = Rig(tmp_path, wrap=wrap)
    async with rig.running():
        ids = [await active(rig) for _ in range(3)]
        await rig.panic()
        for position_id in ids:
            await rig.until(position_id, "Closed")
        ids_sent = [request.client_order_id for request in exits_of(made[0])]
        assert len(ids_sent) == len(set(ids_sent)) == 3
        assert sorted(made[0].placed) == sorted(ids_sent[1:])


async def test_a_fault_in_what_is_noted_sends_nothing_again(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await active(rig)

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(rig.supervisor.book, "note_handed", broken)
            rig.tick("93500")
        assert rig.position(position_id).state_name == "Exiting"
        await rig.until(position_id, "Closed")
        assert len(exits_of(venue)) == 1
