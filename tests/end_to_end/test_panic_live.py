"""Panic without a daemon in live mode, at the emulator: orders in doubt, a dead stream, an exchange out of reach."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import TRY_SECONDS, environment
from tests.end_to_end.emulator import PAIR
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
from tests.end_to_end.rehearsal import Rehearsal, rehearsing

# Longer than it takes to kill and start again.
HELD_BACK_SECONDS = 8


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsing(tmp_path) as found:
        yield found


def panic_of(live: Rehearsal) -> list[str]:
    """The command line of `robson panic` for the rehearsal's daemon."""
    return [*ROBSON, "panic", "--yes", "--state-dir", str(live.daemon.state), *live.daemon.arguments, "-o", "json"]


def assert_flat_and_once(live: Rehearsal, orders: int) -> None:
    """Nothing is left at the exchange, and so many orders of ours executed, each announced and placed once."""
    live.assert_flat()
    live.assert_books_agree()
    executed = [order for order in live.emulator.orders() if Decimal(order["executedQty"]) > 0]
    assert len(executed) == orders, executed


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("state", ["Active", "Entering", "Exiting"])
def test_whatever_it_died_in_is_closed_without_it(live: Rehearsal, side: str, state: str) -> None:
    armed = live.daemon.arm("ETHUSDT")
    if state == "Entering":
        live.emulator.arm("late_reply", seconds=HELD_BACK_SECONDS)
        position_id = live.enter(side)
        live.daemon.wait_until(live.emulator.orders, "the entry to be executed")
    else:
        position_id = live.entered(side)
    if state == "Exiting":
        live.emulator.arm("late_reply", seconds=HELD_BACK_SECONDS)
        live.cross(position_id)
        live.daemon.wait_until(lambda: len(live.emulator.orders()) == 2, "the exit to be executed")
    assert live.daemon.position(position_id)["state"] == state
    live.daemon.kill()
    settings, keys = live.daemon.arguments[1], live.daemon.arguments[3]
    done = direct(
        ROBSONCTL,
        *("--socket", str(live.daemon.socket), "panic", "--direct", "--yes", "-o", "json", "--timeout", "180"),
        *("--state-dir", str(live.daemon.state), "--config", settings, "--credentials-dir", keys),
    )
    assert done.returncode == 0, done.stderr
    assert outcomes(done) == {armed: "disarmed", position_id: "closed"}
    reason = "trailing_stop" if state == "Exiting" else "operator_panic"
    assert_over(live.daemon, {armed: "disarmed", position_id: reason})
    assert_flat_and_once(live, 2)


def test_the_stream_need_not_be_there(live: Rehearsal) -> None:
    position_id = live.entered()
    live.daemon.kill()
    deaf = {"ROBSON_BINANCE_STREAM_URL": "ws://127.0.0.1:9", "ROBSON_BINANCE_WS_API_URL": "ws://127.0.0.1:9"}
    command = panic_of(live)
    done = direct(command[:3], *command[3:], env=deaf)
    assert done.returncode == 0, done.stderr
    assert outcomes(done) == {position_id: "closed"}
    assert_over(live.daemon, {position_id: "operator_panic"})
    assert_flat_and_once(live, 2)


def test_an_exchange_out_of_reach_leaves_it_latched_and_the_next_daemon_goes_on(live: Rehearsal) -> None:
    position_id, armed = live.entered(), live.daemon.arm("ETHUSDT")
    live.daemon.kill()
    live.emulator.stop(signal.SIGKILL)
    command = panic_of(live)
    done = direct(command[:3], *command[3:], "--timeout", "2")
    assert done.returncode == 5, done.stderr
    assert outcomes(done) == {position_id: "pending", armed: "disarmed"}
    assert "left Exiting to the next daemon" in done.stdout
    assert is_latched(live.daemon.state)
    live.emulator.start()
    live.daemon.start()
    assert live.closed(position_id)["exit_reason"] == "operator_panic"
    assert live.daemon.ok("status")["panic_latched"] is True
    assert_flat_and_once(live, 2)


@pytest.mark.parametrize("fault", ["late_reply", "drop_reply", "drop_request"])
def test_killed_while_its_exit_is_on_the_way_it_sends_no_other(live: Rehearsal, fault: str) -> None:
    position_id = live.entered()
    live.daemon.kill()
    live.emulator.arm(fault, **({"seconds": HELD_BACK_SECONDS} if fault == "late_reply" else {}))
    # Or a query resolves it before it can be killed.
    live.emulator.arm("query_lag", seconds=HELD_BACK_SECONDS)
    command = panic_of(live)
    panic = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    query = "SELECT 1 FROM open_intents WHERE status IN ('sent', 'in_doubt')"
    while panic.poll() is None and not (
        evidence.rows(live.daemon.state / "robson.db", query) and live.emulator.fired().get(fault)
    ):
        with suppress(subprocess.TimeoutExpired):
            panic.wait(TRY_SECONDS)
    panic.kill()
    assert panic.wait(DIRECT_SECONDS) == -signal.SIGKILL
    assert is_latched(live.daemon.state)
    done = direct(command[:3], *command[3:])
    assert done.returncode == 0, done.stderr
    assert outcomes(done) == {position_id: "closed"}
    assert_over(live.daemon, {position_id: "operator_panic"})
    assert_flat_and_once(live, 2)


def test_keys_that_are_missing_are_told_and_change_nothing(live: Rehearsal, tmp_path: Path) -> None:
    live.entered()
    live.daemon.kill()
    before = evidence.journal_events(live.daemon.state)
    command = [*panic_of(live), "--credentials-dir", str(tmp_path / "none")]
    assert direct(command[:3], *command[3:]).returncode == 78
    # The other mode's journal is no paper journal.
    assert direct(command[:3], *command[3:], "--mode", "paper").returncode in {74, 78}
    assert evidence.journal_events(live.daemon.state) == before


def test_live_wants_close_all_typed_and_estimates_by_the_order_book(live: Rehearsal) -> None:
    position_id = live.entered("short")
    (step,) = live.daemon.ok("panic_preview")["positions"]
    assert (step["will"], step["slippage_source"], step["slippage_unknown"]) == ("close", "order_book", None)
    assert Decimal(step["slippage"]) >= 0
    command = [*ROBSONCTL, "--socket", str(live.daemon.socket), "panic"]
    for typed in (b"y\n", b"close all\n", b"\x04"):
        code, shown = ask_on_terminal(command, typed, live.daemon.env)
        assert code == 4, shown
        assert "LIVE" in shown
    # Out of reach of its exchange it says so, and can be told all the same.
    live.emulator.arm("drop_request", endpoint="GET /api/v3/depth", times=0)
    preview = live.daemon.robsonctl("panic", "--preview")
    assert (preview.returncode, f"no estimate of {PAIR}" in preview.stdout) == (0, True)
    code, shown = ask_on_terminal(command, b"CLOSE ALL\n", live.daemon.env)
    assert code == 0, shown
    assert live.closed(position_id)["exit_reason"] == "operator_panic"
