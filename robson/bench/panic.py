"""A hundred positions leave at once: how long until the last order is handed to the venue, beside one exit alone."""

import shutil
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import trio

from robson.bench.figure import Figure, Target
from robson.bench.lives import active, fill_journal
from robson.bench.setting import Setting
from robson.bench.world import World
from robson.domain.values import ExitReason

POSITIONS = 100
SINGLES = 10
_TARGET = Target(10)


def measure(setting: Setting) -> Iterable[Figure]:
    """Each round a daemon of its own: some exits one by one, then all the others by panic."""
    positions, singles = setting.size(POSITIONS, 10), setting.size(SINGLES, 2)
    taken = []
    with setting.place("panic") as place:
        prepared = place / "prepared.db"
        everybody = positions + singles
        fill_journal(prepared, (active(number, everybody) for number in range(everybody)))
        # The first is not counted: it fills the caches.
        for number in range(setting.rounds + 1):
            path = place / f"{number}.db"
            shutil.copy(prepared, path)
            taken.append(trio.run(_leave, path, positions, singles))
    one, first, last, decided = zip(*taken[1:], strict=True)
    yield Figure(
        "panic.last_order",
        f"panic of {positions}: the last order handed over",
        "ms",
        last,
        one,
        _TARGET,
        "bare: one exit of the same daemon, from the request to the venue",
    )
    yield Figure("panic.first_order", f"panic of {positions}: the first order handed over", "ms", first, one)
    yield Figure("panic.durable", f"panic of {positions}: every exit decided and durable", "ms", decided, one)


async def _leave(path: Path, positions: int, singles: int) -> tuple[float, float, float, float]:
    """Milliseconds: one exit; of a panic the first order, the last one, and until all is durable."""
    async with World(path).running() as world:
        venue, supervisor, alone = world.venue, world.supervisor, []
        for life in list(supervisor.lives.values())[:singles]:
            venue.want(1)
            began = time.perf_counter()
            supervisor.request_exit(life, ExitReason.OPERATOR_CLOSE)
            await venue.all_handed.wait()
            alone.append(venue.handed[0][0] - began)
        venue.want(positions)
        began = time.perf_counter()
        supervisor.panic()
        decided = time.perf_counter() - began
        await venue.all_handed.wait()
        moments = (statistics.median(alone), venue.handed[0][0] - began, venue.handed[-1][0] - began, decided)
    one, first, last, durable = (moment * 1000 for moment in moments)
    return one, first, last, durable
