"""A journal of every released schema is brought up to date: what it holds stays, and it ends with today's schema."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database, Migrations

from robson.domain.errors import StorageError
from robson.domain.events import Notice
from robson.domain.position import Closed, Position
from robson.domain.values import PositionId
from robson.engine.evolve import fold
from robson.ports.journal import Commit, PairRecord
from robson.store import SqliteJournal
from robson.store.migrations import known_names, migrations
from tests.contract.journal.lives import ENTRY, NOON, ONE, TWO, armed, entry_facts, fill, intent, life, write

Open = Callable[..., SqliteJournal]
# Each as the released version left it: one closed life, one armed position, two notices of unprotected time.
SCHEMAS = Path(__file__).with_name("schemas")
RELEASED = sorted(file.stem for file in SCHEMAS.glob("*.sql"))


def schema(path: Path) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        found: set[tuple[str, ...]] = set()
        for name, kind in connection.execute("SELECT name, type FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"):
            columns = connection.execute(f'SELECT name, type, "notnull", dflt_value FROM pragma_table_info({name!r})')
            found.add((name, kind, repr(sorted(columns))))
        return found


def as_released() -> Position:
    """The closed life without what later versions have added to its events."""
    position = fold(life(ONE))
    assert isinstance(position.state, Closed)
    assert position.state.trail is not None
    trail = msgspec.structs.replace(position.state.trail, seen_at=None)
    return msgspec.structs.replace(position, state=msgspec.structs.replace(position.state, trail=trail))


@pytest.fixture(params=RELEASED)
def released(request: pytest.FixtureRequest, path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SCHEMAS / f"{request.param}.sql").read_text())
    return path


def test_every_schema_but_the_newest_was_frozen() -> None:
    assert [f"{name[:4]}" for name in known_names()][: len(RELEASED)] == RELEASED
    assert len(RELEASED) >= 7


def test_it_ends_with_the_schema_of_a_new_one(released: Path, open_journal: Open, tmp_path: Path) -> None:
    open_journal(released).close()
    open_journal(tmp_path / "new.db").close()
    assert schema(released) == schema(tmp_path / "new.db")


def test_what_it_holds_stays(released: Path, open_journal: Open) -> None:
    journal = open_journal(released)
    recovery = journal.recover()
    assert (recovery.epoch, recovery.last_seq) == (2, 11)
    assert recovery.positions == (fold([armed(TWO)]),)
    assert journal.position(ONE) == as_released()
    assert [row.seq for row in journal.events()] == list(range(1, 12))
    assert journal.intents(ONE) == [intent(ENTRY, status="filled")]
    assert journal.fills(ONE) == [fill(7)]
    assert journal.unprotected_seconds(ONE) == Decimal("1.75")
    assert journal.unprotected_seconds(TWO) == 0
    assert journal.unprotected_seconds(PositionId("nobody")) == 0


def test_it_can_be_written(released: Path, open_journal: Open) -> None:
    journal = open_journal(released)
    pair = PairRecord(symbol="BTCUSDT", baseline_base=Decimal(1), baseline_quote=Decimal(2))
    told = Notice(type="unprotected", at=NOON, position_id=ONE, data={"seconds": "2", "causes": ["venue"]})
    write(journal, *entry_facts(TWO))
    assert [row.seq for row in journal.commit(Commit(notices=(told,), pairs=(pair,)))] == [14]
    assert journal.unprotected_seconds(ONE) == Decimal("3.75")
    assert journal.recover().pairs == (pair,)


def test_a_closed_position_as_it_was_stored_is_still_understood(released: Path, open_journal: Open) -> None:
    """Its events may be in an archive, so that the stored state is all that the journal has of it."""
    with closing(sqlite3.connect(released)) as connection:
        connection.execute("DELETE FROM events WHERE position_id = 'one'")
        connection.commit()
    assert open_journal(released).position(ONE) == as_released()


def test_a_step_that_fails_leaves_the_journal_as_it_was(
    released: Path, open_journal: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version from before the upgrade still opens it."""

    def fails(db: Database) -> None:
        db.conn.execute("CREATE TABLE half (one INTEGER) STRICT")
        raise sqlite3.OperationalError("disk I/O error")

    before = schema(released)
    later = Migrations("robson")
    later(name="m999_half")(fails)
    monkeypatch.setattr(migrations, "_migrations", [*migrations._migrations, *later._migrations])
    with pytest.raises(StorageError, match="disk I/O error"):
        open_journal(released)
    assert schema(released) == before
