"""The positions table shows a position in words and numbers that a person would look for."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from robson.domain.events import ExitTriggered, Fact, PositionDisarmed, PositionError, SignalRejected
from robson.domain.values import ExitReason
from robson.engine.evolve import fold
from robson.ports.journal import Commit
from robson.store import SqliteJournal
from robson.store.projection import COLUMNS, SELECT_POSITION, UPDATE_STATE, position_row
from robson.store.reading import SELECT_OPEN
from tests.contract.journal.lives import (
    EXIT,
    ONE,
    armed,
    entry_facts,
    exit_facts,
    fact,
    filled,
    intent,
    life,
    ratchet,
    states_after,
    write,
)

Open = Callable[..., SqliteJournal]
REJECTED = SignalRejected(signal_id="s-1", stage="venue", code="-2010", message="insufficient balance")
FAULT = PositionError(code="fold", message="somebody sold it", recoverable=True)
ENTERED = (armed(ONE), *entry_facts(ONE))


def shown(*facts: Fact) -> dict[str, object]:
    return dict(zip(COLUMNS, position_row(fold(facts), 42), strict=True))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            (armed(ONE),),
            {"state": "Armed", "capital": "10000", "params": '{"fast":"9"}', "quantity": None, "detail": None},
        ),
        (
            (armed(ONE), fact(ONE, REJECTED)),
            {"state": "Armed", "detail": "signal s-1 was rejected (venue, -2010): insufficient balance"},
        ),
        (ENTERED, {"state": "Entering", "quantity": "0.06666", "technical_stop": "93500", "entry_price": None}),
        (
            (*ENTERED, fact(ONE, ExitTriggered(reason=ExitReason.OPERATOR_PANIC))),
            {"state": "Entering", "exit_reason": "operator_panic"},
        ),
        (
            (*ENTERED, filled(ONE)),
            {"state": "Active", "entry_price": "95100", "trailing_stop": "93600", "exit_reason": None},
        ),
        (
            (*ENTERED, filled(ONE), *exit_facts(ONE)[:2]),
            {"state": "Exiting", "exit_reason": "trailing_stop", "detail": "exit attempt 1", "exit_price": None},
        ),
        (
            (*ENTERED, filled(ONE), *exit_facts(ONE)[:3]),
            {"exit_price": "93590", "fees_by_asset": '{"BTC":"0.00006666","USDT":"6.2321581"}', "realized_pnl": None},
        ),
        (
            life(ONE),
            {
                "state": "Closed",
                "net_pnl": "-113.132424",
                "dust": "0.00000334",
                "closed_at": "2025-03-01T12:01:02.000000Z",
            },
        ),
        (
            (*ENTERED, filled(ONE), fact(ONE, FAULT)),
            {"state": "Error", "detail": "fold: somebody sold it", "entry_price": "95100"},
        ),
        (
            (armed(ONE), fact(ONE, PositionDisarmed())),
            {"state": "Closed", "exit_reason": "disarmed", "realized_pnl": None},
        ),
    ],
)
def test_each_state_has_its_row(facts: tuple[Fact, ...], expected: dict[str, object]) -> None:
    row = shown(*facts)
    assert {name: row[name] for name in expected} == expected
    assert row["last_seq"] == 42


def test_amounts_are_in_plain_digits() -> None:
    assert shown(armed(ONE, capital=Decimal("1E+3")))["capital"] == "1000"
    assert shown(armed(ONE, capital=Decimal("1E-8")))["capital"] == "0.00000001"


@pytest.mark.parametrize("recovers", [False, True])
def test_a_row_that_was_spoilt_is_written_whole(path: Path, open_journal: Open, recovers: bool) -> None:
    journal = open_journal()
    write(journal, *ENTERED, filled(ONE))
    journal.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE positions SET capital = '1', trailing_stop = NULL")
    journal = open_journal()
    if recovers:
        journal.recover()
    journal.ratchet((ratchet(ONE, 1),))
    write(journal, *exit_facts(ONE)[:2])
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(SELECT_POSITION, (ONE,)).fetchone()
    assert found == position_row(fold((*ENTERED, filled(ONE), ratchet(ONE, 1), *exit_facts(ONE)[:2])), 7)


def test_an_exit_writes_only_what_it_changes(open_journal: Open) -> None:
    journal = open_journal()
    write(journal, *ENTERED, filled(ONE))
    statements: list[str] = []
    journal._file.connection.set_trace_callback(statements.append)
    write(journal, *exit_facts(ONE)[:2])
    journal._file.connection.set_trace_callback(None)
    (update,) = (line for line in statements if "positions" in line and not line.startswith("--"))
    assert update.startswith("UPDATE positions SET state = 'Exiting'")
    assert "capital" not in update


def test_a_row_that_was_taken_out_by_hand_comes_back(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    write(journal, *ENTERED, filled(ONE))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM positions")
    facts = exit_facts(ONE)[:2]
    journal.commit(Commit(facts=facts, positions=states_after(journal, facts), intents=(intent(EXIT),)))
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(SELECT_POSITION, (ONE,)).fetchone()
    assert found == position_row(fold((*ENTERED, filled(ONE), *facts)), 6)


def test_an_exit_that_begins_changes_no_index(path: Path, open_journal: Open) -> None:
    open_journal()
    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute(f"EXPLAIN {UPDATE_STATE}", ("",) * 6).fetchall()
    assert "Insert" in {step[1] for step in steps}
    assert not {"IdxInsert", "IdxDelete"} & {step[1] for step in steps}


@pytest.mark.parametrize("query", [SELECT_OPEN, "SELECT * FROM open_positions"])
def test_what_is_over_is_not_looked_at_to_find_what_is_open(path: Path, open_journal: Open, query: str) -> None:
    open_journal()
    with closing(sqlite3.connect(path)) as connection:
        (step,) = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert step[3] == "SEARCH positions USING INDEX positions_open (closed_at=?)"
