"""How many recorded trades a second `robson replay` takes, beside a script that reads, splits and compares."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

from robson.bench.figure import Figure
from robson.bench.setting import Setting
from robson.domain.values import Side
from robson.engine.what_if import Trial, replay, stretches
from robson.feed.tape import Tape

ROWS = 400_000
_QUICK_ROWS = 20_000
CASES = 100
SYMBOL = "BTCUSDT"
_START_CENTS = 50_000_00
_STEP_CENTS = 150
# It ends with a fall that no long survives whose stop is nearer than this.
_FALL_ROWS = 200
_FALL_CENTS = 60_00
WIDE = Decimal(5000)
_STARTS_MS = 1_700_000_000_000
_BARE = "bare: for each line, split it, an integer of the price, compare with stop and extreme"

Case = tuple[Side, int, Decimal]


def measure(setting: Setting) -> Iterable[Figure]:
    """Rows a second, from opening the file to the last outcome; both sides must find the same exits."""
    rows = setting.size(ROWS, _QUICK_ROWS)
    with setting.place("replay") as place:
        path = place / f"{SYMBOL}.csv"
        write_walk(path, rows)
        one = [(Side.LONG, 0, WIDE)]
        for name, what, cases in (("one", "one case", one), ("hundred", f"{CASES} cases", spread(rows))):
            assert outcomes(path, cases) == _bare(path, cases), f"{what}: other exits than the bare script's"
            ours, bare = setting.in_turn(
                partial(_rate, outcomes, path, cases, rows), partial(_rate, _bare, path, cases, rows)
            )
            yield Figure(f"replay.{name}", f"replay, {what}", "rows/s", ours, bare, note=_BARE if name == "one" else "")


def write_walk(path: Path, rows: int) -> None:
    """Trades as in Binance's public files: a seeded walk of that many rows, with a fall at its end."""
    luck = random.Random("replay")  # noqa: S311  invented prices
    cents, at_ms = _START_CENTS, _STARTS_MS
    with path.open("w", encoding="ascii") as file:
        for row in range(rows):
            cents += luck.randint(-_STEP_CENTS, _STEP_CENTS) if row < rows - _FALL_ROWS else -_FALL_CENTS
            at_ms += luck.randint(1, 200)
            quantity, quote = luck.randint(1, 99_999), luck.randint(100, 9_999_999)
            text = f"{cents // 100}.{cents % 100:02},0.{quantity:05},{quote // 100}.{quote % 100:02},{at_ms}"
            file.write(f"{row + 1},{text},{'True' if luck.random() < 0.5 else 'False'},True\n")  # noqa: PLR2004


def spread(rows: int) -> list[Case]:
    """A hundred longs and shorts, entered over the first half, with stops from near to far."""
    sides = (Side.LONG, Side.SHORT)
    return [(sides[n % 2], n * rows // (2 * CASES), Decimal(100 + 37 * (n * 7 % CASES))) for n in range(CASES)]


def outcomes(path: Path, cases: Sequence[Case]) -> list[tuple[int, Decimal] | None]:
    """Row and price of each exit, as `robson replay` finds them."""
    trials = [Trial(None, side, row, distance) for side, row, distance in cases]
    replay(trials, stretches(Tape(path).prices(SYMBOL)))
    found: list[tuple[int, Decimal] | None] = []
    for trial in trials:
        outcome = trial.outcome
        assert outcome is not None
        row, price = outcome.exit_row, outcome.exit_price
        found.append(None if row is None or price is None else (row, price))
    return found


def _rate(find: Callable[[Path, Sequence[Case]], object], path: Path, cases: Sequence[Case], rows: int) -> float:
    began = time.perf_counter()
    find(path, cases)
    return rows / (time.perf_counter() - began)


def _bare(path: Path, cases: Sequence[Case]) -> list[tuple[int, Decimal] | None]:
    """The same by hand: prices are whole cents, a short is a long of negative prices."""
    found: list[tuple[int, Decimal] | None] = [None] * len(cases)
    waiting = sorted(((row, n, side.sign, int(far * 100)) for n, (side, row, far) in enumerate(cases)), reverse=True)
    active: list[list[int]] = []
    with path.open("rb") as lines:
        for row, line in enumerate(lines):
            cents = int(line.split(b",", 2)[1].replace(b".", b""))
            left = False
            for one in active:
                seen = cents * one[1]
                if seen <= one[3]:
                    found[one[0]] = (row, Decimal(cents) / 100)
                    one[0], left = -1, True
                elif seen > one[4]:
                    one[4] = seen
                    one[3] = seen - one[2]
            if left:
                active = [one for one in active if one[0] >= 0]
            while waiting and waiting[-1][0] == row:
                _, number, sign, far = waiting.pop()
                active.append([number, sign, far, cents * sign - far, cents * sign])
    return found
