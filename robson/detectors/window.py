"""The last closed candles of a market, kept up as new ones close, without holes."""

from collections.abc import Sequence
from datetime import timedelta

from robson.domain.market import Candle
from robson.ports.detector import Observation, Parameter

INTERVAL_MINUTES = Parameter(
    name="interval_minutes",
    default="15",
    meaning="the length of the candles that are watched; the technical stop always uses 15 minutes",
    kind="word",
    # Those that Binance keeps a history of.
    choices=("1", "3", "5", "15", "30", "60", "120", "240", "360", "480", "720", "1440"),
)


class CandleWindow:
    """The newest `count` closed candles of one interval.

    Open it inside `market.follow_candles`, so that no candle falls between history and news.
    """

    def __init__(self, market: Observation, interval_seconds: int, count: int) -> None:
        self._market = market
        self._interval_seconds = interval_seconds
        self._count = count
        self._candles: list[Candle] = []

    async def load(self) -> None:
        """Take the history up to now; what the source no longer has stays as it was."""
        history = await self._market.closed_candles(self._interval_seconds, self._count)
        merged = {candle.opened_at: candle for candle in (*self._candles, *history)}
        self._candles = [merged[opened_at] for opened_at in sorted(merged)][-self._count :]

    async def extend(self, candle: Candle) -> Sequence[Candle]:
        """Add a candle that has just closed; gives the window that ends with it, oldest first, perhaps still short.

        Where candles are missing before it (the stream was down), the history is read again: an average over a hole
        would be of other prices than it claims. An interval without trades leaves a hole that no history fills.
        """
        expected = candle.opened_at - timedelta(seconds=self._interval_seconds)
        if all(known.opened_at != expected for known in self._candles):
            await self.load()
        before = [known for known in self._candles if known.opened_at < candle.opened_at]
        after = [known for known in self._candles if known.opened_at > candle.opened_at]
        window = [*before, candle][-self._count :]
        self._candles = [*window, *after]
        return window
