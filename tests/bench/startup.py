"""How long one-shot commands of robsonctl take to start, against Python itself: `python -m tests.bench.startup`.

Everything is run in turn, again and again, so that whatever else the machine does falls on all alike. Bytecode is
cached, as in an installation.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.end_to_end.daemon import daemon

ROUNDS = 41
RATIO_MOST = 4.0
_COMMANDS = {
    "--version": ["--version"],
    "--help": ["--help"],
    "ping": ["ping"],
    "status": ["status"],
    "status --json": ["status", "--json"],
    "health": ["health"],
    "events": ["events"],
    "disarm": ["disarm", "nobody"],
}


def measure(socket: Path, cache: Path, rounds: int = ROUNDS) -> dict[str, tuple[float, float]]:
    """The median milliseconds of each command, and how many times those of `python -c pass` they are."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    env = {**inherited, "PYTHONPYCACHEPREFIX": str(cache), "ROBSON_SOCKET": str(socket)}
    ran = {"python -c pass": [sys.executable, "-c", "pass"]}
    # As the installed script does it.
    start = "import sys; from robsonctl.__main__ import main; sys.exit(main())"
    ran |= {name: [sys.executable, "-c", start, *arguments] for name, arguments in _COMMANDS.items()}
    took: dict[str, list[float]] = {name: [] for name in ran}
    for number in range(rounds + 1):
        for name, command in ran.items():
            begun = time.perf_counter()
            subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            # The first round fills the caches.
            if number:
                took[name].append(time.perf_counter() - begun)
    base = statistics.median(took["python -c pass"])
    return {name: (statistics.median(times) * 1000, statistics.median(times) / base) for name, times in took.items()}


def main() -> int:
    """Print a line a command; 1 when one takes more than four times as long as Python alone."""
    with (
        tempfile.TemporaryDirectory(prefix="rstart-") as name,
        daemon(Path(name) / "state", "--feed", "synthetic") as running,
    ):
        running.arm("BTCUSDT")
        found = measure(running.socket, Path(name) / "cache")
    for name, (milliseconds, ratio) in found.items():
        print(f"{name:<16} {milliseconds:7.1f} ms  {ratio:5.2f} times python -c pass")
    return int(any(ratio > RATIO_MOST for _, ratio in found.values()))


if __name__ == "__main__":
    sys.exit(main())
