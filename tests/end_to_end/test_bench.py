"""`robson bench`: every benchmark runs, and bad input is refused in one line."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from robson.bench.figure import Report
from robson.bench.suite import BENCHMARKS

PATIENCE_SECONDS = 170


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "robson", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_quick_look_at_each(name: str, tmp_path: Path) -> None:
    """It measures something, leaves nothing behind, and what it wrote can be compared with itself."""
    written = tmp_path / "bench.json"
    state = tmp_path / "state"
    state.mkdir()
    arguments = (name, "--quick", "--rounds", "1", "--no-awake", "--state-dir", str(state))
    done = bench(*arguments, "--json", str(written))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(state.iterdir())
    report = msgspec.json.decode(written.read_bytes(), type=Report)
    assert not report.failed
    assert report.figures
    assert report.machine.quick
    assert len({figure.name for figure in report.figures}) == len(report.figures)
    for figure in report.figures:
        assert figure.name.partition(".")[0] == name
        assert all(value >= 0 for value in (*figure.ours, *figure.bare)), figure
        assert figure.what in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "'nothing' is no benchmark; there are "),
        (("--rounds", "0"), "was '0', which must be a number from 1 to 1000"),
        (("--state-dir", "not/there"), "--state-dir was 'not/there', which is no directory"),
        (("--compare", "not/there"), "--compare 'not/there' was not read"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], told: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_that_is_none_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"machine": {}}')
    done = bench("start", "--compare", str(wrong))
    assert done.returncode == 2
    assert "was not read" in done.stderr


def test_two_reports_are_compared(tmp_path: Path) -> None:
    written = tmp_path / "bench.json"
    arguments = ("start", "--quick", "--rounds", "2", "--no-awake", "--state-dir", str(tmp_path))
    assert bench(*arguments, "--json", str(written)).returncode == 0
    done = bench(*arguments, "--compare", str(written))
    assert done.returncode == 0, done.stderr
    assert "start.robsonctl_version" in done.stdout.partition("before: ")[2]
