"""The end of every shipped strategy: a fresh price and a technical stop make the signal."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from robson.detectors.technical_stop import (
    INTERVAL_SECONDS,
    StopSettings,
    find_technical_stop,
    percent_stop,
)
from robson.domain.market import Candle
from robson.domain.values import Side
from robson.engine.sizing import STOP_DISTANCE_PERCENT_MAX, STOP_DISTANCE_PERCENT_MIN
from robson.ports.detector import DetectedSignal, Observation, Parameter

_DEFAULTS = StopSettings()

STOP_PARAMETERS = (
    Parameter(
        name="level",
        default=str(_DEFAULTS.level),
        meaning="which support or resistance level is the technical stop, counted from the entry",
        kind="integer",
        low=Decimal(1),
        high=Decimal(10),
    ),
    Parameter(
        name="tolerance_percent",
        default=str(_DEFAULTS.tolerance_percent),
        meaning="how close swing points lie that make one level, in percent of the entry",
        low=Decimal(0),
        high=Decimal(2),
    ),
)

STOP_PERCENT = Parameter(
    name="stop_percent",
    default="",
    meaning="a fixed stop distance in percent of the entry instead of a technical stop, for tapes without history",
    low=STOP_DISTANCE_PERCENT_MIN,
    high=STOP_DISTANCE_PERCENT_MAX,
)


class StopRule:
    """Where the stop of a signal comes from, read from a strategy's parameters."""

    def __init__(self, params: Mapping[str, str]) -> None:
        """`params` may hold those of STOP_PARAMETERS and STOP_PERCENT; what is missing takes its default."""
        self._settings = StopSettings(
            level=int(params.get("level", _DEFAULTS.level)),
            tolerance_percent=Decimal(params.get("tolerance_percent", _DEFAULTS.tolerance_percent)),
        )
        percent = params.get("stop_percent", "")
        self._percent = Decimal(percent) if percent else None

    async def signal(self, market: Observation, trigger: Mapping[str, Any]) -> DetectedSignal:
        """Signal an entry at the latest price; `trigger` says why, in strings and integers.

        Raises RuleError `no_technical_stop`. The price is read after the candles: fetching them may take seconds.
        """
        candles = await self._candles(market)
        price = await market.last_price()
        return self._signal(market.side, price, candles, {"trigger": dict(trigger)})

    async def complete(self, market: Observation, signal: DetectedSignal) -> DetectedSignal:
        """The signal with a technical stop for its own entry price; raises RuleError `no_technical_stop`."""
        return self._signal(market.side, signal.entry_price, await self._candles(market), signal.evidence)

    async def _candles(self, market: Observation) -> Sequence[Candle]:
        if self._percent is not None:
            return ()
        return await market.closed_candles(INTERVAL_SECONDS, self._settings.look_back)

    def _signal(
        self, side: Side, price: Decimal, candles: Sequence[Candle], evidence: Mapping[str, Any]
    ) -> DetectedSignal:
        if self._percent is not None:
            stop = percent_stop(side, price, self._percent)
        else:
            stop = find_technical_stop(side, price, candles, settings=self._settings)
        return DetectedSignal(
            entry_price=price, technical_stop=stop.price, evidence={**evidence, "technical_stop": stop.evidence}
        )
