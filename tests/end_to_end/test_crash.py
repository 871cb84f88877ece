"""Killed and started again: no order twice, no exit missed, no position forgotten."""

import json
import random
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon, robson
from tests.recorded import recorded

TAPE = "demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_11min.ws.jsonl.gz"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def off(price: str, percent: str) -> str:
    return str((Decimal(price) * (1 + Decimal(percent) / 100)).quantize(Decimal("0.01")))


def enter(running: Daemon, symbol: str, side: str, percent: str, signal_id: str = "s-1") -> str:
    """Arm and signal; returns once the position is Active."""
    position_id = running.arm(symbol, side, capital="2000")
    price = running.price(symbol)
    stop = off(price, f"-{percent}" if side == "long" else percent)
    signal = {"position_id": position_id, "entry_price": price, "stop_price": stop, "signal_id": signal_id}
    assert running.ok("signal", **signal)["accepted"]
    running.wait_event("entry_filled", position_id=position_id)
    return position_id


def trail(view: dict[str, str]) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(view["trailing_stop"]), Decimal(view["extreme"]), Decimal(view["quantity"])


def at_random(running: Daemon, chance: random.Random, most: float) -> None:
    """Let a random time pass, in which the daemon must live."""
    with pytest.raises(subprocess.TimeoutExpired):
        running.running.wait(chance.uniform(0, most))


def assert_sound(running: Daemon, sides: dict[str, str]) -> None:
    """Everything is Closed; stopped, the files tell the same story."""
    status = running.ok("status", all=True)
    assert {view["state"] for view in status["positions"]} == {"Closed"}
    assert running.stop() == 0
    events = evidence.journal_events(running.state)
    evidence.assert_gapless(events)
    evidence.assert_stops_ratchet(events, sides)
    evidence.assert_each_order_once(running.state, events)
    evidence.assert_status_is_the_fold(status, evidence.folded(events))
    evidence.assert_flat(running.state)


def test_killed_while_active_it_goes_on_trailing(state: Path) -> None:
    chance = random.Random(7)
    with daemon(state, "--feed", "synthetic", "--speed", "60", "--seed", "0") as running:
        long = enter(running, "BTCUSDT", "long", "6")
        short = enter(running, "ETHUSDT", "short", "6")
        sides = {long: "long", short: "short"}
        for seed in range(1, 6):
            seen = running.ok("events", from_seq=1, limit=1)["last_seq"]
            with running.subscribe(seen + 1) as follower:
                for _ in range(chance.randint(1, 3)):
                    follower.event("trailing_stop_updated")
            at_random(running, chance, 0.3)
            running.kill()
            assert running.socket.exists()
            flushed = evidence.folded(evidence.journal_events(state))
            running.arguments = ("--feed", "synthetic", "--speed", "60", "--seed", str(seed))
            running.start()
            for position_id, sign in ((long, 1), (short, -1)):
                before = flushed[position_id]
                view = running.position(position_id)
                assert view["state"] == "Active", view
                stop, extreme, quantity = trail(view)
                assert quantity == before.entry.quantity
                assert (extreme - before.trail.extreme) * sign >= 0
                assert (stop - before.trail.stop) * sign >= 0
                assert (extreme - stop) * sign <= Decimal(view["stop_distance"])
        for position_id in sides:
            assert running.ok("close", position_id=position_id)["outcome"] == "closed"
        assert_sound(running, sides)


def test_a_tape_that_begins_again_holds_no_old_price_against_the_stop(state: Path) -> None:
    with daemon(state, "--feed", "replay", "--file", str(recorded(TAPE)), "--speed", "60") as running:
        short = running.arm("BTCUSDT", "short", "immediate", params={"stop_percent": "0.25"})
        with running.subscribe() as follower:
            # The market falls by a third of a percent: the start of the tape is then beyond the stop.
            follower.event(
                "trailing_stop_updated", where=lambda line: Decimal(line["data"]["trailing_stop"]) < Decimal(61800)
            )
        running.kill()
        flushed = evidence.folded(evidence.journal_events(state))[short]
        running.start()
        again = running.arm("BTCUSDT", "short", "delay", params={"stop_percent": "5", "seconds": "20"})
        running.wait_event("entry_filled", position_id=again)
        view = running.position(short)
        assert view["state"] == "Active", (view, running.events()[-8:])
        stop, extreme, quantity = trail(view)
        assert (stop, extreme, quantity) == (flushed.trail.stop, flushed.trail.extreme, flushed.entry.quantity)
        # Past what it had seen, it goes on as if nothing had happened.
        crossed = running.wait_event("exit_triggered", position_id=short)["data"]
        assert crossed["trade_id"] > flushed.trail.trade_id
        running.wait_event("position_closed", position_id=short)
        running.ok("close", position_id=again)
        assert_sound(running, {short: "short", again: "short"})


def test_killed_around_an_entry_nothing_is_lost_or_done_twice(state: Path) -> None:
    chance = random.Random(11)
    sides: dict[str, str] = {}
    with daemon(state, "--feed", "synthetic", "--speed", "8") as running:
        for number in range(6):
            position_id = running.arm(capital="2000")
            sides[position_id] = "long"
            if number % 4 == 0:
                # Right after the reply to arm.
                running.kill()
                running.start()
                assert running.position(position_id)["state"] == "Armed"
            price = running.price("BTCUSDT")
            signal = {
                "position_id": position_id,
                "entry_price": price,
                "stop_price": off(price, "-4"),
                "signal_id": f"s-{number}",
            }
            accepted = running.ok("signal", **signal)
            assert accepted["accepted"], accepted
            if number % 2:
                at_random(running, chance, 0.03)
            running.kill()
            running.start()
            with running.subscribe() as follower:
                outcome = follower.event("entry_filled", "signal_rejected", position_id=position_id)
            again = running.ok("signal", **signal)
            view = running.position(position_id)
            if outcome["event"] == "entry_filled":
                assert (again["accepted"], again["quantity"]) == (True, accepted["quantity"])
                assert view["state"] == "Active"
            else:
                assert not again["accepted"]
                assert again["reason"]["code"] == "signal_used"
                assert view["state"] == "Armed"
                assert outcome["data"]["stage"] in {"stale", "venue"}
        for view in running.ok("status")["positions"]:
            if view["state"] == "Armed":
                running.ok("disarm", position_id=view["position_id"])
            else:
                assert running.ok("close", position_id=view["position_id"])["outcome"] == "closed"
        assert_sound(running, sides)


def test_killed_around_an_exit_it_leaves_once(state: Path) -> None:
    chance = random.Random(13)
    sides: dict[str, str] = {}
    with daemon(state, "--feed", "synthetic", "--speed", "8") as running:
        for number in range(6):
            symbol, side = (("BTCUSDT", "long"), ("ETHUSDT", "short"))[number % 2]
            position_id = enter(running, symbol, side, "5")
            sides[position_id] = side
            with running.connect() as client:
                client.send(json.dumps({"cmd": "close", "position_id": position_id}))
                client.send('{"cmd":"close","position_id":"' + position_id + '"}')
                running.wait_event("exit_triggered", position_id=position_id)
                at_random(running, chance, 0.06)
                running.kill()
            running.start()
            closed = running.wait_event("position_closed", position_id=position_id)["data"]
            assert closed["exit_reason"] == "operator_close"
        assert_sound(running, sides)


def test_killed_under_panic_the_latch_holds_and_everything_leaves(state: Path) -> None:
    with daemon(state, "--feed", "synthetic", "--speed", "8") as running:
        sides = {enter(running, "BTCUSDT", "long", "5"): "long", enter(running, "ETHUSDT", "short", "5"): "short"}
        armed = running.arm("SOLUSDT")
        with running.connect() as client:
            client.send('{"cmd":"panic"}')
            running.wait_event("panic_latched")
            running.kill()
        running.start()
        status = running.ok("status")
        assert status["panic_latched"]
        with running.subscribe() as follower:
            for _ in sides:
                assert follower.event("position_closed")["data"]["exit_reason"] == "operator_panic"
        assert running.position(armed)["state"] == "Closed"
        assert running.error("arm", symbol="BTCUSDT", side="long", strategy="signal")["code"] == "panic_latched"
        running.ok("resume")
        assert not running.ok("status")["panic_latched"]
        assert_sound(running, {**sides, armed: "long"})


@pytest.fixture
def held(state: Path) -> Iterator[Daemon]:
    with daemon(state, "--feed", "synthetic") as running:
        yield running


def test_told_to_stop_it_leaves_positions_open_for_the_next_start(held: Daemon) -> None:
    position_id = enter(held, "BTCUSDT", "long", "5")
    before = held.position(position_id)
    assert held.stop() == 0
    assert not held.socket.exists()
    kept = evidence.folded(evidence.journal_events(held.state))[position_id]
    assert kept.state_name == "Active"
    held.start()
    after = held.position(position_id)
    assert (after["state"], after["quantity"], after["entry_price"]) == (
        "Active",
        before["quantity"],
        before["entry_price"],
    )
    assert held.ok("close", position_id=position_id)["outcome"] == "closed"
    assert_sound(held, {position_id: "long"})


def test_after_a_crash_it_says_how_long_its_stops_were_unwatched(held: Daemon) -> None:
    position_id = enter(held, "BTCUSDT", "long", "5")
    assert not [line for line in held.events() if line["event"] == "recovered"]
    held.kill()
    # What a stop does about a crossing that nobody saw is a setting like any other.
    held.env["ROBSON_RECOVERY_ON_GAP"] = "forgive"
    held.start()
    told = held.wait_event("recovered")["data"]
    seconds = held.ok("status")["time_to_protected_seconds"]
    assert told == {"seconds": f"{seconds:.3f}", "positions": 1}
    assert 0 < seconds < PATIENCE_SECONDS
    health = held.ok("health")
    assert health["checks"]["recovery"]["detail"] == f"every stop is rebuilt, {seconds:.3f} s after the start"
    assert [line["positions"] for line in held.logged("protected")] == [0, 1]

    def unwatched() -> list[dict[str, Any]]:
        told = [line for line in held.events() if line["event"] == "unprotected"]
        # A machine that stands still for long enough has old prices, too, before or after.
        return [line for line in told if "monitor" in line["data"]["causes"]]

    # The seconds before that count as unprotected.
    held.wait_until(unwatched, "the seconds without a monitor to be told")
    assert [line["position_id"] for line in unwatched()] == [position_id]
    assert held.ok("close", position_id=position_id)["outcome"] == "closed"
    assert_sound(held, {position_id: "long"})


def test_told_to_stop_amid_an_exit_it_ends_in_time(held: Daemon) -> None:
    position_id = enter(held, "BTCUSDT", "long", "5")
    with held.connect() as client, held.connect() as silent:
        silent.send('{"cmd":"subscribe","from_seq":1}')
        client.send(json.dumps({"cmd": "close", "position_id": position_id}))
        held.wait_event("exit_triggered")
        assert held.stop() == 0
    held.start()
    held.wait_event("position_closed", position_id=position_id)
    assert_sound(held, {position_id: "long"})


def test_a_second_daemon_ends_at_once_and_names_the_first(held: Daemon) -> None:
    position_id = held.arm()
    second = robson("run", "--feed", "synthetic", "--state-dir", str(held.state))
    assert second.returncode == 74
    (line,) = second.stderr.splitlines()
    assert f"pid {held.running.pid}" in line
    assert str(held.state) in line
    assert "Traceback" not in second.stderr
    assert held.position(position_id)["state"] == "Armed"
    elsewhere = robson("run", "--feed", "synthetic", "--state-dir", str(held.state), "--socket", f"{held.state}/2.sock")
    assert elsewhere.returncode == 74
    # Another journal, but the first one's socket: that is a setting, and the first one keeps it.
    other = robson(
        "run", "--feed", "synthetic", "--state-dir", f"{held.state}-2", "--socket", str(held.socket)
    )  # fmt: skip
    assert (other.returncode, str(held.socket) in other.stderr) == (78, True)
    assert held.ok("ping")["at"]
