"""Seeded lives of random prices, commands, venue faults and crashes: nothing happens twice and nothing is lost."""

import os
from pathlib import Path

import pytest

from tests.simulation import tally
from tests.simulation.world import simulate

LIVES = int(os.environ.get("ROBSON_TEST_LIVES", "2000"))
FIRST_SEED = int(os.environ.get("ROBSON_TEST_SEED", "0"))


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + LIVES))
def test_life(seed: int, tmp_path: Path) -> None:
    try:
        world = simulate(seed, tmp_path)
    except BaseException as error:
        error.add_note(
            f"replay: ROBSON_TEST_SEED={seed} ROBSON_TEST_LIVES=1 make test ARGS=tests/simulation/test_lives.py"
        )
        raise
    tally.add_life(world.faults)
