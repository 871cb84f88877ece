"""What a strategy's detector gets and gives."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from robson.domain.market import Candle, Tick
from robson.domain.values import Side, Value


class DetectedSignal(Value):
    """What a detector saw: enter now at about `entry_price`, with a technical stop if it has found one itself."""

    entry_price: Decimal
    technical_stop: Decimal | None = None
    evidence: dict[str, Any] = {}


class Observation(Protocol):
    """The market as one detector sees it. Subscribed before the detector starts, so that no tick is missed."""

    @property
    def symbol(self) -> str:
        """The watched symbol."""

    @property
    def side(self) -> Side:
        """The side that the position would take."""

    async def last_price(self) -> Decimal:
        """The latest price; waits for the first fresh one."""

    async def closed_candles(self, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last `count` closed candles, oldest first."""

    def follow_candles(self, interval_seconds: int) -> AbstractAsyncContextManager[AsyncIterator[Candle]]:
        """Each candle from now on, as it closes."""

    def follow_ticks(self) -> AbstractAsyncContextManager[AsyncIterator[Tick]]:
        """The newest price each time the reader is ready; ticks in between are skipped."""


class Parameter(Value):
    """One parameter of a strategy; bounds are inclusive, `choices` replaces them for words."""

    name: str
    default: str
    meaning: str
    kind: str = "decimal"
    low: Decimal | None = None
    high: Decimal | None = None
    choices: tuple[str, ...] = ()


class Detector(Protocol):
    """Watches one Armed position's market and returns one signal; it dies when it fires.

    Third parties register a class under the entry-point group `robson.detectors`; the entry point's name is the
    strategy's name.
    """

    parameters: ClassVar[tuple[Parameter, ...]]

    def __init__(self, params: dict[str, str]) -> None:
        """`params` holds every parameter, defaults filled in, already within its range."""

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait for the one signal."""
