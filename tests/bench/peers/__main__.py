"""Robson's replay beside NautilusTrader's backtest, the same trades and the same rule, in turn: `make bench-peers`.

python -m tests.bench.peers [--rows N] [--rounds N] [--json FILE]. Nautilus lives in an environment of its own under
build/peers, made on first use (network). Both must find the same exits, by time and price, or nothing is printed but
the difference, and the exit code is 1.

They do different work. Robson reads the file, checks each row and compares each price: a what-if. Nautilus, its ticks
already in memory, passes each one through its data engine, cache, message bus, matching engine and accounts to a Python
strategy, which is the price of simulating fills. Nautilus' own run alone is what Robson is held against.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from robson.bench.figure import Figure, Target
from robson.bench.replay import ROWS, SYMBOL, WIDE, Case, outcomes, spread, write_walk
from robson.bench.setting import ROUNDS, Setting
from robson.bench.table import rows_of
from robson.domain.values import Side
from tests.witnesses.__main__ import NotInstalled, python_environment

ROOT = Path(__file__).resolve().parents[3]
PEER = "nautilus_trader==1.221.0"
NEAR = Decimal(30)
TARGET = Target(5, sense="least", beyond=10)

Fires = list[tuple[int, int, str]]


class Nautilus:
    """The other process: one backtest a question."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.load_seconds: float = self._answer()["load_seconds"]

    def ask(self, cases: list[Case], *, orders: bool, again: bool) -> Any:
        """Run one backtest."""
        plain = [(side.sign, row, str(distance)) for side, row, distance in cases]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"cases": plain, "orders": orders, "again": again}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"nautilus ended with {self._process.wait()}"
        return json.loads(line)


class Tape(NamedTuple):
    """The recording, and when each of its rows happened (ms)."""

    path: Path
    at_ms: list[int]
    cents: list[int]

    @classmethod
    def made(cls, place: Path, rows: int) -> "Tape":
        """Write it."""
        path = place / f"{SYMBOL}.csv"
        write_walk(path, rows)
        fields = [line.split(",") for line in path.read_text("ascii").splitlines()]
        return cls(path, [int(row[4]) for row in fields], [int(row[1].replace(".", "")) for row in fields])

    def one_after_the_other(self) -> list[Case]:
        """Where a long begins that is entered anew on the tick after each exit, by a loop of its own."""
        far = int(NEAR * 100)
        cases: list[Case] = []
        stop: int | None = None
        for row, cents in enumerate(self.cents):
            if stop is None:
                cases.append((Side.LONG, row, NEAR))
                stop = cents - far
            elif cents <= stop:
                stop = None
            else:
                stop = max(stop, cents - far)
        return cases


@contextmanager
def nautilus(path: Path) -> Iterator[Nautilus]:
    """Start it with its ticks loaded."""
    home = ROOT / "build" / "peers" / PEER.replace("==", "-")
    home.parent.mkdir(parents=True, exist_ok=True)
    python_environment(home, PEER)
    command = [str(home / "bin" / "python"), str(Path(__file__).with_name("nautilus.py")), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Nautilus(process)
        finally:
            process.kill()


def measured(setting: Setting, rows: int) -> Iterator[Figure]:
    """Rows a second of both, Nautilus as the baseline."""
    with setting.place("peers") as place:
        tape = Tape.made(place, rows)
        with nautilus(tape.path) as peer:
            one: list[Case] = [(Side.LONG, 0, WIDE)]
            chain = tape.one_after_the_other()
            yield _beside(setting, tape, peer, "one", one, one, orders=True)
            yield _beside(setting, tape, peer, "one_no_orders", one, one, orders=False)
            yield _beside(setting, tape, peer, "one_after_another", chain, [(Side.LONG, 0, NEAR)], orders=True)
            many = spread(rows)
            yield _beside(setting, tape, peer, "hundred", many, many, orders=True)
            yield _from_file(setting, tape, peer, one)


_WORDS = {
    "one": "one case; Nautilus with its orders",
    "one_no_orders": "one case; Nautilus only watches",
    "one_after_another": "entered again after each exit",
    "hundred": "100 cases at once",
}


def _beside(
    setting: Setting, tape: Tape, peer: Nautilus, name: str, cases: list[Case], asked: list[Case], *, orders: bool
) -> Figure:
    rows = len(tape.at_ms)
    again = len(cases) > 1 and len(asked) == 1
    wanted = _ours(tape, cases)

    def ours() -> float:
        began = time.perf_counter()
        outcomes(tape.path, cases)
        return rows / (time.perf_counter() - began)

    def theirs() -> float:
        answer = peer.ask(asked, orders=orders, again=again)
        assert answer["ticks"] == rows, answer["ticks"]
        fires = sorted((number, at // 1_000_000, price) for number, _, at, price in answer["fires"])
        if fires != wanted:
            raise AssertionError(f"{name}: other exits: {set(fires) ^ set(wanted)}")
        assert answer["filled"] or not orders, "its orders were not filled"
        return float(rows / answer["run_seconds"])

    found, bare = setting.in_turn(ours, theirs)
    target = TARGET if name.startswith("one") and not again else None
    return Figure(
        f"peers.{name}", _WORDS[name], "rows/s", found, bare, target, f"{len(wanted)} exits, the same in both"
    )


def _ours(tape: Tape, cases: list[Case]) -> Fires:
    fires: Fires = []
    for number, outcome in enumerate(outcomes(tape.path, cases)):
        if outcome is not None:
            row, price = outcome
            fires.append((number, tape.at_ms[row], f"{price:.2f}"))
    return fires


def _from_file(setting: Setting, tape: Tape, peer: Nautilus, one: list[Case]) -> Figure:
    rows = len(tape.at_ms)

    def ours() -> float:
        began = time.perf_counter()
        outcomes(tape.path, one)
        return rows / (time.perf_counter() - began)

    def theirs() -> float:
        answer = peer.ask(one, orders=True, again=False)
        return float(rows / (peer.load_seconds + answer["add_seconds"] + answer["run_seconds"]))

    found, bare = setting.in_turn(ours, theirs)
    note = f"both from the file; Nautilus' reading, {peer.load_seconds:.2f} s, was taken once"
    return Figure("peers.from_file", "one case, both from the file", "rows/s", found, bare, note=note)


def main() -> int:
    """Print the table, and write it; 1 where the exits differ, 3 where the peer cannot be installed."""
    parser = argparse.ArgumentParser(prog="tests.bench.peers", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-peers.json")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="rpeers-") as made:
        setting = Setting(directory=Path(made), rounds=arguments.rounds)
        try:
            for figure in measured(setting, arguments.rows):
                figures.append(figure)
                print(f"{figure.what}: {figure.ratio:.2f}x {figure.verdict}".rstrip(), file=sys.stderr, flush=True)
        except NotInstalled as error:
            print(f"{PEER} was not installed:\n{error}", file=sys.stderr)
            return 3
        except AssertionError as error:
            print(f"the two differ: {error}", file=sys.stderr)
            return 1
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    report = {"peer": PEER, "rows": arguments.rows, "rounds": arguments.rounds, "figures": figures}
    arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    print(f"robson replay and {PEER}, {arguments.rows:,} rows, {arguments.rounds} rounds in turn; bare: Nautilus' run")
    print("\n".join(rows_of(figures)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
