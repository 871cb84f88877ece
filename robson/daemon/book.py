"""The executor's book over the journal: which orders want work, what is kept of them, and who hears their outcome."""

from collections.abc import Callable, Iterable, Mapping

from robson.daemon.life import Life
from robson.daemon.settling import settle
from robson.daemon.surroundings import Surroundings
from robson.domain.account import PairAccount
from robson.domain.events import Notice
from robson.domain.values import OrderSide, Role
from robson.executor.resolution import Executed, Outcome
from robson.metrics import REACTION_SECONDS, STAGE_SECONDS, STAGES, Distribution
from robson.ports import Intent

# Of how many exits the stages are kept one by one.
EXITS_TIMED = 1000


class OrderBook:
    """Implements `executor.executor.Book`; `repay_strays` is called for a pair whose entry may have left a loan."""

    def __init__(self, around: Surroundings, lives: Mapping[str, Life], repay_strays: Callable[[str], None]) -> None:
        self._around = around
        self._lives = lives
        self._repay_strays = repay_strays
        # From the hit of a stop until its order is durable and handed to the venue (s).
        self.tick_to_order = Distribution(REACTION_SECONDS)
        # The same way by stage (metrics.STAGES), from the frame to the first byte; of the newest exits one by one (s).
        self.stage_seconds = {stage: Distribution(STAGE_SECONDS) for stage in STAGES}
        self._stages: dict[str, dict[str, float]] = {}

    @property
    def epoch(self) -> int:
        """The present run's number."""
        return self._around.record.epoch

    @property
    def latched(self) -> bool:
        """Whether panic forbids entries."""
        return self._around.record.latched

    def open_intents(self) -> Iterable[Intent]:
        """Every intent that still needs work, oldest first; those of a position not yet recovered wait."""
        return [
            intent
            for intent in self._around.record.open_intents()
            if intent.order.symbol in self._around.instruments
            and not (intent.status == "pending" and intent.order.role is Role.EXIT and not self.is_listed(intent))
        ]

    def is_listed(self, intent: Intent) -> bool:
        """Whether all that was ever sent for the intent's position is known."""
        return intent.order.position_id not in self._around.unlisted

    def keep(self, *intents: Intent) -> bool:
        """Write changed intents durably, in one commit; False when the disk refused. Doubt is told once."""
        doubted = [intent for intent in intents if intent.status == "in_doubt" and not self._is_doubted(intent)]
        kept = self._around.record.keep(*intents)
        for intent in doubted:
            self._around.record.notice(
                Notice(
                    type="order_in_doubt",
                    at=self._around.clock.now(),
                    position_id=intent.order.position_id,
                    data={"role": intent.order.role.value, "attempt": intent.order.attempt, "why": intent.detail},
                )
            )
            self._lives[intent.order.position_id].stir()
        return kept

    def _is_doubted(self, intent: Intent) -> bool:
        order_id = intent.order.client_order_id
        return any(
            known.status == "in_doubt" and known.order.client_order_id == order_id
            for known in self._around.record.intents_of(intent.order.position_id)
        )

    def note_handed(self, intent: Intent, at: float) -> None:
        """Note how long the exit of a stop had taken by then (steady, s)."""
        life = self._lives.get(intent.order.position_id)
        if intent.order.role is Role.EXIT and life is not None and life.hit_at is not None:
            self.tick_to_order.note(at - life.hit_at)
            life.hit_at = None
            life.stamps.append(at)

    def note_first_byte(self, intent: Intent, at: float) -> None:
        """Note the stages of a stop's exit that were timed from the frame on."""
        life = self._lives.get(intent.order.position_id)
        if intent.order.role is not Role.EXIT or life is None:
            return
        stamps, life.stamps = [*life.stamps, at], []
        if len(stamps) != len(STAGES) + 1:
            return
        stages = {stage: end - begin for stage, begin, end in zip(STAGES, stamps, stamps[1:], strict=False)}
        for stage, seconds in stages.items():
            self.stage_seconds[stage].note(seconds)
        if len(self._stages) >= EXITS_TIMED:
            del self._stages[next(iter(self._stages))]
        self._stages[intent.order.position_id] = stages

    def stages_of(self, position_id: str) -> dict[str, float] | None:
        """How long each stage of a stop's exit took (s); None where that was not in this run, or long ago."""
        return self._stages.get(position_id)

    def knows_trade(self, symbol: str, trade_id: int) -> bool:
        """Whether this execution is accounted to an order of ours already."""
        return self._around.record.knows_trade(symbol, trade_id)

    def shows_effect(self, intent: Intent, account: PairAccount) -> bool:
        """Whether the account's net base is nearer to what it would be if the order had executed."""
        moved = account.base.total - account.base.debt - self._around.expected_net_base(intent.order.symbol)
        sign = 1 if intent.order.order_side is OrderSide.BUY else -1
        return moved * sign * 2 > intent.order.quantity

    def settle(self, intent: Intent, outcome: Outcome) -> None:
        """Take the outcome of an intent: the final word on it."""
        settle(self._lives[intent.order.position_id], intent, outcome)
        if intent.order.role is Role.ENTRY and not _executed_whole(intent, outcome):
            self._repay_strays(intent.order.symbol)


def _executed_whole(intent: Intent, outcome: Outcome) -> bool:
    return isinstance(outcome, Executed) and outcome.report.executed >= intent.order.quantity
