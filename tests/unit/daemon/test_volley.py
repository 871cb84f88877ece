"""Positions that leave together: one commit for many, the one with most at risk first, and no fault touches another."""

import gc
from pathlib import Path
from typing import Any

import pytest
import trio

from robson.daemon import life, panicking, volley
from robson.domain.stimuli import StopHit
from robson.domain.values import ClientOrderId, PositionId
from robson.engine.decide import decide as judge
from robson.executor import executor
from robson.executor.turns import Turns
from robson.ports import Commit, OrderReport, OrderRequest, Venue
from tests.faults import FaultyVenue
from tests.rig import Rig

POSITIONS = 10
# Neither in the order of arming nor against it.
CAPITALS = (4_000, 9_000, 1_000, 7_000, 3_000, 10_000, 6_000, 2_000, 8_000, 5_000)


class Noting(FaultyVenue):
    """A venue that notes which orders it was handed, and what the journal knew of each at that moment."""

    def __init__(self, inner: Venue) -> None:
        super().__init__(inner)
        self.rig: Rig | None = None
        self.handed: list[OrderRequest] = []

    async def place(self, request: OrderRequest) -> OrderReport:
        if self.rig is not None:
            known = {one.order.client_order_id: one.status for one in self.rig.record.open_intents()}
            assert known[request.client_order_id] == "sent"
            self.handed.append(request)
        return await super().place(request)


class World:
    """Some longs in the market with different capitals, their commits noted from then on."""

    def __init__(self, rig: Rig, ids: list[str]) -> None:
        assert isinstance(rig.venue, Noting)
        self.rig, self.ids, self.venue = rig, ids, rig.venue
        rig.venue.rig = rig
        self.commits: list[Commit] = []
        inner = rig.journal.commit

        def noted(commit: Commit) -> Any:
            self.commits.append(commit)
            return inner(commit)

        rig.journal.commit = noted  # type: ignore[method-assign]

    @property
    def by_capital(self) -> list[str]:
        pairs = sorted(zip(CAPITALS, self.ids, strict=True), reverse=True)
        return [position_id for _, position_id in pairs]

    def of(self, status: str) -> list[list[PositionId]]:
        """The positions of the commits that wrote exits in this state."""
        found = [[i.order.position_id for i in one.intents if i.status == status] for one in self.commits]
        return [ids for ids in found if ids]

    @property
    def decided(self) -> list[list[PositionId]]:
        """The positions of the commits that wrote exits for the first time."""
        known: set[str] = set()
        found = []
        for one in self.commits:
            new = [intent for intent in one.intents if intent.order.client_order_id not in known]
            known.update(intent.order.client_order_id for intent in new)
            found.append([intent.order.position_id for intent in new])
        return [ids for ids in found if ids]

    @property
    def handed(self) -> list[str]:
        owners = {
            order_id: one.position_id
            for one in self.rig.journal.positions(closed=True)
            for order_id in self._orders(one.position_id)
        }
        return [owners[request.client_order_id] for request in self.venue.handed]

    def _orders(self, position_id: Any) -> list[str]:
        return [one.order.client_order_id for one in self.rig.journal.intents(position_id)]

    async def all_closed(self) -> None:
        for position_id in self.ids:
            await self.rig.until(position_id, "Closed", seconds=600)


@pytest.fixture(autouse=True)
def groups_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (volley, panicking, executor):
        monkeypatch.setattr(module, "GROUP", 4)


async def entered(rig: Rig, stops: dict[int, str] | None = None) -> World:
    near = stops or {}
    ids = [
        await rig.active(capital=str(capital), stop=near.get(number, "93500"))
        for number, capital in enumerate(CAPITALS)
    ]
    return World(rig, ids)


@pytest.mark.parametrize("by", ["tick", "panic"])
async def test_they_leave_by_what_they_have_at_risk_and_in_few_commits(
    tmp_path: Path, autojump_clock: Any, by: str
) -> None:
    async with Rig(tmp_path, wrap=Noting).running() as rig:
        world = await entered(rig)
        if by == "tick":
            rig.tick("90000")
        else:
            await rig.panic()
        await world.all_closed()
        assert gc.isenabled()
    expected = world.by_capital
    groups = [expected[first : first + 4] for first in range(0, POSITIONS, 4)]
    assert world.decided == groups
    # Who leaves at once is written as sent with the decision; a panic's later groups once those before are handed over.
    assert world.of("pending") == (groups[1:] if by == "panic" else [])
    assert world.of("sent")[: len(groups)] == groups
    assert world.handed == expected


async def test_a_single_hit_needs_no_volley(tmp_path: Path, autojump_clock: Any) -> None:
    async with Rig(tmp_path, wrap=Noting).running() as rig:
        world = await entered(rig, {3: "94500"})
        rig.supervisor.volley.leave_together = None  # type: ignore[method-assign,assignment]
        rig.tick("94500")
        await rig.until(world.ids[3], "Closed")
    assert (world.of("pending"), world.decided) == ([], [[world.ids[3]]])


@pytest.mark.parametrize("by", ["tick", "panic"])
async def test_a_fault_in_one_keeps_no_other(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    async with Rig(tmp_path, wrap=Noting).running() as rig:
        world = await entered(rig)
        faulty = world.by_capital[1]
        fails = [True]

        def decide(position: Any, stimulus: Any, at: Any) -> Any:
            if position.position_id == faulty and fails:
                raise ZeroDivisionError
            return judge(position, stimulus, at)

        monkeypatch.setattr(volley, "decide", decide)
        if by == "tick":
            rig.tick("90000")
        else:
            await rig.panic()
        await world.all_closed()
    # Its group of four tried it each alone; the others left together.
    assert sorted(len(ids) for ids in world.decided) == [1, 1, 1, 1, 2, 4]


async def test_without_a_disk_they_leave_all_the_same(tmp_path: Path, autojump_clock: Any) -> None:
    async with Rig(tmp_path, wrap=Noting).running() as rig:
        world = await entered(rig)
        world.venue.rig = None
        rig.journal.broken = "the disk was full"  # type: ignore[attr-defined]
        rig.tick("90000")
        await trio.sleep(30)
        assert not rig.supervisor.lives
        rig.journal.broken = None  # type: ignore[attr-defined]
        await world.all_closed()
    assert rig.folded(world.ids[0]).state_name == "Closed"


async def test_of_positions_hit_one_after_the_other_in_one_turn_all_but_the_first_leave_together(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with Rig(tmp_path, wrap=Noting).running() as rig:
        world = await entered(rig, {0: "94700", 1: "94600", 2: "94500"})
        for price in ("94700", "94600", "94500"):
            rig.tick(price)
        for position_id in world.ids[:3]:
            await rig.until(position_id, "Closed")
    assert world.decided == [[world.ids[0]], [world.ids[1], world.ids[2]]]


async def test_a_hundred_that_are_behind_each_other_keep_their_turn(autojump_clock: Any) -> None:
    """Whichever order the tasks run in."""
    turns, done = Turns(), list[int]()
    orders = [ClientOrderId(str(number)) for number in range(100)]

    async def go(number: int) -> None:
        await turns.mine(orders[number])
        done.append(number)

    turns.line_up(orders[:60])
    turns.line_up(orders[60:])
    turns.leave(orders[7])
    async with trio.open_nursery() as nursery:
        for number in reversed([n for n in range(100) if n != 7]):
            nursery.start_soon(go, number)
        await turns.wait_empty()
    assert done == [n for n in range(100) if n != 7]
    await turns.mine(orders[3])


async def test_a_fault_of_one_alone_reaches_no_price_and_is_tried_again(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Rig(tmp_path, wrap=Noting).running() as rig:
        world = await entered(rig, {3: "94500"})
        tries = []

        def decide(position: Any, stimulus: Any, at: Any) -> Any:
            if isinstance(stimulus, StopHit):
                tries.append(position.position_id)
                if len(tries) == 1:
                    raise ZeroDivisionError
            return judge(position, stimulus, at)

        for module in (life, volley):
            monkeypatch.setattr(module, "decide", decide)
        assert rig.tick("94500")
        assert rig.position(world.ids[3]).state_name == "Active"
        await rig.until(world.ids[3], "Closed")
    assert tries == [world.ids[3]] * 2
