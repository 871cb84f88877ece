"""A copy of a running daemon's journal, started beside it, is noticed: in its log, in its events and in its health."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from robson.app import machine_id
from robson.store.backup import back_up
from tests.end_to_end.daemon import Daemon, daemon

SYNTHETIC = ("--feed", "synthetic")


def copied(running: Daemon, name: str) -> Path:
    state = running.state.with_name(name)
    state.mkdir()
    back_up(running.state / "robson.db", state / "robson.db")
    return state


def copies(running: Daemon) -> tuple[bool, str]:
    check = running.ok("health")["checks"]["copies"]
    return check["ok"], check["detail"]


def test_a_copy_beside_the_first_is_told_of_until_the_first_ends(tmp_path: Path) -> None:
    with daemon(tmp_path / "first", *SYNTHETIC) as first:
        first.arm()
        with daemon(copied(first, "second"), *SYNTHETIC) as second:
            notice = second.wait_event("journal_copied")
            pid = f"pid {first.running.pid} "
            assert notice["data"]["in_use"] is True
            assert pid in notice["data"]["why"]
            ok, told = copies(second)
            assert (ok, pid in told, str(tmp_path / "first") in told) == (False, True, True)
            assert second.robsonctl("health").returncode != 0
            assert pid in second.logged("journal_copied")[0]["told"]
            assert copies(first) == (True, "no other daemon has this journal")
            first.kill()
            second.wait_until(lambda: copies(second)[0], "the first to be missed")
            assert second.ok("health")["ready"]


def test_a_journal_from_another_machine_is_told_of_until_the_next_start(tmp_path: Path) -> None:
    if not machine_id():
        pytest.skip("this machine has no id to be told from another by")
    with daemon(tmp_path / "first", *SYNTHETIC) as first:
        first.arm()
        state = copied(first, "second")
    with closing(sqlite3.connect(state / "robson.db")) as connection, connection:
        connection.execute("UPDATE epochs SET machine_id = 'another', host = 'attic'")
    with daemon(state, *SYNTHETIC) as second:
        second.wait_event("journal_copied")
        ok, told = copies(second)
        assert (ok, "last opened on another machine, attic" in told) == (False, True)
        assert second.stop() == 0
        second.start()
        assert copies(second)[0]
