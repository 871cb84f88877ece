"""How long one tick takes until every position of its symbol has observed it, and what one does that hits them all."""

import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

import trio

from robson.bench.figure import Figure, Target
from robson.bench.lives import ENTRY_PRICE, active, fill_journal
from robson.bench.setting import Setting
from robson.bench.world import World
from robson.domain.sequence import Recorded
from robson.ports import Commit

COUNTS = (1, 100, 1_000, 10_000)
HIT_COUNT = 1_000
TICKS = 200
CENT = Decimal("0.01")
# Positions in the market that a home server is held to carry.
MANY = 10_000
_TARGETS = {
    "flat": Target(50, "value"),
    "falling": Target(50, "value"),
    "rising": Target(2_000, "value", beyond=50),
}


def measure(setting: Setting) -> Iterable[Figure]:
    """Flat: nothing is touched. Falling: the price comes nearer to every stop. Rising: it moves every one."""
    for count in COUNTS:
        if setting.quick and count > 100:  # noqa: PLR2004 - a look is soon over
            continue
        yield from _ticks(setting, count)
    yield from _all_hit(setting, setting.size(HIT_COUNT, 50))


class _Bare:
    """The least that a position's stop can do: compare."""

    __slots__ = ("extreme", "stop")

    def __init__(self, stop: Decimal) -> None:
        self.stop, self.extreme = stop, ENTRY_PRICE

    def observe(self, price: Decimal) -> bool:
        """Whether the price hits it or is a new extreme."""
        return price <= self.stop or price > self.extreme


def _walk(market: str) -> Iterator[Decimal]:
    """Prices after a high that all have seen: in the flat market below it, in the rising one always a new one."""
    step, price = {"flat": CENT, "falling": -CENT, "rising": CENT}[market], ENTRY_PRICE
    if market != "rising":
        price -= 100
    while True:
        if market == "flat":
            step = -step
        price += step
        yield price


def _ticks(setting: Setting, count: int) -> Iterator[Figure]:
    with setting.place("fanout") as place:
        path = place / "robson.db"
        fill_journal(path, (active(number, count) for number in range(count)))
        yield from trio.run(_ticks_of, setting, path, count)


async def _ticks_of(setting: Setting, path: Path, count: int) -> list[Figure]:
    figures = []
    async with World(path).running() as world:
        bare = [_Bare(ENTRY_PRICE - 1_000 - number * 1_000 // count).observe for number in range(count)]
        for market, target in _TARGETS.items():
            walk = _walk(market)
            ours: list[float] = []
            compared: list[float] = []
            for number in range(setting.rounds + 1):
                one = await _each_us(partial(_tick, world, walk), setting)
                other = await _each_us(partial(_compare, bare, walk), setting)
                # The first of each fills the caches.
                if number:
                    ours.append(one)
                    compared.append(other)
            figures.append(
                Figure(
                    f"fanout.{market}_{count}",
                    f"one tick, {count:,} in the market, {market}",
                    "us",
                    tuple(ours),
                    tuple(compared),
                    target if count == MANY else None,
                    "bare: as many calls that only compare" if count == MANY else "",
                )
            )
        if count == MANY:
            figures += _hit_figures(count, [await _hit_all(world, count)])
    return figures


def _tick(world: World, walk: Iterator[Decimal]) -> float:
    tick = world.next_tick(next(walk))
    began = time.perf_counter_ns()
    world.market.observe(tick)
    return (time.perf_counter_ns() - began) / 1000


def _compare(bare: Sequence[Callable[[Decimal], bool]], walk: Iterator[Decimal]) -> float:
    price = next(walk)
    began = time.perf_counter_ns()
    for observe in bare:
        observe(price)
    return (time.perf_counter_ns() - began) / 1000


async def _each_us(step: Callable[[], float], setting: Setting) -> float:
    """The median of some ticks; the daemon's other tasks run between them, writing moved stops among them."""
    taken = []
    for _ in range(setting.size(TICKS, 20)):
        taken.append(step())
        await trio.lowlevel.checkpoint()
    return statistics.median(taken)


def _all_hit(setting: Setting, count: int) -> Iterator[Figure]:
    """Each round needs a daemon of its own."""
    taken = []
    with setting.place("hit") as place:
        prepared = place / "prepared.db"
        fill_journal(prepared, (active(number, count) for number in range(count)))
        for number in range(setting.rounds):
            path = place / f"{number}.db"
            shutil.copy(prepared, path)
            taken.append(trio.run(_hit_once, path, count))
    yield from _hit_figures(count, taken)


def _hit_figures(count: int, taken: Sequence[Sequence[float]]) -> Iterator[Figure]:
    names = {
        "first": "the first order handed over",
        "durable": "the last intent durable",
        "last": "the last order handed over",
    }
    note = "a hundred exits a commit, by capital at risk, each hundred handed over before the next is decided"
    for (name, what), values in zip(names.items(), zip(*taken, strict=True), strict=True):
        told = f"{note}; measured once" if len(values) == 1 else note
        whole = f"one tick hits {count:,}: {what}"
        yield Figure(f"fanout.hit_{count}_{name}", whole, "ms", values, note=told if name == "first" else "")


async def _hit_once(path: Path, count: int) -> list[float]:
    async with World(path).running() as world:
        return await _hit_all(world, count)


async def _hit_all(world: World, count: int) -> list[float]:
    """Milliseconds from the tick until each of the three."""
    world.venue.want(count)
    written: list[float] = []
    commit = world.journal.commit

    def noted(asked: Commit) -> tuple[Recorded, ...]:
        rows = commit(asked)
        if any(intent.is_open for intent in asked.intents):
            written.append(time.perf_counter())
        return rows

    vars(world.journal)["commit"] = noted
    began = time.perf_counter()
    world.market.observe(world.next_tick(ENTRY_PRICE / 2))
    await world.venue.all_handed.wait()
    moments = (world.venue.handed[0][0], written[-1], world.venue.handed[-1][0])
    return [(moment - began) * 1000 for moment in moments]
