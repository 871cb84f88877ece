"""The run's time as a port."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The run's time; on a recorded tape it is the tape's."""

    def now(self) -> datetime:
        """The wall clock, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; the same clock that trio.sleep follows."""
