"""Seeded lives in bad weather, crashed and healed: nothing happens twice and nothing is lost, after every step."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from robson.domain.sequence import Recorded
from tests.simulation import tally
from tests.simulation.world import ON_DISK_EVERY, World, simulate

LIVES = int(os.environ.get("ROBSON_TEST_LIVES", "2000"))
FIRST_SEED = int(os.environ.get("ROBSON_TEST_SEED", "0"))
BATCH = 50
ROOT = Path(__file__).parents[2]

# Lives that broke a rule once, whatever their numbers mean by now: what each found has a test of its own as well.
ONCE_BROKEN = (
    702945,  # a short sold what its neighbour had bought back and not repaid: the loan was nobody's
    720574,  # dust that a short's entry sold was forgotten when its neighbour left
    951294,  # trades from before a fill, read after a restart, moved the stop of the simulation's own count
    1008366,  # a lag too small to be seen misnamed dust: what 0016 allows, and the comparison of the books did not
    35014,  # dust of two, the last of whom left beside an entry that came to nothing: nobody was there to sell it
    46761,  # what a coarser step left as dust was an order again when the step changed back as the position closed
    721279,  # dust became worth an order after its position had left: the simulation's own mistake
)

# What a run of many lives must have met, or it proves less than it says.
MUST_MEET = (
    *("order: late", "order: very_late", "order: loan_only", "order: reply_lost", "order: request_lost"),
    *("order: slow_reply", "order: slow_request", "order: unpriced", "order: unknown_status", "order: no_repay"),
    *("order: rate_limited", "order: short_of_funds", "order: expired in part", "order: down"),
    *("reading: order not shown yet", "reading: trades not shown yet", "reading: account behind"),
    *("reading: venue down", "reading: slow", "reading: rate limited", "reading: a trade twice"),
    "reading: interest not shown yet",
    *("reading: trades out of order", "reading: order without prices", "reading: order of unknown status"),
    *("repay: refused", "repay: reply lost", "repay: request lost"),
    *("feed: silent", "feed: frozen", "feed: gapped", "feed: twice", "feed: back in time", "feed: polled"),
    *("feed: off-market print", "clock: local clock stepped", "clock: venue clock stepped"),
    *("disk: write refused", "disk: slow commit", "crash: power cut", "crash: process killed"),
    *("operators: several at once", "operators: gone before the answer", "operators: asked twice"),
    *("venue: filters changed", "order: refused by changed filters"),
    *("operators: slow reader", "journal in a file", "crash: while the journal was degraded"),
)


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + LIVES, BATCH))
def test_lives(first: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    for seed in range(first, min(first + BATCH, FIRST_SEED + LIVES)):
        directory = tmp_path_factory.mktemp("life") if seed % ON_DISK_EVERY == 0 else Path()
        tally.add_life(_lived(seed, directory).faults)


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_lives_that_broke_a_rule_once(seed: int, tmp_path: Path) -> None:
    _lived(seed, tmp_path)


def _lived(seed: int, directory: Path) -> World:
    try:
        return simulate(seed, directory)
    except BaseException as error:
        error.add_note(
            f"replay: ROBSON_TEST_SEED={seed} ROBSON_TEST_LIVES=1 make test ARGS=tests/simulation/test_lives.py"
        )
        raise


@pytest.mark.skipif(LIVES < 2000, reason="few lives meet few faults")
def test_every_kind_of_fault_was_met() -> None:
    if tally.lives < LIVES:
        pytest.skip("the lives were not all run in this process")
    missing = [kind for kind in MUST_MEET if not tally.faults[kind]]
    assert not missing


def told(world: World) -> str:
    """A life in one line: whatever differs between two runs shows here."""
    rows: list[Recorded] = world.watchman.rows
    digest = sha256(repr(rows).encode()).hexdigest()
    return f"{len(rows)} {world.watchman.steps} {digest} {sorted(world.faults.items())}"


@pytest.mark.parametrize("seed", [3, 17, ON_DISK_EVERY])
def test_a_seed_is_the_same_life_in_any_process(seed: int, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.simulation.test_lives import told, simulate;"
        "print(told(simulate(int(sys.argv[1]), Path(sys.argv[2]))))"
    )
    assert _run(code, seed, tmp_path / "one", "1") == _run(code, seed, tmp_path / "two", "2")


def _run(code: str, seed: int, directory: Path, salt: str) -> str:
    directory.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(seed), str(directory)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()[-1]
