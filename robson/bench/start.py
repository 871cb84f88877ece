"""How long one-shot commands take to start, beside Python that does nothing."""

import subprocess
import sys
import time
from collections.abc import Iterable

from robson.bench.figure import Figure, Target
from robson.bench.setting import Setting

_AS_INSTALLED = "import sys; from robsonctl.__main__ import main; sys.exit(main())"


def measure(setting: Setting) -> Iterable[Figure]:
    """The whole process, from its start to its end, in milliseconds."""
    ours, bare = setting.in_turn(
        lambda: _ms([sys.executable, "-c", _AS_INSTALLED, "--version"]), lambda: _ms([sys.executable, "-c", "pass"])
    )
    yield Figure("start.robsonctl_version", "robsonctl --version", "ms", ours, bare, Target(4), "bare: python -c pass")


def _ms(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000
