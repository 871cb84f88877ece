"""A service manager that listens on simulated time."""

from typing import Any

from robson.daemon.desk import Desk
from robson.pulse import Pulse
from robson.service.announcer import Announcer
from robson.service.proof import Proof
from robson.systemd.notify import Notifier
from tests.rig import Rig


class Heard(Notifier):
    """Keeps what it is told; `deaf` makes it take nothing."""

    def __init__(self) -> None:
        super().__init__("/manager")
        self.told: list[str] = []
        self.deaf = False

    def tell(self, *assignments: str) -> bool:
        if not self.deaf:
            self.told.extend(assignments)
        return not self.deaf

    def count(self, assignment: str) -> int:
        """How often it was told so."""
        return self.told.count(assignment)

    @property
    def status(self) -> str:
        """The newest status."""
        return next(x for x in reversed(self.told) if x.startswith("STATUS=")).removeprefix("STATUS=")


def announcer_of(rig: Rig, heard: Notifier, feed: Pulse | None = None, **more: Any) -> Announcer:
    """Who speaks for a rig."""
    desk: Desk = rig.desk
    return Announcer(heard, rig.supervisor, desk, Proof(rig.supervisor, feed), **more)
