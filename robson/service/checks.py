"""Checks of what lies around the daemon: the machine's clock, the journal's disk, and how late the loop runs."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import trio

from robson.protocol.results import Check

# Requests are signed by the venue's clock; what a person reads off logs and journal is not.
CLOCK_MOST_SECONDS = 5.0
MEGABYTE = 1_000_000
# Below this the log beside the journal may not fit.
FREE_LEAST_MEGABYTES = 50
LOOK_SECONDS = 0.5
# Of so long ago delays are remembered; half a watchdog's patience is too much.
REMEMBERED_SECONDS = 60.0
DELAY_MOST_SECONDS = 5.0


def clock_check(offset_seconds: Callable[[], float | None]) -> Callable[[], Check]:
    """How far the machine's clock is from the venue's; `offset_seconds` is None before the first reading."""

    def check() -> Check:
        offset = offset_seconds()
        if offset is None:
            return Check(ok=True, detail="not compared with the venue's yet")
        told = f"{abs(offset):.3f} s {'behind' if offset > 0 else 'ahead of'} the venue's"
        return Check(ok=abs(offset) <= CLOCK_MOST_SECONDS, detail=told)

    return check


def disk_check(state: Path) -> Callable[[], Check]:
    """Whether the disk of a state directory has room for the journal."""

    def check() -> Check:
        try:
            found = os.statvfs(state)
        except OSError as error:
            return Check(ok=False, detail=f"{state} could not be looked at: {error.strerror}")
        free = found.f_bavail * found.f_frsize // MEGABYTE
        return Check(ok=free >= FREE_LEAST_MEGABYTES, detail=f"{free} MB free")

    return check


class LoopDelay:
    """Samples how late the event loop runs a task that is due."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=int(REMEMBERED_SECONDS / LOOK_SECONDS))

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            due = trio.current_time() + LOOK_SECONDS
            await trio.sleep_until(due)
            self._delays.append(trio.current_time() - due)

    def check(self) -> Check:
        """The worst delay of the last minute."""
        worst = max(self._delays, default=0.0)
        return Check(ok=worst <= DELAY_MOST_SECONDS, detail=f"at most {worst * 1000:.0f} ms late in the last minute")
