"""The venue's memory of its accounts in one SQLite file, apart from Robson's journal: one change, one transaction."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from robson.domain.codec import decode, encode
from robson.domain.errors import InDoubt, StorageError, Unreachable
from robson.domain.values import plain
from robson.venue.ledger import (
    Change,
    Execution,
    InterestRecord,
    LiquidationRecord,
    LoanRecord,
    Order,
    Pair,
    TransferRecord,
)

_VERSION = 1
# Somebody reading the file with another tool may hold a lock for a moment; nothing else runs while we wait for it.
_BUSY_MS = 200

# `record` is the whole record as JSON; the other columns are what queries and people look for.
_SCHEMA = """
BEGIN;
CREATE TABLE pairs (symbol TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    symbol TEXT NOT NULL, order_id INTEGER NOT NULL, client_order_id TEXT NOT NULL, status TEXT NOT NULL,
    side TEXT NOT NULL, quantity TEXT NOT NULL, executed TEXT NOT NULL, created_ms INTEGER NOT NULL,
    record TEXT NOT NULL, PRIMARY KEY (symbol, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_client_order_id ON orders (symbol, client_order_id, order_id);
CREATE TABLE trades (
    symbol TEXT NOT NULL, trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, side TEXT NOT NULL,
    price TEXT NOT NULL, quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, at_ms INTEGER NOT NULL,
    record TEXT NOT NULL, PRIMARY KEY (symbol, trade_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX trades_by_order ON trades (symbol, order_id);
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_by_kind ON ledger (symbol, kind, at_ms);
PRAGMA user_version = 1;
COMMIT;
"""


class AccountFile:
    """Accounts, orders, trades, loans, interest and liquidations of one venue; everything synchronous and short."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, read_only: bool = False) -> None:
        self._connection = connection
        self._path = path
        self._read_only = read_only

    @classmethod
    def open(cls, path: Path) -> "AccountFile":
        """Open or create the file; one that can only be read is tried again with each change.

        StorageError names the path when it cannot be used.
        """
        try:
            return cls(_connect(path), path)
        except StorageError as fault:
            readable = _connect_reading(path) if path.exists() else None
            if readable is None:
                raise fault from None
            return cls(readable, path, read_only=True)

    def close(self) -> None:
        """Close the file; what was committed is safe without it."""
        self._connection.close()

    def pairs(self) -> Sequence[Pair]:
        """Every account in the file."""
        return [decode(record, Pair) for (record,) in self._select("SELECT record FROM pairs ORDER BY symbol")]

    def pair(self, symbol: str) -> Pair | None:
        """One account, None when it was never touched."""
        rows = self._select("SELECT record FROM pairs WHERE symbol = ?", symbol)
        return decode(rows[0][0], Pair) if rows else None

    def save(self, change: Change) -> None:
        """Write a change in one transaction, on disk before this returns if it holds more than a new price or hour.

        Raises Unreachable when nothing was written, InDoubt when the commit itself failed.
        """
        symbol = change.pair.symbol
        self._reopen()
        try:
            # Losing a price or an hour in a power cut costs nothing: both are found again at the next touch.
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if change.has_records else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(symbol, change)
        except sqlite3.Error as error:
            self._roll_back()
            raise Unreachable(f"the account file {self._path} could not be written: {error}") from error
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise InDoubt(f"the account file {self._path} may not have been written: {error}") from error

    def newest_order(self, symbol: str, client_order_id: str) -> Order | None:
        """The newest order with this client order id, which older, finished orders may share."""
        rows = self._select(
            "SELECT record FROM orders WHERE symbol = ? AND client_order_id = ? ORDER BY order_id DESC LIMIT 1",
            symbol,
            client_order_id,
        )
        return decode(rows[0][0], Order) if rows else None

    def order(self, symbol: str, order_id: int) -> Order | None:
        """The order with the venue's own id."""
        rows = self._select("SELECT record FROM orders WHERE symbol = ? AND order_id = ?", symbol, order_id)
        return decode(rows[0][0], Order) if rows else None

    def orders(self, symbol: str, *, since_ms: int = 0) -> Sequence[Order]:
        """Every order of the pair placed since a moment, oldest first."""
        sql = "SELECT record FROM orders WHERE symbol = ? AND created_ms >= ? ORDER BY order_id"
        return [decode(record, Order) for (record,) in self._select(sql, symbol, since_ms)]

    def executions(
        self, symbol: str, *, order_id: int | None = None, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[Execution]:
        """Trades of the pair that meet every given condition, oldest first."""
        conditions = {"symbol = ?": symbol, "order_id = ?": order_id, "trade_id >= ?": from_id, "at_ms >= ?": since_ms}
        given = {condition: value for condition, value in conditions.items() if value is not None}
        sql = f"SELECT record FROM trades WHERE {' AND '.join(given)} ORDER BY trade_id"  # noqa: S608  conditions are constants
        return [decode(record, Execution) for (record,) in self._select(sql, *given.values())]

    def interest(self, symbol: str, *, since_ms: int = 0) -> Sequence[InterestRecord]:
        """Interest charged on the pair since a moment, oldest first."""
        return [decode(record, InterestRecord) for record in self._ledger(symbol, "interest", since_ms)]

    def loans(self, symbol: str, *, since_ms: int = 0) -> Sequence[LoanRecord]:
        """Loans and repayments of the pair since a moment, oldest first."""
        return [decode(record, LoanRecord) for record in self._ledger(symbol, "loan", since_ms)]

    def transfers(self, symbol: str, *, since_ms: int = 0) -> Sequence[TransferRecord]:
        """Collateral moved since a moment, oldest first."""
        return [decode(record, TransferRecord) for record in self._ledger(symbol, "transfer", since_ms)]

    def liquidations(self, symbol: str, *, since_ms: int = 0) -> Sequence[LiquidationRecord]:
        """Liquidations of the pair since a moment, oldest first."""
        return [decode(record, LiquidationRecord) for record in self._ledger(symbol, "liquidation", since_ms)]

    def _ledger(self, symbol: str, kind: str, since_ms: int) -> list[str]:
        sql = "SELECT record FROM ledger WHERE symbol = ? AND kind = ? AND at_ms >= ? ORDER BY id"
        return [record for (record,) in self._select(sql, symbol, kind, since_ms)]

    def _select(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise Unreachable(f"the account file {self._path} could not be read: {error}") from error

    def _write(self, symbol: str, change: Change) -> None:
        run, many = self._connection.execute, self._connection.executemany
        run("INSERT OR REPLACE INTO pairs VALUES (?, ?)", (symbol, _json(change.pair)))
        many("INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?,?,?)", map(_order_row(symbol), change.orders))
        many("INSERT INTO trades VALUES (?,?,?,?,?,?,?,?,?,?)", map(_trade_row(symbol), change.executions))
        entries: Iterable[tuple[str, Iterable[Any]]] = (
            ("loan", change.loans),
            ("interest", change.interest),
            ("transfer", change.transfers),
            ("liquidation", change.liquidations),
        )
        for kind, records in entries:
            many(
                "INSERT INTO ledger (symbol, kind, at_ms, record) VALUES (?, ?, ?, ?)",
                [(symbol, kind, record.at_ms, _json(record)) for record in records],
            )

    def _reopen(self) -> None:
        if not self._read_only:
            return
        # SQLite shares the log's index among a process's connections: while one may only read it, none can write.
        self._connection.close()
        try:
            self._connection, self._read_only = _connect(self._path), False
        except StorageError as error:
            self._connection = _connect_reading(self._path) or self._connection
            raise Unreachable(str(error)) from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is created where there is none, for its owner alone, as its log will be."""
    # What is in the way of it is SQLite's to say.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise StorageError(f"the account file {path} could not be opened: {error}") from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(_SCHEMA)
        if version in {0, _VERSION}:
            # After a crash a file on a disk that became read-only opens like any other.
            connection.executescript(f"BEGIN; PRAGMA user_version = {_VERSION}; ROLLBACK")
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"the account file {path} could not be used: {error}") from error
    if version not in {0, _VERSION}:
        connection.close()
        raise StorageError(f"the account file {path} was of version {version}; this Robson knows {_VERSION}")
    return connection


def _connect_reading(path: Path) -> sqlite3.Connection | None:
    """A connection that never writes, also on a disk where not even the log's index can be made; None without one."""
    log = path.with_name(f"{path.name}-wal")
    # Without a log the file is complete in itself.
    connection = None
    try:
        whole = not log.exists() or log.stat().st_size == 0
        location = f"file:{quote(str(path))}?mode=ro" + ("&immutable=1" if whole else "")
        connection = sqlite3.connect(location, uri=True, isolation_level=None)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except (sqlite3.Error, OSError):
        version = None
    if connection is not None and version != _VERSION:
        connection.close()
        return None
    return connection


def _json(record: object) -> str:
    return encode(record).decode()


def _order_row(symbol: str) -> Callable[[Order], tuple[object, ...]]:
    def row(order: Order) -> tuple[object, ...]:
        ticket = order.ticket
        quantities = (plain(ticket.quantity), plain(order.executed))
        return (symbol, order.order_id, ticket.client_order_id, order.status.value, ticket.side.value, *quantities,
                order.created_ms, _json(order))  # fmt: skip

    return row


def _trade_row(symbol: str) -> Callable[[Execution], tuple[object, ...]]:
    def row(trade: Execution) -> tuple[object, ...]:
        amounts = (plain(trade.price), plain(trade.quantity), plain(trade.fee), trade.fee_asset)
        return (symbol, trade.trade_id, trade.order_id, trade.side.value, *amounts, trade.at_ms, _json(trade))

    return row
