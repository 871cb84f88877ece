"""robsonctl against a real daemon: the exit codes that scripts rely on, and the pipe."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon
from tests.end_to_end.test_crash import enter


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("ctl") / "state", "--feed", "synthetic", "--speed", "60") as started:
        yield started


@pytest.fixture(scope="module")
def armed(running: Daemon) -> str:
    return running.arm("SOLUSDT")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status",), 0),
        (("status", "--json"), 0),
        (("health",), 0),
        (("plan", "BTCUSDT", "long", "--entry", "95000", "--stop", "93500"), 0),
        (("events", "--from", "1"), 0),
        (("plan", "BTCUSDT", "long", "--entry", "95000", "--stop", "95000"), 1),
        (("arm", "BTCUSDT", "--capital", "0"), 1),
        (("arm", "NOPEUSDT"), 1),
        (("arm", "BTCUSDT", "--strategy", "delay", "--param", "seconds=-1"), 1),
        (("arm", "BTCUSDT", "sideways"), 2),
        (("arm", "BTCUSDT", "--param", "seconds"), 2),
        (("arm",), 2),
        (("frobnicate",), 2),
        (("status", "--no-such-option"), 2),
        (("show", "nobody"), 3),
        (("close", "nobody"), 3),
        (("disarm", "nobody"), 3),
        (("panic",), 64),
    ],
)
def test_exit_codes(running: Daemon, armed: str, arguments: tuple[str, ...], code: int) -> None:
    before = running.events()
    ended = running.robsonctl(*arguments)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    assert (ended.stderr == "") is (code == 0)
    assert "Traceback" not in ended.stderr
    assert running.events() == before


def test_nobody_there(running: Daemon) -> None:
    ended = running.robsonctl("--socket", str(running.state / "nobody.sock"), "status")
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "nobody.sock" in ended.stderr


def test_a_panic_that_is_not_confirmed(running: Daemon, armed: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "robsonctl", "panic"],
        env={**running.env, "ROBSON_SOCKET": str(running.socket)},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as asking:
        os.write(ours, b"n\n")
        asking.communicate(timeout=PATIENCE_SECONDS)
    os.close(ours)
    os.close(theirs)
    assert asking.returncode == 4
    status = running.ok("status")
    assert not status["panic_latched"]
    assert armed in {view["position_id"] for view in status["positions"]}


def test_what_is_not_done_yet_and_what_is_not_known(running: Daemon) -> None:
    position_id = enter(running, "BTCUSDT", "long", "6")
    # Somebody holds the paper venue's own file: no order can be taken, and the exit goes on trying.
    holder = sqlite3.connect(running.state / "paper-account.db", isolation_level=None, timeout=10)
    try:
        holder.execute("BEGIN IMMEDIATE")
        unknown = running.robsonctl("--timeout", "2", "close", position_id)
        assert unknown.returncode == 75, (unknown.stdout, unknown.stderr)
        assert "status" in unknown.stderr
        panicked = running.robsonctl("panic", "--yes", "--json")
        assert panicked.returncode == 5, (panicked.stdout, panicked.stderr)
        outcomes = {row["position_id"]: row["outcome"] for row in json.loads(panicked.stdout)["positions"]}
        assert outcomes[position_id] == "pending"
        assert running.position(position_id)["state"] == "Exiting"
    finally:
        holder.close()
    running.wait_event("position_closed", position_id=position_id)
    assert running.robsonctl("close", position_id).returncode == 1
    assert running.robsonctl("arm", "BTCUSDT").returncode == 1
    assert running.robsonctl("resume").returncode == 0


def test_commands_in_a_pipe(running: Daemon) -> None:
    lines = [
        '{"id":1,"cmd":"hello"}',
        '{"id":2,"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}',
        "nonsense",
        '{"id":4,"cmd":"status"}',
    ]
    ended = running.robsonctl(stdin="\n".join(lines))
    replies = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == [1, 2, None, 4]
    assert [reply["ok"] for reply in replies] == [True, True, False, True]
    assert ended.returncode == 1
    position_id = replies[1]["result"]["position_id"]
    good = running.robsonctl(stdin=json.dumps({"cmd": "disarm", "position_id": position_id}) + "\n")
    assert (good.returncode, good.stderr) == (0, "")


def test_following_ends_with_ctrl_c_and_a_closed_pipe_is_no_fault(running: Daemon) -> None:
    running.ok("disarm", position_id=running.arm())
    command = [sys.executable, "-m", "robsonctl", "events", "--follow", "--from", "1", "--json"]
    env = {**running.env, "ROBSON_SOCKET": str(running.socket)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert json.loads(following.stdout.readline())["seq"] == 1
        following.send_signal(signal.SIGINT)
        _, complaint = following.communicate(timeout=PATIENCE_SECONDS)
    assert (following.returncode, complaint) == (130, b"")
    reading, writing = os.pipe()
    os.close(reading)
    closed = subprocess.run(
        [sys.executable, "-m", "robsonctl", "schema"],
        env=env,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(writing)
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_the_daemon_gone_amid_a_request_leaves_the_outcome_unknown(running: Daemon) -> None:
    lost = json.dumps({"id": 1, "cmd": "subscribe", "from_seq": 1, "types": ["position_error"]})
    pinged = json.dumps({"id": 2, "cmd": "ping"})
    with subprocess.Popen(
        [sys.executable, "-m", "robsonctl"],
        env={**running.env, "ROBSON_SOCKET": str(running.socket)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as piping:
        piping.stdin.write(f"{lost}\n{pinged}\n")
        piping.stdin.flush()
        assert [json.loads(piping.stdout.readline())["id"] for _ in range(2)] == [1, 2]
        running.running.send_signal(signal.SIGSTOP)
        piping.stdin.write(pinged + "\n")
        piping.stdin.close()
        piping.stdin = None
        running.kill()
        _, complaint = piping.communicate(timeout=PATIENCE_SECONDS)
    assert piping.returncode == 75
    assert "1 of 3" in complaint
    running.start()
