"""One scripted life, crashed at every task step and at every write, then started again from the same files."""

import os
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.abc import Instrument
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.position import Closed
from robson.domain.values import Role, Side
from robson.ports import Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, ScriptedFeed, folded
from tests.simulation import tally
from tests.simulation.disk import CutJournal, Wire
from tests.simulation.world import only_power_cuts

# Every place is crashed in the long form; the short one takes every STRIDE-th, beginning elsewhere for each fault.
STRIDE = int(os.environ.get("ROBSON_TEST_CRASH_STRIDE", "3"))
SETTINGS = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=2)
FAULTS = ("", "loan_only", "reply_lost", "request_lost", "error_after", "unreachable", "refused", "broken")


class StepCounter(Instrument):
    """Counts task steps and cuts the wire after one of them."""

    def __init__(self, wire: Wire, cut_at: int | None) -> None:
        self.wire = wire
        self.cut_at = cut_at
        self.steps = 0
        self.scope: trio.CancelScope | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self.cut_at:
            self.wire.is_cut = True
            if self.scope is not None:
                self.scope.cancel()


class Story:
    """The script: a long that trails out and a short that is closed by panic, with one kind of fault on every order."""

    def __init__(self, directory: Path, fault: str) -> None:
        self.directory = directory
        self.fault = fault
        self.journal = MemoryJournal()
        self.feed = ScriptedFeed()
        self.arrivals: Counter[str] = Counter()
        self.venues: list[FaultyVenue] = []

    def rig(self, journal: object, wire: Wire) -> Rig:
        def wrap(venue: Venue) -> FaultyVenue:
            faulty = FaultyVenue(venue)
            faulty.on_place = lambda _request: wire.check()
            self.venues.append(faulty)
            return faulty

        return Rig(self.directory, journal=journal, settings=SETTINGS, feed=self.feed, wrap=wrap)  # type: ignore[arg-type]

    async def tell(self, journal: object, wire: Wire, counter: StepCounter | None) -> None:
        rig = self.rig(journal, wire)
        if self.fault:
            self.venues[-1].faults.extend([self.fault, "", self.fault, "", self.fault])
        with trio.CancelScope() as scope:
            if counter is not None:
                counter.scope = scope
            async with rig.running(recovered=False):
                with suppress(RuleError):
                    await self._script(rig)
                await trio.sleep(60)

    async def _script(self, rig: Rig) -> None:
        rig.feed.kept.clear()
        rig.tick("95000")
        long = await rig.arm()
        rig.tick("95000")
        await rig.signal(long, "95000", "93500")
        short = await rig.arm("ETHUSDT", Side.SHORT)
        rig.tick("3300", "ETHUSDT")
        await rig.signal(short, "3300", "3333")
        for price in ("95200", "96000", "96500", "96100"):
            await trio.sleep(0.4)
            rig.tick(price)
            rig.tick(str(3300 - (Decimal(price) - 95000) / 100), "ETHUSDT")
        await trio.sleep(20)
        rig.tick("96300")
        rig.tick("94900")
        await trio.sleep(3)
        await rig.panic()

    async def heal(self) -> None:
        rig = self.rig(self.journal, Wire())
        async with rig.running():
            rig.tick("94900")
            rig.tick("3290", "ETHUSDT")
            await trio.sleep(90)
            assert not any(request.role is Role.ENTRY for request in self.venues[-1].requests), "an old entry was sent"
            result = await rig.panic()
            left = [outcome for outcome in result.positions if outcome.outcome not in {"closed", "disarmed"}]
            assert not left, left
            for symbol in ("BTCUSDT", "ETHUSDT"):
                account = await rig.venue.account(symbol)
                assert account.base.debt == account.quote.debt == 0, account
                pair = rig.record.pair(symbol)
                assert account.base.total == (pair.dust_base if pair else 0), (account, pair)

    def check(self) -> None:
        for venue in self.venues:
            self.arrivals.update(venue.arrivals)
        assert all(count == 1 for count in self.arrivals.values()), "an order was sent twice"
        rows = self.journal.events(limit=1_000_000)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        for position in self.journal.positions(closed=True):
            assert isinstance(position.state, Closed), position.state_name
            assert folded(self.journal, position.position_id) == position
            names = Counter(row.type for row in rows if row.position_id == position.position_id)
            assert names["entry_filled"] <= 1
            assert names["exit_triggered"] <= 1


def run_story(directory: Path, fault: str, *, step: int | None = None, write: int | None = None) -> tuple[int, int]:
    """One life with one crash; gives how many steps and half-writes a life has, for the next ones."""
    story, wire = Story(directory, fault), Wire()
    journal = CutJournal(story.journal, wire, cut_at=write)
    counter = StepCounter(wire, step)

    async def first() -> None:
        await story.tell(journal, wire, counter)

    try:
        trio.run(first, clock=MockClock(autojump_threshold=0), instruments=[counter])
    except BaseException as error:
        if not only_power_cuts(error):
            raise
    story.journal = story.journal.reopened(crashed=True)
    trio.run(story.heal, clock=MockClock(autojump_threshold=0))
    story.check()
    return counter.steps, journal.writes * 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_crash_at_any_moment_loses_nothing_and_repeats_nothing(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trio._core._run  # type: ignore[attr-defined]
    monkeypatch.setattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    run._r.seed(1)
    (tmp_path / "whole").mkdir()
    steps, writes = run_story(tmp_path / "whole", fault)
    assert steps > 100
    assert writes > 30
    first = FAULTS.index(fault) % STRIDE
    places = [("step", at) for at in range(first, steps, STRIDE)] + [("write", at) for at in range(1, writes, STRIDE)]
    for kind, at in places:
        directory = tmp_path / f"{kind}-{at}"
        directory.mkdir()
        run._r.seed(1)
        tally.crashes[f"at a {kind}, {fault or 'no fault'}"] += 1
        try:
            run_story(directory, fault, **{kind: at})  # type: ignore[arg-type]
        except BaseException as error:
            error.add_note(f"crashed at {kind} {at} with fault {fault!r}")
            raise
