"""The `breakout` strategy."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import trio

from robson.detectors.entry import STOP_PARAMETERS, StopRule
from robson.detectors.window import INTERVAL_MINUTES, CandleWindow
from robson.domain.market import Candle
from robson.domain.values import Side, plain
from robson.ports.detector import DetectedSignal, Observation, Parameter


class Breakout:
    """Enters when a candle closes above the highest high (long) or below the lowest low (short) of those before it."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="n",
            default="20",
            meaning="how many candles before the closing one make the extreme",
            kind="integer",
            low=Decimal(2),
            high=Decimal(200),
        ),
        INTERVAL_MINUTES,
        *STOP_PARAMETERS,
    )

    def __init__(self, params: dict[str, str]) -> None:
        self._n = int(params["n"])
        self._interval_seconds = int(params["interval_minutes"]) * 60
        self._stop = StopRule(params)

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait for a candle that closes after arming and beyond the extreme."""
        closed = await self._breakout(market)
        return await self._stop.signal(market, self._trigger(market.side, closed))

    async def _breakout(self, market: Observation) -> Sequence[Candle]:
        window = CandleWindow(market, self._interval_seconds, self._n + 1)
        async with market.follow_candles(self._interval_seconds) as candles:
            await window.load()
            async for candle in candles:
                closed = await window.extend(candle)
                if len(closed) > self._n and broke_out(market.side, closed):
                    return closed
        # The source is exhausted: no candle will ever close again.
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    def _trigger(self, side: Side, closed: Sequence[Candle]) -> dict[str, str | int]:
        return {
            "strategy": "breakout",
            "n": self._n,
            "interval_seconds": self._interval_seconds,
            "candle_opened_at": closed[-1].opened_at.isoformat(),
            "close": plain(closed[-1].close),
            "extreme": plain(extreme(side, closed[:-1])),
        }


def extreme(side: Side, candles: Sequence[Candle]) -> Decimal:
    """The highest high for a long, the lowest low for a short (quote per base)."""
    if side is Side.LONG:
        return max(candle.high for candle in candles)
    return min(candle.low for candle in candles)


def broke_out(side: Side, candles: Sequence[Candle]) -> bool:
    """Whether the last candle closed beyond the extreme of all those before it; on it is not beyond."""
    return (candles[-1].close - extreme(side, candles[:-1])) * side.sign > 0
