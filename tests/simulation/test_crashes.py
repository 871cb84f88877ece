"""Scripted lives, crashed at every task step and at every write, and once more while they recover."""

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.abc import Instrument
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.position import Closed
from robson.domain.values import Role
from robson.ports import Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, ScriptedFeed, folded
from tests.simulation import tally
from tests.simulation.accounts import MemoryAccounts
from tests.simulation.disk import CutJournal, MemorySeal, Wire
from tests.simulation.scripts import (
    Script,
    full_disk,
    long_and_short,
    panic_while_entering,
    shared_longs,
    shared_shorts,
)
from tests.simulation.world import only_power_cuts

# Every place is crashed in the long form; the short one takes every STRIDE-th, beginning elsewhere for each fault.
STRIDE = int(os.environ.get("ROBSON_TEST_CRASH_STRIDE", "3"))
SETTINGS = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=2)
FAULTS = ("", "loan_only", "reply_lost", "request_lost", "error_after", "unreachable", "refused", "broken")


Telling = Callable[[CutJournal, Wire, "StepCounter"], Awaitable[None]]


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
    """One scripted life with one kind of fault on every other order."""

    def __init__(self, directory: Path, script: Script, fault: str) -> None:
        self.directory = directory
        self.script = script
        self.fault = fault
        self.journal = MemoryJournal()
        self.feed = ScriptedFeed()
        self.arrivals: Counter[str] = Counter()
        self.accounts = MemoryAccounts()
        self.seal = MemorySeal()
        self.venues: list[FaultyVenue] = []

    def rig(self, journal: CutJournal, wire: Wire) -> Rig:
        def wrap(venue: Venue) -> FaultyVenue:
            faulty = FaultyVenue(venue)
            faulty.on_place = lambda _request: wire.check()
            self.venues.append(faulty)
            return faulty

        return Rig(
            self.directory,
            journal=journal,  # type: ignore[arg-type]
            settings=SETTINGS,
            feed=self.feed,
            wrap=wrap,
            account=self.accounts,
            seal=self.seal,
        )

    async def tell(self, journal: CutJournal, wire: Wire, counter: "StepCounter") -> None:
        """The script from its beginning."""
        rig = self.rig(journal, wire)
        if self.fault:
            self.venues[-1].faults.extend([self.fault, "", self.fault, "", self.fault])

        def disk(works: bool) -> None:
            self.journal.broken = None if works else "no space left on device"

        with trio.CancelScope() as scope:
            counter.scope = scope
            async with rig.running(recovered=False):
                rig.feed.kept.clear()
                with suppress(RuleError):
                    await self.script(rig, disk)
                await trio.sleep(60)

    async def recover(self, journal: CutJournal, wire: Wire, counter: "StepCounter") -> None:
        """The run after a crash, for a second one."""
        rig = self.rig(journal, wire)
        with trio.CancelScope() as scope:
            counter.scope = scope
            async with rig.running(recovered=False):
                self._prices(rig)
                await trio.sleep(90)

    def _prices(self, rig: Rig) -> None:
        rig.tick("94900")
        rig.tick("3290", "ETHUSDT")

    async def heal(self) -> None:
        """The last run: everything comes to its end, and the account is as it was."""
        rig = self.rig(CutJournal(self.journal, Wire()), Wire())
        async with rig.running():
            self._prices(rig)
            await trio.sleep(90)
            assert not any(request.role is Role.ENTRY for request in self.venues[-1].requests), "an old entry was sent"
            result = await rig.panic()
            left = [outcome for outcome in result.positions if outcome.outcome not in {"closed", "disarmed"}]
            assert not left, left
            for symbol in ("BTCUSDT", "ETHUSDT"):
                account, pair = await rig.venue.account(symbol), rig.record.pair(symbol)
                assert account.quote.debt == 0, account
                assert account.base.borrowed == (pair.carried_base if pair else 0), (account, pair)
                assert account.base.total == (pair.dust_base if pair else 0), (account, pair)
                price = rig.market.prices(symbol)
                if price is not None and symbol in rig.around.instruments:
                    least = rig.around.instruments[symbol].smallest_sellable(price)
                    assert account.base.total < least, (account, pair)
                    assert account.base.debt < least, (account, pair)

    def check(self) -> None:
        """What must hold at the end of any such life."""
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

    def run(self, telling: Telling, *, step: int | None = None, write: int | None = None) -> tuple[int, int]:
        """One run that may crash, then its journal opened again; gives how many steps and half-writes it had."""
        wire = Wire()
        journal = CutJournal(self.journal, wire, cut_at=write)
        counter = StepCounter(wire, step)

        async def run() -> None:
            await telling(journal, wire, counter)

        try:
            trio.run(run, clock=MockClock(autojump_threshold=0), instruments=[counter])
        except BaseException as error:
            if not only_power_cuts(error):
                raise
        self.journal.broken = None
        self.journal = self.journal.reopened(crashed=True)
        return counter.steps, journal.writes * 2

    def end(self) -> None:
        """Heal and check."""
        trio.run(self.heal, clock=MockClock(autojump_threshold=0))
        self.check()


CASES: list[tuple[Script, str]] = [
    *((long_and_short, fault) for fault in FAULTS),
    *(
        (script, fault)
        for script in (shared_longs, shared_shorts, panic_while_entering)
        for fault in ("", "loan_only", "reply_lost", "request_lost", "error_after")
    ),
    *((full_disk, fault) for fault in ("", "reply_lost", "error_after")),
]


@pytest.fixture(autouse=True)
def same_scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)  # type: ignore[attr-defined]


def new_story(directory: Path, script: Script, fault: str) -> Story:
    trio._core._run._r.seed(1)  # type: ignore[attr-defined]
    return Story(directory, script, fault)


def places_of(steps: int, writes: int, stride: int, first: int) -> list[tuple[str, int]]:
    return [("step", at) for at in range(first, steps, stride)] + [("write", at) for at in range(1, writes, stride)]


@pytest.mark.parametrize(("script", "fault"), CASES, ids=lambda case: case if isinstance(case, str) else case.__name__)
def test_a_crash_at_any_moment_loses_nothing_and_repeats_nothing(script: Script, fault: str, tmp_path: Path) -> None:
    whole = new_story(tmp_path, script, fault)
    steps, writes = whole.run(whole.tell)
    assert steps > 60
    assert writes > 10
    whole.end()
    for kind, at in places_of(steps, writes, STRIDE, CASES.index((script, fault)) % STRIDE):
        story = new_story(tmp_path, script, fault)
        tally.crashes[f"at a {kind}: {script.__name__} with {fault or 'no fault'}"] += 1
        try:
            story.run(story.tell, **{kind: at})
            story.end()
        except BaseException as error:
            error.add_note(f"crashed at {kind} {at} of {script.__name__} with fault {fault!r}")
            raise


@pytest.mark.parametrize(
    ("script", "fault"),
    [(long_and_short, "request_lost"), (shared_shorts, "error_after"), (panic_while_entering, "reply_lost")],
    ids=lambda case: case if isinstance(case, str) else case.__name__,
)
def test_a_second_crash_while_recovering_does_no_more_harm(script: Script, fault: str, tmp_path: Path) -> None:
    whole = new_story(tmp_path, script, fault)
    steps, _ = whole.run(whole.tell)
    for first in range(STRIDE * 5, steps, STRIDE * 7):
        probe = new_story(tmp_path, script, fault)
        probe.run(probe.tell, step=first)
        again_steps, again_writes = probe.run(probe.recover)
        probe.end()
        for kind, at in places_of(again_steps, again_writes, STRIDE * 5, first % STRIDE):
            story = new_story(tmp_path, script, fault)
            tally.crashes[f"twice: {script.__name__} with {fault}"] += 1
            try:
                story.run(story.tell, step=first)
                story.run(story.recover, **{kind: at})
                story.end()
            except BaseException as error:
                error.add_note(
                    f"crashed at step {first} and at {kind} {at} of the recovery: {script.__name__}, {fault!r}"
                )
                raise
