"""`robson bench`: every benchmark runs, from a checkout and as installed, and bad input is refused in one line."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from robson.bench.figure import Report
from robson.bench.suite import BENCHMARKS

PATIENCE_SECONDS = 170
ROOT = Path(__file__).parents[2]


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


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel of this checkout holds, and nothing else of it."""
    built, unpacked = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("unpacked")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", built, ROOT], check=True, timeout=PATIENCE_SECONDS)
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(unpacked)
    return unpacked


# Between them they start every kind of process: daemon, venue, front, bare scripts, one-shot commands, modules apart.
@pytest.mark.parametrize("name", ["tick_to_wire", "feed", "recovery", "start"])
def test_a_wheel_alone_is_enough(name: str, unpacked: Path, tmp_path: Path) -> None:
    """Each runs from another working directory, and all of its processes are of what the wheel holds."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-P", "-m", "robson", "bench", name, "--quick", "--rounds", "1", "--no-awake"]
    done = subprocess.run(
        [*command, "--json", "bench.json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
    where = [sys.executable, "-P", "-c", "import robson; print(robson.__file__)"]
    told = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert Path(told.stdout).is_relative_to(unpacked)


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
