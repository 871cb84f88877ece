"""One simulated life: random prices, commands, venue faults and crashes, then a run in which all must end well."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.position import Closed, Error, Position
from robson.domain.values import Role, Side
from robson.ports import Venue
from robson.protocol import requests as ask
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import NOBODY, Rig, ScriptedFeed, folded

FAULTS = (
    "late",
    "loan_only",
    "reply_lost",
    "request_lost",
    "error_after",
    "error_before",
    "unreachable",
    "refused",
    "broken",
)
SYMBOLS = {"BTCUSDT": Decimal(95000), "ETHUSDT": Decimal(3300)}


class World:
    """One simulated life of a daemon over several runs: the same journal, account and market throughout."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.random = Random(seed)
        self.directory = directory
        self.journal = MemoryJournal()
        self.feed = ScriptedFeed()
        self.prices = dict(SYMBOLS)
        self.positions: list[str] = []
        self.arrivals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.settings = PaperSettings(partial_fill_probability=Decimal("0.2"))

    def rig(self, *, faulty: bool) -> tuple[Rig, FaultyVenue]:
        made: list[FaultyVenue] = []

        def wrap(venue: Venue) -> FaultyVenue:
            made.append(FaultyVenue(venue))
            return made[0]

        rig = Rig(self.directory, journal=self.journal, settings=self.settings, feed=self.feed, wrap=wrap)
        if faulty:
            planned = [self.random.choice(FAULTS) if self.random.random() < 0.35 else "" for _ in range(40)]
            made[0].faults.extend(planned)
        return rig, made[0]

    def move(self, rig: Rig) -> None:
        symbol = self.random.choice(list(self.prices))
        change = self.random.gauss(0, 0.0015) if self.random.random() < 0.97 else self.random.gauss(0, 0.02)
        price = self.prices[symbol] * (1 + Decimal(str(round(change, 6))))
        self.prices[symbol] = price.quantize(Decimal("0.01"))
        rig.tick(self.prices[symbol], symbol)

    async def act(self, rig: Rig) -> None:
        """One command of the operator; a refusal is part of the game."""
        choice = self.random.random()
        try:
            if choice < 0.35 or not self.positions:
                side = self.random.choice(list(Side))
                self.positions.append(await rig.arm(self.random.choice(list(SYMBOLS)), side))
            elif choice < 0.8:
                await self.signal(rig, self.random.choice(self.positions))
            elif choice < 0.93:
                await rig.close(self.random.choice(self.positions))
            elif choice < 0.97:
                request = ask.DisarmRequest(position_id=self.random.choice(self.positions))
                await rig.desk.disarm(request, NOBODY, None)
            elif choice < 0.985:
                await rig.panic()
            else:
                await rig.desk.resume(ask.ResumeRequest(), NOBODY, None)
        except RuleError:
            pass

    async def signal(self, rig: Rig, position_id: str) -> None:
        position = rig.position(position_id)
        price = self.prices[position.symbol]
        distance = price * Decimal(self.random.choice(["0.002", "0.005", "0.01", "0.03"]))
        stop = (price - distance * position.side.sign).quantize(Decimal("0.01"))
        await rig.signal(position_id, str(price), str(stop))

    async def run_once(self) -> None:
        """One run of the daemon, ended by a crash at a random moment."""
        rig, venue = self.rig(faulty=True)
        async with rig.running(recovered=False), trio.open_nursery() as commands:
            for _ in range(self.random.randrange(5, 60)):
                self.move(rig)
                if self.random.random() < 0.3:
                    commands.start_soon(self.act, rig)
                if self.random.random() < 0.03:
                    venue.hidden_until = trio.current_time() + self.random.uniform(0, 8)
                await trio.sleep(self.random.expovariate(2))
            commands.cancel_scope.cancel()
        self.arrivals.update(venue.arrivals)
        self.faults.update(venue.taken)
        self.journal = self.journal.reopened(crashed=self.random.random() < 0.5)

    async def heal(self) -> None:
        """A last run without faults: everything must come to its end."""
        rig, venue = self.rig(faulty=False)
        async with rig.running():
            for symbol in SYMBOLS:
                rig.tick(self.prices[symbol], symbol)
            await trio.sleep(120)
            assert not any(request.role is Role.ENTRY for request in venue.requests), (
                "an entry of an earlier run was sent"
            )
            result = await rig.panic()
            open_ones = [outcome for outcome in result.positions if outcome.outcome not in {"closed", "disarmed"}]
            assert not open_ones, open_ones
            for symbol in SYMBOLS:
                account = await rig.venue.account(symbol)
                pair = rig.record.pair(symbol)
                # A base loan without its order leaves its first hour's interest, which only a later exit can buy.
                assert account.quote.debt == 0, account
                assert account.base.borrowed == (pair.carried_base if pair else 0), (account, pair)
                held = account.base.total - (pair.baseline_base if pair else 0)
                instrument = rig.around.instruments.get(symbol)
                if instrument is not None:
                    # Whoever left beside an entry in doubt was not the last one out: part of a step may be unnamed.
                    assert abs(held - (pair.dust_base if pair else 0)) < instrument.step_size, (held, pair)
                    assert held < instrument.smallest_sellable(self.prices[symbol]), held
                    assert account.base.debt < instrument.smallest_sellable(self.prices[symbol]), account
        self.arrivals.update(venue.arrivals)
        self.check()

    def check(self) -> None:
        """What must hold at the end of any life."""
        rows = self.journal.events(limit=1_000_000)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert all(count == 1 for count in self.arrivals.values()), "an order was sent twice"
        for position_id in self.positions:
            position = self.journal.position(position_id)
            if position is None:
                continue
            assert folded(self.journal, position_id) == position
            assert isinstance(position.state, (Closed, Error)), position.state_name
            names = Counter(row.type for row in rows if row.position_id == position_id)
            assert names["entry_filled"] <= 1
            assert names["exit_triggered"] <= 1
            self.check_stop(position)
            self.check_fills(position)

    def check_stop(self, position: Position) -> None:
        rows = self.journal.events(position_id=position.position_id, limit=1_000_000)
        stops = [Decimal(row.data["trailing_stop"]) for row in rows if row.data.get("trailing_stop") is not None]
        assert stops == sorted(stops, reverse=position.side is Side.SHORT), stops

    def check_fills(self, position: Position) -> None:
        fills = self.journal.fills(position.position_id)
        base = position.symbol.removesuffix("USDT")
        entered = sum((fill.trade.quantity for fill in fills if fill.role is Role.ENTRY), Decimal(0))
        left = sum((fill.trade.quantity for fill in fills if fill.role is Role.EXIT), Decimal(0))
        fees = sum((fill.trade.fee for fill in fills if fill.trade.fee_asset == base), Decimal(0))
        if position.side is Side.LONG:
            # The last one out may sell the dust of earlier ones along.
            assert left <= entered + Decimal("0.01"), (entered, left)
        else:
            assert left - fees <= entered + Decimal("0.01"), (entered, left, fees)


async def live(seed: int, directory: Path) -> World:
    """A life of one to three runs that crash, and the run that heals."""
    world = World(seed, directory)
    for _ in range(world.random.randrange(1, 4)):
        await world.run_once()
    await world.heal()
    return world


def simulate(seed: int, directory: Path) -> World:
    """The life of a seed: the same scheduling, the same virtual times and the same outcome every time."""
    run = trio._core._run  # type: ignore[attr-defined]
    run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # Trio's own switch for its own tests
    run._r.seed(seed)
    world: World = trio.run(live, seed, directory, clock=MockClock(autojump_threshold=0))
    return world
