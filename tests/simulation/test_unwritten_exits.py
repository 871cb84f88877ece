"""Seeded lives whose journal fails around their exits, and whose process then dies, once or twice: nothing twice.

A neighbour on the pair holds what an exit that went out twice would sell.
"""

import os
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.position import Closed
from robson.domain.values import Role, Side, exit_order_side
from robson.ports import Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, ScriptedFeed, folded

LIVES = int(os.environ.get("ROBSON_TEST_OUTAGES", "250"))
FAULTS = ("", "slow", "slow", "reply_lost", "request_lost", "error_after", "late", "refused", "refused", "unreachable")
ENTRY = Decimal(95000)
FULL = "no space left on device"


class Life:
    """One seed's journal, account and market over its runs."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.random = Random(seed)
        self.directory = directory
        self.side = self.random.choice(list(Side))
        self.journal = MemoryJournal()
        self.feed = ScriptedFeed()
        self.settings = PaperSettings(
            fills_max=1, partial_fill_probability=Decimal(self.random.choice(["0", "0", "0.4"]))
        )
        self.ids: list[str] = []
        self.venues: list[FaultyVenue] = []

    def rig(self, *, faulty: bool) -> Rig:
        def wrap(venue: Venue) -> FaultyVenue:
            wrapped = FaultyVenue(venue)
            for earlier in self.venues:
                earlier.inner = venue  # the exchange goes on with what it took, whoever died meanwhile
            self.venues.append(wrapped)
            if faulty:
                wrapped.faults.extend(self.random.choice(FAULTS) for _ in range(12))
                wrapped.slow_seconds = self.random.uniform(0.5, 9.5)
            return wrapped

        return Rig(self.directory, journal=self.journal, settings=self.settings, feed=self.feed, wrap=wrap)

    def price(self, distance: int) -> Decimal:
        """A price so far (quote) on the losing side of the entry."""
        return ENTRY - distance * self.side.sign

    async def enter(self) -> None:
        """Two positions on one pair, the second with the farther stop, in a run without faults."""
        rig = self.rig(faulty=False)
        async with rig.running():
            for distance in (1500, 2500):
                position_id = await rig.active(self.side, "BTCUSDT", str(ENTRY), str(self.price(distance)))
                self.ids.append(position_id)
        self.journal = self.journal.reopened()

    async def run_once(self, *, fails: bool) -> None:
        """A run that may lose its journal, leave unwritten, and die at any moment."""
        random, rig = self.random, self.rig(faulty=True)
        async with rig.running(recovered=False), trio.open_nursery() as commands:
            rig.tick(ENTRY)
            await trio.sleep(random.uniform(0, 2))
            fails_in, dies_in = random.uniform(0, 3), random.uniform(0.1, 25)
            began = trio.current_time()
            commands.start_soon(self.leave, rig, random.uniform(0, 3))
            while trio.current_time() - began < dies_in:
                if fails and trio.current_time() - began > fails_in:
                    self.journal.broken = FULL
                await trio.sleep(random.uniform(0.05, 0.5))
            commands.cancel_scope.cancel()
        self.journal = self.journal.reopened(crashed=True)

    async def leave(self, rig: Rig, after: float) -> None:
        await trio.sleep(after)
        if self.random.random() < 0.5:
            rig.tick(self.price(1600))
        else:
            with suppress(RuleError):
                await rig.close(self.ids[0])

    async def heal(self) -> None:
        """The last run: the first position leaves if it has not, and the second one then has all that is its own."""
        rig = self.rig(faulty=False)
        async with rig.running():
            rig.tick(self.price(1000))
            await trio.sleep(self.random.uniform(0, 20))
            for position_id in self.ids:
                rig.tick(self.price(1000))
                await trio.sleep(90)
                with suppress(RuleError):
                    await rig.close(position_id)
                await rig.until(position_id, "Closed", seconds=200)
            account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0, account
        assert account.base.total * ENTRY < 6, account

    def check(self) -> None:
        for position_id in self.ids:
            position = self.journal.position(position_id)
            assert position is not None
            assert isinstance(position.state, Closed)
            assert folded(self.journal, position_id) == position
            names = Counter(row.type for row in self.journal.events(position_id=position.position_id))
            assert names["exit_triggered"] == 1
            fills = self.journal.fills(position.position_id)
            entered = sum(fill.trade.quantity for fill in fills if fill.role is Role.ENTRY)
            way_out = exit_order_side(self.side)
            left = sum(f.trade.quantity for f in fills if f.role is Role.EXIT and f.order_side is way_out)
            assert abs(left - entered) <= entered * Decimal("0.01"), (entered, left)


async def live(seed: int, directory: Path) -> None:
    """A life of two or three runs, of which the first loses its journal."""
    life = Life(seed, directory)
    await life.enter()
    await life.run_once(fails=True)
    if life.random.random() < 0.4:
        await life.run_once(fails=life.random.random() < 0.5)
    await life.heal()
    life.check()


@pytest.mark.parametrize("seed", range(LIVES))
def test_exits_that_were_never_written_are_not_done_twice(seed: int, tmp_path: Path) -> None:
    run = trio._core._run  # type: ignore[attr-defined]
    run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # Trio's own switch for its own tests
    run._r.seed(seed)
    trio.run(live, seed, tmp_path, clock=MockClock(autojump_threshold=0))
