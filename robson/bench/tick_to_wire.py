"""From a price that hits a stop to the first byte of the exit at the venue, the order durable before: whole daemon."""

import time
from collections.abc import Callable, Iterable

from robson.bench.figure import Figure, Target
from robson.bench.setting import Setting, quantile
from robson.bench.wire_stage import Stage, staged

_FEW, _MANY = 10, 1000
_BATCH = 10
_NOTE = (
    "bare: blocking sockets, one process: frame, msgspec, compare, sqlite3 FULL commit of one row, HMAC, POST; "
    "plain sockets on loopback, request budgets lifted"
)


def measure(setting: Setting) -> Iterable[Figure]:
    """Medians and the 99th percentile of each round, in microseconds."""
    seconds = setting.size(100, 5) / setting.rounds
    with staged(setting, "wire") as stage:
        few = _rounds(setting, stage, _FEW, setting.size(200, 10), seconds)
        many = _rounds(setting, stage, setting.size(_MANY, 12), setting.size(100, 10), seconds / 3)
    yield from _figures("10", "10 positions", few, Target(1.5, beyond=1.2))
    yield from _figures("1000", "1,000 positions", many, Target(1.8, beyond=1.3))


Rounds = list[tuple[list[float], list[float]]]


def _rounds(setting: Setting, stage: Stage, positions: int, fires: int, seconds: float) -> Rounds:
    """Each round: so many of ours and of the bare script by turns, or as many as the time allows."""
    _turns(stage, positions, 1, _BATCH)
    found: Rounds = []
    for number in range(setting.rounds):
        ours: list[float] = []
        bare: list[float] = []
        until = time.monotonic() + seconds
        while len(ours) < fires and (not ours or time.monotonic() < until):
            some, others = _turns(stage, positions, number, _BATCH)
            ours += some
            bare += others
        found.append((ours, bare))
        setting.say(f"  {positions} positions, round {number + 1}: {len(ours)} exits, as many of the bare script")
    return found


def _turns(stage: Stage, positions: int, number: int, fires: int) -> tuple[list[float], list[float]]:
    """So many of both, the first of them by turns; every exit begins with at least `positions` in the market."""
    least = positions if positions > _FEW else 1
    if stage.active < least - 1 + fires:
        stage.enter(least - 1 + fires - stage.active)
    one, other = (stage.hit_bare, stage.hit_one) if number % 2 else (stage.hit_one, stage.hit_bare)
    first, second = _times(one, fires), _times(other, fires)
    return (second, first) if number % 2 else (first, second)


def _times(hit: Callable[[], float], count: int) -> list[float]:
    return [hit() for _ in range(count)]


def _figures(name: str, what: str, rounds: Rounds, target: Target) -> Iterable[Figure]:
    ours, bare = ([quantile(one[side], 0.5) for one in rounds] for side in (0, 1))
    count = sum(len(one[0]) for one in rounds)
    yield Figure(
        f"tick_to_wire.p50_{name}",
        f"tick to wire, {what}, p50",
        "us",
        tuple(ours),
        tuple(bare),
        target,
        f"{count} exits; {_NOTE}",
    )
    tails = [[quantile(one[side], 0.99) / quantile(one[side], 0.5) for one in rounds] for side in (0, 1)]
    yield Figure(
        f"tick_to_wire.tail_{name}",
        f"tick to wire, {what}, p99 / p50",
        "x",
        tuple(tails[0]),
        tuple(tails[1]),
        Target(1.5),
        "against the bare script's own p99 / p50 of the same rounds",
    )
