"""What the executor asks of whoever keeps its intents and takes their outcomes."""

from collections.abc import Iterable
from typing import Protocol

from robson.domain.account import PairAccount
from robson.executor.resolution import Outcome
from robson.ports import Intent


class Book(Protocol):
    """Where intents are kept and outcomes go; the daemon implements it over the journal."""

    @property
    def epoch(self) -> int:
        """The present run's number."""

    @property
    def latched(self) -> bool:
        """Whether panic forbids entries."""

    def open_intents(self) -> Iterable[Intent]:
        """Every intent that still needs work, oldest first."""

    def keep(self, *intents: Intent) -> bool:
        """Write changed intents durably, in one commit; False when the disk refused."""

    def note_handed(self, intent: Intent, at: float) -> None:
        """The intent is durable as sent and was handed to the venue (steady, s)."""

    def note_first_byte(self, intent: Intent, at: float) -> None:
        """When the first byte of it may have left (steady, s)."""

    def is_listed(self, intent: Intent) -> bool:
        """Whether all that was ever sent for the intent's position is known; before that no exit is absent."""

    def knows_trade(self, symbol: str, trade_id: int) -> bool:
        """Whether this execution is accounted to an order of ours already."""

    def shows_effect(self, intent: Intent, account: PairAccount) -> bool:
        """Whether the account holds what it would hold if the order had executed."""

    def settle(self, intent: Intent, outcome: Outcome) -> None:
        """Take the outcome of an intent: the final word on it."""
