"""The unit under a real systemd: who may use it, what it says, and how it comes back, stops and reloads."""

import re
import signal

import pytest

from tests.boot.robson import CONFIGURATION, PLAIN, SERVICE, Robson, summary

SECURITY_MOST = 1.5
KILLS = 50
ALERT = "robson-alert@robson.service"
PROTECTED_MOST_SECONDS = 3.0
ARM_LATER = ("arm", "BTCUSDT", "long", "--strategy", "signal")


def test_it_is_exposed_little(robson: Robson) -> None:
    printed = robson.machine.run("systemd-analyze", "security", "--no-pager", SERVICE).stdout
    (score,) = re.findall(r"exposure level for robson\.service: ([\d.]+)", printed)
    print(f"\nsystemd-analyze security: {score}")
    assert float(score) <= SECURITY_MOST


def test_systemd_finds_no_fault_in_the_units(robson: Robson) -> None:
    units = robson.machine.sh("dpkg -L robson | grep /systemd/system/ | grep '\\.'").split()
    assert f"/usr/lib/systemd/system/{SERVICE}" in units
    done = robson.machine.run(
        "systemd-analyze", "verify", "--man=no", *(unit.replace("@.", "@x.") for unit in units), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_ready_means_that_every_stop_is_watched(robson: Robson) -> None:
    robson.enter(3)
    robson.restart()
    hello = robson.ask("hello")
    assert hello["state"] != "recovering"
    assert robson.ask("health")["checks"]["recovery"]["ok"]
    assert [held.state for held in robson.open_positions()] == ["Active"] * 3


def test_the_status_line_says_what_is_open(robson: Robson) -> None:
    robson.enter(2)
    text = robson.machine.until(
        lambda: (said := robson.shown("StatusText")) and "2 positions" in said and said, "two positions in the status"
    )
    print(f"\nSTATUS: {text}")
    assert text in robson.machine.run("systemctl", "status", "--no-pager", SERVICE).stdout


def test_a_member_of_the_group_may_and_others_may_not(robson: Robson) -> None:
    assert robson.ask("status", user="alice")["mode"] == "paper"
    refused = robson.machine.run("robsonctl", "status", user="bob", check=False)
    assert refused.returncode == 69
    assert "Permission denied" in refused.stderr


def test_the_journal_says_who_asked(robson: Robson) -> None:
    uid = robson.machine.sh("id -u alice").strip()
    robson.ask(*ARM_LATER, user="alice")
    asked = [str(entry["MESSAGE"]) for entry in robson.log() if entry.get("PEER_UID") == uid]
    assert [said for said in asked if said.startswith("mutation_requested cmd=arm ")], asked


def test_only_those_named_may_arm(robson: Robson) -> None:
    """The kernel's word for a caller's uid reaches the daemon through all of the hardening."""
    robson.configure(PLAIN + '\n[control]\narm_users = "alice"\n')
    robson.restart()
    robson.ask(*ARM_LATER, user="alice")
    refused = robson.machine.run("robsonctl", *ARM_LATER, check=False)
    assert refused.returncode == 1
    assert "uid 0" in refused.stderr


def test_after_sigkill_the_same_position_is_watched_again(robson: Robson) -> None:
    held = robson.enter(1)
    restarts = int(robson.shown("NRestarts"))
    robson.ready_after(robson.kill())
    assert robson.open_positions() == held
    assert int(robson.shown("NRestarts")) == restarts + 1


def test_a_daemon_that_hangs_is_killed_and_comes_back(robson: Robson) -> None:
    held = robson.enter(1)
    stopped = robson.kill(signal.SIGSTOP)
    seconds = robson.ready_after(stopped)
    print(f"\nfrom a standstill to protected again: {seconds:.1f} s")
    assert robson.open_positions() == held
    assert any("watchdog" in str(entry["MESSAGE"]).lower() for entry in robson.log("--since", "-2min"))


@pytest.mark.parametrize("is_by_socket", [False, True], ids=["service", "service and socket"])
def test_what_was_stopped_stays_stopped(robson: Robson, *, is_by_socket: bool) -> None:
    if is_by_socket:
        robson.machine.sh(f"systemctl stop {SERVICE}; systemctl start robson.socket {SERVICE}")
        assert robson.ask("hello")["mode"] == "paper"
    robson.machine.run("systemctl", "stop", SERVICE)
    asked = robson.machine.run("robsonctl", "status", check=False)
    assert asked.returncode == 69
    assert robson.shown("ActiveState") == "inactive"
    assert robson.shown("Result") == "success"


def test_the_socket_starts_the_daemon(robson: Robson) -> None:
    """Clients that come while it starts wait, and are answered."""
    robson.machine.sh(f"systemctl stop {SERVICE}; systemctl start robson.socket")
    assert robson.shown("ActiveState") == "inactive"
    assert robson.ask("hello", user="alice")["mode"] == "paper"
    assert robson.machine.run("robsonctl", "status", user="bob", check=False).returncode == 69
    assert robson.shown("ActiveState") == "active"


def test_stopping_leaves_positions_and_starting_finds_them(robson: Robson) -> None:
    held = robson.enter(2)
    robson.machine.run("systemctl", "stop", SERVICE)
    robson.machine.run("systemctl", "start", SERVICE)
    assert robson.open_positions() == held


def test_reload_keeps_the_process_and_takes_the_level_of_the_log(robson: Robson) -> None:
    held, pid = robson.enter(1), robson.pid
    robson.configure(PLAIN + '\n[log]\nlevel = "debug"\n')
    robson.machine.run("systemctl", "reload", SERVICE)
    assert robson.shown("ActiveState") == "active"
    assert robson.pid == pid
    assert robson.open_positions() == held


def test_reloading_nonsense_changes_nothing(robson: Robson) -> None:
    held, pid = robson.enter(1), robson.pid
    robson.configure(PLAIN + "\n[nonsense]\n")
    robson.machine.run("systemctl", "reload", SERVICE, check=False)
    assert (robson.shown("ActiveState"), robson.pid) == ("active", pid)
    assert robson.open_positions() == held


def test_a_wrong_configuration_is_not_tried_again(robson: Robson) -> None:
    robson.configure('mode = "papre"\n')
    assert robson.machine.run("systemctl", "restart", SERVICE, check=False).returncode != 0
    assert robson.shown("ExecMainStatus") == "78"
    assert robson.shown("ActiveState") == "failed"
    assert any("papre" in str(entry["MESSAGE"]) for entry in robson.log("--since", "-1min"))


def alerts(robson: Robson) -> str:
    """When the alert was last started."""
    return robson.machine.shown(ALERT, "ExecMainStartTimestampMonotonic")["ExecMainStartTimestampMonotonic"]


def test_a_failure_that_ends_the_restarts_starts_the_alert(robson: Robson) -> None:
    before = alerts(robson)
    robson.configure('mode = "papre"\n')
    robson.machine.run("systemctl", "restart", SERVICE, check=False)
    robson.machine.until(lambda: alerts(robson) != before, "the alert to be started")
    said = robson.machine.run("journalctl", "--unit", ALERT, "--output", "cat", "--no-pager").stdout
    assert "has failed" in said


def test_a_crash_starts_the_alert(robson: Robson, request: pytest.FixtureRequest, suite: str) -> None:
    if suite == "bookworm":
        why = "systemd before 254 starts OnFailure= only once restarts have ended"
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    before = alerts(robson)
    robson.ready_after(robson.kill(signal.SIGSEGV))
    robson.machine.until(lambda: alerts(robson) != before, "the alert to be started", patience=10)


@pytest.mark.whole
def test_from_sigkill_to_protected_again(robson: Robson) -> None:
    held = robson.enter(10)
    seconds = []
    for _ in range(KILLS):
        seconds.append(robson.ready_after(robson.kill()))
        assert robson.open_positions() == held
    print(f"\nfrom SIGKILL to protected again, {KILLS} kills, ten positions: {summary(seconds)}")
    assert sorted(seconds)[int(KILLS * 0.99)] < PROTECTED_MOST_SECONDS
    assert robson.machine.sh(f"stat -c %U {CONFIGURATION}").strip() == "root"
