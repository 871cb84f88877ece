"""What the daemon asks of a source of prices."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Protocol

from robson.domain.market import Candle, Tick, Trades


class Market(Protocol):
    """Where a feed puts what it receives; called inline, once per tick, in order."""

    def observe(self, tick: Tick) -> bool:
        """Take one tick; True when it woke somebody (a stop was hit, a candle closed for a detector)."""

    def interrupted(self, symbol: str, reason: str) -> None:
        """Say that ticks of the symbol are late or lost until the next `observe`.

        Whoever delivers consecutive trade ids says it before the tick after a jump, too: what lies between is then
        asked for and taken in order before any watch follows newer prices.
        """


class MarketFeed(Protocol):
    """A source of trades.

    What asks for the past raises VenueError when the source cannot be asked.
    """

    source: ClassVar[str]

    async def run(self, market: Market) -> None:
        """Deliver ticks of the subscribed symbols until cancelled; returns only when the source is exhausted."""

    async def subscribe(self, symbol: str) -> None:
        """Begin to deliver a symbol; raises RuleError `unknown_symbol` when the source does not have it."""

    async def unsubscribe(self, symbol: str) -> None:
        """Stop delivering a symbol."""

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last `count` closed candles, oldest first; fewer when the source has no more. Never the forming one."""

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        """Trades with ids from `trade_id` on that the source can still give, oldest first.

        Not whole where it no longer has the first of them. Where there are many this may be one page: the next begins
        after its last id, and a page without ticks is the end. How many pages are worth the wait is for the caller.
        """

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        """The same from a moment (by the source's clock) on."""

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """Every candle that ends after `since`, oldest first, with the forming one as it stands.

        Fewer where the source does not reach back so far; none while its own time is before `since`, or when nothing
        has been traded since then. Whole minutes at least.
        """
