"""A real daemon explained, adjusted, paused and watched through the read-only socket, also after a crash."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.daemon import Client, Daemon, daemon, robson


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    rules = {
        "ROBSON_CONTROL_READ_ONLY_SOCKET": str(tmp_path / "look.sock"),
        "ROBSON_CONTROL_ARM_USERS": str(os.getuid()),
        "ROBSON_FEED_STALE_AFTER_SECONDS": "3600",
    }
    with daemon(tmp_path / "state", "--feed", "synthetic", env=rules) as started:
        yield started
        assert not started.logged("command_failed")
        assert not started.logged("client_failed")
        assert started.stop() == 0
        assert not (tmp_path / "look.sock").exists()


def test_a_stop_is_adjusted_hit_and_explained(running: Daemon, tmp_path: Path) -> None:
    held = running.arm(strategy="immediate")
    running.wait_event("entry_filled", position_id=held)
    view = running.position(held)
    stop, price = float(view["trailing_stop"]), float(view["last_price"])
    wanted = str(round(stop + (price - stop) / 4, 2))
    looser = running.error("adjust", position_id=held, stop_price=str(round(stop - 1, 2)))
    assert looser["code"] == "stop_looser"
    assert str(round(stop - 1, 2)) in looser["message"]
    assert running.error("adjust", position_id=held, stop_price="999999")["code"] == "stop_passed"
    first = running.ok("adjust", position_id=held, stop_price=wanted, idempotency_key="tight")
    running.kill()
    running.start()
    assert running.ok("adjust", position_id=held, stop_price=wanted, idempotency_key="tight") == first
    moved = running.wait_event("trailing_stop_updated", position_id=held)
    assert moved["data"]["adjusted"]
    state = running.position(held)["state"]
    if state == "Active":
        assert float(running.position(held)["trailing_stop"]) >= float(wanted)
        running.ok("close", position_id=held)
    running.wait_event("position_closed", position_id=held)
    why = running.ok("why", position_id=held)
    assert (why["complete"], why["adjustments"], why["state"]) == (True, 1, "Closed")
    assert why["entry"]["slippage_bps"] is not None
    assert [step["step"] for step in why["chain"][:5]] == ["signal", "decision", "order", "fill", "stop"]
    shown = running.ok("show", position_id=held)
    assert shown["events"] == [line for line in running.events() if line["position_id"] == held]
    assert (shown["next_seq"], len(shown["orders"])) == (None, 2)
    page = running.ok("show", position_id=held, limit=2)
    assert [line["event"] for line in page["events"]] == ["position_armed", "entry_signal_received"]
    rest = running.ok("show", position_id=held, from_seq=page["next_seq"])
    assert page["events"] + rest["events"] == shown["events"]
    told = running.robsonctl("why", held)
    assert (told.returncode, told.stderr) == (0, "")
    assert "entry: " in told.stdout


def test_a_pause_and_a_backup_are_seen_through_the_read_only_socket(running: Daemon, tmp_path: Path) -> None:
    look = tmp_path / "look.sock"
    assert look.stat().st_mode & 0o777 == 0o666
    running.ok("pause")
    running.kill()
    running.start()
    assert robson("backup", str(tmp_path / "copy.db"), "--state-dir", str(running.state)).returncode == 0
    with Client(look) as monitor, running.connect() as control:
        assert monitor.ok("status")["paused"]
        assert monitor.ok("hello")["paused"]
        assert monitor.ok("health")["checks"]["entries"]["detail"] == "paused"
        for cmd in ("unpause", "panic", "journal"):
            assert monitor.error(cmd)["code"] == "read_only"
        armed = control.ok("arm", symbol="BTCUSDT", side="long", strategy="signal")["position_id"]
        monitor.ok("subscribe", from_seq=1, prices=True)
        while "price" not in {line["event"] for line in monitor.events}:
            monitor.events.append(monitor.line())
        entry = float(running.price("BTCUSDT"))
        signal = {"entry_price": str(entry), "stop_price": str(round(entry * 0.98, 2))}
        refused = control.ok("signal", position_id=armed, **signal)
        assert (refused["accepted"], refused["reason"]["code"]) == (False, "paused")
        control.ok("unpause")
        journal = control.ok("journal")
    assert journal["last_backup"]["file"] == str(tmp_path / "copy.db")
    assert journal["size_bytes"] > 4096
    with closing(sqlite3.connect(f"file:{running.state / 'robson.db'}?mode=ro", uri=True)) as copy:
        assert journal["events"] == copy.execute("SELECT count(*) FROM events").fetchone()[0]
    assert (
        robson("run", "--state-dir", str(tmp_path / "no"), env={"ROBSON_CONTROL_PANIC_USERS": "nobody-here"}).returncode
        == 78
    )
