"""Keeps the processors from sleeping while something is measured, with loops that only run when nobody else wants to.

An idle virtual processor takes up to a hundred microseconds to wake, which is more than most of what is measured here.
It is an aid against noise, not a way to run a daemon: each report says whether it was used. Where the kernel shares
processors out by session (sched_autogroup_enabled) the loops give way to their own session only. Whatever another one
does then makes what is measured wait for milliseconds, and `nice` does not help: measure on a quiet machine.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LOOP = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print("ready", flush=True)
while True:
    pass
"""


@contextmanager
def awake(*, wanted: bool) -> Iterator[None]:
    """One idle loop on each processor that this process may use; nothing where it is not `wanted`."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for core in sorted(os.sched_getaffinity(0)) if wanted else ():
            command = [sys.executable, "-I", "-S", "-c", _LOOP, str(core)]
            loops.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()
        yield
    finally:
        for loop in loops:
            loop.send_signal(signal.SIGKILL)
            loop.wait()
            if loop.stdout is not None:
                loop.stdout.close()
