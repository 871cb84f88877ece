"""Many lives on every core: `python -m tests.simulation.soak LIVES [FIRST_SEED]`; ends with 1 at the first failure."""

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog

from tests.simulation.tally import grouped
from tests.simulation.world import ON_DISK_EVERY, simulate


def work(first: int, count: int) -> int:
    """Live the lives of one worker and print how they went as one line of JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    faults: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            faults.update(_live(seed))
        except BaseException:
            replay = f"ROBSON_TEST_SEED={seed} ROBSON_TEST_LIVES=1 make test ARGS=tests/simulation/test_lives.py"
            print(f"seed {seed} failed; replay it: {replay}", file=sys.stderr)
            raise
    print(json.dumps({"lives": count, "faults": faults}))
    return 0


def _live(seed: int) -> Counter[str]:
    if seed % ON_DISK_EVERY:
        return simulate(seed, Path()).faults
    with tempfile.TemporaryDirectory() as directory:
        return simulate(seed, Path(directory)).faults


def main(lives: int, first: int) -> int:
    """Divide the lives among the cores and add up what the workers say."""
    began, cores = time.monotonic(), os.cpu_count() or 1
    share = -(-lives // cores)
    command = [sys.executable, "-m", "tests.simulation.soak", "--worker"]
    workers = [
        subprocess.Popen([*command, str(first + number * share), str(share)], stdout=subprocess.PIPE, text=True)
        for number in range(cores)
    ]
    total, faults = 0, Counter[str]()
    for worker in workers:
        out, _ = worker.communicate()
        if worker.returncode != 0:
            for other in workers:
                other.kill()
            return 1
        told = json.loads(out)
        total += told["lives"]
        faults.update(told["faults"])
    print("\n".join(["faults met:", *grouped(faults)]))
    print(f"lives {total}\nviolations 0\nseconds {time.monotonic() - began:.0f}")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        sys.exit(work(int(sys.argv[2]), int(sys.argv[3])))
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
