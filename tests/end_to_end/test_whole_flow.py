"""The whole flow with real processes: armed by socat, watched by robsonctl, subscribed, closed, panicked, resumed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, Reply, daemon


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    with daemon(tmp_path / "state", "--feed", "synthetic", "--speed", "20") as started:
        yield started


# What socat does with a socket, for machines that do not have it.
STAND_IN = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
link.sendall(sys.stdin.buffer.read())
link.shutdown(socket.SHUT_WR)
while received := link.recv(65536):
    sys.stdout.buffer.write(received)
"""


def talk(robson: Daemon, text: str) -> list[Reply]:
    """Send lines through socat, end the input, and take every reply."""
    if shutil.which("socat") is not None:
        command = ["socat", "-t30", "-", f"UNIX-CONNECT:{robson.socket}"]
    else:
        command = [sys.executable, "-c", STAND_IN, str(robson.socket)]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def socat(robson: Daemon, line: str) -> Reply:
    (reply,) = talk(robson, line + "\n")
    return reply


def distance(price: str, percent: str, sign: int) -> str:
    return str((Decimal(price) * (1 + sign * Decimal(percent) / 100)).quantize(Decimal("0.01")))


def test_the_whole_flow(running: Daemon) -> None:
    armed = socat(running, '{"id":7,"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}')
    assert (armed["id"], armed["ok"]) == (7, True)
    position_id = armed["result"]["position_id"]
    shown = json.loads(running.robsonctl("status", "--json").stdout)
    assert [(row["position_id"], row["state"]) for row in shown["positions"]] == [(position_id, "Armed")]
    follower = running.subscribe(0)
    assert follower.event()["event"] == "position_armed"

    entry = running.price("BTCUSDT")
    signal = {"position_id": position_id, "entry_price": entry, "stop_price": distance(entry, "3", -1)}
    accepted = running.ok("signal", **signal, signal_id="s-1")
    assert accepted["accepted"]
    assert accepted["reason"] is None
    # An accepted signal has left Armed before its reply.
    assert running.position(position_id)["state"] != "Armed"
    filled = follower.event("entry_filled")
    assert Decimal(filled["data"]["quantity"]) == Decimal(accepted["quantity"])
    active = running.position(position_id)
    assert active["state"] == "Active"
    assert active["quantity"] == accepted["quantity"]
    assert Decimal(active["entry_price"]) - Decimal(active["trailing_stop"]) <= Decimal(active["stop_distance"])

    closed = json.loads(running.robsonctl("close", position_id, "--json").stdout)
    assert closed["outcome"] == "closed"
    result = follower.event("position_closed")["data"]
    assert result["exit_reason"] == "operator_close"
    gross = (Decimal(result["exit_price"]) - Decimal(result["entry_price"])) * Decimal(result["quantity"])
    assert abs(Decimal(result["realized_pnl"]) - gross) < Decimal("0.000001")
    costs = Decimal(result["fees"]) + Decimal(result["interest"])
    assert Decimal(result["net_pnl"]) == Decimal(result["realized_pnl"]) - costs

    short = socat(running, '{"cmd":"arm","symbol":"ETHUSDT","side":"short","strategy":"signal"}')["result"]
    waiting = socat(running, '{"cmd":"arm","symbol":"BTCUSDT","side":"short","strategy":"signal"}')["result"]
    entry = running.price("ETHUSDT")
    assert running.ok(
        "signal", position_id=short["position_id"], entry_price=entry, stop_price=distance(entry, "3", 1)
    )["accepted"]
    follower.event("entry_filled")
    panicked = socat(running, '{"cmd":"panic"}')["result"]
    assert panicked["latched"] is True
    outcomes = {row["position_id"]: row["outcome"] for row in panicked["positions"]}
    assert outcomes == {short["position_id"]: "closed", waiting["position_id"]: "disarmed"}
    assert running.error("arm", symbol="BTCUSDT", side="long", strategy="signal")["code"] == "panic_latched"
    assert socat(running, '{"cmd":"resume"}')["ok"] is True
    again = running.arm()
    assert running.robsonctl("disarm", again).returncode == 0
    follower.event("position_disarmed", position_id=again)

    streamed = follower.events
    evidence.assert_gapless(streamed)
    assert streamed == running.events()
    order = [line["event"] for line in streamed if line["position_id"] == position_id]
    assert [kind for kind in order if kind != "trailing_stop_updated"] == [
        "position_armed",
        "entry_signal_received",
        "entry_order_placed",
        "entry_filled",
        "exit_triggered",
        "exit_order_placed",
        "exit_filled",
        "position_closed",
    ]
    before = running.ok("status", all=True)
    assert running.stop() == 0
    running.start()
    after = running.ok("status", all=True)
    assert after["positions"] == before["positions"]
    assert {row["state"] for row in after["positions"]} == {"Closed"}
    assert running.events()[: len(streamed)] == streamed
    assert running.stop() == 0
    positions = evidence.folded(evidence.journal_events(running.state))
    evidence.assert_status_is_the_fold(after, positions)
    evidence.assert_flat(running.state)
    evidence.assert_each_order_once(running.state, streamed)


def test_a_reply_keeps_its_order_and_the_input_may_end_first(running: Daemon) -> None:
    lines = [f'{{"id":{number},"cmd":"{cmd}"}}' for number, cmd in enumerate(["ping", "schema", "hello", "help"] * 5)]
    assert [reply["id"] for reply in talk(running, "\n".join(lines))] == list(range(20))
