"""An upgrade while a position is open, and keys that only systemd can read."""

import json
from pathlib import Path

import pytest

from tests.boot.machine import Machine
from tests.boot.robson import PLAIN, SERVICE, Robson, documented

ADDRESS = "127.0.0.1:9000"
KEY, SECRET = "rehearsal-key-2f91", "rehearsal-secret-77ab"
DROP_INS = "/etc/systemd/system/robson.service.d"
LIVE = f"""mode = "live"

[binance]
rest_url = "http://{ADDRESS}"
stream_url = "ws://{ADDRESS}"
ws_api_url = "ws://{ADDRESS}/ws-api/v3"
"""


@pytest.mark.whole
def test_an_upgrade_restarts_it_and_the_position_is_watched_again(robson: Robson, newer_package: Path) -> None:
    held, pid = robson.enter(2), robson.pid
    robson.configure(robson.machine.run("cat", "/etc/robson/robson.toml").stdout + "\n# mine\n")
    robson.install(newer_package)
    assert robson.pid not in {0, pid}
    assert robson.open_positions() == held
    assert "# mine" in robson.machine.run("cat", "/etc/robson/robson.toml").stdout
    print(f"\nprotected {robson.ask('status')['time_to_protected_seconds']} s after the start of the new one")


def test_an_upgrade_leaves_a_stopped_daemon_stopped(robson: Robson, package: Path) -> None:
    robson.machine.run("systemctl", "stop", SERVICE)
    place = robson.machine.bring(package)
    robson.machine.sh(f"apt-get install -y --reinstall --allow-downgrades --no-install-recommends {place} 2>&1")
    assert robson.shown("ActiveState") == "inactive"


def test_encrypted_keys_reach_the_daemon_and_nobody_else(robson: Robson) -> None:
    machine = robson.machine
    folder = "/etc/robson/credentials"
    machine.sh("systemd-creds setup")
    machine.write("/api-key.txt", KEY)
    machine.write("/api-secret.txt", SECRET)
    machine.sh("cd /; " + "; ".join(documented("From the package")[1]))
    assert not [name for name in ("api-key.txt", "api-secret.txt") if (machine.root / name).exists()]
    # The drop-in that the package brings as an example, and a journal of the other mode.
    machine.sh(f"mkdir -p {DROP_INS}; cp /usr/share/doc/robson/examples/credentials.conf {DROP_INS}")
    machine.write(f"{DROP_INS}/live.conf", "[Service]\nStateDirectory=\nStateDirectory=robson-live\n")
    keys, emulator = "/venue", f"robson emulator --listen {ADDRESS} --state-dir /venue"
    machine.write(f"{keys}/binance-api-key", KEY)
    machine.write(f"{keys}/binance-api-secret", SECRET)
    machine.sh(f"systemctl daemon-reload; systemd-run --unit=venue {emulator} --credentials-dir {keys}")
    robson.configure(LIVE)
    try:
        robson.restart()
        assert robson.ask("hello")["mode"] == "live"
        machine.until(lambda: robson.ask("health")["checks"]["venue"]["ok"], "the venue to take the key")
        entries = json.dumps(robson.log())
        environment = machine.sh(f"cat /proc/{robson.pid}/environ /proc/{robson.pid}/cmdline")
        assert KEY not in entries + environment
        assert SECRET not in entries + environment
        for user in ("alice", "bob"):
            assert machine.run("cat", f"{folder}/binance-api-key.cred", user=user, check=False).returncode != 0
            place = "/run/credentials/robson.service/binance-api-key"
            assert machine.run("cat", place, user=user, check=False).returncode != 0
    finally:
        machine.sh("systemctl stop venue robson", check=False)


@pytest.mark.whole
def test_a_position_moves_to_another_machine(robson: Robson, package: Path, suite: str) -> None:
    """With the runbook's commands; on paper the venue's account has to come, too."""
    held = robson.enter(2)
    leaving, arriving = documented("Move to another machine")
    robson.machine.sh("cd /; " + "; ".join(line for line in leaving if not line.startswith("scp ")))
    assert robson.shown("ActiveState") == "inactive"
    machine = Machine(suite)
    try:
        machine.prepare()
        machine.boot()
        other = Robson(machine)
        other.install(package)
        other.configure(PLAIN)
        machine.bring(robson.machine.root / "moving.db", ".")
        machine.bring(robson.machine.root / "var/lib/robson/paper-account.db", "var/lib/robson")
        machine.sh("cd /; " + "; ".join(arriving))
        assert other.open_positions() == held
    finally:
        machine.end()
