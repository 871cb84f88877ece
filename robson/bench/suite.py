"""Which benchmarks there are, and one run of them from the first to the last."""

import importlib
import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import trio

from robson import __version__
from robson.bench.awake import awake
from robson.bench.figure import Figure, Machine, Report
from robson.bench.setting import Setting, quantile

# A module of this package each, with `measure(setting) -> Iterable[Figure]`.
BENCHMARKS: dict[str, str] = {
    "tick_to_wire": "from a price that hits a stop to the exit at the venue, the order durable before",
    "feed": "prices, from the socket to the watches",
    "fanout": "one tick to 10,000 positions, and one that hits them all",
    "panic": "100 positions leave at once, beside one",
    "journal": "decisions, moved stops and groups of orders, beside plain sqlite3",
    "recovery": "a journal of a million events, beside reading the rows that are needed",
    "control": "the control socket, asked and followed",
    "replay": "a what-if over recorded trades",
    "start": "one-shot commands, from start to end",
    "memory": "what the daemon holds, idle and with positions, and over simulated hours",
}

_SYNCS = 100
_BLOCK = bytes(4096)


def run(names: Sequence[str], setting: Setting, *, at: datetime, keep_awake: bool) -> Report:
    """Measure those benchmarks; one that fails is named in the report with its reason, and the others go on."""
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    machine = _machine(setting, at=at, keep_awake=keep_awake)
    with awake(wanted=keep_awake):
        for name in names:
            began = time.monotonic()
            try:
                for figure in _measure(name, setting):
                    figures.append(figure)
                    setting.say(f"{figure.what}: {figure.value:,.4g} {figure.unit} {figure.verdict}".rstrip())
            except (OSError, RuntimeError, trio.TrioInternalError, AssertionError, ExceptionGroup, ValueError) as error:
                failed[name] = f"{type(error).__name__}: {error}"
                setting.say(f"{name} was not measured: {failed[name]}")
            setting.say(f"{name} took {time.monotonic() - began:.0f} s")
    ended = msgspec.structs.replace(machine, load_after=os.getloadavg()[0])
    return Report(machine=ended, figures=tuple(figures), failed=failed)


def _measure(name: str, setting: Setting) -> Iterable[Figure]:
    measured: Iterable[Figure] = importlib.import_module(f"robson.bench.{name}").measure(setting)
    return measured


def _machine(setting: Setting, *, at: datetime, keep_awake: bool) -> Machine:
    sync_us = _sync_us(setting)
    return Machine(
        at=at.isoformat(timespec="seconds"),
        robson=__version__,
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        kernel=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=tuple(sorted(os.sched_getaffinity(0))),
        kept_awake=keep_awake,
        rounds=setting.rounds,
        quick=setting.quick,
        disk=_file_system(setting.directory),
        disk_sync_us=sync_us,
        load_before=os.getloadavg()[0],
        sync_slowed_ms=_slowed_ms(sync_us),
    )


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system(directory: Path) -> str:
    """What kind of disk: a directory in memory would flatter every figure."""
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/mounts").read_text("utf-8")
    except OSError:
        return kind
    here = directory.resolve()
    for line in mounts.splitlines():
        _, place, of_kind, *_ = line.split()
        if here.is_relative_to(place) and len(place) >= len(best):
            best, kind = place, of_kind
    return kind


def _slowed_ms(sync_us: float) -> int:
    """By the library of `make bench-slow-disk`, which whoever is started from here has loaded, too; if it works."""
    wanted = int(os.environ.get("SLOW_SYNC_MS", "0")) if os.environ.get("LD_PRELOAD") else 0
    return wanted if sync_us >= wanted * 1000 else 0


def _sync_us(setting: Setting) -> float:
    taken: list[float] = []
    with setting.place("sync") as place, (place / "block").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter_ns()
            file.write(_BLOCK)
            os.fsync(file.fileno())
            taken.append((time.perf_counter_ns() - began) / 1000)
    assert quantile(taken, 0) > 0
    return statistics.median(taken)
