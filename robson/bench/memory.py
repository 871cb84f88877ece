"""How much memory the daemon holds: idle, for each armed and each active position, and over simulated hours."""

import subprocess
import sys
from collections.abc import Iterable, Iterator

from robson.bench.figure import Figure, Target
from robson.bench.resident import Line, Resident, environment_alone, resident
from robson.bench.setting import Setting
from robson.bench.soak import soak

ARMED, _QUICK_ARMED = 1_000, 20
ACTIVE, _QUICK_ACTIVE = 100, 4
HOURS, _QUICK_HOURS = 8.0, 0.5
_BARE = """
import msgspec, re, sqlite3, structlog, trio
print(re.search(r"VmRSS:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""
_STILL = ("--feed", "synthetic", "--seed", "bench", "--log-level", "warning")


def measure(setting: Setting) -> Iterable[Figure]:
    """Resident memory as the kernel counts it; a position's is the growth by many, divided."""
    yield from _positions(setting)
    with setting.place("soak") as place:
        found = soak(place, hours=_QUICK_HOURS if setting.quick else HOURS, say=setting.say)
    note = (
        f"{found.hours:.1f} simulated hours at {found.ticks_text}; least squares after the first quarter. The invented"
        " market keeps 20,000 minutes of each pair, full after 14 days: robson.bench.soak goes on beyond them"
    )
    yield Figure(
        "memory.slope", "growth of a daemon that trades, a simulated day", "KiB", (found.kib_per_day,), note=note
    )


def _positions(setting: Setting) -> Iterator[Figure]:
    armed, active = setting.size(ARMED, _QUICK_ARMED), setting.size(ACTIVE, _QUICK_ACTIVE)
    with setting.place("memory") as place, resident(place, *_STILL) as daemon:
        idle = _settled(daemon)
        shares = f"PSS {idle['Pss'] / 1024:.1f}, its own (USS) {_own(idle) / 1024:.1f} MiB; bare: Python with Trio"
        target = Target(64, of="value")
        yield Figure("memory.idle", "idle daemon, RSS", "MiB", (idle["Rss"] / 1024,), (_bare_mib(),), target, shares)
        # What the first position brings is the pair's, and what its libraries are.
        daemon.arm(1)
        before = _settled(daemon)["Rss"]
        daemon.arm(armed)
        after = _settled(daemon)["Rss"]
        each = ((after - before) / armed,)
        note = f"{armed:,} of them"
        yield Figure("memory.armed", "one armed position", "KiB", each, target=Target(12, of="value"), note=note)
        with Line(daemon.socket) as line:
            chosen = [one["position_id"] for one in line.result("status")["positions"][:active]]
            price = _price(line)
            entered = sum(_enters(line, one, price) for one in chosen)
            if not entered:
                raise RuntimeError("no signal was accepted")
            line.socket.sendall(b'{"cmd":"subscribe","from_seq":1,"types":["entry_filled"]}\n')
            _await_fills(line, entered)
        grown = (max(0, _settled(daemon)["Rss"] - after) / entered,)
        note = f"beyond the armed one that it was; {entered} of them"
        yield Figure("memory.active", "one active position, more than armed", "KiB", grown, note=note)


def _price(line: Line) -> float:
    """The first price may be a moment away, and `status` cannot be waited for; every look is a round trip."""
    while (last := line.result("status")["feed"]["BTCUSDT"]["last_price"]) is None:
        pass
    return float(last)


def _enters(line: Line, position_id: str, price: float) -> bool:
    prices = {"entry_price": f"{price:.2f}", "stop_price": f"{price * 0.95:.2f}"}
    accepted: bool = line.result("signal", position_id=position_id, **prices)["accepted"]
    return accepted


def _await_fills(line: Line, entered: int) -> None:
    seen = 0
    while seen < entered:
        chunk = line.socket.recv(1 << 16)
        if not chunk:
            raise RuntimeError("the daemon hung up")
        seen += chunk.count(b'"event":"entry_filled"')


def _settled(daemon: Resident) -> dict[str, int]:
    """The memory after the daemon has answered once more: nothing of a burst is under way any longer."""
    with Line(daemon.socket) as line:
        line.result("ping")
    return daemon.memory()


def _bare_mib() -> float:
    """The resident memory of Python with Trio, msgspec, structlog and sqlite3 loaded."""
    done = subprocess.run([sys.executable, "-c", _BARE], capture_output=True, check=True, env=environment_alone())
    return int(done.stdout) / 1024


def _own(memory: dict[str, int]) -> int:
    return memory["Private_Clean"] + memory["Private_Dirty"]
