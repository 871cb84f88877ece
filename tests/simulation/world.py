"""One simulated life: bad weather over several runs that crash, then a calm run in which all must end well."""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from robson.control.commands import Commands
from robson.domain.position import Closed
from robson.domain.values import ZERO, Role
from robson.ports import OrderRequest, Venue
from robson.store.journal import SqliteJournal
from robson.store.memory import MemoryJournal
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings
from tests.rig import Rig, ScriptedFeed, SimulatedClock
from tests.simulation.accounts import MemoryAccounts
from tests.simulation.disk import MemorySeal, PowerCut, RoughJournal, Wire
from tests.simulation.invariants import Watchman
from tests.simulation.market import SYMBOLS, RoughMarket
from tests.simulation.operators import Operators
from tests.simulation.venue import RoughVenue
from tests.simulation.weather import Weather

# One life in so many keeps its journal in a file.
ON_DISK_EVERY = 40


class World:
    """One simulated life of a daemon over several runs: the same journal, account and market throughout."""

    def __init__(self, seed: int, directory: Path, clock: MockClock) -> None:
        self.random = random = Random(seed)
        self.directory = directory
        self.mock_clock = clock
        self.weather = Weather(random)
        # On a small account a short's exit, too, is fenced by what there is to spend.
        self.settings = PaperSettings(
            partial_fill_probability=Decimal("0.2"),
            collateral=random.choice([Decimal(100_000), Decimal(15_000)]),
            fills_underfunded_buys=random.random() < 0.5,
        )
        self.accounts = MemoryAccounts()
        self.seal = MemorySeal()
        self.watchman = Watchman(self.accounts)
        self.journal: MemoryJournal | SqliteJournal = MemoryJournal()
        self.on_disk = seed % ON_DISK_EVERY == 0
        self.feed = ScriptedFeed()
        self.market = RoughMarket(random, self.weather, self.watchman.oracle, self._exchange_time)
        self.operators = Operators(random, self.weather, self.market, self.watchman)
        begins = timedelta(0)
        if "hours" in self.weather.climate:
            # The next full hour, at which interest falls due, is near.
            begins = timedelta(minutes=50) - timedelta(seconds=random.uniform(1, 40))
        self.clock = SimulatedClock(begins)
        # The venue tells times in milliseconds: which of two things came first within one is not known.
        self.watchman.oracle.blur_seconds = 0.001 + abs(self.weather.clock_error_ms) / 1000
        apart = random.uniform(-3, 3) if "clocks" in self.weather.climate else 0.0
        self.was_degraded = False
        # The unprotected seconds that the present run found in the journal.
        self.counted_before: dict[str, float] = {}
        self.venue_clock = SimulatedClock(begins + timedelta(seconds=apart))

    def _exchange_time(self) -> datetime:
        return self.venue_clock.now()

    @property
    def faults(self) -> Counter[str]:
        """How often each fault was met."""
        return self.weather.counts

    def rig(self, wire: Wire, *, cut_at: int | None = None) -> tuple[Rig, RoughVenue, RoughJournal]:
        """The next run of the daemon."""
        made: list[RoughVenue] = []

        def wrap(venue: Venue) -> RoughVenue:
            assert isinstance(venue, PaperVenue)
            made.append(RoughVenue(venue, self.weather, self.accounts))
            return made[0]

        journal = RoughJournal(self.journal, wire, self.weather, self.mock_clock, cut_at=cut_at)
        rig = Rig(
            self.directory,
            journal=journal,  # type: ignore[arg-type]
            settings=self.settings,
            feed=self.feed,
            wrap=wrap,
            clock=self.clock,
            venue_clock=self.venue_clock,
            account=self.accounts,
            seal=self.seal,
            prices=self.market.price,
        )
        self.accounts.now_ms = rig.paper.timestamp_ms
        venue, watchman = made[0], self.watchman
        venue.under_way = watchman.under_way
        venue.on_arrival = watchman.arrived
        journal.on_written = watchman.written

        def placed(request: OrderRequest) -> None:
            wire.check()
            watchman.placed(request, epoch=self.journal.epoch)

        venue.on_place = placed
        return rig, venue, journal

    async def run_once(self) -> None:
        """One run of the daemon, ended by a crash at a random moment."""
        random, wire = self.random, Wire()
        cut_at = random.randrange(1, 120) if random.random() < 0.3 else None
        rig, venue, journal = self.rig(wire, cut_at=cut_at)
        venue.faults.extend(self.weather.order_faults(40))
        try:
            with trio.CancelScope() as scope:
                self.watchman.scope = scope
                wire.on_cut = partial(self._cut, scope)
                self.watchman.begin(rig)
                self.counted_before = {p: rig.supervisor.vigil.seconds(p) for p in rig.supervisor.lives}
                async with rig.running(recovered=False), trio.open_nursery() as nursery:
                    await self._live(rig, journal, nursery)
                    self._check_exposure(rig)
                    wire.cut()
                    nursery.cancel_scope.cancel()
        except BaseException as error:
            if not only_power_cuts(error):
                raise
        self.weather.counts.update({f"order: {fault}": count for fault, count in venue.taken.items()})
        self._restart()

    def _cut(self, scope: trio.CancelScope) -> None:
        rig, self.watchman.rig = self.watchman.rig, None
        self.was_degraded = rig is not None and rig.record.degraded is not None
        scope.cancel()

    async def _live(self, rig: Rig, journal: RoughJournal, nursery: trio.Nursery) -> None:
        random, weather = self.random, self.weather
        commands = Commands(rig.desk, rig.clock, trio.Lock())
        if "operators" in weather.climate and random.random() < 0.5:
            nursery.start_soon(self.operators.read_slowly, rig)
        for _ in range(random.randrange(5, 60)):
            weather.change()
            self.market.trade(rig)
            if random.random() < 0.3:
                self.operators.come(rig, commands, nursery)
            if "disk" in weather.climate and random.random() < 0.05:
                journal.trouble()
            if "clocks" in weather.climate and random.random() < 0.05:
                self._step_clock()
            pause = random.uniform(10, 300) if random.random() < 0.01 else random.expovariate(2)
            await trio.sleep(pause)

    def _step_clock(self) -> None:
        random = self.random
        if random.random() < 0.5:
            self.weather.counts["clock: local clock stepped"] += 1
            self.clock.ahead += timedelta(seconds=random.choice((-1, 1)) * random.choice((0.3, 3, 60, 3600)))
        else:
            self.weather.counts["clock: venue clock stepped"] += 1
            self.venue_clock.ahead += timedelta(seconds=random.uniform(-0.4, 0.4))
            self.watchman.oracle.blur_seconds += 0.4

    def _restart(self) -> None:
        if self.watchman.violation is not None:
            raise self.watchman.violation
        # A file outlives its process whole; only of a journal in memory the last ratchets can be lost.
        power_cut = self.random.random() < 0.5 and isinstance(self.journal, MemoryJournal)
        if self.was_degraded:
            self.weather.counts["crash: while the journal was degraded"] += 1
        self.weather.counts["crash: power cut" if power_cut else "crash: process killed"] += 1
        left = None
        if isinstance(self.journal, MemoryJournal):
            self.journal = self.journal.reopened(crashed=power_cut)
            left = len(self.journal._contents.events) if power_cut else None
        else:
            self.journal.close()
            self.open_file()
        self.watchman.end(lost=left)

    def open_file(self) -> None:
        """Open the journal on disk, as each run of such a life does."""
        path = self.directory / "robson.db"
        self.journal = SqliteJournal.open(
            path, mode="paper", clock=self.clock, machine_id="simulated", version="simulated"
        )

    def _check_exposure(self, rig: Rig) -> None:
        self.watchman.exposure.advance(rig)
        # A slow disk lets time pass in the middle of a step.
        allowed = 0.01 + 0.4 * self.weather.counts["disk: slow commit"]
        for position_id, life in rig.supervisor.lives.items():
            told = rig.supervisor.vigil.seconds(position_id) - self.counted_before.get(position_id, 0.0)
            counted = self.watchman.exposure.seconds[position_id]
            self.watchman.demand(
                abs(told - counted) < allowed, "unprotected seconds were miscounted", life.position, told, counted
            )

    async def heal(self) -> None:
        """A last run without faults: everything must come to its end."""
        self.weather.calm_down()
        watchman = self.watchman
        rig, venue, _ = self.rig(Wire())
        with trio.CancelScope() as scope:
            watchman.scope = scope
            watchman.begin(rig)
            async with rig.running():
                for symbol in SYMBOLS:
                    self.market.quiet(rig, symbol)
                await trio.sleep(120)
                entries = [request for request in venue.requests if request.role is Role.ENTRY]
                watchman.demand(not entries, "an entry of an earlier run was sent", entries)
                result = await rig.panic()
                left = [outcome for outcome in result.positions if outcome.outcome not in {"closed", "disarmed"}]
                watchman.demand(not left, "a position did not come to its end", left)
                await self._check_accounts(rig)
        watchman.end(lost=None)
        if watchman.violation is not None:
            raise watchman.violation
        rows = self.journal.events(limit=1_000_000)
        assert list(rows) == watchman.rows, "rows that were committed have changed"
        for position_id in self.operators.positions:
            position = watchman.folded[position_id]
            assert isinstance(position.state, Closed), position
            assert self.journal.position(position_id) == position

    async def _check_accounts(self, rig: Rig) -> None:
        for symbol in SYMBOLS:
            account = await rig.venue.account(symbol)
            pair, instrument = rig.record.pair(symbol), rig.around.instruments.get(symbol)
            # A base loan without its order leaves its first hour's interest, which only a later exit can buy.
            is_named = account.quote.debt == 0 and account.base.borrowed <= (pair.carried_base if pair else ZERO)
            self.watchman.demand(is_named, "a debt was left", account, pair)
            if instrument is None:
                continue
            held = account.base.total - (pair.baseline_base if pair else 0)
            # Whoever left beside an entry in doubt was not the last one out: part of a step may be unnamed.
            # So it is when the account was behind by so little that nobody could tell.
            least = instrument.smallest_sellable(self.market.prices[symbol])
            unnamed = abs(held - (pair.dust_base if pair else 0))
            allowed = least if "account_lag" in self.weather.climate else instrument.step_size
            self.watchman.demand(unnamed < allowed, "what was left has no name", held, pair)
            # A price that rose since makes an order of what was too small when it was left: nobody is there to sell it.
            # So is it with the dust of several, the last of whom left beside an entry that came to nothing.
            could_not = max(self.watchman.least_when_left.get(symbol, least), least)
            could_not *= 1 + self.watchman.left_beside[symbol]
            self.watchman.demand(held < could_not, "something was left to sell", held, pair)
            self.watchman.demand(account.base.debt < least, "something was left to buy", account, pair)


def only_power_cuts(error: BaseException) -> bool:
    """Whether nothing but the crash itself ended a run."""
    if isinstance(error, BaseExceptionGroup):
        return all(only_power_cuts(inner) for inner in error.exceptions)
    return isinstance(error, PowerCut)


async def live(world: World) -> None:
    """A life of one to three runs that crash, and the run that heals."""
    if world.on_disk:
        world.weather.counts["journal in a file"] += 1
        world.open_file()
    for _ in range(world.random.randrange(1, 4)):
        await world.run_once()
        await trio.sleep(world.random.choice((0.0, world.random.uniform(0, 30))))
    await world.heal()
    world.journal.close()


def simulate(seed: int, directory: Path) -> World:
    """The life of a seed: the same scheduling, the same virtual times and the same outcome every time."""
    run = trio._core._run  # type: ignore[attr-defined]
    run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # Trio's own switch for its own tests
    run._r.seed(seed)
    clock = MockClock(autojump_threshold=0)
    world = World(seed, directory, clock)
    with suppress(trio.Cancelled):
        trio.run(live, world, clock=clock, instruments=[world.watchman])
    return world
