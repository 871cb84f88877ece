"""How long a journal of a million events takes to recover, beside plain sqlite3 that reads the rows that are needed.

Each side runs in a process of its own. More events than by default: `python -m robson.bench.recovery 10000000 DIR`.
"""

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

from robson.bench.figure import Figure, Target
from robson.bench.setting import Setting

EVENTS = 1_000_000
OPEN_POSITIONS = 50
# How many events each open position has: a day in the market, and a long run.
LIVES = (200, 2_000)


def measure(setting: Setting) -> Iterable[Figure]:
    """From a closed file to positions in memory."""
    events = setting.size(EVENTS, 20_000)
    return figures(setting, events, LIVES if not setting.quick else (100,))


def figures(setting: Setting, events: int, lives: Iterable[int]) -> Iterable[Figure]:
    """One journal for each length of the open positions' lives."""
    from robson.bench.big_journal import build

    for number, life_events in enumerate(lives):
        with setting.place("recovery") as place:
            path = place / "robson.db"
            build(path, events=events, open_positions=OPEN_POSITIONS, life_events=life_events)
            size = path.stat().st_size / 1e6
            ours, bare = setting.in_turn(partial(_ms, setting, "recover", path), partial(_ms, setting, "plain", path))
        what = f"recovery of {events:,} events ({size:,.0f} MB), {OPEN_POSITIONS} open of {life_events:,} each"
        note = "bare: the open positions' rows, read by plain sqlite3"
        yield Figure(f"recovery.open_{life_events}", what, "ms", ours, bare, Target(3), note)
        if number == 0:
            yield Figure(f"recovery.open_{life_events}_time", "the same, as time", "ms", ours, (), Target(100, "value"))


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
    from robson.bench.lives import open_journal
    from robson.clock import RunClock
    from robson.daemon.record import Record
    from robson.store.seal import FileSeal

    journal = open_journal(path)
    record = Record(journal, journal.recover(), RunClock(), FileSeal(path.parent, place=path.parent))
    for position in record.recovery.positions:
        journal.unprotected_seconds(position.position_id)
    return len(record.recovery.positions)


def _ms(setting: Setting, what: str, path: Path) -> float:
    told: dict[str, float] = json.loads(setting.measured_apart("robson.bench.recovery", "--measure", what, str(path)))
    return told["ms"]


def _measure_one(what: str, path: Path) -> None:
    if what == "recover":
        # What is imported when the daemon starts is not the journal's.
        import robson.bench.lives
        import robson.daemon.record
        import robson.store.seal  # noqa: F401
    began = time.perf_counter()
    found = {"plain": plain, "recover": recover}[what](path)
    print(json.dumps({"ms": (time.perf_counter() - began) * 1000, "found": found}))


def _long(events: int, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as made:
        for figure in figures(Setting(Path(made)), events, (LIVES[0],)):
            ratio = f", {figure.ratio:.2f} x bare" if figure.ratio is not None else ""
            print(f"{figure.what}: {figure.value:,.1f} ms{ratio}")


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        _measure_one(sys.argv[2], Path(sys.argv[3]))
    else:
        _long(int(sys.argv[1]), Path(sys.argv[2]))
