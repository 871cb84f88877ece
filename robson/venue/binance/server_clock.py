"""The venue's clock as seen from here: never ahead of it, and never far behind.

Each reading says that the venue's time lay between two of ours. The lower end is used, because a timestamp that is
ahead is refused at once while one that is a little behind is welcome (receive window).
"""

from collections import deque
from datetime import datetime

from robson.domain.values import Value

READINGS_KEPT = 16
# A cheap quartz loses less than this.
DRIFT_MS_PER_SECOND = 0.1
# The machine slept, or somebody set its clock: then the steady clock proves nothing about the venue's.
WALL_STEP_MS = 1_000


class Reading(Value):
    """One answer to "what time is it": asked and heard at steady times (seconds), with the venue's word in between."""

    asked: float
    heard: float
    server_ms: int
    wall_ms: int

    @property
    def earliest_ms(self) -> float:
        """Venue time less steady time (ms), at the least."""
        return self.server_ms - self.heard * 1000

    @property
    def latest_ms(self) -> float:
        """The same at the most; the venue counts whole milliseconds."""
        return self.server_ms + 1 - self.asked * 1000


class ServerClock:
    """Sans-io: takes readings, gives timestamps; `monotonic` in seconds, `wall` as the machine's wall clock says."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=READINGS_KEPT)
        self._doubted = False

    def read(self, *, asked: float, heard: float, server_ms: int, wall: datetime) -> None:
        """Take a reading; what contradicts it is forgotten (the venue's clock or ours has stepped)."""
        new = Reading(asked=asked, heard=heard, server_ms=server_ms, wall_ms=_milliseconds(wall))
        agreeing = [old for old in self._readings if _agree(old, new)]
        self._readings.clear()
        self._readings.extend(agreeing)
        self._readings.append(new)
        self._doubted = False

    def now_ms(self, monotonic: float, wall: datetime) -> int:
        """The venue's time, never later than it is there; the wall clock's own before the first reading."""
        best = self._best(monotonic)
        if best is None or self._has_stepped(monotonic, wall):
            return _milliseconds(wall)
        return int(best + monotonic * 1000)

    def needs_reading(self, monotonic: float, wall: datetime) -> bool:
        """Whether timestamps are guesses until the next reading."""
        return self._doubted or not self._readings or self._has_stepped(monotonic, wall)

    def doubt(self) -> None:
        """The venue said that a timestamp was wrong."""
        self._doubted = True

    @property
    def uncertainty_ms(self) -> float | None:
        """How far behind the venue timestamps may be at the most; None before the first reading."""
        if not self._readings:
            return None
        return min(r.latest_ms for r in self._readings) - max(r.earliest_ms for r in self._readings)

    def wall_offset_ms(self, monotonic: float, wall: datetime) -> int | None:
        """The venue's time less the machine's wall clock; None before the first reading."""
        best = self._best(monotonic)
        return None if best is None else int(best + monotonic * 1000) - _milliseconds(wall)

    def _best(self, monotonic: float) -> float | None:
        """Venue time less steady time (ms), at the least, by the reading that says most."""
        return max(
            (r.earliest_ms - DRIFT_MS_PER_SECOND * (monotonic - r.heard) for r in self._readings),
            default=None,
        )

    def _has_stepped(self, monotonic: float, wall: datetime) -> bool:
        if not self._readings:
            return False
        last = self._readings[-1]
        passed_ms = (monotonic - last.heard) * 1000
        return abs(_milliseconds(wall) - last.wall_ms - passed_ms) > WALL_STEP_MS


def _agree(old: Reading, new: Reading) -> bool:
    drift = DRIFT_MS_PER_SECOND * abs(new.heard - old.heard)
    return old.earliest_ms - drift <= new.latest_ms and new.earliest_ms <= old.latest_ms + drift


def _milliseconds(wall: datetime) -> int:
    return int(wall.timestamp() * 1000)
