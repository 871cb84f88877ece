"""The unit under a real systemd: who may use it, what it says, and how it comes back, stops and reloads."""

import re
import signal

import pytest

from tests.boot.robson import CONFIGURATION, PLAIN, SERVICE, Robson, summary

SECURITY_MOST = 1.5
KILLS = 50
ALERT = "robson-alert@robson.service"
DROP_IN = "/etc/systemd/system/robson.service.d/test.conf"
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


def test_the_journal_can_be_asked_for_a_position(robson: Robson) -> None:
    """Fields of their own, so that journalctl finds them without reading any text."""
    (held,) = robson.enter(1)
    found = robson.log(f"POSITION_ID={held.position_id}")
    assert found
    assert {entry["SYMBOL"] for entry in found if "SYMBOL" in entry} == {"BTCUSDT"}
    assert all(entry["EVENT"] for entry in found)
    intents = {entry["INTENT_ID"] for entry in found if "INTENT_ID" in entry}
    print(f"\nEVENT: {sorted({str(entry['EVENT']) for entry in found})}")
    assert intents
    assert all(robson.log(f"INTENT_ID={intent}") for intent in intents)


def test_a_recovery_that_takes_longer_than_a_start_may_is_waited_for(robson: Robson) -> None:
    """Without a network no stop is watched: systemd is asked for more time, and told why it is ready all the same."""
    robson.enter(1)
    robson.machine.run("systemctl", "stop", SERVICE)
    restarts = robson.shown("NRestarts")
    robson.machine.write(DROP_IN, "[Service]\nTimeoutStartSec=4s\n")
    robson.machine.run("systemctl", "daemon-reload")
    robson.configure('mode = "paper"\n\n[feed]\nsource = "binance"\n')
    robson.restart()
    text = robson.shown("StatusText")
    print(f"\nSTATUS: {text}")
    assert text.startswith("degraded: 1 of 1 stops are not watched yet")
    assert robson.shown("NRestarts") == restarts
    started = robson.machine.shown(SERVICE, "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    took = int(started["ActiveEnterTimestampMonotonic"]) - int(started["ExecMainStartTimestampMonotonic"])
    assert took > 5e6, "READY came before the time to start had ended"
    robson.machine.run("rm", DROP_IN)
    robson.machine.run("systemctl", "daemon-reload")


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


def alerts(robson: Robson) -> list[str]:
    """What every alert so far has said, once systemd has nothing left to start or stop."""
    robson.machine.until(lambda: not robson.machine.sh("systemctl list-jobs --no-legend"), "all jobs to end")
    listed = robson.machine.sh(f"journalctl --sync; journalctl --unit {ALERT} --output cat --no-pager")
    return [line for line in listed.splitlines() if f"{SERVICE} has failed: " in line]


@pytest.mark.parametrize(
    ("signal_sent", "cause"),
    [
        (signal.SIGSEGV, "signal (killed SEGV)"),
        (signal.SIGKILL, "signal (killed KILL)"),
        (signal.SIGSTOP, "watchdog ("),
    ],
    ids=["crash", "kill", "standstill"],
)
def test_every_failure_is_told_once(robson: Robson, signal_sent: signal.Signals, cause: str) -> None:
    before = alerts(robson)
    robson.ready_after(robson.kill(signal_sent))
    robson.machine.until(lambda: alerts(robson) != before, "the alert to be started")
    (said,) = alerts(robson)[len(before) :]
    assert f"{SERVICE} has failed: {cause}" in said


def test_a_failure_that_ends_the_restarts_is_told_once(robson: Robson) -> None:
    before = alerts(robson)
    robson.configure('mode = "papre"\n')
    robson.machine.run("systemctl", "restart", SERVICE, check=False)
    robson.machine.until(lambda: alerts(robson) != before, "the alert to be started")
    (said,) = alerts(robson)[len(before) :]
    assert f"{SERVICE} has failed: exit-code (exited 78)" in said


def test_a_stop_that_fails_is_told_once(robson: Robson) -> None:
    """No restart follows, so OnFailure= tells it on every systemd."""
    before = alerts(robson)
    robson.machine.write(DROP_IN, "[Service]\nExecStop=/bin/false\n")
    robson.machine.run("systemctl", "daemon-reload")
    robson.machine.run("systemctl", "stop", SERVICE)
    robson.machine.until(lambda: alerts(robson) != before, "the alert to be started")
    assert len(alerts(robson)) == len(before) + 1
    assert robson.shown("ActiveState") == "failed"


def test_what_was_asked_for_is_not_told(robson: Robson) -> None:
    before = alerts(robson)
    for verb in ("restart", "reload", "stop", "start"):
        robson.machine.run("systemctl", verb, SERVICE)
    robson.ready_after(robson.kill(signal.SIGTERM))
    assert alerts(robson) == before


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
