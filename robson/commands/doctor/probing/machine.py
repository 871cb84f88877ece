"""Readings of the machine: its clock, its limits, and what looks after the daemon."""

import ctypes
import os
import re
import resource
from pathlib import Path

from robson.commands.doctor.judging.machine import CoreDumps, Service, TimeSync

# <sys/timex.h>: the answer of a kernel whose clock nobody keeps, and a room that its struct surely fits into.
_TIME_ERROR, _TIMEX_BYTES = 5, 1024
_UNIT = re.compile(r"^\d+:[^:]*:.*/([^/\n]+\.service)(?:/|$)", re.MULTILINE)
_CORE = re.compile(r"^Max core file size +(\S+)", re.MULTILINE)


def read_time() -> TimeSync:
    """What the kernel says of its clock; with no mode set adjtimex only reads."""
    timex = (ctypes.c_char * _TIMEX_BYTES)()
    try:
        answer = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        answer = -1
    if answer < 0:
        return TimeSync(is_synchronised=None)
    # modes, offset, freq, maxerror, esterror: the struct is an int and longs.
    width = ctypes.sizeof(ctypes.c_long)
    esterror = ctypes.c_long.from_buffer(timex, 4 * width).value
    return TimeSync(is_synchronised=answer != _TIME_ERROR, error_ms=esterror / 1000)


def read_core_dumps(pid: int | None) -> CoreDumps:
    """The daemon's limit, this process's where there is none."""
    if pid is None:
        soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
        return CoreDumps(limit=None if soft == resource.RLIM_INFINITY else soft)
    try:
        found = _CORE.search(Path(f"/proc/{pid}/limits").read_text("ascii", "replace"))
    except OSError:
        found = None
    if found is None:
        return CoreDumps(limit=None, pid=pid, is_readable=False)
    return CoreDumps(limit=int(found[1]) if found[1].isdecimal() else None, pid=pid)


def read_service(pid: int | None) -> Service:
    """The unit that the daemon belongs to; without a daemon the unit that runs the check-up (ExecStartPre)."""
    try:
        groups = Path(f"/proc/{pid if pid is not None else 'self'}/cgroup").read_text("utf-8", "replace")
    except OSError:
        groups = ""
    watchdog = os.environ.get("WATCHDOG_USEC", "") if pid is None else ""
    return Service(
        unit=unit_of(groups) if pid is not None or "NOTIFY_SOCKET" in os.environ else "",
        runs=pid is not None,
        watchdog_seconds=int(watchdog) / 1_000_000 if watchdog.isdecimal() else None,
    )


def unit_of(groups: str) -> str:
    """The service in a /proc/PID/cgroup; empty when there is none. A login's own manager is no watch over us."""
    found = _UNIT.findall(groups)
    return found[-1] if found and not re.fullmatch(r"user@\d+\.service", found[-1]) else ""
