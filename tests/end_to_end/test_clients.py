"""Clients that repeat themselves, say too much, leave amid a line, never read or come in too great a number."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon

ARM = {"symbol": "BTCUSDT", "side": "long", "strategy": "signal"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("clients") / "state", "--feed", "synthetic", "--speed", "60") as started:
        yield started
        assert not started.logged("command_failed")
        assert not started.logged("client_failed")
        assert started.stop() == 0


def open_positions(running: Daemon) -> set[str]:
    return {view["position_id"] for view in running.ok("status")["positions"]}


def test_one_key_has_one_effect_also_after_a_crash(running: Daemon) -> None:
    first = running.ok("arm", **ARM, idempotency_key="monday")
    opened = open_positions(running)
    assert first["position_id"] in opened
    assert running.ok("arm", **ARM, idempotency_key="monday") == first
    # The default, said aloud, is another body; so is another capital.
    conflict = running.error("arm", **ARM, capital="9", idempotency_key="monday")
    assert conflict["code"] == "idempotency_conflict"
    assert "monday" in conflict["message"]
    assert running.error("panic", idempotency_key="monday")["code"] == "idempotency_conflict"
    refusal = running.error("arm", **{**ARM, "strategy": "no"}, idempotency_key="refused")
    running.kill()
    running.start()
    assert running.ok("arm", **ARM, idempotency_key="monday") == first
    assert running.error("arm", **{**ARM, "strategy": "no"}, idempotency_key="refused") == refusal
    assert running.error("arm", **ARM, capital="9", idempotency_key="monday")["code"] == "idempotency_conflict"
    assert not running.ok("status")["panic_latched"]
    assert open_positions(running) == opened


def test_one_key_from_many_clients_at_once_has_one_effect(running: Daemon) -> None:
    before = open_positions(running)
    clients = [running.connect() for _ in range(8)]
    for number, client in enumerate(clients):
        client.send(json.dumps({"id": number, "cmd": "arm", **ARM, "idempotency_key": "tuesday"}))
    replies = [client.reply() for client in clients]
    for client in clients:
        client.socket.close()
    assert [reply["id"] for reply in replies] == list(range(8))
    assert len({json.dumps(reply["result"]) for reply in replies}) == 1
    assert len(open_positions(running) - before) == 1


def test_a_line_of_64_kib_is_taken_and_a_longer_one_is_not(running: Daemon) -> None:
    frame = b'{"id":"","cmd":"ping"}'
    exact = frame.replace(b'""', b'"' + b"x" * (65_536 - len(frame)) + b'"')
    assert len(exact) == 65_536
    with running.connect() as client:
        client.send(exact)
        assert client.reply()["ok"]
        client.send(exact.replace(b'"x', b'"xx', 1), b'{"cmd":"ping"}')
        error = client.reply()["error"]
        assert error["code"] == "line_too_long"
        assert "65536" in error["message"]
        with pytest.raises(EOFError):
            client.line()
    with running.connect() as client, pytest.raises((BrokenPipeError, ConnectionResetError)):
        # More without a line feed than anybody swallows.
        client.socket.sendall(b"[" * (64 << 20))
    assert running.ok("ping")


def test_a_client_that_leaves_amid_a_line_does_nothing(running: Daemon) -> None:
    before = running.ok("status")["positions"]
    for part in (b'{"cmd":"pan', b'{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"', b"\xff"):
        with running.connect() as client:
            client.socket.sendall(part)
        with running.connect() as client:
            client.socket.sendall(part)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.reply()["ok"] is False
    status = running.ok("status")
    assert not status["panic_latched"]
    assert [view["position_id"] for view in status["positions"]] == [view["position_id"] for view in before]


def test_what_a_client_asked_goes_on_when_it_leaves(running: Daemon) -> None:
    position_id = running.arm("SOLUSDT")
    with running.connect() as client:
        client.send(json.dumps({"cmd": "disarm", "position_id": position_id}))
    running.wait_event("position_disarmed", position_id=position_id)


def test_a_client_that_never_reads_holds_nobody_up(running: Daemon) -> None:
    with running.connect() as deaf:
        deaf.socket.setblocking(False)
        with suppress(BlockingIOError):
            while deaf.socket.send(b'{"cmd":"schema"}\n' * 1000):
                pass
        for _ in range(20):
            assert running.ok("ping")
        running.ok("disarm", position_id=running.arm())


def test_a_subscriber_that_does_not_read_loses_nothing(running: Daemon) -> None:
    with running.connect() as slow:
        slow.send('{"cmd":"subscribe","from_seq":1}')
        for _ in range(40):
            running.ok("disarm", position_id=running.arm("ETHUSDT"))
        last = running.ok("events", from_seq=1, limit=1)["last_seq"]
        assert slow.reply()["ok"]
        while not slow.events or slow.events[-1]["seq"] < last:
            slow.event()
        assert [line["seq"] for line in slow.events] == list(range(1, last + 1))


def test_the_33rd_client_is_turned_away(running: Daemon) -> None:
    clients = [running.connect() for _ in range(32)]
    assert all(client.ok("ping") for client in clients)
    with running.connect() as surplus:
        error = surplus.reply()["error"]
        assert (error["code"], error["retryable"], "32" in error["message"]) == ("too_many_clients", True, True)
        with pytest.raises(EOFError):
            surplus.line()
    assert all(client.ok("ping") for client in clients)
    clients.pop().socket.close()
    running.wait_until(running.answers, "a place to be free")
    for client in clients:
        client.socket.close()


STANDARD_LIBRARY = """
import socket, sys
with socket.socket(socket.AF_UNIX) as daemon:
    daemon.connect(sys.argv[1])
    daemon.sendall(sys.stdin.buffer.read())
    daemon.shutdown(socket.SHUT_WR)
    for line in daemon.makefile("rb"):
        sys.stdout.buffer.write(line)
        sys.stdout.flush()
"""
STRANGERS = {
    "socat": ("socat", "-t5", "-", "UNIX-CONNECT:{path}"),
    "nc": ("nc", "-N", "-U", "{path}"),
    "python3": (sys.executable, "-c", STANDARD_LIBRARY, "{path}"),
}


def stranger(running: Daemon, name: str) -> list[str]:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return [word.format(path=running.socket) for word in STRANGERS[name]]


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_get_every_reply_after_their_end_of_input(running: Daemon, name: str) -> None:
    asked = b'{"cmd":"status"}\n\nnonsense\n{"id":"last","cmd":"events","limit":10000}'
    done = subprocess.run(
        stranger(running, name), input=asked, capture_output=True, timeout=PATIENCE_SECONDS, check=True
    )
    first, second, last = (json.loads(line) for line in done.stdout.splitlines())
    assert first["result"]["mode"] == "paper"
    assert second["error"]["code"] == "bad_json"
    assert (last["id"], last["result"]["events"]) == ("last", running.events()[: len(last["result"]["events"])])
    assert done.stderr == b""


def test_a_line_of_shell_is_enough(running: Daemon) -> None:
    for program in ("socat", "jq"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    line = """echo '{"cmd":"status"}' | socat -t5 - UNIX-CONNECT:"$1" | jq -r .result.mode"""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line, "bash", str(running.socket)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("paper\n", "")


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_follow_the_sequence_after_their_end_of_input(running: Daemon, name: str) -> None:
    words = stranger(running, name)
    if name == "socat":
        # It leaves after so long without a word, once its own input has ended.
        words[1] = f"-t{PATIENCE_SECONDS:g}"
    first = running.ok("events", limit=1)["last_seq"] + 1
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as following:
        assert following.stdin is not None
        assert following.stdout is not None
        following.stdin.write(b'{"id":1,"cmd":"subscribe","from_seq":%d}\n' % first)
        following.stdin.close()
        assert json.loads(following.stdout.readline())["result"]["from_seq"] == first
        position_id = running.arm("ETHUSDT")
        running.ok("disarm", position_id=position_id)
        lines = (json.loads(line) for line in following.stdout)
        seen = []
        while not seen or (seen[-1]["event"], seen[-1]["position_id"]) != ("position_disarmed", position_id):
            seen.append(next(lines))
        assert [line["seq"] for line in seen] == list(range(first, first + len(seen)))
        following.kill()
