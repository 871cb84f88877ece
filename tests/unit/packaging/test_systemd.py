"""The units as systemd reads them: no complaint, little exposure, and nothing that ends protection."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[3] / "packaging" / "systemd"
NAMES = ("robson.service", "robson.socket", "robson-alert@.service")
# `systemd-analyze security` counts in tenths here.
EXPOSURE_MOST = 15

analyzed = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with programs that this machine has, whether or not Robson is installed there."""
    for name in NAMES:
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/sh", text, flags=re.MULTILINE))
    return tmp_path


def analyze(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )


@analyzed
def test_no_unit_is_complained_of(units: Path) -> None:
    found = analyze("verify", "--man=no", *(f"./{name.replace('@', '@robson')}" for name in NAMES), directory=units)
    assert (found.returncode, found.stderr) == (0, "")


@analyzed
def test_the_daemon_is_exposed_to_little(units: Path) -> None:
    # The threshold came with 250; the directives are those of 252.
    found = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MOST}", "./robson.service", directory=units)
    assert found.returncode == 0, found.stdout[-400:]


def settings(name: str, section: str) -> dict[str, list[str]]:
    """The values of each key; a key may stand there more than once."""
    found: dict[str, list[str]] = {}
    present = ""
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            present = line.strip("[]")
        elif present == section and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_nothing_but_wrong_settings_ends_the_restarts() -> None:
    service, unit = settings("robson.service", "Service"), settings("robson.service", "Unit")
    assert service["Restart"] == ["always"]
    assert service["RestartSec"] == ["1s"]
    assert service["RestartPreventExitStatus"] == ["78"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["OnFailure"] == ["robson-alert@%n"]


def test_what_the_daemon_needs_from_the_system_is_not_taken_from_it() -> None:
    service = settings("robson.service", "Service")
    # The seal lives in /dev/shm and is believed by the boot's id; the journal names uids.
    assert not {"RemoveIPC", "ProcSubset", "PrivateUsers", "DynamicUser"} & set(service)
    assert service["Type"] == ["notify"]  # 252 ignores notify-reload, and would take the daemon for a simple one


def test_a_stop_on_purpose_is_not_undone_by_a_client() -> None:
    assert settings("robson.socket", "Unit")["PartOf"] == ["robson.service"]
    assert settings("robson.socket", "Socket")["FileDescriptorName"] == ["control"]


def alert(hooks: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [UNITS / "robson-alert", "robson.service"],
        env={**os.environ, "ROBSON_ALERT_DIR": str(hooks), "MONITOR_SERVICE_RESULT": "watchdog"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_alert_runs_every_hook_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    for name, body in (("1-fails", "exit 3"), ("2-works", f'echo "$1 $MONITOR_SERVICE_RESULT" > {tmp_path}/told')):
        hook = tmp_path / name
        hook.write_text(f"#!/bin/sh\n{body}\n")
        hook.chmod(0o755)
    (tmp_path / "3-not-a-program").write_text("exit 1")
    found = alert(tmp_path)
    assert (tmp_path / "told").read_text() == "robson.service watchdog\n"
    assert found.returncode == 1
    assert "1-fails ended with 3" in found.stdout
    assert found.stdout.startswith("<2>robson.service has failed: watchdog")


def test_an_alert_without_hooks_still_says_so(tmp_path: Path) -> None:
    found = alert(tmp_path / "missing")
    assert (found.returncode, "has failed" in found.stdout) == (0, True)


@pytest.mark.parametrize(
    ("version", "job", "result", "status", "is_told"),
    [
        ("252.39-1~deb12u1", "", "signal", "SEGV", True),
        ("252.39-1~deb12u1", "0", "watchdog", "ABRT", True),
        ("252.39-1~deb12u1", "", "exit-code", "1", True),
        ("252.39-1~deb12u1", "", "exit-code", "78", False),
        ("252.39-1~deb12u1", "", "success", "0", False),
        ("252.39-1~deb12u1", "417", "timeout", "KILL", False),
        ("254", "", "signal", "SEGV", False),
        ("257.9-1~deb13u1", "", "signal", "SEGV", False),
        ("nonsense", "", "signal", "SEGV", False),
    ],
)
def test_a_failure_is_told_where_on_failure_is_silent(
    tmp_path: Path, version: str, job: str, result: str, status: str, *, is_told: bool
) -> None:
    systemctl = tmp_path / "systemctl"
    answers = f'*Version*) echo "{version}" ;; *Job*) echo "{job}" ;; *) echo "$*" >>"{tmp_path}/told"'
    systemctl.write_text(f'#!/bin/sh\ncase "$*" in {answers} ;; esac\n')
    systemctl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SERVICE_RESULT": result, "EXIT_STATUS": status}
    subprocess.run([UNITS / "robson-failed", "robson.service"], env=environment, timeout=60, check=False)
    told = tmp_path / "told"
    assert (told.read_text() if told.exists() else "") == (
        "start --no-block robson-alert@robson.service\n" if is_told else ""
    )
