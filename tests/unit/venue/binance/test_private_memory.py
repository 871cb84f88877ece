"""A process that holds keys can be dumped by nobody; tried in one of its own, because it cannot be undone."""

import subprocess
import sys

PROGRAM = """
import ctypes, resource
from robson.venue.binance.private_memory import keep_private
before = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
keep_private()
print(before, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_core_dumps_and_other_eyes_are_kept_out() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout.split(), done.stderr) == (["1", "0", "0", "0"], "")
