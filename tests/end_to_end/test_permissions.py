"""What Robson writes is for its owner alone, whatever the umask; the socket is for its owner and group."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, environment

WITH_UMASK = ("sh", "-c", 'umask "$0"; exec "$@"')


def modes(directory: Path) -> dict[str, str]:
    """Everything there, with what others may do to it."""
    found = [directory, *directory.rglob("*")]
    return {str(path.relative_to(directory)): stat.filemode(path.lstat().st_mode) for path in found}


def robson(umask: str, *arguments: str) -> None:
    done = subprocess.run(
        [*WITH_UMASK, umask, sys.executable, "-m", "robson", *arguments],
        env=environment(),
        capture_output=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_nobody_else_reads_what_it_writes_under_any_umask(tmp_path: Path, umask: str) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy.db"
    daemon = Daemon(state, "--feed", "synthetic")
    daemon.prefix = (*WITH_UMASK, umask)
    try:
        daemon.start()
        position_id = daemon.ok("arm", symbol="BTCUSDT", side="long", strategy="immediate")["position_id"]
        daemon.wait_event("entry_filled", position_id=position_id)
        robson(umask, "backup", "--state-dir", str(state), str(copy))
        while_it_runs = modes(state)
        daemon.kill()
        after_a_kill = modes(state)
        robson(umask, "restore", "--state-dir", str(state), str(copy))
        after_a_restore = modes(state)
    finally:
        daemon.end()
    assert {"robson.db", "robson.db-wal", "paper-account.db", "robson.lock"} <= while_it_runs.keys()
    for found in (while_it_runs, after_a_kill, after_a_restore, {"copy.db": modes(copy)["."]}):
        wanted = {
            name: {"d": "drwx------", "s": "srw-rw----"}.get(mode[0], "-rw-------") for name, mode in found.items()
        }
        assert found == wanted
