"""The account file: what it gives back, what it refuses to open, and what a failed write leaves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from robson.domain.errors import InDoubt, StorageError, Unreachable
from robson.venue.account_file import AccountFile
from robson.venue.ledger import Change, borrow, mark, place
from tests.unit.venue.ledger.accounts import BUY, DEEP, ENTRY, EXIT, HOUR, NOON_THIRTY, RULES, SELL, account, ticket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper-account.db"


@pytest.fixture
def file(path: Path) -> Iterator[AccountFile]:
    with closing(AccountFile.open(path)) as opened:
        yield opened


def bought() -> Change:
    return place(account(100), RULES, ticket(BUY, "0.01", ENTRY), DEEP, NOON_THIRTY)


def test_an_account_and_its_records_come_back_as_they_were_written(path: Path, file: AccountFile) -> None:
    entry = bought()
    later = mark(entry.pair, RULES, NOON_THIRTY + HOUR, Decimal("61000.5"))
    crash = mark(later.pair, RULES, NOON_THIRTY + HOUR, Decimal(40000))
    for change in (entry, later, crash):
        file.save(change)
    file.close()

    with closing(AccountFile.open(path)) as again:
        assert again.pair("BTCUSDT") == crash.pair
        assert again.pairs() == [crash.pair]
        assert again.pair("ETHUSDT") is None
        assert again.orders("BTCUSDT") == [*entry.orders, *crash.orders]
        assert again.order("BTCUSDT", 1) == entry.orders[0]
        assert again.order("BTCUSDT", 7) is None
        assert again.executions("BTCUSDT") == [*entry.executions, *crash.executions]
        assert again.interest("BTCUSDT") == [*entry.interest, *later.interest]
        assert again.interest("BTCUSDT", since_ms=NOON_THIRTY + 1) == list(later.interest)
        assert again.loans("BTCUSDT") == [*entry.loans, *crash.loans]
        assert again.liquidations("BTCUSDT") == list(crash.liquidations)
        assert again.transfers("BTCUSDT") == []


def test_trades_are_found_by_order_by_id_and_by_time(file: AccountFile) -> None:
    first = bought()
    second = place(first.pair, RULES, ticket(SELL, "0.005", EXIT), DEEP, NOON_THIRTY + 1000)
    file.save(first)
    file.save(second)

    def found(**conditions: int) -> list[int]:
        return [trade.trade_id for trade in file.executions("BTCUSDT", **conditions)]

    assert found() == [1, 2]
    assert found(order_id=2) == [2]
    assert found(from_id=2) == [2]
    assert found(since_ms=NOON_THIRTY + 1) == [2]
    assert found(order_id=1, from_id=2) == []


def test_the_newest_order_of_a_reused_client_order_id_is_found(file: AccountFile) -> None:
    first = bought()
    second = place(first.pair, RULES, ticket(SELL, "0.005", EXIT), DEEP, NOON_THIRTY)
    file.save(first)
    assert file.newest_order("BTCUSDT", "order-1") == first.orders[0]
    file.save(second)
    assert file.newest_order("BTCUSDT", "order-1") == second.orders[0]
    assert file.newest_order("BTCUSDT", "order-2") is None
    assert file.newest_order("ETHUSDT", "order-1") is None


def test_a_person_can_read_it_with_plain_sqlite(path: Path, file: AccountFile) -> None:
    file.save(bought())
    with closing(sqlite3.connect(path)) as reader:
        orders = reader.execute("SELECT client_order_id, side, status, executed FROM orders").fetchall()
        trades = reader.execute("SELECT price, quantity, fee, fee_asset FROM trades").fetchall()
    assert orders == [("order-1", "buy", "FILLED", "0.01")]
    assert trades == [("60000", "0.01", "0.00001", "BTC")]


def test_a_write_that_fails_leaves_nothing_of_its_change(file: AccountFile) -> None:
    entry = bought()
    file.save(entry)
    clash = borrow(entry.pair, RULES, "USDT", Decimal(1), NOON_THIRTY)
    with pytest.raises(Unreachable, match="could not be written"):
        file.save(Change(pair=clash.pair, loans=clash.loans, executions=entry.executions))
    assert file.pair("BTCUSDT") == entry.pair
    assert file.loans("BTCUSDT") == list(entry.loans)
    file.save(clash)
    assert file.pair("BTCUSDT") == clash.pair


class FullDisk(sqlite3.Connection):
    """A connection whose COMMIT fails while the disk is full."""

    full = True

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.full:
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *parameters)


def test_a_commit_that_fails_is_in_doubt_and_the_file_stays_usable(path: Path, file: AccountFile) -> None:
    connection = sqlite3.connect(path, isolation_level=None, factory=FullDisk)
    full = AccountFile(connection, path)
    with pytest.raises(InDoubt, match="may not have been written: database or disk is full"):
        full.save(bought())
    assert file.pair("BTCUSDT") is None

    connection.full = False
    full.save(bought())
    assert file.pair("BTCUSDT") == bought().pair
    full.close()


def test_what_happened_is_forced_to_disk_and_a_mere_price_is_not(path: Path, file: AccountFile) -> None:
    file.save(bought())
    statements: list[str] = []
    connection = sqlite3.connect(path, isolation_level=None)
    connection.set_trace_callback(statements.append)
    with closing(AccountFile(connection, path)) as traced:
        repriced = mark(bought().pair, RULES, NOON_THIRTY, Decimal(60001))
        traced.save(repriced)
        assert statements[:2] == ["PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"]
        statements.clear()
        traced.save(borrow(repriced.pair, RULES, "USDT", Decimal(1), NOON_THIRTY))
        assert statements[:2] == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"]
        assert statements[-1] == "COMMIT"


def test_a_file_that_cannot_be_used_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="missing/paper-account.db could not be opened"):
        AccountFile.open(tmp_path / "missing" / "paper-account.db")
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="paper-account.db could not be used"):
        AccountFile.open(path)


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    AccountFile.open(path).close()
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA user_version = 2")
    with pytest.raises(StorageError, match="was of version 2; this Robson knows 1"):
        AccountFile.open(path)
