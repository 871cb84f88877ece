"""`robson backup` beside a busy daemon, and `robson restore` after it has stopped."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import daemon, robson

LOAD = 200


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def figures(printed: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in printed.splitlines())


def as_state(copy: Path, directory: Path) -> Path:
    """A directory in which a copy has the journal's name."""
    directory.mkdir()
    shutil.copyfile(copy, directory / "robson.db")
    return directory


def test_copies_of_a_busy_journal_are_whole_and_the_daemon_notices_nothing(state: Path, tmp_path: Path) -> None:
    with daemon(state, "--feed", "synthetic", "--speed", "60") as running:
        for symbol, side in (("BTCUSDT", "long"), ("ETHUSDT", "short"), ("SOLUSDT", "long")):
            position_id = running.arm(symbol, side, "immediate", params={"stop_percent": "9"})
            running.wait_event("entry_filled", position_id=position_id)
        arm = {"cmd": "arm", "symbol": "XRPUSDT", "side": "long", "strategy": "signal"}
        with running.connect() as client:
            for number in range(3):
                client.send(*[json.dumps({**arm, "idempotency_key": f"{number}-{n}"}) for n in range(LOAD)])
                done = robson("backup", str(tmp_path / f"{number}.db"), "--state-dir", str(state))
                assert done.returncode == 0, done.stderr
                for _ in range(LOAD):
                    assert client.reply()["ok"]
        assert running.ok("health")["checks"]["journal"]["ok"]
        assert running.stop() == 0
        assert not running.logged("journal_degraded")
    whole = evidence.journal_events(state)
    for number in range(3):
        copy = as_state(tmp_path / f"{number}.db", tmp_path / f"copy-{number}")
        events = evidence.journal_events(copy)
        assert events == whole[: len(events)]
        assert len(events) > 3 + number * LOAD
        shown = evidence.rows(copy / "robson.db", "SELECT position_id, state FROM positions")
        assert dict(shown) == {name: one.state_name for name, one in evidence.folded(events).items()}


def test_a_backup_tells_what_it_holds_and_replaces_nothing_unasked(state: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    with daemon(state, "--feed", "synthetic") as running:
        running.arm()
        done = robson("backup", str(target), "--state-dir", str(state))
        told = figures(done.stdout)
        assert (told["mode"], told["last_seq"], told["events"], told["open_positions"]) == ("paper", "1", "1", "1")
        assert told["size_bytes"] == str(target.stat().st_size)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        again = robson("backup", str(target), "--state-dir", str(state))
        assert (again.returncode, again.stdout) == (74, "")
        assert again.stderr == f"robson: {target} is there already; --force replaces it\n"
        running.arm()
        forced = robson("backup", str(target), "--state-dir", str(state), "--force")
        assert figures(forced.stdout)["events"] == "2"
    missing = robson("backup", str(tmp_path / "no.db"), "--state-dir", str(tmp_path / "nowhere"))
    assert missing.returncode == 74
    assert "nowhere/robson.db does not exist" in missing.stderr


def test_a_restored_journal_goes_on_where_the_backup_was(state: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    with daemon(state, "--feed", "synthetic") as running:
        held = running.arm("BTCUSDT", "long", "immediate", params={"stop_percent": "9"})
        running.wait_event("entry_filled", position_id=held)
        kept = running.arm()
        assert robson("backup", str(target), "--state-dir", str(state)).returncode == 0
        before = evidence.journal_events(as_state(target, tmp_path / "copy"))
        forgotten = running.arm()
        refused = robson("restore", str(target), "--state-dir", str(state))
        assert refused.returncode == 74
        assert f"was held by pid {running.running.pid}" in refused.stderr
        assert running.position(forgotten)["state"] == "Armed"
        assert running.stop() == 0
        other = robson("restore", str(target), "--state-dir", str(state), "--mode", "live")
        assert (other.returncode, "made in mode paper, wanted was live" in other.stderr) == (74, True)

        done = robson("restore", str(target), "--state-dir", str(state), "--mode", "paper")
        assert done.returncode == 0, done.stderr
        assert "It knows nothing of what happened after" in done.stdout
        assert f"  {held}  BTCUSDT long Active" in done.stdout
        assert f"  {kept}  BTCUSDT long Armed" in done.stdout
        assert forgotten not in done.stdout
        (beside,) = state.glob("robson.db.before-restore-*")
        assert str(beside) in done.stdout
        assert evidence.rows(beside, "SELECT state FROM positions WHERE position_id = ?", forgotten) == [("Armed",)]

        running.start()
        assert running.events()[: len(before)] == before
        assert {view["position_id"] for view in running.ok("status")["positions"]} == {held, kept}
        assert running.ok("close", position_id=held)["outcome"] == "closed"


def test_an_exit_since_the_backup_is_found_and_not_done_again(state: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    with daemon(state, "--feed", "synthetic") as running:
        closed = running.arm("BTCUSDT", "long", "immediate", params={"stop_percent": "9"})
        running.wait_event("entry_filled", position_id=closed)
        assert robson("backup", str(target), "--state-dir", str(state)).returncode == 0
        assert running.ok("close", position_id=closed)["outcome"] == "closed"
        assert running.stop() == 0
        orders = evidence.rows(state / "paper-account.db", "SELECT client_order_id, executed FROM orders")
        done = robson("restore", str(target), "--state-dir", str(state))
        assert "Positions closed since are open again until the daemon has found their exits" in done.stdout

        running.start()
        # Somebody closes it at once, as it seems to be open: that joins the exit which is found.
        assert running.ok("close", position_id=closed)["outcome"] in {"closed", "pending"}
        running.wait_event("position_closed", position_id=closed)
        assert running.position(closed)["exit_reason"] == "operator_close"
        assert running.stop() == 0
    assert evidence.rows(state / "paper-account.db", "SELECT client_order_id, executed FROM orders") == orders
