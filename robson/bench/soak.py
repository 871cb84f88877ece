"""A daemon that trades through simulated days at the greatest speed, and whether its memory stays flat.

python -m robson.bench.soak [--days 30] [--state-dir DIR] prints one line a simulated day, and the slope after the 14th.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from robson.bench.resident import Line, Resident, resident

_FEED = ("--feed", "synthetic", "--seed", "soak", "--speed", "max", "--log-level", "error")
_SYMBOLS = ("BTCUSDT", "ETHUSDT")
_PER_SYMBOL = 3
# What a day may add and still be called flat: a fiftieth of the idle daemon, which Python's own allocator moves by.
KIB_FLAT = 1024.0
# The invented market keeps 20,000 minutes of each pair, where a real one is asked: until then it grows by them.
FILLED_HOURS = 20_000 / 60
_SECONDS_PER_LOOK = 0.25
# A quiet machine needs less than a minute for a simulated day.
_PATIENCE_SECONDS, _PATIENCE_SECONDS_A_DAY = 7200.0, 900.0


class Soaked(NamedTuple):
    """What came of it."""

    hours: float
    seconds: float
    kib_per_day: float
    closed: int
    last_kib: int

    @property
    def ticks_text(self) -> str:
        """How fast, and what happened, in words."""
        return f"{self.hours * 3600 / self.seconds:,.0f} times real time, {self.closed} positions closed"


def soak(place: Path, *, hours: float, say: Callable[[str], None]) -> Soaked:
    """Keep positions coming for so many simulated hours.

    Raises RuntimeError when the daemon ends, or is slower than a quarter of an hour a simulated day, after two hours.
    """
    looks: list[tuple[float, int]] = []
    with resident(place, *_FEED) as daemon, Line(daemon.socket) as line:
        began, first = time.monotonic(), _moment(line)
        told, patience = 0, max(_PATIENCE_SECONDS, hours / 24 * _PATIENCE_SECONDS_A_DAY)
        while (gone := (_moment(line) - first) / 3600) < hours:
            if time.monotonic() - began > patience:
                raise RuntimeError(f"{hours:g} simulated hours took longer than {patience:g} s")
            _replenish(line)
            looks.append((gone, daemon.memory()["Rss"]))
            if gone // 24 > told:
                told = int(gone // 24)
                say(f"day {told}: {looks[-1][1] / 1024:.1f} MiB after {time.monotonic() - began:.0f} s")
            time.sleep(_SECONDS_PER_LOOK)  # noqa: TID251  real time: the daemon's is racing
        seconds = time.monotonic() - began
        closed = _closed(daemon)
    start = FILLED_HOURS if hours > FILLED_HOURS else hours / 4
    counted = [look for look in looks if look[0] >= start] or looks
    return Soaked(gone, seconds, _slope(counted) * 24, closed, looks[-1][1])


def _replenish(line: Line) -> None:
    """As many armed or live positions on each pair as in the beginning; a long time passes between two looks."""
    status: dict[str, Any] = line.result("status")
    for symbol in _SYMBOLS:
        here = sum(one["symbol"] == symbol for one in status["positions"])
        for _ in range(_PER_SYMBOL - here):
            line.result("arm", symbol=symbol, side="long", strategy="immediate", capital="1000")


def _moment(line: Line) -> float:
    at: str = line.result("ping")["at"]
    return datetime.fromisoformat(at).timestamp()


def _closed(daemon: Resident) -> int:
    with Line(daemon.socket) as line:
        journal = line.result("journal")
    return int(journal["positions"]) - int(journal["open_positions"])


def _slope(looks: list[tuple[float, int]]) -> float:
    """KiB an hour."""
    if len({at for at, _ in looks}) < 2:  # noqa: PLR2004 - a line has two ends
        return 0.0
    return statistics.linear_regression([at for at, _ in looks], [kib for _, kib in looks]).slope


def main() -> int:
    """Print what each day held; 1 when it was not flat once the market's own memory was full."""
    parser = argparse.ArgumentParser(prog="robson.bench.soak", description=__doc__)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--state-dir", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rsoak-", dir=arguments.state_dir) as made:
        found = soak(Path(made), hours=arguments.days * 24, say=lambda line: print(line, flush=True))
    print(f"{found.hours / 24:.1f} days at {found.ticks_text}: {found.kib_per_day:+.0f} KiB a day")
    return int(found.hours > FILLED_HOURS and found.kib_per_day > KIB_FLAT)


if __name__ == "__main__":
    sys.exit(main())
