"""How long things take to start: one-shot commands, beside Python that does nothing, and the daemon."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from robson.bench.figure import Figure, Target
from robson.bench.resident import environment_alone, resident
from robson.bench.setting import Setting

_AS_INSTALLED = "import sys; from robsonctl.__main__ import main; sys.exit(main())"
_BARE = "import os, socket, sys, trio, msgspec, sqlite3, structlog\n"
_PASS = (sys.executable, "-c", "pass")
_ASKED, _QUICK_ASKED = 3, 1
_HEAVIEST = 8


def measure(setting: Setting) -> Iterable[Figure]:
    """The whole process, from its start to its end, in milliseconds; bytecode is cached, as in an installation."""
    with setting.place("start") as place:
        run = _Runs(place, setting.size(_ASKED, _QUICK_ASKED))
        with resident(place, "--feed", "synthetic") as daemon:
            daemon.arm(1)
            asked = ("--socket", str(daemon.socket))
            for name, words in (
                ("version", ("--version",)),
                ("status", (*asked, "status")),
                ("ping", (*asked, "ping")),
            ):
                command = (sys.executable, "-c", _AS_INSTALLED, *words)
                ours, bare = setting.in_turn(run.timed(command), run.timed(_PASS))
                note = "bare: python -c pass" if name == "version" else ""
                shown = f"robsonctl {words[-1]}"
                yield Figure(f"start.robsonctl_{name}", shown, "ms", ours, bare, Target(4), note)
        yield from _daemon(setting, run, place)


class _Runs:
    """Processes of this very code, with their bytecode where nobody else's is."""

    def __init__(self, place: Path, times: int) -> None:
        self._times = times
        self.environment = {**environment_alone(), "PYTHONPYCACHEPREFIX": str(place / "cache")}

    def timed(self, command: Sequence[str]) -> Callable[[], float]:
        """What takes the median milliseconds of several runs."""

        def take() -> float:
            taken = sorted(self._ms(command) for _ in range(self._times))
            return taken[len(taken) // 2]

        return take

    def _ms(self, command: Sequence[str]) -> float:
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=self.environment)
        return (time.perf_counter() - began) * 1000

    def imports(self, module: str) -> str:
        """The heaviest packages of an import, by their own share of it (ms)."""
        command = (sys.executable, "-X", "importtime", "-c", f"import {module}")
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=self.environment)
        own: dict[str, int] = {}
        for line in done.stderr.splitlines():
            if line.startswith("import time:") and line.count("|") == 2 and "[us]" not in line:  # noqa: PLR2004
                took, _, name = line.removeprefix("import time:").split("|")
                package = name.strip().partition(".")[0]
                own[package] = own.get(package, 0) + int(took)
        heaviest = sorted(own.items(), key=lambda one: -one[1])[:_HEAVIEST]
        return ", ".join(f"{name} {took / 1000:.0f}" for name, took in heaviest)


def _daemon(setting: Setting, run: _Runs, place: Path) -> Iterator[Figure]:
    libraries = (sys.executable, "-c", _BARE)
    ours, bare = setting.in_turn(run.timed((sys.executable, "-c", "import robson.commands.run")), run.timed(libraries))
    note = f"bare: trio, msgspec, structlog, sqlite3; own time by package, ms: {run.imports('robson.commands.run')}"
    yield Figure("start.import", "import of all that robson run needs", "ms", ours, bare, note=note)
    number = iter(range(1_000_000))

    def ready() -> float:
        here = place / f"ready-{next(number)}"
        here.mkdir()
        with resident(here, "--feed", "synthetic", settings=run.environment) as daemon:
            return daemon.ready_seconds * 1000

    ours, bare = setting.in_turn(ready, run.timed(libraries))
    note = "with an empty journal: created, migrated, synced; bare: as above"
    target = Target(1000, of="value")
    yield Figure("start.ready", "robson run, from start to READY", "ms", ours, bare, target, note)
