"""The `immediate` strategy."""

from typing import ClassVar

from robson.detectors.entry import STOP_PARAMETERS, STOP_PERCENT, StopRule
from robson.ports.detector import DetectedSignal, Observation, Parameter


class Immediate:
    """Enters at the first fresh price."""

    parameters: ClassVar[tuple[Parameter, ...]] = (*STOP_PARAMETERS, STOP_PERCENT)

    def __init__(self, params: dict[str, str]) -> None:
        self._stop = StopRule(params)

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait for a fresh price and signal."""
        await market.last_price()
        return await self._stop.signal(market, {"strategy": "immediate"})
