"""What the daemon asks of a source of prices."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from robson.domain.market import Candle, Tick


class Market(Protocol):
    """Where a feed puts what it receives; called inline, once per tick, in order."""

    def observe(self, tick: Tick) -> bool:
        """Take one tick; True when it woke somebody (a stop was hit, a candle closed for a detector)."""

    def interrupted(self, symbol: str, reason: str) -> None:
        """Say that ticks of the symbol are late or lost until the next `observe`."""


class MarketFeed(Protocol):
    """A source of trades."""

    source: ClassVar[str]

    async def run(self, market: Market) -> None:
        """Deliver ticks of the subscribed symbols until cancelled; returns only when the source is exhausted."""

    async def subscribe(self, symbol: str) -> None:
        """Begin to deliver a symbol; raises RuleError `unknown_symbol` when the source does not have it."""

    async def unsubscribe(self, symbol: str) -> None:
        """Stop delivering a symbol."""

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last `count` closed candles, oldest first; fewer when the source has no more. Never the forming one."""

    async def trades_from(self, symbol: str, trade_id: int) -> Sequence[Tick]:
        """Trades with ids from `trade_id` on that the source can still give, oldest first; empty when it keeps none."""
