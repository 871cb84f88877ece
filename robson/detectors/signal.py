"""The `signal` strategy."""

from typing import ClassVar

import trio

from robson.ports.detector import DetectedSignal, Observation, Parameter


class Signal:
    """Never enters by itself: waits for the `signal` command."""

    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, params: dict[str, str]) -> None:
        assert not params, params

    async def detect(self, market: Observation) -> DetectedSignal:
        """Wait until cancelled."""
        await trio.sleep_forever()
        raise AssertionError("unreachable")
