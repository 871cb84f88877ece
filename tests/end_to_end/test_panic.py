"""Panic on paper: shown and confirmed on a terminal, and done without a daemon, whatever that one died in."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import TRY_SECONDS, Daemon, daemon, environment
from tests.end_to_end.panicking import (
    DIRECT_SECONDS,
    ROBSON,
    ROBSONCTL,
    ask_on_terminal,
    assert_over,
    direct,
    is_latched,
    outcomes,
)

FEED = ("--feed", "synthetic", "--seed", "panic")
# Each request travels so long: whoever is killed within has orders on their way.
SLOW = {"ROBSON_PAPER_LATENCY_MS": "1600"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def running(state: Path) -> Iterator[Daemon]:
    with daemon(state, *FEED) as found:
        yield found


def signal_for(running: Daemon, symbol: str, side: str) -> dict[str, str]:
    """The present price, and a stop so far from it that no test lasts until it is hit."""
    price = Decimal(running.price(symbol))
    stop = price * (Decimal("0.94") if side == "long" else Decimal("1.06"))
    return {"entry_price": str(price), "stop_price": str(stop.quantize(Decimal("0.01")))}


def entered(running: Daemon, symbol: str, side: str) -> str:
    """A position that is in the market; its id."""
    position_id = running.arm(symbol, side, capital="2000")
    assert running.ok("signal", position_id=position_id, **signal_for(running, symbol, side))["accepted"]
    running.wait_event("entry_filled", position_id=position_id)
    return position_id


def assert_books(running: Daemon) -> None:
    """The journal and the account agree that each order was placed once and that nothing is left."""
    status = running.ok("status", all=True)
    assert running.stop() == 0
    events = evidence.journal_events(running.state)
    evidence.assert_gapless(events)
    evidence.assert_each_order_once(running.state, events)
    evidence.assert_status_is_the_fold(status, evidence.folded(events))
    evidence.assert_flat(running.state)


def test_a_daemon_killed_in_every_state_is_closed_without_it(state: Path, tmp_path: Path) -> None:
    with daemon(state, *FEED, env=SLOW) as running:
        long, short = entered(running, "BTCUSDT", "long"), entered(running, "ETHUSDT", "short")
        exiting = entered(running, "SOLUSDT", "long")
        armed = running.arm("BTCUSDT", "long")
        entering = running.arm("BNBUSDT", "short")
        wanted = {"cmd": "signal", "position_id": entering, **signal_for(running, "BNBUSDT", "short")}
        with running.connect() as client, running.subscribe() as follower:
            client.send(
                json.dumps(wanted),
                json.dumps({"cmd": "close", "position_id": exiting}),
            )
            follower.event("entry_order_placed", position_id=entering)
            follower.event("exit_order_placed", position_id=exiting)
        running.kill()
        intents = dict(evidence.rows(state / "robson.db", "SELECT position_id, status FROM open_intents"))
        assert {intents[entering], intents[exiting]} == {"sent"}
        # What lies where it is run must not be taken for Robson.
        (tmp_path / "robson").mkdir()
        (tmp_path / "robson" / "__init__.py").write_text("raise SystemExit(99)\n", "utf-8")
        socket = ("--socket", str(running.socket))
        done = direct(
            ROBSONCTL, *socket, "panic", "--direct", "--yes", "--json", "--state-dir", str(state), cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert outcomes(done).keys() == {long, short, exiting, armed, entering}
        assert outcomes(done)[armed] == "disarmed"
        assert {outcomes(done)[one] for one in (long, short, exiting)} == {"closed"}
        # Killed before or after the order had arrived.
        assert outcomes(done)[entering] in {"closed", "disarmed"}
        expected = {
            long: "operator_panic",
            short: "operator_panic",
            exiting: "operator_close",
            armed: "disarmed",
            entering: "operator_panic" if outcomes(done)[entering] == "closed" else "disarmed",
        }
        running.env = environment()
        assert_over(running, expected)
        assert_books(running)


def test_nothing_is_done_while_a_daemon_lives(running: Daemon, state: Path) -> None:
    position_id = entered(running, "BTCUSDT", "long")
    socket = ("--socket", str(running.socket))
    refused = direct(ROBSONCTL, *socket, "panic", "--direct", "--yes", "--state-dir", str(state))
    assert (refused.returncode, "a daemon answers" in refused.stderr) == (1, True)
    held = direct(ROBSON, "panic", "--yes", "--state-dir", str(state), *FEED)
    assert held.returncode == 74
    assert f"was held by pid {running.running.pid}" in held.stderr
    assert "use `robsonctl panic`" in held.stderr
    # One that hangs does not answer, and has its journal all the same.
    running.running.send_signal(signal.SIGSTOP)
    try:
        hung = direct(ROBSONCTL, *socket, "panic", "--direct", "--yes", "--state-dir", str(state))
        assert (hung.returncode, "was held by" in hung.stderr) == (74, True)
    finally:
        running.running.send_signal(signal.SIGCONT)
    status = running.ok("status")
    assert status["panic_latched"] is False
    assert [view["state"] for view in status["positions"] if view["position_id"] == position_id] == ["Active"]


def test_the_feed_need_not_be_there(running: Daemon, state: Path) -> None:
    long, short = entered(running, "BTCUSDT", "long"), entered(running, "ETHUSDT", "short")
    running.kill()
    nobody = {"ROBSON_BINANCE_REST_URL": "http://127.0.0.1:9", "ROBSON_BINANCE_STREAM_URL": "ws://127.0.0.1:9"}
    done = direct(ROBSON, "panic", "--yes", "--state-dir", str(state), "--feed", "binance", "-o", "json", env=nobody)
    assert done.returncode == 0, done.stderr
    assert outcomes(done) == {long: "closed", short: "closed"}
    assert_over(running, {long: "operator_panic", short: "operator_panic"})
    assert_books(running)


def test_killed_in_the_middle_and_run_again_it_does_nothing_twice(running: Daemon, state: Path) -> None:
    ids = [entered(running, symbol, side) for symbol, side in (("BTCUSDT", "long"), ("ETHUSDT", "short"))]
    ids.append(entered(running, "SOLUSDT", "long"))
    running.kill()
    command = [*ROBSON, "panic", "--yes", "--state-dir", str(state), *FEED, "-o", "json"]
    for latency in ("0", "400", "1600"):
        panic = subprocess.Popen(
            command,
            env=environment({"ROBSON_PAPER_LATENCY_MS": latency}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Soon after the first order was decided on, if there is one to come.
        while panic.poll() is None and not evidence.rows(state / "robson.db", "SELECT 1 FROM open_intents"):
            with suppress(subprocess.TimeoutExpired):
                panic.wait(TRY_SECONDS)
        panic.kill()
        panic.wait(DIRECT_SECONDS)
        assert is_latched(state), evidence.journal_events(state)[-8:]
    done = direct(command[:3], *command[3:])
    assert done.returncode == 0, done.stderr
    assert set(outcomes(done).values()) <= {"closed"}
    assert_over(running, dict.fromkeys(ids, "operator_panic"))
    assert_books(running)


def test_on_a_terminal_paper_is_confirmed_with_y(running: Daemon, state: Path) -> None:
    long = entered(running, "BTCUSDT", "long")
    armed = running.arm("ETHUSDT", "short")
    command = [*ROBSONCTL, "--socket", str(running.socket), "panic"]
    env = {**running.env, "COLUMNS": "80"}
    for typed in (b"\x04", b"yes\n", b"CLOSE ALL\n"):
        code, shown = ask_on_terminal(command, typed, env)
        assert code == 4, shown
        assert "nothing was done" in shown
    assert running.ok("status")["panic_latched"] is False
    code, shown = ask_on_terminal(command, b"y\n", env)
    assert code == 0, shown
    for said in (long, armed, "close at market", "disarm", "estimated slippage", "paper venue's rule"):
        assert said in shown
    assert running.ok("status")["panic_latched"] is True
    assert running.position(long)["exit_reason"] == "operator_panic"


def test_without_a_daemon_it_is_confirmed_as_well(running: Daemon, state: Path) -> None:
    long = entered(running, "BTCUSDT", "long")
    running.kill()
    before = evidence.journal_events(state)
    command = [*ROBSONCTL, "--socket", str(running.socket), "panic", "--direct", "--state-dir", str(state)]
    env = {**running.env, "ROBSON_FEED_SOURCE": "synthetic"}
    for typed in (b"\x04", b"n\n"):
        code, shown = ask_on_terminal(command, typed, env)
        assert code == 4, shown
        assert long in shown
        assert "no daemon runs" in shown
    assert direct(command[:1], *command[1:]).returncode == 64
    assert evidence.journal_events(state) == before
    code, shown = ask_on_terminal(command, b"y\n", env)
    assert code == 0, shown
    assert "the latch holds" in shown
    assert_over(running, {long: "operator_panic"})


def test_a_mistyped_directory_is_told(tmp_path: Path) -> None:
    done = direct(ROBSON, "panic", "--yes", "--state-dir", str(tmp_path / "nowhere"))
    assert (done.returncode, "could not be found" in done.stderr) == (74, True)
    assert not (tmp_path / "nowhere").exists()
    assert direct(ROBSON, "panic", "--yes", "--state-dir", str(tmp_path), "--mode", "blue").returncode == 78


def test_a_terminal_that_goes_away_does_not_end_it_half_way(running: Daemon, state: Path) -> None:
    ids = [entered(running, "BTCUSDT", "long"), entered(running, "ETHUSDT", "short")]
    running.kill()
    near, far = pty.openpty()
    command = [*ROBSON, "panic", "--yes", "--state-dir", str(state), *FEED]
    panic = subprocess.Popen(command, env=environment(SLOW), stdin=far, stdout=far, stderr=far)
    os.close(far)
    while panic.poll() is None and not evidence.rows(state / "robson.db", "SELECT 1 FROM open_intents"):
        with suppress(subprocess.TimeoutExpired):
            panic.wait(TRY_SECONDS)
    os.close(near)
    panic.send_signal(signal.SIGHUP)
    assert panic.wait(DIRECT_SECONDS) == 0
    assert_over(running, dict.fromkeys(ids, "operator_panic"))
    assert_books(running)


def test_told_to_stop_it_tells_what_is_left_and_a_daemon_goes_on(running: Daemon, state: Path) -> None:
    position_id = entered(running, "BTCUSDT", "long")
    running.kill()
    command = [*ROBSON, "panic", "--yes", "--state-dir", str(state), *FEED, "-o", "json"]
    panic = subprocess.Popen(command, env=environment(SLOW), stdout=subprocess.PIPE, text=True)
    while panic.poll() is None and not evidence.rows(state / "robson.db", "SELECT 1 FROM open_intents"):
        with suppress(subprocess.TimeoutExpired):
            panic.wait(TRY_SECONDS)
    panic.terminate()
    said, _ = panic.communicate(timeout=DIRECT_SECONDS)
    assert panic.returncode == 5
    assert [one["outcome"] for one in json.loads(said)["positions"]] == ["pending"]
    running.start()
    running.wait_event("position_closed", position_id=position_id)
    assert_books(running)


def test_another_daemons_life_says_nothing(running: Daemon, state: Path, tmp_path: Path) -> None:
    position_id = entered(running, "BTCUSDT", "long")
    running.kill()
    with daemon(tmp_path / "other", *FEED) as other:
        command = [*ROBSONCTL, "panic", "--direct", "--yes", "--json", "--state-dir", str(state)]
        done = direct(command, env={"ROBSON_SOCKET": str(other.socket), "ROBSON_FEED_SOURCE": "synthetic"})
        assert done.returncode == 0, done.stderr
        assert outcomes(done) == {position_id: "closed"}
        assert other.ok("status")["panic_latched"] is False
