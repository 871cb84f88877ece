"""`robson doctor` as a process: an emulator in order, and the same with one thing broken at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, environment
from tests.end_to_end.emulator import Emulator


class Clinic:
    """An emulator and the settings of a live daemon that trades there."""

    def __init__(self, home: Path) -> None:
        self.emulator = Emulator(home / "emulator", "--control").start()
        self.state = home / "state"
        self.state.mkdir(mode=0o700)
        self.config = home / "robson.toml"
        self.point_at(self.emulator.port)
        self.credentials = home / "emulator" / "credentials"

    def point_at(self, port: int) -> None:
        self.config.write_text(
            f'mode = "live"\n[binance]\nrest_url = "http://127.0.0.1:{port}"\n'
            f'stream_url = "ws://127.0.0.1:{port}"\nws_api_url = "ws://127.0.0.1:{port}/ws-api/v3"\n'
        )

    def doctor(self, *arguments: str, json_: bool = True) -> subprocess.CompletedProcess[str]:
        given = ["--config", str(self.config), "--state-dir", str(self.state), "--symbol", "BTCUSDT"]
        return subprocess.run(
            [
                *(sys.executable, "-m", "robson", "doctor", *given),
                *("--credentials-dir", str(self.credentials), *(["--json"] if json_ else []), *arguments),
            ],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_SECONDS,
            check=False,
        )

    def failures(self, *arguments: str) -> dict[str, str]:
        """What failed, with its detail; not ready."""
        done = self.doctor(*arguments)
        assert done.returncode == 1, (done.stdout, done.stderr)
        report = json.loads(done.stdout)
        assert report["ready"] is False
        return {check["name"]: check["detail"] for check in report["checks"] if check["outcome"] == "fail"}

    def fault(self, **fault: Any) -> None:
        status, _ = self.emulator.request("POST", "/control/faults", fault)
        assert status == 200


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    clinic = Clinic(tmp_path)
    yield clinic
    assert clinic.emulator.stop() == 0


def test_a_venue_in_order_is_ready_and_nothing_is_changed(clinic: Clinic) -> None:
    done = clinic.doctor()
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["ready"] is True
    assert all(set(check) == {"name", "outcome", "detail", "hint"} for check in report["checks"])
    names = {check["name"] for check in report["checks"] if check["outcome"] == "ok"}
    assert names >= {
        *("configuration", "state", "room", "journal", "lock", "socket", "credentials", "core_dumps", "service"),
        *("rest", "clock", "key", "bnb", "market_stream", "user_stream"),
        *(f"BTCUSDT {what}" for what in ("rules", "margin", "terms", "collateral", "borrowable")),
    }
    assert list(clinic.state.iterdir()) == []
    assert clinic.emulator.ask("GET", "/sapi/v1/margin/allOrders", symbol="BTCUSDT", isIsolated="TRUE") == (200, [])

    plain = clinic.doctor(json_=False)
    assert plain.returncode == 0
    assert plain.stdout.splitlines()[-1] == "ready"


def test_a_wrong_secret_is_not_ready(clinic: Clinic, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir(mode=0o700)
    for name in ("binance-api-key", "binance-api-secret"):
        (wrong / name).write_bytes((clinic.credentials / name).read_bytes())
        (wrong / name).chmod(0o600)
    (wrong / "binance-api-secret").write_text("another one")
    failed = clinic.failures("--credentials-dir", str(wrong))
    assert "-1022" in failed["key"]
    assert "-1022" in failed["BTCUSDT margin"]
    assert "rest" not in failed


def test_a_key_that_may_withdraw_is_not_ready(clinic: Clinic) -> None:
    clinic.fault(fault="withdrawals", times=0)
    assert clinic.failures() == {"key": "the API key was allowed to withdraw"}


def test_a_clock_that_is_three_seconds_off_is_not_ready(clinic: Clinic) -> None:
    clinic.fault(fault="clock_ahead", seconds=3, times=0)
    failed = clinic.failures()
    assert list(failed) == ["clock"]
    milliseconds = int(failed["clock"].split()[4])
    assert 2500 < milliseconds <= 3000
    assert "behind the exchange's" in failed["clock"]


def test_a_pair_that_is_not_enabled_is_not_ready(clinic: Clinic) -> None:
    clinic.fault(fault="pair_disabled", times=0)
    assert clinic.failures() == {"BTCUSDT margin": "its isolated account was disabled"}


def test_a_pair_that_does_not_exist_is_not_ready(clinic: Clinic) -> None:
    failed = clinic.failures("--symbol", "NOPEUSDT")
    assert "NOPEUSDT rules" in failed
    assert "NOPEUSDT margin" in failed
    assert not [name for name in failed if name.startswith("BTCUSDT")]


def test_an_endpoint_that_is_missing_is_a_doubt(clinic: Clinic) -> None:
    for path in ("/sapi/v1/bnbBurn", "/sapi/v1/account/apiRestrictions", "/sapi/v1/userListenToken"):
        method = "POST" if "Token" in path else "GET"
        clinic.fault(fault="refuse", endpoint=f"{method} {path}", code=-1000, text="no such thing", times=0)
        done = clinic.doctor()
        assert done.returncode == 0, done.stdout
        checks = json.loads(done.stdout)["checks"]
        doubts = {check["name"] for check in checks if check["outcome"] == "warn"} - {"time_sync", "fsync"}
        expected = {"bnbBurn": "bnb", "apiRestrictions": "key", "userListenToken": "user_stream"}
        assert doubts == {expected[path.rpartition("/")[2]]}, checks


def test_nobody_there_is_not_ready(clinic: Clinic) -> None:
    clinic.point_at(1)
    done = clinic.doctor()
    report = json.loads(done.stdout)
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert (done.returncode, outcomes["rest"], outcomes["market_stream"]) == (1, "fail", "fail")
    assert (outcomes["clock"], outcomes["user_stream"]) == ("warn", "warn")


def test_a_state_directory_that_cannot_be_written_is_not_ready(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failed = clinic.failures("--state-dir", str(tmp_path / "file"))
    assert "no directory" in failed["state"]
    assert "cannot be made" in clinic.failures("--state-dir", str(tmp_path / "file" / "state"))["state"]


def test_keys_that_everybody_can_read_are_not_ready(clinic: Clinic) -> None:
    clinic.credentials.chmod(0o755)
    (clinic.credentials / "binance-api-secret").chmod(0o644)
    assert "0644" in clinic.failures()["credentials"]


def test_settings_that_cannot_be_read_are_78(tmp_path: Path) -> None:
    config = tmp_path / "robson.toml"
    config.write_text('mode = "live"\nnonsense = 1\n')
    done = subprocess.run(
        [sys.executable, "-m", "robson", "doctor", "--config", str(config), "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["ready"]) == (78, False)
    assert "nonsense" in report["checks"][0]["detail"]


def test_paper_needs_no_keys_and_no_exchange(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "robson", "doctor", "--feed", "synthetic", "--state-dir", str(tmp_path), "--json"],
        env={**environment(), "CREDENTIALS_DIRECTORY": os.devnull},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    names = {check["name"] for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0
    assert not names & {"credentials", "rest", "key", "market_stream"}
