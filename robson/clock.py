"""The run's time: the machine's own, or that of a recorded tape on which everything that waits runs along."""

import math
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import trio

from robson.domain.errors import ConfigurationError
from robson.domain.values import PLAIN_DECIMAL

SPEED_LIMIT = Decimal(1_000_000)

# How much a tape that was held up may hurry afterwards, in real seconds. Waking up late by a millisecond per tick must
# not add up; a machine that slept must not replay the minutes that it missed in one breath.
_CATCH_UP_SECONDS = 0.25

# How far time creeps per reading while some task is always runnable. Small beside any two deadlines that must not
# expire together, yet enough that a client which never pauses cannot stop the clock.
_BUSY_STEP_SECONDS = 0.001


# For systems that do not keep a process's start: this module is among the first to be imported.
_IMPORTED = time.perf_counter()


def process_age_seconds() -> float:
    """Real seconds since this process was started, by the kernel's own record (to 10 ms), whatever the run's clock."""
    try:
        # The name of the program, in parentheses, may hold anything; the start is the 20th field after it.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, IndexError, AttributeError):
        return time.perf_counter() - _IMPORTED


def parse_speed(text: str) -> float:
    """Tape seconds per real second: a positive decimal number, or `max`, which is infinity.

    Raises ConfigurationError naming the value and what is allowed.
    """
    if text == "max":
        return math.inf
    if PLAIN_DECIMAL.fullmatch(text):
        speed = Decimal(text)
        if Decimal("0.001") <= speed <= SPEED_LIMIT:
            return float(speed)
    raise ConfigurationError(f'speed was {text[:40]!r}, which must be a number from 0.001 to {SPEED_LIMIT} or "max"')


class TapeClock(trio.abc.Clock):
    """Trio's clock for a run on a tape, so that every delay, timeout and back-off is in tape time.

    Time stands while tasks run and moves only when all of them wait: by the real time that has passed times the speed,
    yet never beyond the earliest deadline, and never beyond the horizon, the moment of the next tick that the feed has
    not delivered. A slow machine thus makes the tape wait; it makes nobody late. At speed `max` each such move goes to
    the next deadline or to the horizon at once. Where the feed sets no horizon (before the tape begins, after its end,
    when nothing is subscribed), `max` means the speed of real time: with nothing to wait for it would race away.

    The wall clock of the tape stands at `start` until `begin`; deadlines run all the same, at the speed of real time,
    because whatever comes before the first tick may have to wait for something too.
    """

    def __init__(
        self, start: datetime, speed: float, *, begun: bool = False, real: Callable[[], float] = time.perf_counter
    ) -> None:
        """`start` is the tape's first moment (UTC), `speed` tape seconds per real second, infinity for `max`.

        With `begun` the wall clock of the tape runs from the start of the run; otherwise `begin` lets it run.
        """
        assert speed > 0, speed
        self._start = start
        self._speed = speed
        self._real = real
        self._now = 0.0
        self._horizon: float | None = None
        # How far the next reading may move; None while tasks run.
        self._limit: float | None = None
        self._zero: float | None = 0.0 if begun else None
        self._anchor(0.0)

    @property
    def is_max(self) -> bool:
        """Whether the tape runs as fast as it can."""
        return math.isinf(self._speed)

    def start_clock(self) -> None:
        """Called by Trio when the run begins."""
        self._anchor(self._real())

    def current_time(self) -> float:
        """Seconds since the run began; Trio reads it once after each wait, and tasks read it as often as they like."""
        if self._limit is not None:
            limit, self._limit = self._limit, None
            self._move(limit)
        elif not math.isinf(self._pace()):
            self._move(min(self._now + _BUSY_STEP_SECONDS, self._ceiling()))
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Real seconds until `deadline`; Trio asks whenever no task is runnable."""
        self._limit = min(deadline, self._ceiling())
        self._move(self._limit)
        if deadline <= self._now:
            return 0.0
        if deadline > self._ceiling():
            # Only the feed can move the horizon, and it is a task: something else has to wake the loop first.
            return math.inf
        return (deadline - self._now) / self._pace()

    def begin(self) -> float:
        """Let the tape's wall clock run from now on; gives the clock reading of the tape's first moment."""
        if self._zero is None:
            self._zero = self.current_time()
            self._anchor(self._real())
        return self._zero

    def hold(self, moment: float) -> None:
        """Time may not pass `moment` (a clock reading) until the next `hold` or `release`."""
        if self._horizon is None:
            self._anchor(self._real())
        self._horizon = moment

    def jump(self, moment: float) -> None:
        """Be at `moment` now. Only for `max`, by a feed that knows that nobody waits for an earlier one."""
        assert self.is_max
        self._now = max(self._now, min(moment, self._ceiling()))

    def release(self) -> None:
        """Let time run on without a next tick."""
        if self._horizon is not None:
            self._horizon = None
            self._anchor(self._real())

    def now(self) -> datetime:
        """The tape's wall clock, UTC."""
        if self._zero is None:
            return self._start
        return self._start + timedelta(seconds=self.current_time() - self._zero)

    def _pace(self) -> float:
        if self._zero is None or (self.is_max and self._horizon is None):
            return 1.0
        return self._speed

    def _ceiling(self) -> float:
        return math.inf if self._horizon is None else self._horizon

    def _anchor(self, real: float) -> None:
        self._anchor_real = real
        self._anchor_now = self._now

    def _move(self, limit: float) -> None:
        pace = self._pace()
        if math.isinf(pace):
            self._now = max(self._now, limit)
            return
        real = self._real()
        goal = self._anchor_now + (real - self._anchor_real) * pace
        self._now = max(self._now, min(goal, limit))
        if goal - self._now > _CATCH_UP_SECONDS * pace:
            self._anchor(real - _CATCH_UP_SECONDS)


class RunClock:
    """The run's wall time and its steady time; on a tape both are the tape's.

    Without a tape the wall clock may step; ages and delays are therefore measured with `monotonic` alone.
    """

    def __init__(self, tape: TapeClock | None = None) -> None:
        self._tape = tape

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return self._tape.now() if self._tape is not None else datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back; the same clock that trio.sleep follows."""
        return trio.current_time()
