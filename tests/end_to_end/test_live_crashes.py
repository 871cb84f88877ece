"""Live mode with real processes: SIGKILL on either side, an exchange that is not there, a wrong key, a wrong clock."""

import signal
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.daemon import ROOT
from tests.end_to_end.rehearsal import Rehearsal, rehearsing

# Longer than it takes to kill and start again.
HELD_BACK_SECONDS = 8


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsing(tmp_path) as found:
        yield found


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_daemon_is_killed_while_active(live: Rehearsal, side: str) -> None:
    position_id = live.entered(side)
    before = live.daemon.position(position_id)
    live.daemon.kill()
    live.daemon.start()
    after = live.daemon.position(position_id)
    assert (after["state"], after["quantity"]) == ("Active", before["quantity"])
    better = 1 if side == "long" else -1
    assert (Decimal(after["trailing_stop"]) - Decimal(before["trailing_stop"])) * better >= 0
    live.cross(position_id)
    assert live.closed(position_id)["exit_reason"] == "trailing_stop"
    assert len(live.emulator.orders()) == 2


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_daemon_is_killed_while_entering(live: Rehearsal, side: str) -> None:
    live.emulator.arm("late_reply", seconds=HELD_BACK_SECONDS)
    position_id = live.enter(side)
    live.daemon.wait_until(live.emulator.orders, "the order to be executed")
    assert live.daemon.position(position_id)["state"] == "Entering"
    live.daemon.kill()
    live.daemon.start()
    live.until(position_id, "Active")
    assert len(live.emulator.orders()) == 1
    live.cross(position_id)
    live.closed(position_id)


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_daemon_is_killed_while_exiting(live: Rehearsal, side: str) -> None:
    position_id = live.entered(side)
    live.emulator.arm("late_reply", seconds=HELD_BACK_SECONDS)
    live.cross(position_id)
    live.daemon.wait_until(lambda: len(live.emulator.orders()) == 2, "the exit to be executed")
    live.daemon.kill()
    live.daemon.start()
    assert live.closed(position_id)["exit_reason"] == "trailing_stop"
    assert len(live.emulator.orders()) == 2


def test_the_exchange_is_killed_while_active(live: Rehearsal) -> None:
    position_id = live.entered()
    owed = live.emulator.account()["quoteAsset"]["borrowed"]
    live.emulator.stop(signal.SIGKILL)
    live.emulator.start()
    assert live.emulator.account()["quoteAsset"]["borrowed"] == owed
    symbol = live.daemon.position(position_id)["symbol"]
    live.daemon.wait_until(lambda: not live.daemon.ok("status")["feed"][symbol]["stale"], "prices again")
    live.cross(position_id)
    live.closed(position_id)


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_exchange_is_killed_while_exiting(live: Rehearsal, side: str) -> None:
    position_id = live.entered(side)
    live.emulator.arm("late_reply", seconds=60)
    live.cross(position_id)
    live.daemon.wait_until(lambda: len(live.emulator.orders()) == 2, "the exit to be executed")
    live.emulator.stop(signal.SIGKILL)
    live.emulator.start()
    live.closed(position_id)
    executed = [order for order in live.emulator.orders() if Decimal(order["executedQty"]) > 0]
    assert len(executed) == 2, executed


def test_an_exchange_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        position_id = live.entered()
        live.daemon.kill()
        live.emulator.stop(signal.SIGKILL)
        live.daemon.launch()
        live.daemon.wait_until(live.daemon.answers, "the socket")
        assert live.daemon.ok("hello")["state"] == "recovering"
        assert live.daemon.ask("disarm", position_id=position_id)["error"]["code"] == "recovering"
        live.daemon.wait_until(lambda: not live.daemon.ok("health")["checks"]["venue"]["ok"], "health to say so")
        assert live.daemon.position(position_id)["state"] == "Active"
        live.emulator.start()
        live.daemon.wait_until(lambda: live.daemon.ok("hello")["state"] == "live", "the recovery")
        live.cross(position_id)
        live.closed(position_id)
        assert float(live.daemon.position(position_id)["unprotected_seconds"]) > 0


def test_a_wrong_key_shows_at_once_and_keeps_no_stop_from_being_watched(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        position_id = live.entered()
        live.daemon.kill()
        keys, wrong = live.emulator.credentials, tmp_path / "wrong"
        wrong.mkdir()
        (wrong / "binance-api-key").write_bytes((keys / "binance-api-key").read_bytes())
        (wrong / "binance-api-secret").write_text("hunter2")
        right = live.daemon.arguments
        live.daemon.arguments = (*right[:-1], str(wrong))
        live.daemon.start()
        live.daemon.wait_until(lambda: not live.daemon.ok("health")["checks"]["venue"]["ok"], "the key to be refused")
        health = live.daemon.ok("health")
        assert "does not accept the key: -1022" in health["checks"]["venue"]["detail"]
        assert health["checks"]["monitors"]["ok"]
        assert live.daemon.ok("hello")["state"] == "degraded"
        refused = live.daemon.error("arm", symbol="ETHUSDT", side="long", strategy="signal")
        assert (refused["code"], refused["retryable"]) == ("venue_rejected", False)
        live.cross(position_id)
        # Killed before the refusal is known, the exit would be in doubt, until the clock fence.
        assert live.daemon.wait_event("exit_refused", position_id=position_id)["data"]["code"] == "-1022"
        assert live.daemon.position(position_id)["state"] == "Exiting"
        live.daemon.kill()
        live.daemon.arguments = right
        live.daemon.start()
        assert live.closed(position_id)["exit_reason"] == "trailing_stop"
        said = live.daemon.log.read_text("utf-8")
        assert "hunter2" not in said
        assert (keys / "binance-api-secret").read_text().strip() not in said


SHIFTED = """
import robson.clock
from datetime import datetime, timedelta
class Shifted(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds={seconds})
robson.clock.datetime = Shifted
"""


@pytest.mark.parametrize("seconds", [3, -3])
def test_a_clock_that_is_wrong(tmp_path: Path, seconds: int) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SHIFTED.format(seconds=seconds))
    env = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}
    with rehearsing(tmp_path, daemon_env=env) as live:
        for side in ("long", "short"):
            position_id = live.entered(side)
            live.cross(position_id)
            live.closed(position_id)
        told = datetime.fromisoformat(live.daemon.events()[-1]["at"])
        there = live.emulator.request("GET", "/api/v3/time")[1]["serverTime"] / 1000
        # The last event is a moment old.
        assert 0 <= seconds - (told.timestamp() - there) < 2
        assert not live.daemon.logged("venue_refuses_us")
        assert len(live.emulator.orders()) == 4
