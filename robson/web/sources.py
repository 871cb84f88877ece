"""What the pages are made of: the running daemon, as it knows itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from robson.daemon.desk import Desk
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.metrics import LOOP_DELAY_SECONDS, Distribution


class Traffic(Protocol):
    """What the connector to an exchange tells of its requests."""

    @property
    def seconds(self) -> Mapping[str, Distribution]:
        """How long requests took, by endpoint (s)."""

    @property
    def ends(self) -> Mapping[tuple[str, str], int]:
        """How many calls ended how, by endpoint and end."""

    def weights_used(self) -> dict[str, int]:
        """The weight used of each budget in the present minute."""

    def clock_offset_seconds(self) -> float | None:
        """The exchange's clock less the machine's; None before the first reading."""


@dataclass(slots=True)
class Sources:
    """One daemon; `state` is its directory, `reconnects` counts its feed's connections after the first."""

    desk: Desk
    supervisor: Supervisor
    state: Path
    reconnects: Callable[[], int] = lambda: 0
    traffic: Traffic | None = None
    loop_delay: Distribution = field(default_factory=lambda: Distribution(LOOP_DELAY_SECONDS))

    @property
    def around(self) -> Surroundings:
        """What all positions share."""
        return self.supervisor.around
