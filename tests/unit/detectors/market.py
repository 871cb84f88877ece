"""A market that a test writes: candles, prices and the end of the tape, with nothing behind them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import trio

from robson.domain.market import Candle, Tick
from robson.domain.values import Side

START = datetime(2024, 1, 1, tzinfo=UTC)


def candle(index: int, low: object, high: object, close: object | None = None, *, seconds: int = 900) -> Candle:
    """The `index`th candle since START; it closes in its middle unless told otherwise."""
    lowest, highest = Decimal(str(low)), Decimal(str(high))
    closing = (lowest + highest) / 2 if close is None else Decimal(str(close))
    return Candle(
        symbol="BTCUSDT",
        opened_at=START + index * timedelta(seconds=seconds),
        interval_seconds=seconds,
        open=closing,
        high=highest,
        low=lowest,
        close=closing,
    )


def candles_with_lows(lows: Iterable[object], *, height: object = 1) -> list[Candle]:
    """Candles of one height with these lows."""
    return [candle(index, low, Decimal(str(low)) + Decimal(str(height))) for index, low in enumerate(lows)]


def candles_closing(closes: Iterable[object], *, first: int = 0, seconds: int = 900) -> list[Candle]:
    """Candles with these closes, one quote above and below them."""
    return [
        candle(index, Decimal(str(close)) - 1, Decimal(str(close)) + 1, close, seconds=seconds)
        for index, close in enumerate(closes, first)
    ]


def flat_history(count: int = 20, *, price: int = 1000, height: int = 10) -> list[Candle]:
    """Candles without a swing point, whose true range is `height`: they give a stop 1.5 x `height` away."""
    return [candle(index, price - height // 2, price + height // 2, price) for index in range(count)]


class WrittenMarket:
    """An Observation: `history` by interval in seconds, then what the test sends."""

    def __init__(self, side: Side, *, price: object | None = None, history: Sequence[Candle] = ()) -> None:
        self.symbol = "BTCUSDT"
        self.side = side
        self.history: list[Candle] = list(history)
        self.asked: list[tuple[int, int]] = []
        self.following = trio.Event()
        self.unfollowed = False
        self._price: Decimal | None = None
        self._priced = trio.Event()
        self._news, self._candles = trio.open_memory_channel[Candle](100)
        self._new_ticks, self._ticks = trio.open_memory_channel[Tick](100)
        if price is not None:
            self.show(price)

    def show(self, price: object) -> None:
        """The latest price from now on."""
        self._price = Decimal(str(price))
        self._priced.set()

    async def trade(self, price: object) -> None:
        """Let a trade happen and the follower look at it."""
        self.show(price)
        number = Decimal(str(price))
        self._new_ticks.send_nowait(
            Tick(symbol=self.symbol, price=number, quantity=Decimal(1), trade_id=None, at=START)
        )
        await trio.testing.wait_all_tasks_blocked()

    async def close_candle(self, closed: Candle, *, recorded: bool = True) -> None:
        """Let a candle close and the follower look at it."""
        if recorded:
            self.history.append(closed)
        self.show(closed.close)
        self.announce(closed)
        await trio.testing.wait_all_tasks_blocked()

    def announce(self, closed: Candle) -> None:
        """Let the follower hear of a closed candle."""
        self._news.send_nowait(closed)

    async def end(self) -> None:
        """The tape is over."""
        await self._news.aclose()
        await trio.testing.wait_all_tasks_blocked()

    async def last_price(self) -> Decimal:
        await self._priced.wait()
        assert self._price is not None
        return self._price

    async def closed_candles(self, interval_seconds: int, count: int) -> Sequence[Candle]:
        await trio.lowlevel.checkpoint()
        self.asked.append((interval_seconds, count))
        return [candle for candle in self.history if candle.interval_seconds == interval_seconds][-count:]

    @asynccontextmanager
    async def follow_candles(self, interval_seconds: int) -> AsyncIterator[AsyncIterator[Candle]]:
        self.asked.append((interval_seconds, 0))
        self.following.set()
        try:
            yield self._candles
        finally:
            self.unfollowed = True

    @asynccontextmanager
    async def follow_ticks(self) -> AsyncIterator[AsyncIterator[Tick]]:
        yield self._ticks
