"""`robson selftest --live` as a user runs it: lives under every fault, both sides killed, and nothing left behind."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, environment
from tests.end_to_end.test_selftest import assert_nothing_left, command, processes_of, selftest

LIVES, KILLS, VENUE_KILLS = 15, 5, 2
CLEAN = ("duplicates", "orphans", "flips", "broken_promises", "gaps", "stop_retreats", "misfolded")
LEFT = ("unresolved", "debts_left", "unfinished")


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the self-test makes its directories."""
    with tempfile.TemporaryDirectory(prefix="rs-") as name:
        yield Path(name)


def test_a_few_lives_pass_while_both_sides_are_killed(place: Path) -> None:
    words = ("--live", "--lives", str(LIVES), "--kills", str(KILLS), "--venue-kills", str(VENUE_KILLS))
    done = selftest(place, *words, "--seed", "one", patience=8 * PATIENCE_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    values = dict(line.split(" ") for line in done.stdout.splitlines())
    assert {name: values[name] for name in (*CLEAN, *LEFT)} == dict.fromkeys((*CLEAN, *LEFT), "0")
    assert (values["kills"], values["venue_kills"], values["account_flat"]) == (str(KILLS), str(VENUE_KILLS), "yes")
    assert int(values["lives"]) >= LIVES
    assert int(values["lives"]) == int(values["lives_long"]) + int(values["lives_short"])
    assert int(values["faults"]) == sum(int(count) for name, count in values.items() if name.startswith("fault_")) > 0
    assert "--live --lives 15 --venue-kills 2 --kills 5 --seed one" in done.stderr
    assert_nothing_left(place)


def test_a_signal_leaves_neither_daemon_nor_emulator_behind(place: Path) -> None:
    process = subprocess.Popen(
        command("--live"),
        env=environment({"TMPDIR": str(place)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        assert b"--kills 100" in os.read(process.stderr.fileno(), 65_536)
        while not any(" robson run " in line for line in processes_of(place)):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, said
    assert printed == b""
    assert b"Traceback" not in said
    assert_nothing_left(place)


def test_a_number_of_lives_means_nothing_on_paper(place: Path) -> None:
    done = selftest(place, "--lives", "5")
    assert done.returncode == 2
    assert done.stderr == "robson selftest: --lives and --venue-kills are for --live\n"
    assert_nothing_left(place)
