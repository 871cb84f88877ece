"""A self-test in live mode: a number of lives against an emulator with faults, while both sides are killed."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random

import trio

from robson.commands.selftest.aim import Aim
from robson.commands.selftest.audit import unfinished
from robson.commands.selftest.campaign import Campaign
from robson.commands.selftest.child import SelftestFailed
from robson.commands.selftest.emulated import EmulatedCounterpart
from robson.commands.selftest.evidence import Evidence
from robson.commands.selftest.habits import LIVE
from robson.commands.selftest.line import Declined, Gone, connected
from robson.commands.selftest.report import Report
from robson.commands.selftest.subject import Subject
from robson.domain.position import Closed
from robson.protocol.results import StatusResult
from robson.venue.instruments import builtin_instrument

# A share of lives that takes longer is not waited for: the kill comes, and what stood in its way may be over then.
_SHARE_SECONDS = 25.0
# So many seconds in which not a single life ends are a fault.
_STANDSTILL_SECONDS = 300.0
# How long the emulator stays away (s), and how often the daemon is killed and started while it is.
_AWAY_SECONDS = (0.0, 4.0)
_AWAY_WITH_DAEMON = 0.3
# In the middle of which the emulator is killed: just after one of these, or at any time.
_VENUE_MOMENTS = ("entry_order_placed", "exit_order_placed", "exit_triggered", "entry_filled", "anytime")
_AIM_SECONDS = 2.0
_AIM_DELAY_SECONDS = 0.02
# The market's own walk is slow: a print beyond a stop every now and then, as far as that (a share of the price).
_PRINT_SECONDS = 0.25
_PRINT_SHARES = (0.0004, 0.0035)
_SETTLED_SECONDS = 90.0
_LOOK_SECONDS = 0.5


class Rehearsal(Campaign):
    """One self-test of `lives` lives that enter and close, and in between `kills` kills, and some of the emulator."""

    def __init__(
        self,
        subject: Subject,
        emulator: EmulatedCounterpart,
        seed: str,
        *,
        lives: int,
        kills: int,
        venue_kills: int,
        progress: Callable[[Report], None],
    ) -> None:
        super().__init__(subject, emulator.account, LIVE, seed, kills, progress)
        self._emulator = emulator
        self._lives = lives
        self._market = Random(f"{seed}/market")  # noqa: S311  repeatable, not secret
        # Numbers of the kills before which the emulator is killed; more than one where they are fewer.
        self._strikes = Counter(number * kills // venue_kills for number in range(venue_kills))

    async def run(self) -> Report:
        """Do all of it; raises SelftestFailed when daemon or emulator cannot be tested."""
        async with self._emulator.running():
            await self._emulator.start()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._print)
                await super().run()
                nursery.cancel_scope.cancel()
        return self.report

    async def _until_due(self, number: int) -> None:
        due = self._lives * (number + 1) // (self._kills + 1)
        await self._kill_venue_until(number)
        if not self._emulator.is_running:
            return
        with trio.move_on_after(_SHARE_SECONDS):
            await self._operator.closed.reach(due)

    async def _kill_venue_until(self, number: int) -> None:
        """Do what is due before kill `number`; a start that was killed on its way had no time for it."""
        for due in sorted(self._strikes):
            if due <= number:
                for _ in range(self._strikes.pop(due)):
                    await self._kill_venue()

    async def _kill_venue(self) -> None:
        """Kill the emulator at a bad moment; it comes back before the daemon's next kill, or only after that."""
        if not self._emulator.is_running:
            await self._revive_venue()
        await self._emulator.count()
        aim = Aim(self._chance.choice(_VENUE_MOMENTS), self._chance.uniform(0, _AIM_DELAY_SECONDS))
        self._operator.watch_for(aim)
        with trio.move_on_after(_AIM_SECONDS):
            await aim.sprung.wait()
        await trio.sleep(aim.delay_seconds)
        await self._emulator.strike()
        await trio.sleep(self._chance.uniform(*_AWAY_SECONDS))
        if self._chance.random() >= _AWAY_WITH_DAEMON:
            await self._revive_venue()

    async def _on_the_way(self) -> None:
        if not self._emulator.is_running:
            await trio.sleep(self._chance.uniform(*_AWAY_SECONDS))
            await self._revive_venue()

    async def _revive_venue(self) -> None:
        with trio.CancelScope(shield=True):
            await self._emulator.start()

    async def _print(self) -> None:
        """Let a price jump and fall back, again and again, on any pair that the daemon follows."""
        while True:
            await trio.sleep(self._market.expovariate(1 / _PRINT_SECONDS))
            symbol = self._market.choice(LIVE.pairs)
            share = self._market.uniform(*_PRINT_SHARES) * self._market.choice((-1, 1))
            price = await self._price(symbol)
            if price is not None and self._emulator.is_running:
                tick = builtin_instrument(symbol).tick_size
                await self._emulator.trade(symbol, (price * Decimal(1 + share) / tick).quantize(Decimal(1)) * tick)

    async def _price(self, symbol: str) -> Decimal | None:
        try:
            async with connected(self._subject.places.socket) as line:
                quote = (await line.ask(StatusResult, "status")).feed.get(symbol)
        except (Gone, Declined):
            return None
        return quote.last_price if quote is not None else None

    def _look(self) -> Evidence:
        evidence = super()._look()
        # Whatever the follower has missed while nobody could follow.
        self._operator.closed.reached = _count_lives(evidence).total()
        return evidence

    async def _finish_lives(self) -> None:
        """Go on until there were enough."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._operator.work)
            await self._kill_venue_until(self._kills)
            if not self._emulator.is_running:
                await self._revive_venue()
            while self._operator.closed.reached < self._lives:
                with trio.move_on_after(_STANDSTILL_SECONDS) as standing_still:
                    await self._operator.closed.reach(self._operator.closed.reached + 1)
                if standing_still.cancelled_caught:
                    raise SelftestFailed(f"no life ended within {_STANDSTILL_SECONDS:g} s:\n{self._subject.log_tail()}")
            nursery.cancel_scope.cancel()

    async def _leave(self) -> None:
        await self._finish_lives()
        await self._emulator.calm()
        await self._subject.leave_market(mends=True)
        with trio.move_on_after(_SETTLED_SECONDS):
            # Loans that are nobody's are still repaid.
            while any(unfinished(self._reader.read()).values()):  # noqa: ASYNC110  files tell nobody of a change
                await trio.sleep(_LOOK_SECONDS)
        await self._subject.stop()
        await self._emulator.stop()
        self._end()

    def _end(self) -> None:
        super()._end()
        evidence = self._reader.read()
        lives = _count_lives(evidence)
        self.report.rehearsal = {
            "lives": lives.total(),
            **{f"lives_{side}": count for side, count in sorted(lives.items())},
            **{f"exits_{reason}": count for reason, count in sorted(_count_exits(evidence).items())},
            "venue_kills": self._emulator.strikes,
            "faults": self._emulator.fired.total(),
            **{f"fault_{name}": count for name, count in sorted(self._emulator.fired.items())},
        }


def _count_lives(evidence: Evidence) -> Counter[str]:
    """Positions that have entered and closed, by side."""
    return Counter(
        position.side.value
        for position, _ in evidence.folded.values()
        if isinstance(position.state, Closed) and position.state.entry is not None
    )


def _count_exits(evidence: Evidence) -> Counter[str]:
    return Counter(
        position.state.reason.value for position, _ in evidence.folded.values() if isinstance(position.state, Closed)
    )
