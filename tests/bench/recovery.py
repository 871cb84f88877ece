"""How long recovery takes beside plain sqlite3: `python -m tests.bench.recovery [EVENTS] [ROUNDS]`.

Each round reads the open positions' events with nothing but sqlite3 and then recovers the same journal, each in a
process of its own, so that both have the same warm disk cache and their own peak of memory.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from robson.daemon.record import Record
from robson.store.seal import FileSeal
from tests.bench.big_journal import build, open_journal
from tests.contract.journal.shelves import FixedClock

OPEN_POSITIONS = 50
# How many events each open position has: a day in the market, a long run, and a journal that is nothing else.
LIVES = (200, 2_000, 20_000)
RATIO_MAX = 3.0


def plain(path: Path) -> int:
    """Read the events of every open position with nothing but sqlite3; how many there were."""
    read = 0
    with closing(sqlite3.connect(path)) as connection:
        ids = connection.execute("SELECT position_id FROM positions WHERE state <> 'Closed'").fetchall()
        for owner in ids:
            query = "SELECT seq, at, type, data FROM events WHERE position_id = ? ORDER BY seq"
            for _ in connection.execute(query, owner):
                read += 1
    return read


def recover(path: Path) -> int:
    """Open the journal as the daemon does and fold what is open; how many positions there were."""
    journal = open_journal(path)
    record = Record(journal, journal.recover(), FixedClock(), FileSeal(path.parent, place=path.parent))
    for position in record.recovery.positions:
        journal.unprotected_seconds(position.position_id)
    return len(record.recovery.positions)


def peak_kib() -> int:
    """The most memory that this process has had in use (KiB)."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def measure(what: str, path: Path) -> None:
    """Do one of the two and print seconds and peak memory."""
    before = peak_kib()
    began = time.perf_counter()
    found = {"plain": plain, "recover": recover}[what](path)
    seconds = time.perf_counter() - began
    peak = peak_kib()
    print(json.dumps({"seconds": seconds, "found": found, "peak_kib": peak, "grown_kib": peak - before}))


def run(what: str, path: Path) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.recovery", "--measure", what, str(path)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return found


def tell(title: str, pairs: list[tuple[dict[str, float], dict[str, float]]]) -> float:
    """Print both sides of some rounds; gives the ratio of their medians."""
    print(title)
    medians: list[float] = []
    for name, measured in zip(("plain sqlite3", "recovery"), zip(*pairs, strict=True), strict=True):
        medians.append(statistics.median(one["seconds"] for one in measured))
        peak, grown = (max(one[kind] for one in measured) / 1024 for kind in ("peak_kib", "grown_kib"))
        print(f"  {name:13} {medians[-1] * 1000:8.1f} ms   peak {peak:.0f} MiB, of which {grown:.1f} MiB for this")
    ratios = [second["seconds"] / first["seconds"] for first, second in pairs]
    ratio: float = medians[1] / medians[0]
    print(f"  ratio         {ratio:8.2f}      rounds {min(ratios):.2f} to {max(ratios):.2f}, {len(pairs)} of them")
    return ratio


def main(events: int, rounds: int) -> int:
    """Print the medians, their ratio and the peaks; 1 when a ratio is above RATIO_MAX."""
    worst = 0.0
    for life_events in LIVES:
        if life_events * OPEN_POSITIONS > events:
            continue
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "robson.db"
            build(path, events=events, open_positions=OPEN_POSITIONS, life_events=life_events)
            size = path.stat().st_size
            run("plain", path), run("recover", path)
            pairs = [(run("plain", path), run("recover", path)) for _ in range(rounds)]
        ratio = tell(
            f"{events:,} events ({size / 1e6:,.0f} MB), {OPEN_POSITIONS} open with {life_events:,} each", pairs
        )
        worst = max(worst, ratio)
    return 1 if worst > RATIO_MAX else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(
            main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 7)
        )
