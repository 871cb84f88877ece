"""How long writes hold the loop on a slow disk: `python -m tests.bench.slow_disk [SYNC_MS] [SECONDS]`.

A daemon in the market on a simulated venue, with every fsync and fdatasync made slower; the loop's lateness is what a
task that wants to run every 5 ms finds, beside how long each ratchet, commit and upkeep took. Needs a C compiler.
`--build FILE` only makes the library, for `make bench-slow-disk`.
"""

import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
import trio

from robson.bench.lives import open_journal
from robson.store import SqliteJournal
from tests.rig import Rig

POSITIONS = 20
STEP_SECONDS = 0.005


class Timed:
    """Measures what each call of a journal's method takes (ms)."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.taken: dict[str, list[float]] = {}
        for name in ("ratchet", "commit", "upkeep"):
            setattr(journal, name, self._timed(name, getattr(journal, name)))

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        taken = self.taken.setdefault(name, [])

        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                taken.append((time.perf_counter() - began) * 1000)

        return timed


async def _late(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + STEP_SECONDS
        await trio.sleep(STEP_SECONDS)
        late.append((time.perf_counter() - due) * 1000)


async def trail(directory: Path, seconds: float) -> dict[str, list[float]]:
    """Positions in the market while the price climbs; nothing but ratchets is written. Then some decisions."""
    journal = open_journal(directory / "robson.db")
    timed, late = Timed(journal), list[float]()
    async with Rig(directory, journal=journal).running() as rig, trio.open_nursery() as nursery:
        for _ in range(POSITIONS):
            await rig.active()
        for taken in timed.taken.values():
            taken.clear()
        nursery.start_soon(_late, late)
        ends, price = trio.current_time() + seconds, 95_000
        while trio.current_time() < ends:
            price += 1
            rig.tick(str(price))
            await trio.sleep(0.02)
        found = {"loop late by, trailing": list(late), **{k: list(v) for k, v in timed.taken.items() if v}}
        timed.taken["commit"].clear()
        late.clear()
        for _ in range(20):
            await rig.arm("ETHUSDT")
            await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    journal.close()
    return {**found, "commit": timed.taken["commit"], "loop late by, arming": late}


def build(library: Path) -> bool:
    """Make what LD_PRELOAD takes; False, with a line of why, without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("slow_disk: there is no C compiler", file=sys.stderr)
        return False
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return True


def main(sync_ms: int, seconds: float) -> int:
    """Build the slow disk, run the daemon on it and on the plain one, and print both."""
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "slow_disk.so"
        if not build(library):
            return 2
        for ms in (0, sync_ms):
            environment = {**os.environ, "LD_PRELOAD": str(library), "SLOW_SYNC_MS": str(ms)}
            command = [sys.executable, "-m", "tests.bench.slow_disk", "--run", str(seconds)]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            print(f"each sync {ms} ms longer, {POSITIONS} positions in the market")
            for name, taken in json.loads(done.stdout).items():
                taken.sort()
                p99 = taken[int(len(taken) * 0.99)]
                median = statistics.median(taken)
                print(
                    f"  {name:22} {len(taken):5} times, median {median:7.2f} ms, p99 {p99:7.2f}, most {taken[-1]:7.2f}"
                )
    return 0


def run(seconds: float) -> None:
    """One run, in the process that has the slow disk."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(trio.run(trail, Path(directory), seconds)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(float(sys.argv[2]))
    elif sys.argv[1:2] == ["--build"]:
        sys.exit(0 if build(Path(sys.argv[2])) else 2)
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, float(sys.argv[2]) if len(sys.argv) > 2 else 20.0))
