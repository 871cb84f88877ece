"""What every benchmark is given: how often, on which disk, and how two things are measured in turn."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

ROUNDS = 5
PATIENCE_SECONDS = 600


def _say_nothing(_: str) -> None:
    pass


class Setting(msgspec.Struct, frozen=True):
    """How a benchmark is to measure: so many rounds, in `directory` (on the disk in question), `quick` for a look."""

    directory: Path
    rounds: int = ROUNDS
    quick: bool = False
    say: Callable[[str], None] = _say_nothing

    def size(self, whole: int, quick: int) -> int:
        """How many of something: `quick` is for a look whether it runs at all, and its figures are worth little."""
        return quick if self.quick else whole

    def in_turn(self, ours: Callable[[], float], bare: Callable[[], float]) -> tuple[tuple[float, ...], ...]:
        """One value a round of ours and of the bare baseline; who begins changes with each round.

        One round of each goes before and is not counted: it fills the caches.
        """
        ours(), bare()
        taken: list[tuple[float, float]] = []
        for number in range(self.rounds):
            if number % 2:
                value = bare()
                taken.append((ours(), value))
            else:
                value = ours()
                taken.append((value, bare()))
        return tuple(one for one, _ in taken), tuple(other for _, other in taken)

    @contextmanager
    def place(self, name: str) -> Iterator[Path]:
        """A directory of its own on the measured disk, removed afterwards."""
        with tempfile.TemporaryDirectory(prefix=f"rb-{name}-", dir=self.directory) as made:
            yield Path(made)

    def measured_apart(self, module: str, *arguments: str) -> bytes:
        """What a module of this package prints when it is run in a process of its own."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=PATIENCE_SECONDS)
        return done.stdout


def each_us(step: Callable[[], object], times: int) -> float:
    """The median of what one call of `step` takes, in microseconds."""
    taken: list[int] = []
    for _ in range(times):
        began = time.perf_counter_ns()
        step()
        taken.append(time.perf_counter_ns() - began)
    return statistics.median(taken) / 1000


def quantile(taken: list[float], share: float) -> float:
    """The value that `share` of what was taken does not exceed."""
    assert taken
    assert 0 <= share <= 1, share
    ordered = sorted(taken)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
