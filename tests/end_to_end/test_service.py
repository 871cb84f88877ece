"""The daemon as a service manager meets it: ready, status, signs of life, reload, sockets, the end."""

import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon

WATCHDOG_SECONDS = 1.5
CONFIG = '[feed]\nsource = "synthetic"\n[log]\nlevel = "info"\n'

# A daemon of which every monitor that becomes Active from now on hangs, once there is a file of this name.
HANGING = """
import os, sys, trio
from robson.daemon import course
from robson.__main__ import main

until_hit = course._until_hit

async def hang(life):
    if os.path.exists(os.environ["HANG_FILE"]):
        await trio.sleep_forever()
    await until_hit(life)

course._until_hit = hang
# After the interpreter and its `-m robson` that this program stands in for.
sys.exit(main(sys.argv[4:]))
"""
# Hands a listening socket over as a service manager does: descriptor 3, and this very process's number.
HAND_OVER = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listening.bind(sys.argv[1])
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="control")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Listens at $NOTIFY_SOCKET."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(place))
        self.place = place
        self.heard: list[str] = []

    def next(self, seconds: float = PATIENCE_SECONDS) -> list[str]:
        """The assignments of the next datagram; TimeoutError when none comes."""
        self.socket.settimeout(seconds)
        lines = self.socket.recv(65536).decode().split("\n")
        self.heard += lines
        return lines

    def wait_for(self, beginning: str, *, containing: str = "") -> str:
        """The first assignment from now on that begins and reads so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for line in self.next():
                if line.startswith(beginning) and containing in line:
                    return line
        raise AssertionError(f"{beginning} with {containing!r} did not come: {self.heard[-10:]}")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


@contextmanager
def service(directory: Path, manager: Manager, **variables: str) -> Iterator[Daemon]:
    """A daemon that a manager has started; `launch` is for the test."""
    config = directory / "robson.toml"
    config.write_text(CONFIG)
    made = Daemon(directory / "state", "--config", str(config), env={"NOTIFY_SOCKET": str(manager.place), **variables})
    try:
        yield made
    finally:
        made.end()


def entered(daemon: Daemon) -> str:
    """A position in the market, far from its stop."""
    position_id = daemon.arm("BTCUSDT", strategy="immediate")
    daemon.wait_event("entry_filled", position_id=position_id)
    return position_id


def test_ready_comes_after_the_recovery_and_signs_of_life_go_on(tmp_path: Path, manager: Manager) -> None:
    with service(tmp_path, manager, WATCHDOG_USEC=str(int(WATCHDOG_SECONDS * 1e6))) as daemon:
        daemon.launch()
        manager.wait_for("READY=1")
        position_id = entered(daemon)
        manager.wait_for("STATUS=", containing="1 position (1 Active), feed ")
        daemon.kill()
        manager.heard.clear()
        daemon.launch()
        manager.wait_for("READY=1")
        assert daemon.ok("hello")["state"] != "recovering", "ready before every stop was watched"
        assert daemon.position(position_id)["state"] == "Active"
        for _ in range(5):
            manager.wait_for("WATCHDOG=1")
        assert daemon.stop() == 0
        manager.wait_for("STATUS=", containing="1 positions stay open")
        assert "STOPPING=1" in manager.heard
        assert daemon.start().position(position_id)["state"] == "Active", "the end closes nothing"


def test_one_hung_monitor_ends_the_signs_of_life(tmp_path: Path, manager: Manager) -> None:
    program, hang = tmp_path / "hanging.py", tmp_path / "hang"
    program.write_text(HANGING)
    patience = {"WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)), "HANG_FILE": str(hang)}
    with service(tmp_path, manager, **patience) as daemon:
        daemon.prefix = (sys.executable, str(program))
        daemon.launch()
        manager.wait_for("READY=1")
        well = entered(daemon)
        manager.wait_for("WATCHDOG=1")
        hang.touch()
        hung = entered(daemon)
        manager.wait_for("STATUS=", containing=f"HUNG: the monitor of {hung}")
        deadline = time.monotonic() + 3 * WATCHDOG_SECONDS
        manager.heard.clear()
        while time.monotonic() < deadline:
            try:
                manager.next(WATCHDOG_SECONDS)
            except TimeoutError:
                continue
        assert "WATCHDOG=1" not in manager.heard
        assert daemon.position(well)["state"] == "Active", "the daemon itself still runs"
        # What the manager does then; a new process is well again.
        daemon.running.send_signal(signal.SIGABRT)
        assert daemon.running.wait(PATIENCE_SECONDS) == -signal.SIGABRT
        assert "Current thread" in daemon.tail(), "it says where it stood"
        hang.unlink()
        daemon.launch()
        manager.wait_for("READY=1")
        manager.wait_for("WATCHDOG=1")
        assert daemon.position(hung)["state"] == "Active"


def test_a_reload_changes_what_may_change_and_refuses_the_rest(tmp_path: Path, manager: Manager) -> None:
    with service(tmp_path, manager) as daemon:
        config = tmp_path / "robson.toml"
        daemon.launch()
        manager.wait_for("READY=1")
        config.write_text(CONFIG.replace("info", "debug") + '[account]\ncapital = "123"\n')
        daemon.running.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        assert daemon.position(daemon.arm())["capital"] == "123"
        config.write_text(CONFIG.replace("synthetic", "binance"))
        daemon.running.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        manager.wait_for("STATUS=", containing="reload refused: feed.source may not change while the daemon runs")
        assert daemon.position(daemon.arm())["capital"] == "123", "a refused file changes nothing"
        config.write_text("[feed\n")
        daemon.running.send_signal(signal.SIGHUP)
        manager.wait_for("STATUS=", containing="is not valid TOML")
        assert [line["changed"] for line in daemon.logged("reloaded")] == [["account.capital", "log.level"]]
        assert daemon.stop() == 0


def test_a_socket_that_was_handed_over_is_used_and_left(tmp_path: Path, manager: Manager) -> None:
    place = tmp_path / "handed.sock"
    with service(tmp_path, manager) as daemon:
        daemon.socket = place
        daemon.prefix = (sys.executable, "-c", HAND_OVER, str(place))
        daemon.start()
        assert not (daemon.state / "robson.sock").exists(), "it made one of its own"
        with daemon.connect() as client:
            client.ok("ping")
        assert daemon.stop() == 0
        assert place.exists(), "it is not ours to remove"


def test_its_own_socket_is_removed_at_the_end(tmp_path: Path, manager: Manager) -> None:
    with service(tmp_path, manager) as daemon:
        daemon.start()
        assert (daemon.state / "robson.sock").exists()
        assert daemon.stop() == 0
        assert not (daemon.state / "robson.sock").exists()


def test_health_looks_at_the_disk_and_at_the_loop(tmp_path: Path, manager: Manager) -> None:
    with service(tmp_path, manager) as daemon:
        checks = daemon.start().ok("health")["checks"]
        assert "MB free" in checks["disk"]["detail"]
        assert "ms late" in checks["loop"]["detail"]
