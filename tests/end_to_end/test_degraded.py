"""A journal that cannot be written: entries are refused, exits go out, and what happened is written when it can be."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import Daemon, daemon
from tests.end_to_end.test_crash import assert_sound, enter, off

SYNTHETIC = ("--feed", "synthetic", "--speed", "8")


@contextmanager
def unwritable(state: Path) -> Iterator[None]:
    """Somebody else holds the journal's write lock, as a person with a forgotten transaction does."""
    holder = sqlite3.connect(state / "robson.db", isolation_level=None, timeout=10)
    try:
        holder.execute("BEGIN IMMEDIATE")
        yield
    finally:
        holder.close()


def orders(running: Daemon) -> int:
    return len(evidence.rows(running.state / "paper-account.db", "SELECT 1 FROM orders"))


def test_exits_go_out_and_are_written_later(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, *SYNTHETIC) as running:
        active = enter(running, "BTCUSDT", "long", "6")
        armed = running.arm("ETHUSDT", "short")
        price = running.price("ETHUSDT")
        seq = running.events()[-1]["seq"]
        with unwritable(state):
            for key in ({}, {"idempotency_key": "k"}):
                error = running.error("arm", symbol="BTCUSDT", side="long", strategy="signal", **key)
                assert error["retryable"], error
            running.wait_until(lambda: running.ok("hello")["state"] == "degraded", "the daemon to be degraded")
            check = running.ok("health")["checks"]["journal"]
            assert not check["ok"]
            assert "robson.db" in check["detail"]
            reply = running.ask("signal", position_id=armed, entry_price=price, stop_price=off(price, "5"))
            assert not reply["ok"] or not reply["result"]["accepted"], reply
            assert running.position(armed)["state"] == "Armed"
            before = orders(running)
            assert running.ok("close", position_id=active)["outcome"] == "closed"
            assert orders(running) == before + 1
            assert running.position(active)["state"] == "Closed"
            assert running.ok("panic")["latched"] is True
            assert running.error("arm", symbol="BTCUSDT", side="long", strategy="signal")["code"] == "panic_latched"
        running.wait_event("journal_recovered", from_seq=seq + 1)
        kinds = [line["event"] for line in running.events() if line["seq"] > seq]
        assert [kind for kind in kinds if kind != "trailing_stop_updated"][:5] == [
            "journal_degraded",
            "exit_triggered",
            "exit_order_placed",
            "exit_filled",
            "position_closed",
        ], kinds
        assert "panic_latched" in kinds
        assert running.ok("hello")["state"] == "live"
        running.kill()
        running.start()
        assert running.ok("status")["panic_latched"]
        assert {running.position(i)["state"] for i in (active, armed)} == {"Closed"}
        running.ok("resume")
        assert running.arm()
        running.ok("panic")
        assert_sound(running, {active: "long"})


def test_a_start_with_a_journal_that_can_only_be_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, *SYNTHETIC) as running:
        active = enter(running, "BTCUSDT", "long", "6")
        kept = enter(running, "BTCUSDT", "long", "7")
        assert running.stop() == 0
        with unwritable(state):
            running.start()
            assert running.ok("hello")["state"] == "degraded"
            assert running.error("arm", symbol="BTCUSDT", side="long", strategy="signal")["retryable"]
            assert running.position(active)["state"] == "Active"
            before = orders(running)
            assert running.ok("close", position_id=active)["outcome"] == "closed"
            assert orders(running) == before + 1
            closed = running.position(active)
            assert (closed["state"], closed["exit_reason"]) == ("Closed", "operator_close")
            assert running.position(kept)["state"] == "Active"
            assert running.error("close", position_id=active)["code"] == "wrong_state"
            assert running.stop() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    where = tmp_path / "disk"
    where.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", where], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk could be mounted: {mounted.stderr.decode()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    state = small_disk / "state"
    with daemon(state, *SYNTHETIC) as running:
        running.log = small_disk.with_name("full.log")
        running.kill()
        running.start()
        active = enter(running, "BTCUSDT", "long", "6")
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        # The log has some room left: fill it with positions until it has none.
        running.wait_until(
            lambda: not running.ask("arm", symbol="BTCUSDT", side="long", strategy="signal")["ok"],
            "the disk to be full",
        )
        running.wait_until(lambda: running.ok("hello")["state"] == "degraded", "the daemon to be degraded")
        armed = {view["position_id"]: view["side"] for view in running.ok("status")["positions"]}
        # The paper account lies on the same disk; on another the exit would go out at once.
        running.ok("close", position_id=active)
        filler.unlink()
        running.wait_event("journal_recovered")
        running.wait_event("position_closed", position_id=active)
        running.ok("panic")
        running.wait_until(lambda: running.ok("hello")["state"] == "live", "the daemon to be live")
        assert_sound(running, armed)
