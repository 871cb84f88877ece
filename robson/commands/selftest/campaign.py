"""The course of a self-test: start, work, kill, look at the dead files, start again; in the end leave the market."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import trio

from robson.commands.selftest.aim import ANYTIME, BURST, PANIC, STARTING, Aim
from robson.commands.selftest.audit import audit, unfinished
from robson.commands.selftest.child import SelftestFailed
from robson.commands.selftest.evidence import Evidence, Reader
from robson.commands.selftest.habits import Habits
from robson.commands.selftest.line import Gone
from robson.commands.selftest.operator import Operator
from robson.commands.selftest.promises import Promises, broken
from robson.commands.selftest.report import Report
from robson.commands.selftest.subject import Subject
from robson.domain.position import Active, Entering, Exiting

# How long the operator works before the kill is due, and how long an aimed kill waits for its moment (s).
_WORK_SECONDS = (0.2, 1.2)
_AIM_SECONDS = 2.0
_REPLY_SECONDS = 30.0
# How far into a start it is killed, as a share of what the last whole start took.
_START_SHARE = 1.1


class Campaign:
    """One self-test of `kills` kills on one state directory; `progress` is told after each."""

    def __init__(
        self, subject: Subject, account: Path, habits: Habits, seed: str, kills: int, progress: Callable[[Report], None]
    ) -> None:
        self.report = Report()
        self._subject = subject
        self._kills = kills
        self._progress = progress
        # Two dice: the moments of the kills do not depend on how far the operator gets between them.
        self._chance = Random(f"{seed}/aims")  # noqa: S311  repeatable, not secret
        self._promises = Promises()
        hands = Random(f"{seed}/operator")  # noqa: S311  repeatable, not secret
        self._operator = Operator(subject.places.socket, habits, hands, self._promises)
        self._reader = Reader(subject.places.state, account)
        self._start_seconds = 1.0
        # Since the last kill with something in the market, without the time that looking at the files takes.
        self._unprotected_seconds: float | None = None

    async def run(self) -> Report:
        """Do all of it; raises SelftestFailed when the daemon cannot be tested."""
        async with self._subject.running():
            # The first start has nothing to recover; it is not measured.
            await self._subject.start()
            self._start_seconds = await self._subject.protected()
            aims = [Aim.choose(self._chance) for _ in range(self._kills)]
            for number, aim in enumerate(aims):
                if aim.moment == STARTING and number > 0:
                    await self._start_in_vain()
                else:
                    if number > 0:
                        await self._restart()
                    await self._work(number, aim)
                self._examine()
                self._progress(self.report)
            await self._restart()
            await self._leave()
        return self.report

    async def _until_due(self, number: int) -> None:
        """Return when kill `number`, from 0 on, may come; the operator works meanwhile."""
        del number
        await trio.sleep(self._chance.uniform(*_WORK_SECONDS))

    async def _on_the_way(self) -> None:
        """What happens between a start and its protection."""

    async def _restart(self) -> None:
        await self._subject.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._on_the_way)
            self._start_seconds = await self._subject.protected()
        self.report.time_to_protected.append(self._start_seconds)
        if self._unprotected_seconds is not None:
            self.report.unprotected.append(self._unprotected_seconds + self._start_seconds)
            self._unprotected_seconds = None
        limit = _REPLY_SECONDS * self._subject.patience
        with trio.move_on_after(limit):
            try:
                await self._operator.settle_accounts()
            except Gone as gone:
                raise SelftestFailed(f"the daemon went away: {gone}\n{self._subject.log_tail()}") from gone
            return
        raise SelftestFailed(f"a repeated request had no reply within {limit:g} s\n{self._subject.log_tail()}")

    async def _start_in_vain(self) -> None:
        """Start it only to be killed on its way to protection."""
        await self._subject.start()
        seconds = self._chance.uniform(0, self._start_seconds * _START_SHARE)
        await trio.sleep(seconds)
        await self._subject.strike()
        if self._unprotected_seconds is not None:
            self._unprotected_seconds += seconds

    async def _work(self, number: int, aim: Aim) -> None:
        """Let the operator work until the moment of the kill."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._operator.work)
            await self._until_due(number)
            self._operator.watch_for(aim)
            if aim.moment == BURST:
                nursery.start_soon(self._operator.close_everything)
            elif aim.moment == PANIC:
                nursery.start_soon(self._operator.panic)
            elif aim.moment not in {ANYTIME, STARTING}:
                with trio.move_on_after(_AIM_SECONDS):
                    await aim.sprung.wait()
            await trio.sleep(aim.delay_seconds)
            await self._subject.strike()
            nursery.cancel_scope.cancel()

    def _examine(self) -> None:
        """Look at what the killed daemon has left."""
        evidence = self._look()
        self.report.killed(evidence)
        if self._unprotected_seconds is None and _is_exposed(evidence):
            self._unprotected_seconds = 0.0

    def _look(self) -> Evidence:
        evidence = self._reader.read()
        findings: Mapping[str, list[str]] = {
            **audit(evidence),
            "broken_promises": broken(self._promises, evidence),
        }
        self.report.found(findings)
        return evidence

    async def _leave(self) -> None:
        await self._subject.leave_market(mends=False)
        await self._subject.stop()
        self._end()

    def _end(self) -> None:
        evidence = self._look()
        self.report.end(evidence, self._promises, unfinished(evidence), restarts=self._subject.starts - 1)


def _is_exposed(evidence: Evidence) -> bool:
    """Whether something is, or may be, in the market."""
    return any(isinstance(position.state, (Entering, Active, Exiting)) for position, _ in evidence.folded.values())
