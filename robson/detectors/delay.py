"""The `delay` strategy (alias `test`)."""

from decimal import Decimal
from typing import ClassVar

import trio

from robson.detectors.entry import STOP_PARAMETERS, STOP_PERCENT, StopRule
from robson.ports.detector import DetectedSignal, Observation, Parameter


class Delay:
    """Enters after a number of seconds, whatever the market does."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="seconds",
            default="5",
            meaning="how long to wait before the signal, in seconds",
            low=Decimal(0),
            high=Decimal(86400),
        ),
        *STOP_PARAMETERS,
        STOP_PERCENT,
    )

    def __init__(self, params: dict[str, str]) -> None:
        self._seconds = params["seconds"]
        self._stop = StopRule(params)

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait, then signal at the first fresh price."""
        await trio.sleep(float(self._seconds))
        await market.last_price()
        return await self._stop.signal(market, {"strategy": "delay", "seconds": self._seconds})
