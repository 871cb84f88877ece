"""The control socket: a question and its answer, many clients, many positions, and a follower far behind."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from robson import __version__
from robson.app import machine_id
from robson.bench.figure import Figure, Target
from robson.bench.resident import Line, Resident, bare_server, on_cores, resident
from robson.bench.setting import Setting, each_us
from robson.clock import RunClock
from robson.domain.events import Notice
from robson.places import create_state_directory
from robson.ports import Commit
from robson.store.journal import SqliteJournal

_PING = b'{"id":1,"cmd":"ping"}\n'
_STATUS = b'{"id":1,"cmd":"status"}\n'
_FEED = ("--feed", "synthetic", "--seed", "bench")
ASKED, _QUICK_ASKED = 2_000, 100
CLIENTS = 32
POSITIONS, _QUICK_POSITIONS = 1_000, 40
EVENTS, _QUICK_EVENTS = 40_000, 400
_AT_ONCE = 500


def measure(setting: Setting) -> Iterable[Figure]:
    """Medians of a round; the daemon and the bare server on one core, their clients on another."""
    cores = sorted(os.sched_getaffinity(0))
    near, far = (cores[0],), (cores[-1],)
    where = "split cores" if len(cores) > 1 else "ONE core for both ends: there is no other"
    with setting.place("control") as place, resident(place, *_FEED, cores=far) as daemon, on_cores(near):
        daemon.arm(10)
        asked = setting.size(ASKED, _QUICK_ASKED)
        note = f"{where}; bare: a Trio server that sends the same bytes, asked by the same client"
        yield _round_trip(setting, place, daemon, far, "ping", _PING, asked, note)
        yield _round_trip(setting, place, daemon, far, "status", _STATUS, asked // 4, "ten positions armed")
        yield _many_positions(setting, place, daemon, far)
        yield _crowd(setting, place, daemon, far, asked // 10)
    with setting.place("follow") as place:
        yield from _follow(setting, place, near, far)


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
    daemon.arm(positions - 10)
    with _beside(place, daemon, _STATUS, far) as (line, bare):
        ours, plain = setting.in_turn(
            lambda: each_us(lambda: line.ask(_STATUS), 3) / 1000, lambda: each_us(lambda: bare.ask(_STATUS), 3) / 1000
        )
        size = len(line.ask(_STATUS))
    note = f"{size / 1024:,.0f} KiB; 8 positions a turn of the loop, and others in between"
    return Figure("control.status_many", f"status of {positions:,} positions", "ms", ours, plain, note=note)


def _follow(setting: Setting, place: Path, near: tuple[int], far: tuple[int]) -> Iterator[Figure]:
    """A subscriber far behind: how fast it is given what it missed, and what that costs the daemon."""
    events = setting.size(EVENTS, _QUICK_EVENTS)
    write_events(place / "state", events)
    spent: list[float] = []
    with resident(place, *_FEED, cores=far) as daemon, on_cores(near):

        def ours() -> float:
            before = daemon.cpu_seconds()
            rate = _follow_rate(daemon.socket, events)
            spent.append((daemon.cpu_seconds() - before) / events * 1e6)
            return rate

        with Line(daemon.socket) as line:
            line.socket.sendall(b'{"cmd":"subscribe","from_seq":1}\n')
            sent = _take(line, events + 1).partition(b"\n")[2]
        with bare_server(place, sent[: sent.rindex(b"\n") + 1], far) as door:
            found, plain = setting.in_turn(ours, lambda: _follow_rate(door, events - 1))
    target = Target(10_000, of="value", sense="least")
    what = f"subscribe, {events:,} events behind"
    note = "bare: all of it in one send, nothing read and nothing encoded; ours: 64 rows a turn, others in between"
    yield Figure("control.follow", what, "events/s", found, plain, target, note)
    yield Figure("control.follow_cpu", "the daemon's processor time for one event", "us", tuple(spent[1:]))


def _follow_rate(door: Path, events: int) -> float:
    with Line(door) as line:
        began = time.perf_counter()
        line.socket.sendall(b'{"cmd":"subscribe","from_seq":1}\n')
        _take(line, events)
        return events / (time.perf_counter() - began)


def _take(line: Line, lines: int) -> bytes:
    taken: list[bytes] = []
    while lines > 0:
        chunk = line.socket.recv(1 << 18)
        if not chunk:
            raise RuntimeError("the other end hung up")
        lines -= chunk.count(b"\n")
        taken.append(chunk)
    return b"".join(taken)


def write_events(state: Path, events: int) -> None:
    """A journal with so many events that belong to no position."""
    create_state_directory(state)
    clock = RunClock()
    journal = SqliteJournal.open(
        state / "robson.db", mode="paper", clock=clock, machine_id=machine_id(), version=__version__
    )
    told = {"symbol": "BTCUSDT", "detail": "0.00012 BTC more than expected", "expected": "1.5", "found": "1.50012"}
    notices = tuple(Notice(type="drift_found", at=clock.now(), data=told) for _ in range(_AT_ONCE))
    for written in range(0, events, _AT_ONCE):
        journal.commit(Commit(notices=notices[: events - written]))
    journal.close()
