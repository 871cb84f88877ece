"""A copy of a journal knows that it is one, and says whether the other is in use."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from robson.ports.journal import Twin
from robson.store import SqliteJournal
from robson.store.backup import back_up
from robson.store.lock import StateLock
from tests.contract.journal.lives import ONE, armed, write
from tests.contract.journal.shelves import FixedClock

Open = Callable[..., SqliteJournal]
HERE = "this-machine"


@pytest.fixture
def state(tmp_path: Path, open_journal: Open) -> Path:
    """A state directory whose journal was used and closed."""
    (tmp_path / "state").mkdir()
    journal = open_journal(tmp_path / "state" / "robson.db")
    write(journal, armed(ONE))
    assert journal.twin() is None
    journal.close()
    return tmp_path / "state"


def copied(state: Path, name: str = "elsewhere") -> Path:
    directory = state.with_name(name)
    directory.mkdir()
    back_up(state / "robson.db", directory / "robson.db")
    return directory / "robson.db"


def opened(path: Path, *, machine_id: str = HERE) -> SqliteJournal:
    return SqliteJournal.open(path, mode="paper", clock=FixedClock(), machine_id=machine_id, version="0.1.0")


def twin_of(path: Path, *, machine_id: str = HERE) -> Twin | None:
    journal = opened(path, machine_id=machine_id)
    try:
        return journal.twin()
    finally:
        journal.close()


def test_a_journal_that_stays_where_it_is_has_none(state: Path) -> None:
    assert twin_of(state / "robson.db") is None
    assert twin_of(state / "robson.db") is None


def test_a_journal_that_was_moved_has_none(state: Path) -> None:
    state.rename(state.with_name("moved"))
    assert twin_of(state.with_name("moved") / "robson.db") is None


def test_a_copy_whose_original_is_in_use_names_the_holder_for_as_long_as_it_lasts(state: Path) -> None:
    with StateLock.take(state, clock=FixedClock()):
        journal = opened(copied(state))
        twin = journal.twin()
        assert twin is not None
        assert twin.in_use is True
        assert twin.place == str(state / "robson.db")
        assert "was held by pid" in twin.told
        journal.close()
        # Also the next time, when the last opening was at the copy's own place.
        journal = opened(state.with_name("elsewhere") / "robson.db")
        again = journal.twin()
        assert again is not None
        assert again.in_use is True
    assert journal.twin() is None
    journal.close()


def test_looking_takes_no_lock_from_anybody(state: Path) -> None:
    journal = opened(copied(state))
    journal.twin()
    StateLock.take(state, clock=FixedClock()).release()
    journal.close()


def test_a_copy_whose_original_lies_idle_says_so_once(state: Path) -> None:
    twin = twin_of(copied(state))
    assert twin is not None
    assert twin.in_use is False
    assert f"copied from {state / 'robson.db'}" in twin.told
    assert twin_of(state.with_name("elsewhere") / "robson.db") is None


def test_a_second_name_of_the_same_file_is_no_copy(state: Path) -> None:
    other = state.with_name("linked")
    other.mkdir()
    (other / "robson.db").hardlink_to(state / "robson.db")
    assert twin_of(other / "robson.db") is None


def test_a_journal_from_another_machine_says_so_until_the_next_start(state: Path) -> None:
    shutil.copyfile(state / "robson.db", state.with_name("brought.db"))
    journal = opened(state.with_name("brought.db"), machine_id="that-machine")
    twin = journal.twin()
    assert twin is not None
    assert (twin.in_use, twin.host) == (None, socket.gethostname())
    assert "last opened on another machine" in twin.told
    assert "epoch 1, 2025-03-01T12:00:00.000000Z" in twin.told
    journal.close()
    assert twin_of(state.with_name("brought.db"), machine_id="that-machine") is None


@pytest.mark.parametrize(("before", "now"), [("", HERE), (HERE, "")])
def test_a_machine_without_an_id_is_not_held_to_be_another(tmp_path: Path, before: str, now: str) -> None:
    path = tmp_path / "robson.db"
    opened(path, machine_id=before).close()
    assert twin_of(path, machine_id=now) is None


def test_one_that_can_only_be_read_tells_too(state: Path) -> None:
    path = copied(state)
    journal = SqliteJournal.open(
        path, mode="paper", clock=FixedClock(), machine_id="that-machine", version="0", read_only=True
    )
    twin = journal.twin()
    assert twin is not None
    assert twin.in_use is None
    journal.close()
