"""One daemon at a time on a state directory, and a dead one holds nobody up."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from robson.domain.errors import JournalHeld, JournalUnusable
from robson.store import StateLock
from tests.contract.journal.shelves import FixedClock

Protect = Callable[[Path], AbstractContextManager[None]]

CHECKOUT = Path(__file__).parents[3]

# Takes the lock, says so, and holds it until it is killed.
HOLDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from robson.store import StateLock

class Clock:
    def now(self):
        return datetime(2025, 3, 1, 11, tzinfo=UTC)

lock = StateLock.take(Path(sys.argv[1]), clock=Clock())
print("held", flush=True)
sys.stdin.read()
"""


def take(directory: Path) -> StateLock:
    return StateLock.take(directory, clock=FixedClock())


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = take(tmp_path)
    who = rf"held by pid {os.getpid()} on \S+, started at 2025-03-01 12:00:00 UTC \(lock file .*robson\.lock\)"
    with pytest.raises(JournalHeld, match=who):
        take(tmp_path)
    lock.release()


def test_a_released_lock_can_be_taken_again_without_a_trace(tmp_path: Path) -> None:
    with take(tmp_path) as first:
        assert first.crashed is None
    second = take(tmp_path)
    assert second.crashed is None
    second.release()
    second.release()
    assert (tmp_path / "robson.lock").stat().st_mode & 0o777 == 0o600


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(JournalHeld, match=f"pid {child.pid} on"):
            take(tmp_path)
        child.kill()
    with take(tmp_path) as lock:
        assert lock.crashed is not None
        assert lock.crashed.pid == child.pid
        assert lock.crashed.started_at.hour == 11
    with take(tmp_path) as lock:
        assert lock.crashed is None


@pytest.mark.parametrize("text", ["", "half a reco", '{"pid":1}', "\xff" * 5000])
def test_unreadable_text_in_the_file_bars_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "robson.lock").write_text(text, encoding="latin-1")
    with take(tmp_path) as lock:
        assert lock.crashed is None
        with pytest.raises(JournalHeld, match=f"pid {os.getpid()}"):
            take(tmp_path)


def test_a_holder_whose_text_is_gone_still_holds(tmp_path: Path) -> None:
    with take(tmp_path):
        (tmp_path / "robson.lock").write_text("")
        with pytest.raises(JournalHeld, match="held by another process"):
            take(tmp_path)


def test_a_directory_that_cannot_be_written_is_named(public_directory: Path, write_protected: Protect) -> None:
    with write_protected(public_directory), pytest.raises(JournalUnusable, match=r"robson\.lock .*Permission denied"):
        take(public_directory)


def test_on_a_read_only_disk_the_file_that_is_there_serves(public_directory: Path, write_protected: Protect) -> None:
    take(public_directory).release()
    with write_protected(public_directory), take(public_directory), pytest.raises(JournalHeld):
        take(public_directory)
