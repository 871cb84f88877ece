"""From a price that hits a stop to the first byte of the exit at the venue, the order durable before: whole daemon."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from robson.bench.figure import Figure, Target
from robson.bench.setting import Setting, quantile
from robson.bench.wire_stage import OUTSIDE, Stage, staged

_FEW, _MANY = 10, 1000
# How many exits of one side follow each other: positions enter in such groups, and all is quiet before each.
_BATCH = 40
# A machine that needs longer for a round makes fewer exits, and the note says so.
_SECONDS_MOST, _SECONDS_MOST_FEWER = 45.0, 20.0
_NOTE = (
    "bare: blocking sockets, one process: frame, msgspec, compare, sqlite3 FULL commit of one row, HMAC, POST; "
    "request budgets lifted"
)
_STAGES = {
    "decode": "frame received to price known",
    "observe": "price known to stop hit",
    "decide": "stop hit to exit decided",
    "commit": "exit decided to durable",
    "hand": "durable to handed to the venue",
    "send": "handed to the first byte",
    OUTSIDE: "before the frame was received and after the first byte: sockets, waking, who reads the clock",
}


class Round(NamedTuple):
    """What each exit took, by turns of ours and of the bare script (us), and the stages of ours."""

    ours: list[float]
    bare: list[float]
    ways: list[dict[str, float]]


def measure(setting: Setting) -> Iterable[Figure]:
    """Medians and the 99th percentile of each round, in microseconds."""
    with staged(setting, "wire") as stage:
        few = _rounds(setting, stage, _FEW, setting.size(400, 10), _SECONDS_MOST)
        yield from _figures("10", "10 positions", few, setting.size(400, 10), Target(1.5, beyond=1.2))
        yield from _stages("10", few)
        many = setting.size(_MANY, 12)
        found = _rounds(setting, stage, many, setting.size(100, 10), _SECONDS_MOST_FEWER)
        yield from _figures("1000", "1,000 positions", found, setting.size(100, 10), Target(1.8, beyond=1.3))
        yield from _stages("1000", found)
    with staged(setting, "safe", tls=True) as stage:
        safe = _rounds(setting, stage, _FEW, setting.size(80, 10), _SECONDS_MOST_FEWER)
        yield _median("tls_10", "10 positions, over TLS", safe, setting.size(80, 10), None)


def _rounds(setting: Setting, stage: Stage, positions: int, fires: int, seconds: float) -> list[Round]:
    """Each round: so many of ours and of the bare script by turns, or as many as the time allows."""
    batch = min(_BATCH, fires)
    _turns(stage, positions, 1, batch)
    stage.ways()
    found: list[Round] = []
    for number in range(setting.rounds):
        ours: list[float] = []
        bare: list[float] = []
        until = time.monotonic() + seconds
        while len(ours) < fires and (not ours or time.monotonic() < until):
            some, others = _turns(stage, positions, number + len(ours) // batch, min(batch, fires - len(ours)))
            ours += some
            bare += others
        # Asked only now, so that no answer is composed while anything is measured.
        found.append(Round(ours, bare, stage.ways()))
        setting.say(f"  {positions} positions, round {number + 1}: {len(ours)} exits, as many of the bare script")
    return found


def _turns(stage: Stage, positions: int, number: int, fires: int) -> tuple[list[float], list[float]]:
    """So many of both, the first of them by turns; every exit begins with at least `positions` in the market."""
    if stage.active < positions - 1 + fires:
        stage.enter(positions - 1 + fires - stage.active)
    one, other = (stage.hit_bare, stage.hit_one) if number % 2 else (stage.hit_one, stage.hit_bare)
    first = _times(stage, one, fires)
    second = _times(stage, other, fires)
    return (second, first) if number % 2 else (first, second)


def _times(stage: Stage, hit: Callable[[], float], count: int) -> list[float]:
    stage.settle()
    return [hit() for _ in range(count)]


def _figures(name: str, what: str, rounds: list[Round], meant: int, target: Target) -> Iterator[Figure]:
    yield _median(name, what, rounds, meant, target)
    tails = [[quantile(taken, 0.99) / quantile(taken, 0.5) for taken in (one.ours, one.bare)] for one in rounds]
    yield Figure(
        f"tick_to_wire.tail_{name}",
        f"tick to wire, {what}, p99 / p50",
        "x",
        tuple(ours for ours, _ in tails),
        tuple(bare for _, bare in tails),
        Target(1.5),
        "against the bare script's own p99 / p50 of the same rounds",
    )


def _median(name: str, what: str, rounds: list[Round], meant: int, target: Target | None) -> Figure:
    count, wanted = sum(len(one.ours) for one in rounds), meant * len(rounds)
    exits = f"{count:,} exits" if count == wanted else f"{count:,} exits of {wanted:,}, time ran out"
    least = f"{what.partition(',')[0] if what.startswith('10 ') else what} at least, {_BATCH - 1} more at most"
    return Figure(
        f"tick_to_wire.p50_{name}",
        f"tick to wire, {what}, p50",
        "us",
        tuple(statistics.median(one.ours) for one in rounds),
        tuple(statistics.median(one.bare) for one in rounds),
        target,
        f"{exits}; {least}; {_NOTE}",
    )


def _stages(name: str, rounds: list[Round]) -> Iterator[Figure]:
    """Where the time of ours goes: the medians of each stage, round by round."""
    told = [one.ways for one in rounds if one.ways]
    for stage, what in _STAGES.items() if told else ():
        yield Figure(
            f"tick_to_wire.stage_{name}_{stage}",
            f"  {stage}",
            "us",
            tuple(statistics.median(way[stage] for way in ways) for ways in told),
            note=f"{what}; p99 {quantile([way[stage] for ways in told for way in ways], 0.99):,.0f} us",
        )
