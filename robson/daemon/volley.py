"""Exits that become due together: decided in order of capital at risk, many in one durable commit."""

import gc
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import structlog
import trio

from robson.daemon.life import Life
from robson.daemon.placing import hand_over, intent_of
from robson.daemon.surroundings import Surroundings
from robson.domain.errors import RuleError
from robson.domain.position import Position
from robson.domain.stimuli import Stimulus
from robson.domain.values import ZERO
from robson.engine.decide import Decision, decide
from robson.executor.intents import new_intent
from robson.ports import Commit, Intent

# Exits of one commit: more of them are not cheaper each, and the first waits for the last.
GROUP = 100

_log = structlog.get_logger("robson.position")


def at_risk(position: Position) -> Decimal:
    """What a position has in the market: what it was entered with, at its entry price (quote)."""
    entry = position.entry
    return entry.quantity * entry.fill_price if entry is not None else ZERO


def by_risk(lives: Iterable[Life]) -> list[Life]:
    """Those with the most at risk first."""
    return sorted(lives, key=lambda life: at_risk(life.position), reverse=True)


class Volley:
    """Decides for the positions whose stops were hit: for a single one at once, for several together in the next turn.

    A single one that is hit while others are decided for is left to its own monitor.

    Monitors whose positions leave together are not woken before the orders are handed over: a hundred of them take
    longer than all the orders.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._hit: dict[str, Life] = {}
        self._unstirred: list[Life] = []
        self._due = trio.Event()
        self._has_acted = False

    def note(self, life: Life) -> None:
        """A stop was hit: from the second on that nobody has acted on yet, none of their monitors acts alone."""
        known = self._hit
        if len(known) == 1:
            known = self._hit = {key: one for key, one in known.items() if one.is_hit}
        known[life.position.position_id] = life
        if len(known) > 1:
            for one in known.values() if len(known) == 2 else (life,):  # noqa: PLR2004 - the first did not know
                one.acts_alone = False
            self._due.set()

    def act(self) -> None:
        """Decide for the only one that a price has hit, in the stretch in which it was seen; never raises.

        Once a turn: whoever is hit by the prices behind it shares a commit, as do several that one price has hit.
        """
        if self._has_acted or len(self._hit) != 1:
            return
        (life,) = self._hit.values()
        if not (life.is_hit and life.alive and life.acts_alone):
            return
        self._has_acted = True
        self._due.set()
        try:
            life.feel(life.hit_stimulus())
            self._hit.clear()
        except Exception:  # noqa: BLE001  in the next turn it is tried again, and what is wrong stays its own
            _log.exception("hit_not_acted_on", position_id=life.position.position_id)

    async def run(self) -> None:
        """Decide whenever several are due, until cancelled; between two commits the orders of the first go out."""
        try:
            while True:
                await self._due.wait()
                self._due, self._has_acted = trio.Event(), False
                hit, self._hit = self._hit, {}
                due = by_risk(hit.values())
                for first in range(0, len(due), GROUP):
                    self._fire(due[first : first + GROUP])
                    await self._around.executor.handed_over()
                    self._stir()
                await self._around.executor.handed_over()
                self._stir()
        finally:
            gc.enable()

    def leave_together(
        self, lives: Sequence[Life], stimulus: Callable[[Life], Stimulus], *, at_once: bool = True
    ) -> dict[str, RuleError]:
        """Decide for each, write all in one protective commit, and only then act; whom it was refused, and why.

        Those that leave `at_once` are written as sent; others wait for a group before them and are marked after it.

        Whatever else is raised was raised before anything was written.
        """
        # A third of the time until the last order is out would go into looking for garbage; `_stir` allows it again.
        gc.disable()
        refused: dict[str, RuleError] = {}
        decided: list[tuple[Life, Decision]] = []
        placed: list[Intent] = []
        around = self._around
        self._due.set()
        now, epoch = around.clock.now(), around.record.epoch
        for life in lives:
            try:
                decision = decide(life.position, stimulus(life), now)
            except RuleError as error:
                refused[life.position.position_id] = error
                continue
            decided.append((life, decision))
            placed += [
                intent_of(around, order, now, {}) if at_once else new_intent(order, now, epoch)
                for order in decision.actions
            ]
        facts = tuple(fact for _, decision in decided for fact in decision.facts)
        if facts:
            positions = tuple(decision.position for _, decision in decided if decision.facts)
            around.record.write(Commit(facts=facts, positions=positions, intents=tuple(placed)), protective=True)
        hand_over(around.executor, placed, {})
        for life, decision in decided:
            self._unstirred.append(life)
            try:
                life.take_over(decision, quietly=True)
            except Exception:  # noqa: BLE001  what was written for the others is theirs already
                _log.exception("decision_not_taken_over", position_id=life.position.position_id)
        return refused

    def _fire(self, group: list[Life]) -> None:
        due = [life for life in group if life.is_hit]
        try:
            self.leave_together(due, Life.hit_stimulus)
        except Exception:  # noqa: BLE001  a fault in one position never touches another
            _log.exception("volley_failed", positions=len(due))
        for life in group:
            # Whoever was not decided for tries it alone, and its fault stays its own.
            life.acts_alone = True
            if life.is_hit:
                life.stir()

    def _stir(self) -> None:
        gc.enable()
        unstirred, self._unstirred = self._unstirred, []
        for life in unstirred:
            life.stir()
