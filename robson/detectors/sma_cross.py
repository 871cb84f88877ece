"""The `sma_cross` strategy."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import trio

from robson.detectors.entry import STOP_PARAMETERS, StopRule
from robson.detectors.window import INTERVAL_MINUTES, CandleWindow
from robson.domain.errors import RuleError
from robson.domain.market import Candle
from robson.domain.values import Side, plain
from robson.ports.detector import DetectedSignal, Observation, Parameter


class SmaCross:
    """Enters when the fast average of closes crosses the slow one: to above it for a long, back from it for a short."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="fast",
            default="9",
            meaning="candles in the fast average, fewer than in the slow one",
            kind="integer",
            low=Decimal(1),
            high=Decimal(199),
        ),
        Parameter(
            name="slow",
            default="21",
            meaning="candles in the slow average",
            kind="integer",
            low=Decimal(2),
            high=Decimal(200),
        ),
        INTERVAL_MINUTES,
        *STOP_PARAMETERS,
    )

    def __init__(self, params: dict[str, str]) -> None:
        self._fast, self._slow = int(params["fast"]), int(params["slow"])
        if self._fast >= self._slow:
            raise RuleError(
                "bad_parameter",
                f"fast of strategy sma_cross was {self._fast}, which must be less than slow, which was {self._slow}",
                hint="fast < slow, such as fast=9 slow=21",
            )
        self._interval_seconds = int(params["interval_minutes"]) * 60
        self._stop = StopRule(params)

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait for a candle that closes after arming and makes the averages cross."""
        closed = await self._cross(market)
        return await self._stop.signal(market, self._trigger(closed))

    async def _cross(self, market: Observation) -> Sequence[Candle]:
        window = CandleWindow(market, self._interval_seconds, self._slow + 1)
        async with market.follow_candles(self._interval_seconds) as candles:
            await window.load()
            async for candle in candles:
                closed = await window.extend(candle)
                if crossed(market.side, [one.close for one in closed], self._fast, self._slow):
                    return closed
        # The source is exhausted: no candle will ever close again.
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    def _trigger(self, closed: Sequence[Candle]) -> dict[str, str | int]:
        return {
            "strategy": "sma_cross",
            "fast": self._fast,
            "slow": self._slow,
            "interval_seconds": self._interval_seconds,
            "candle_opened_at": closed[-1].opened_at.isoformat(),
            "close": plain(closed[-1].close),
        }


def crossed(side: Side, closes: Sequence[Decimal], fast: int, slow: int) -> bool:
    """Whether the last close made the averages cross; never with fewer than slow + 1 closes.

    Equal averages count as not above: a long enters when the fast one comes above, a short when it no longer is.
    """
    if len(closes) <= slow:
        return False
    was_above, is_above = fast_is_above(closes[:-1], fast, slow), fast_is_above(closes, fast, slow)
    return is_above and not was_above if side is Side.LONG else was_above and not is_above


def fast_is_above(closes: Sequence[Decimal], fast: int, slow: int) -> bool:
    """Whether the mean of the last `fast` closes is greater than that of the last `slow`; exact, without division."""
    assert 0 < fast < slow <= len(closes), (fast, slow, len(closes))
    return sum(closes[-fast:]) * slow > sum(closes[-slow:]) * fast
