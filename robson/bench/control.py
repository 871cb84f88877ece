"""The control socket: a question and its answer, many clients, many positions, and a follower far behind."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from robson.bench.figure import Figure, Target
from robson.bench.resident import Line, Resident, bare_server, on_cores, resident
from robson.bench.setting import Setting, each_us

_PING = b'{"id":1,"cmd":"ping"}\n'
_STATUS = b'{"id":1,"cmd":"status"}\n'
_FEED = ("--feed", "synthetic", "--seed", "bench")
ASKED, _QUICK_ASKED = 2_000, 100
CLIENTS = 32
POSITIONS, _QUICK_POSITIONS = 1_000, 40
EVENTS, _QUICK_EVENTS = 40_000, 400


def measure(setting: Setting) -> Iterable[Figure]:
    """Medians of a round; the daemon and the bare server on one core, their clients on another."""
    cores = sorted(os.sched_getaffinity(0))
    near, far = (cores[0],), (cores[-1],)
    where = "split cores" if len(cores) > 1 else "ONE core for both ends: there is no other"
    with setting.place("control") as place, resident(place, *_FEED, cores=far) as daemon, on_cores(near):
        with Line(daemon.socket) as line:
            for number in range(10):
                line.result("arm", symbol="BTCUSDT", side="long", strategy="signal", idempotency_key=f"ten-{number}")
        asked = setting.size(ASKED, _QUICK_ASKED)
        note = f"{where}; bare: a Trio server that sends the same bytes, asked by the same client"
        yield _round_trip(setting, place, daemon, far, "ping", _PING, asked, note)
        yield _round_trip(setting, place, daemon, far, "status", _STATUS, asked // 4, "ten positions armed")
        yield _crowd(setting, place, daemon, far, asked // 10)
        yield _many_positions(setting, place, daemon, far)


def _round_trip(
    setting: Setting, place: Path, daemon: Resident, far: tuple[int], name: str, request: bytes, asked: int, note: str
) -> Figure:
    with _beside(place, daemon, request, far) as (line, bare):
        ours, plain = setting.in_turn(
            lambda: each_us(lambda: line.ask(request), asked), lambda: each_us(lambda: bare.ask(request), asked)
        )
    return Figure(f"control.{name}", f"control round trip, {name}", "us", ours, plain, Target(2), note)


@contextmanager
def _beside(place: Path, daemon: Resident, request: bytes, far: tuple[int]) -> Iterator[tuple[Line, Line]]:
    with Line(daemon.socket) as line:
        reply = line.ask(request)
        with bare_server(place, reply, far) as door, Line(door) as bare:
            yield line, bare


def _crowd(setting: Setting, place: Path, daemon: Resident, far: tuple[int], times: int) -> Figure:
    with (
        _lines(daemon.socket) as lines,
        bare_server(place, lines[0].ask(_PING), far) as door,
        _lines(door) as bare,
    ):
        ours, plain = setting.in_turn(lambda: _crowd_us(lines, times), lambda: _crowd_us(bare, times))
    note = f"{CLIENTS} ask at once; until the last of them has its answer"
    return Figure("control.crowd", f"ping of {CLIENTS} clients at once", "us", ours, plain, note=note)


@contextmanager
def _lines(door: Path) -> Iterator[list[Line]]:
    """As many clients as the daemon admits; the one before may not have left yet."""
    with ExitStack() as held:
        lines: list[Line] = []
        while len(lines) < CLIENTS:
            line = held.enter_context(Line(door))
            if b'"too_many_clients"' not in line.ask(_PING):
                lines.append(line)
        yield lines


def _crowd_us(lines: list[Line], times: int) -> float:
    def ask() -> None:
        for line in lines:
            line.socket.sendall(_PING)
        for line in lines:
            line.reply()

    return each_us(ask, times)


def _many_positions(setting: Setting, place: Path, daemon: Resident, far: tuple[int]) -> Figure:
    positions = setting.size(POSITIONS, _QUICK_POSITIONS)
    with Line(daemon.socket) as line:
        for _ in range(positions - 10):
            line.result("arm", symbol="BTCUSDT", side="long", strategy="signal")
    with _beside(place, daemon, _STATUS, far) as (line, bare):
        ours, plain = setting.in_turn(
            lambda: each_us(lambda: line.ask(_STATUS), 3) / 1000, lambda: each_us(lambda: bare.ask(_STATUS), 3) / 1000
        )
        size = len(line.ask(_STATUS))
    note = f"{size / 1024:,.0f} KiB; 8 positions a turn of the loop, and others in between"
    return Figure("control.status_many", f"status of {positions:,} positions", "ms", ours, plain, note=note)
