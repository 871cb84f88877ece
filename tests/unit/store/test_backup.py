"""Copies of the journal: whole or not at all, private, never over something else; and put back without losing any."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from robson.domain.errors import JournalHeld, JournalUnusable, StorageError
from robson.domain.events import Fact, Notice, PositionArmed
from robson.domain.values import PositionId, Side
from robson.engine.evolve import evolve
from robson.ports import Commit
from robson.store.backup import JOURNAL_NAME, back_up, put_back
from robson.store.journal import SqliteJournal
from robson.store.lock import StateLock

SCHEMAS = Path(__file__).with_name("schemas")
NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


class StandingClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def opened(state: Path, mode: str = "paper") -> SqliteJournal:
    return SqliteJournal.open(state / JOURNAL_NAME, mode=mode, clock=StandingClock(), machine_id="m", version="1")


def arm(journal: SqliteJournal, name: str) -> None:
    armed = PositionArmed(
        symbol="BTCUSDT", side=Side.LONG, strategy="signal", capital=Decimal(100), risk_percent=Decimal(1)
    )
    fact = Fact(position_id=PositionId(name), at=NOW, event=armed)
    journal.commit(Commit(facts=(fact,), positions=(evolve(None, fact),)))


def notice(journal: SqliteJournal, remark: str) -> None:
    journal.commit(Commit(notices=(Notice(type="drift_found", at=NOW, data={"remark": remark}),)))


def remarks(journal: Path) -> list[str]:
    """What the notices of a journal say, oldest first."""
    with closing(sqlite3.connect(journal)) as connection:
        rows = connection.execute("SELECT data ->> 'remark' FROM events WHERE type = 'drift_found' ORDER BY seq")
        return [remark for (remark,) in rows]


def said(state: Path) -> list[str]:
    return remarks(state / JOURNAL_NAME)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def journal(state: Path) -> Iterator[SqliteJournal]:
    journal = opened(state)
    arm(journal, "p1")
    notice(journal, "first")
    yield journal
    journal.close()


@pytest.fixture
def copy(journal: SqliteJournal, tmp_path: Path) -> Path:
    """A backup of a journal that goes on afterwards."""
    back_up(journal.path, tmp_path / "copy.db")
    notice(journal, "second")
    journal.close()
    return tmp_path / "copy.db"


# --- taking one ------------------------------------------------------------------------------------------------------


def test_an_open_journal_is_copied_whole_and_only_its_owner_can_read_it(journal: SqliteJournal, tmp_path: Path) -> None:
    contents = back_up(journal.path, tmp_path / "copy.db")
    assert (contents.mode, contents.events, contents.last_seq, contents.newest_at) == ("paper", 2, 2, NOW)
    assert [one.position_id for one in contents.open_positions] == ["p1"]
    assert contents.size == (tmp_path / "copy.db").stat().st_size
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state"]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (2,)
    notice(journal, "afterwards")


def test_what_is_there_already_stays_unless_it_is_to_be_replaced(journal: SqliteJournal, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        back_up(journal.path, target)
    assert target.read_text() == "mine"
    assert back_up(journal.path, target, overwrite=True).events == 2
    assert target.stat().st_size > 1000


def test_a_link_to_nothing_is_there_already(journal: SqliteJournal, tmp_path: Path) -> None:
    (tmp_path / "copy.db").symlink_to(tmp_path / "nothing")
    with pytest.raises(StorageError, match="is there already"):
        back_up(journal.path, tmp_path / "copy.db")


@pytest.mark.parametrize(
    "name", [JOURNAL_NAME, f"{JOURNAL_NAME}-wal", f"{JOURNAL_NAME}-shm", f"{JOURNAL_NAME}-journal"]
)
def test_the_journal_itself_is_never_a_target(journal: SqliteJournal, state: Path, name: str) -> None:
    with pytest.raises(StorageError, match="is the journal itself"):
        back_up(journal.path, state / name, overwrite=True)
    notice(journal, "still here")


def test_nor_is_another_name_of_it(journal: SqliteJournal, tmp_path: Path) -> None:
    (tmp_path / "alias.db").symlink_to(journal.path)
    (tmp_path / "twin.db").hardlink_to(journal.path)
    for name in ("alias.db", "twin.db"):
        with pytest.raises(StorageError, match="is the journal itself"):
            back_up(journal.path, tmp_path / name, overwrite=True)


def test_a_directory_is_no_target(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a directory"):
        back_up(journal.path, tmp_path, overwrite=True)


def test_a_directory_that_is_missing_is_named(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere: No such file"):
        back_up(journal.path, tmp_path / "nowhere" / "copy.db")


def test_without_a_journal_nothing_is_made(state: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="does not exist"):
        back_up(state / JOURNAL_NAME, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == [state]


def spoil(path: Path) -> None:
    """Write over pages in the middle, as a failing disk would."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for place in range(4096 * 4, size, 4096):
            file.seek(place)
            file.write(os.urandom(512))


def test_a_damaged_journal_is_refused_and_leaves_no_copy(journal: SqliteJournal, tmp_path: Path) -> None:
    journal.close()
    spoil(journal.path)
    with pytest.raises(JournalUnusable, match="damaged"):
        back_up(journal.path, tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_sequence_with_a_gap_is_refused(journal: SqliteJournal, tmp_path: Path) -> None:
    notice(journal, "second")
    notice(journal, "third")
    with closing(sqlite3.connect(journal.path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE seq = 3")
    with pytest.raises(JournalUnusable, match=r"damaged \(1 faults\): 1 events were missing"):
        back_up(journal.path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_an_open_position_that_its_events_do_not_make_is_refused(journal: SqliteJournal, tmp_path: Path) -> None:
    with closing(sqlite3.connect(journal.path)) as connection, connection:
        connection.execute("INSERT INTO events VALUES (3, '2026-01-01T00:00:00Z', 'p1', 'exit_filled', '{}')")
    with pytest.raises(JournalUnusable, match=r"event 3 \(exit_filled\) of position p1 was unreadable"):
        back_up(journal.path, tmp_path / "copy.db")


def test_a_file_that_is_no_journal_is_refused(state: Path, tmp_path: Path) -> None:
    (state / JOURNAL_NAME).write_text("no database at all, but long enough to be looked at\n" * 50)
    with pytest.raises(JournalUnusable, match="could not be opened"):
        back_up(state / JOURNAL_NAME, tmp_path / "copy.db")


# --- putting it back -------------------------------------------------------------------------------------------------


def restore(copy: Path, state: Path, mode: str | None = None) -> object:
    return put_back(copy, state, mode=mode, clock=StandingClock())


def test_the_copy_is_put_in_place_and_the_present_journal_is_kept(copy: Path, state: Path) -> None:
    assert said(state) == ["first", "second"]
    restored = put_back(copy, state, mode=None, clock=StandingClock())
    assert said(state) == ["first"]
    assert restored.kept == state / "robson.db.before-restore-20260506T070809Z"
    assert stat.S_IMODE((state / JOURNAL_NAME).stat().st_mode) == 0o600
    assert remarks(restored.kept) == ["first", "second"]
    assert sorted(path.name for path in state.iterdir()) == [JOURNAL_NAME, restored.kept.name, "robson.lock"]
    journal = opened(state)
    assert [position.position_id for position in journal.recover().positions] == ["p1"]
    journal.close()


def test_what_only_the_log_has_is_kept_too(copy: Path, state: Path, tmp_path: Path) -> None:
    """As a crash leaves it: committed, and not yet in the file."""
    journal = opened(state)
    notice(journal, "only in the log")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in (JOURNAL_NAME, f"{JOURNAL_NAME}-wal"):
        (crashed / name).write_bytes((state / name).read_bytes())
    journal.close()
    restored = put_back(copy, crashed, mode=None, clock=StandingClock())
    assert said(crashed) == ["first"]
    assert restored.kept is not None
    assert remarks(restored.kept) == ["first", "second", "only in the log"]
    assert not list(crashed.glob(f"{JOURNAL_NAME}-*"))


def test_a_second_restore_keeps_both(copy: Path, state: Path) -> None:
    first = put_back(copy, state, mode=None, clock=StandingClock()).kept
    second = put_back(copy, state, mode=None, clock=StandingClock()).kept
    assert second == first.with_name(f"{first.name}-2")
    assert first.exists()


def test_a_damaged_journal_is_replaced_and_kept_as_it_is(copy: Path, state: Path) -> None:
    spoil(state / JOURNAL_NAME)
    damaged = (state / JOURNAL_NAME).read_bytes()
    restored = put_back(copy, state, mode=None, clock=StandingClock())
    assert restored.kept.read_bytes() == damaged
    assert said(state) == ["first"]


def test_where_there_was_none_none_is_kept(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    assert put_back(copy, tmp_path / "fresh", mode=None, clock=StandingClock()).kept is None
    assert said(tmp_path / "fresh") == ["first"]


def refused(copy: Path, state: Path, mode: str | None = None) -> str:
    """Why it was refused; the state directory is then as it was, but for the lock and what a reader leaves."""
    before = contents_of(state)
    with pytest.raises(StorageError) as refusal:
        restore(copy, state, mode)
    assert contents_of(state) == before
    return str(refusal.value)


def contents_of(state: Path) -> dict[str, bytes]:
    aside = {"robson.lock", f"{JOURNAL_NAME}-shm"}
    found = {path.name: path.read_bytes() for path in state.iterdir() if path.name not in aside}
    return {name: content for name, content in found.items() if content}


def test_a_held_journal_is_refused(copy: Path, state: Path) -> None:
    with StateLock.take(state, clock=StandingClock()), pytest.raises(JournalHeld, match=f"pid {os.getpid()}"):
        restore(copy, state)
    assert said(state) == ["first", "second"]


def test_a_copy_of_another_mode_is_refused(copy: Path, state: Path, tmp_path: Path) -> None:
    assert "was made in mode paper, wanted was live" in refused(copy, state, "live")
    (tmp_path / "live").mkdir()
    opened(tmp_path / "live", "live").close()
    assert "was made in mode paper, wanted was live" in refused(copy, tmp_path / "live")
    restore(copy, tmp_path / "live", "paper")
    assert said(tmp_path / "live") == ["first"]


def test_a_damaged_copy_is_refused(copy: Path, state: Path) -> None:
    spoil(copy)
    assert "damaged" in refused(copy, state)


def test_a_copy_cut_short_is_refused(copy: Path, state: Path) -> None:
    os.truncate(copy, copy.stat().st_size // 2)
    assert "malformed" in refused(copy, state)


def test_a_copy_of_a_newer_schema_is_refused(copy: Path, state: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('robson', 'm999_later', 'now')"
        )
    assert "was of a newer schema (m999_later)" in refused(copy, state)


def test_a_copy_of_an_older_schema_is_taken_and_brought_up_to_date_by_the_next_start(copy: Path, state: Path) -> None:
    copy.unlink()
    with closing(sqlite3.connect(copy)) as connection:
        connection.executescript((SCHEMAS / "m001.sql").read_text())
    restore(copy, state)
    journal = opened(state)
    assert journal.recover().last_seq == 11
    journal.close()


def test_what_is_no_journal_is_refused(state: Path, journal: SqliteJournal, tmp_path: Path) -> None:
    journal.close()
    (tmp_path / "other.db").write_text("hello")
    assert "could not be opened" in refused(tmp_path / "other.db", state)
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as connection, connection:
        connection.execute("CREATE TABLE t (x)")
    assert "not a journal of Robson" in refused(tmp_path / "foreign.db", state)
    assert "does not exist" in refused(tmp_path / "nowhere.db", state)
    assert "is the present journal" in refused(state / JOURNAL_NAME, state)
