"""What happens to the disk under a real daemon: detected, told, exits only; and what cannot be used ends with 74."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon, environment, robson
from tests.end_to_end.test_crash import assert_sound, enter

SYNTHETIC = ("--feed", "synthetic", "--speed", "8")


def assert_degraded(running: Daemon, *told: str) -> None:
    """Noticed within seconds although nobody asked for a write; told; nothing enters."""
    running.wait_until(lambda: running.ok("hello")["state"] == "degraded", "the daemon to be degraded")
    check = running.ok("health")["checks"]["journal"]
    assert not check["ok"]
    for word in told:
        assert word in check["detail"], check
    assert running.logged("journal_degraded")
    error = running.error("arm", symbol="BTCUSDT", side="long", strategy="signal")
    assert (error["code"] in {"degraded", "journal_unwritable"}, error["retryable"]) == (True, True), error


def assert_mended(running: Daemon, seq: int) -> None:
    running.wait_event("journal_recovered", from_seq=seq)
    running.wait_until(lambda: running.ok("hello")["state"] == "live", "the daemon to be live")
    assert [line["seq"] for line in running.events()] == list(range(1, running.events()[-1]["seq"] + 1))


def test_a_deleted_journal_is_noticed_and_exits_go_out(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, *SYNTHETIC) as running:
        active = enter(running, "BTCUSDT", "long", "6")
        for name in ("robson.db", "robson.db-wal", "robson.db-shm"):
            (state / name).unlink()
        assert_degraded(running, "robson.db", "No such file")
        assert running.ok("close", position_id=active)["outcome"] == "closed"
        assert running.position(active)["state"] == "Closed"
        assert len(evidence.rows(state / "paper-account.db", "SELECT 1 FROM orders")) == 2
        assert not (state / "robson.db").exists()
        assert running.stop() == 0


def test_a_journal_that_was_moved_away_and_comes_back_has_everything(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, *SYNTHETIC) as running:
        active = enter(running, "BTCUSDT", "long", "6")
        seq = running.events()[-1]["seq"]
        (state / "robson.db").rename(state / "away.db")
        assert_degraded(running, "robson.db")
        assert running.ok("close", position_id=active)["outcome"] == "closed"
        (state / "away.db").rename(state / "robson.db")
        assert_mended(running, seq)
        running.wait_event("position_closed", position_id=active)
        running.ok("panic")
        assert_sound(running, {active: "long"})


def test_a_journal_that_was_replaced_is_not_written_to(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, *SYNTHETIC) as running:
        running.arm()
        with closing(sqlite3.connect(state / "robson.db")) as source, closing(sqlite3.connect(state / "copy")) as copy:
            source.backup(copy)
        (state / "copy").rename(state / "robson.db")
        before = (state / "robson.db").read_bytes()
        assert_degraded(running, "replaced while it was open")
        assert running.stop() == 0
        assert (state / "robson.db").read_bytes() == before


def test_a_write_that_fails_is_noticed_and_made_good(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, *SYNTHETIC) as running:
        armed = running.arm()
        seq = running.events()[-1]["seq"]
        pid = running.running.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # From now on every write beyond the first page of any file fails.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
        refused = running.error("arm", symbol="ETHUSDT", side="long", strategy="signal")
        assert refused["code"] == "journal_unwritable", refused
        assert_degraded(running, "robson.db")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        assert_mended(running, seq)
        assert running.position(armed)["state"] == "Armed"
        assert running.arm("ETHUSDT")


# --- a disk that can only be read ------------------------------------------------------------------------------------


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing could be mounted: {done.stderr.decode()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    where = tmp_path / "disk"
    where.mkdir()
    mount("-t", "tmpfs", "-o", "size=32m", "tmpfs", where)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


@contextmanager
def read_only(disk: Path) -> Iterator[Callable[[], None]]:
    mount("-o", "remount,ro", disk)
    yield lambda: mount("-o", "remount,rw", disk)


@pytest.mark.parametrize("crashed", [False, True])
def test_a_start_on_a_read_only_disk_protects_and_mends_when_it_can_be_written(
    disk: Path, tmp_path: Path, crashed: bool
) -> None:
    state = disk / "state"
    running = Daemon(state, *SYNTHETIC, "--socket", str(tmp_path / "s.sock"))
    running.socket, running.log = tmp_path / "s.sock", tmp_path / "daemon.log"
    try:
        running.start()
        active = enter(running, "BTCUSDT", "long", "6")
        seq = running.events()[-1]["seq"]
        if crashed:
            running.kill()
        else:
            assert running.stop() == 0
        with read_only(disk) as make_writable:
            running.start()
            assert_degraded(running, "robson.db", "mounted read-only")
            assert running.position(active)["state"] == "Active"
            running.wait_until(lambda: running.ok("health")["checks"]["monitors"]["ok"], "the stop to be watched")
            make_writable()
        assert_mended(running, seq)
        assert running.ok("close", position_id=active)["outcome"] == "closed"
        assert [row[0] for row in evidence.rows(state / "robson.db", "SELECT epoch FROM epochs")] == [1, 2]
        running.ok("panic")
        assert_sound(running, {active: "long"})
    finally:
        running.end()


def test_without_a_place_for_the_socket_positions_are_protected_and_it_opens_later(disk: Path, tmp_path: Path) -> None:
    with daemon(disk / "state", *SYNTHETIC) as running:
        running.log = tmp_path / "daemon.log"
        active = enter(running, "BTCUSDT", "long", "6")
        seq = running.events()[-1]["seq"]
        running.kill()
        with read_only(disk) as make_writable:
            running.launch()
            running.wait_until(
                lambda: running.log.exists() and running.logged("no_control_socket"), "the log to say so"
            )
            make_writable()
        running.wait_until(running.answers, "the socket to answer")
        assert_mended(running, seq)
        assert running.position(active)["state"] == "Active"


def test_a_first_start_on_a_read_only_disk_ends_with_74(disk: Path) -> None:
    (disk / "state").mkdir()
    with read_only(disk):
        done = robson("run", *SYNTHETIC, "--state-dir", str(disk / "state"))
        assert done.returncode == 74, done.stderr
        assert "Read-only file system" in done.stderr
        assert len(done.stderr.splitlines()) == 1


# --- what cannot be used ---------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A state directory with one Armed position, and no daemon."""
    with daemon(tmp_path / "state", *SYNTHETIC) as running:
        running.arm()
        assert running.stop() == 0
    return tmp_path / "state"


def test_a_newer_schema_ends_with_74_and_is_left_alone(stopped: Path) -> None:
    journal = stopped / "robson.db"
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('robson', 'm9', '')"
        )
    before = journal.read_bytes()
    done = robson("run", *SYNTHETIC, "--state-dir", str(stopped))
    assert done.returncode == 74
    assert "newer schema (m9)" in done.stderr
    assert journal.read_bytes() == before


def test_a_journal_whose_events_cannot_be_read_ends_with_74(stopped: Path) -> None:
    journal = stopped / "robson.db"
    with closing(sqlite3.connect(journal)) as connection, connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
    with journal.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    done = robson("run", *SYNTHETIC, "--state-dir", str(stopped))
    assert done.returncode == 74, done.stderr
    assert "robson.db" in done.stderr
    assert "malformed" in done.stderr


@pytest.fixture
def obedient() -> tuple[str, ...]:
    """What to put before a command so that modes bind it, also where the tests run as root."""
    if os.geteuid() != 0:
        return ()
    prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("root's rights cannot be dropped")
    return prefix


def test_a_journal_that_may_not_be_read_ends_with_74(stopped: Path, obedient: tuple[str, ...]) -> None:
    (stopped / "robson.db").chmod(0)
    done = subprocess.run(
        [*obedient, sys.executable, "-m", "robson", "run", *SYNTHETIC, "--state-dir", str(stopped)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 74, done.stderr
    assert f"{stopped / 'robson.db'} could not be opened" in done.stderr
    assert "permission denied" in done.stderr


def test_a_journal_that_may_only_be_read_starts_degraded_and_mends(
    stopped: Path, tmp_path: Path, obedient: tuple[str, ...]
) -> None:
    running = Daemon(stopped, *SYNTHETIC, "--socket", str(tmp_path / "s.sock"))
    running.socket, running.prefix = tmp_path / "s.sock", obedient
    modes = {path: path.stat().st_mode for path in (*stopped.iterdir(), stopped)}
    for path in modes:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        running.start()
        assert_degraded(running, "robson.db", "permission denied")
        assert [view["state"] for view in running.ok("status")["positions"]] == ["Armed"]
        for path, mode in modes.items():
            path.chmod(mode)
        assert_mended(running, 1)
        running.arm()
    finally:
        running.end()
        stopped.chmod(0o700)
