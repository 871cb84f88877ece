"""`robson selftest` as a user runs it: a few kills that must pass, and nothing left behind, whatever signal comes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, environment

PROMISED = (
    *("kills", "restarts", "positions", "orders", "events", "replies", "orders_in_flight"),
    *("duplicates", "orphans", "flips", "broken_promises", "gaps", "stop_retreats", "misfolded", "unfinished"),
    *("account_flat", "unprotected_seconds_p50", "unprotected_seconds_p99"),
    *("time_to_protected_p50_seconds", "time_to_protected_p99_seconds"),
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the self-test makes its directories: short, so that a socket fits, and empty again at the end."""
    with tempfile.TemporaryDirectory(prefix="rs-") as name:
        yield Path(name)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "robson", "selftest", *words]


def selftest(place: Path, *words: str, patience: float = 3 * PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        env=environment({"TMPDIR": str(place)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )


def processes_of(place: Path) -> list[str]:
    """The command lines of all processes that were given a path below this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
            if f" {place}/" in line:
                found.append(line)
    return found


def assert_nothing_left(place: Path) -> None:
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


def test_five_kills_pass_and_every_figure_is_told(place: Path) -> None:
    done = selftest(place, "--kills", "5", "--seed", "one")
    assert done.returncode == 0, done.stdout + done.stderr
    values = dict(line.split(" ") for line in done.stdout.splitlines())
    assert set(PROMISED) <= values.keys()
    assert (values["kills"], values["restarts"], values["account_flat"]) == ("5", "5", "yes")
    assert int(values["orders"]) > 5
    assert int(values["replies"]) > 5
    assert 0 < float(values["time_to_protected_p50_seconds"]) <= float(values["time_to_protected_p99_seconds"])
    assert "--kills 5 --seed one" in done.stderr
    assert_nothing_left(place)


def test_another_disk_can_be_tested_and_the_figures_read_by_a_program(place: Path, tmp_path: Path) -> None:
    (tmp_path / "robson.db").write_text("somebody's journal")
    done = selftest(place, "--kills", "2", "--json", "--state-dir", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    values = json.loads(line)
    assert set(PROMISED) <= values.keys()
    assert (values["kills"], values["duplicates"], values["violations"]) == (2, 0, [])
    assert str(tmp_path) in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["robson.db"]
    assert (tmp_path / "robson.db").read_text() == "somebody's journal"
    assert_nothing_left(place)


def test_the_files_can_be_kept(place: Path) -> None:
    done = selftest(place, "--kills", "1", "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = place.iterdir()
    assert str(directory) in done.stderr
    assert {"robson.db", "paper-account.db"} <= {path.name for path in (directory / "state").iterdir()}
    assert processes_of(place) == []


def test_a_disk_that_is_not_there_is_said(place: Path) -> None:
    done = selftest(place, "--state-dir", str(place / "nowhere"))
    assert done.returncode == 1
    assert done.stderr == f"robson selftest: the directory {place / 'nowhere'} does not exist\n"
    assert_nothing_left(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(place: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command("--kills", "1000"),
        env=environment({"TMPDIR": str(place)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        assert b"--kills 1000" in os.read(process.stderr.fileno(), 65_536)
        while not processes_of(place):
            assert process.poll() is None
        process.send_signal(number)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + number, said
    assert printed == b""
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert_nothing_left(place)
