"""How the file is read back: by another tool, by another version, and after somebody touched it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from robson.domain.errors import JournalUnusable
from robson.domain.events import event_data
from robson.domain.position import Position
from robson.engine.evolve import fold
from robson.ports.journal import Commit
from robson.store import SqliteJournal
from robson.venue.instruments import BUILTIN_INSTRUMENTS
from tests.contract.journal.lives import ENTRY, ONE, TWO, armed, entry_facts, filled, intent, life, ratchet, write

Open = Callable[..., SqliteJournal]


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def alter(path: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, parameters)


def append_event(path: Path, kind: str, fields: str) -> None:
    """Append to position ONE what another version might have written."""
    query = "INSERT INTO events (at, position_id, type, data) VALUES ('2025-03-01T12:00:05.000000Z', ?, ?, ?)"
    alter(path, query, ONE, kind, fields)


def test_positions_can_be_read_with_plain_sqlite_while_open(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE), *life(TWO))
    journal.ratchet((ratchet(ONE, 1),))
    columns = "state, quantity, entry_price, trailing_stop, extreme, fees_by_asset, entered_at, last_seq"
    assert ask(path, f"SELECT {columns} FROM positions WHERE position_id = 'one'") == [
        ("Active", "0.06666", "95100", "93610", "95110", '{"BTC":"0.00006666"}', "2025-03-01T12:00:02.000000Z", 13)
    ]
    assert ask(path, "SELECT position_id, symbol, side, state FROM open_positions") == [
        ("one", "BTCUSDT", "long", "Active")
    ]
    columns = "position_id, exit_reason, exit_price, realized_pnl, fees, interest, net_pnl"
    assert ask(path, f"SELECT {columns} FROM pnl") == [
        ("two", "trailing_stop", "93590", "-100.5509", "12.571524", "0.01", "-113.132424")
    ]


def test_open_intents_can_be_read_with_plain_sqlite(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE))
    journal.commit(Commit(intents=(intent(ENTRY, status="sent"),)))
    assert ask(path, "SELECT client_order_id, quantity, status FROM open_intents") == [("rbn-entry", "0.06659", "sent")]


def test_fields_of_a_newer_version_are_ignored(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    journal.close()
    append_event(path, "trailing_stop_updated", json.dumps({**event_data(ratchet(ONE, 1).event), "mood": "calm"}))
    expected = fold((armed(ONE), *entry_facts(ONE), filled(ONE), ratchet(ONE, 1)))
    assert open_journal().recover().positions == (expected,)


@pytest.mark.parametrize(
    ("kind", "fields", "complaint"),
    [
        ("position_levitated", "{}", "event 5 was of type 'position_levitated', which this version"),
        ("trailing_stop_updated", "{", "event 5 .trailing_stop_updated. of position one was unreadable"),
        ("trailing_stop_updated", '{"extreme":"1"}', "event 5 .trailing_stop_updated. of position one was unreadable"),
        ("position_disarmed", "{}", "event 5 .position_disarmed. of position one was unreadable: .* applied in Active"),
    ],
)
def test_an_event_that_makes_no_sense_is_named(
    path: Path, open_journal: Open, kind: str, fields: str, complaint: str
) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    journal.close()
    append_event(path, kind, fields)
    with pytest.raises(JournalUnusable, match=rf"robson\.db could not be read: {complaint}"):
        open_journal().recover()


def test_money_that_is_no_number_is_named(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE))
    journal.commit(Commit(intents=(intent(ENTRY, status="sent"),)))
    alter(path, "UPDATE intents SET quantity = 'plenty'")
    with pytest.raises(JournalUnusable, match=r"robson\.db could not be read"):
        journal.intents(ONE)


def test_a_table_edited_by_hand_is_corrected_from_the_events(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    before = ask(path, "SELECT * FROM positions")
    journal.close()
    alter(path, "UPDATE positions SET trailing_stop = '1', state = 'Armed'")
    journal = open_journal()
    assert journal.recover().positions == (fold((armed(ONE), *entry_facts(ONE), filled(ONE))),)
    assert ask(path, "SELECT * FROM positions") == before


def test_a_closed_position_is_read_from_its_snapshot(path: Path, open_journal: Open) -> None:
    write(open_journal(), *life(ONE))
    assert ask(path, "SELECT seq FROM snapshots") == [(8,)]
    alter(path, "DELETE FROM events WHERE seq < 8")
    assert open_journal().position(ONE) == fold(life(ONE))


@pytest.mark.parametrize("snapshot", ["{", "{}", '{"position_id":"one"}'])
def test_a_snapshot_of_another_shape_is_made_up_for_by_the_events(
    path: Path, open_journal: Open, snapshot: str
) -> None:
    write(open_journal(), *life(ONE))
    alter(path, "UPDATE snapshots SET position = ?", snapshot)
    assert open_journal().position(ONE) == fold(life(ONE))


def test_a_log_torn_anywhere_gives_a_state_that_once_was(path: Path, open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal()
    states: dict[int, tuple[Position, ...]] = {0: ()}
    for facts in ((armed(ONE),), entry_facts(ONE), (filled(ONE),), (armed(TWO),)):
        seq = write(journal, *facts)[-1].seq
        states[seq] = tuple(journal.positions())
    log = path.with_name("robson.db-wal").read_bytes()
    found = set()
    for number, cut in enumerate(range(len(log), len(log) // 2, -1357)):
        torn = tmp_path / f"torn-{number}.db"
        torn.write_bytes(path.read_bytes())
        torn.with_name(f"{torn.name}-wal").write_bytes(log[:cut])
        recovery = open_journal(torn).recover()
        assert recovery.positions == states[recovery.last_seq]
        found.add(recovery.last_seq)
    assert {3, 4, 5} <= found


def test_filters_of_another_versions_shape_are_passed_over(path: Path, open_journal: Open) -> None:
    journal = open_journal(path)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        journal.keep_instrument(BUILTIN_INSTRUMENTS[symbol])
    journal.close()
    alter(path, "UPDATE instruments SET instrument = ? WHERE symbol = 'BTCUSDT'", '{"symbol": "BTCUSDT"}')
    assert open_journal(path).recover().instruments == (BUILTIN_INSTRUMENTS["ETHUSDT"],)
