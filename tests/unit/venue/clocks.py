"""A wall clock on Trio's own time, for tests that let hours pass with `autojump_clock`."""

from datetime import UTC, datetime, timedelta

import trio

START = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)


class VirtualClock:
    """Stands at START when the test's run begins (ports.Clock)."""

    def now(self) -> datetime:
        return START + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()
