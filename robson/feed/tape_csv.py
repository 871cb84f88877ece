"""Trades as comma-separated values: Binance's public files, with or without a header, and others with one."""

import re
from decimal import Decimal
from typing import NamedTuple

from robson.domain.market import Tick
from robson.feed.tape_row import TapeRow, read_price, read_quantity, read_time, read_trade_id, to_datetime

_NAMES = {
    "trade_id": ("id", "trade_id", "tradeid", "agg_trade_id", "aggtradeid", "aggregate_trade_id", "a", "t"),
    "price": ("price", "p"),
    "quantity": ("qty", "quantity", "amount", "q"),
    "time": ("time", "ts_ms", "transact_time", "timestamp", "timestamp_ms", "t_ms"),
}
_HEADER = re.compile(r'[A-Za-z_" ]', re.ASCII)
_WORDS = frozenset({"true", "false", "0", "1"})
# What a column must look like to be read without being looked at any closer; the row as a whole is checked at once.
_ANY = r"[^,\n]*+"
_ID = r"[0-9]{1,18}+"
_AMOUNT = r"[0-9]{1,20}+(?:\.[0-9]{1,20}+)?+"
_TIME = r"[1-9][0-9]{11,16}+"


class _Columns(NamedTuple):
    """How many columns a row has, and which ones count."""

    width: int
    trade_id: int
    price: int
    quantity: int
    time: int


# id,price,qty,quoteQty,time,isBuyerMaker[,isBestMatch]: the futures' files lack the last one.
_TRADES = {width: _Columns(width, 0, 1, 2, 4) for width in (6, 7)}
# aggId,price,qty,firstId,lastId,time,isBuyerMaker[,isBestMatch]: likewise.
_AGGREGATE_TRADES = {width: _Columns(width, 0, 1, 2, 5) for width in (7, 8)}


class CsvParser:
    """Rows of one file, all of the same symbol."""

    def __init__(self, symbol: str, columns: _Columns, *, header: bytes | None) -> None:
        self.symbol = symbol
        self._columns = columns
        self._header = header
        self._regular = re.compile(_regular(columns), re.ASCII | re.MULTILINE)

    def without_header(self, lines: bytes) -> bytes:
        """The beginning of the file without its header, if it has one."""
        first, _, rows = lines.partition(b"\n")
        return rows if first.strip() == self._header else lines

    def prices(self, lines: bytes) -> list[Decimal] | None:
        """The prices of whole lines, None unless every single one is a row without a fault or anything unusual.

        None says no more than that: `parse` knows what to make of each line. A price of 0 is not seen here.
        """
        try:
            text = lines.decode("ascii")
        except UnicodeDecodeError:
            return None
        found = self._regular.findall(text)
        return list(map(Decimal, found)) if len(found) == text.count("\n") + (not text.endswith("\n")) else None

    def parse(self, line: bytes) -> TapeRow | None:
        """The trade of one row, None for the header; raises ValueError."""
        if line == self._header:
            return None
        fields = line.decode("ascii").split(",")
        columns = self._columns
        if len(fields) != columns.width:
            raise ValueError(f"the row had {len(fields)} columns, which must be {columns.width}")
        at_us = read_time(fields[columns.time])
        tick = Tick(
            symbol=self.symbol,
            price=read_price(fields[columns.price]),
            quantity=read_quantity(fields[columns.quantity]),
            trade_id=read_trade_id(fields[columns.trade_id]),
            at=to_datetime(at_us),
        )
        return TapeRow(at_us, tick)


def csv_parser(line: bytes, symbol: str | None) -> CsvParser | None:
    """The parser for a file that begins with this line; None when it is no known CSV."""
    try:
        fields = [field.strip().strip('"').lower() for field in line.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError:
        return None
    name = symbol or ""
    if _HEADER.match(fields[0]):
        columns = _named(fields)
        return CsvParser(name, columns, header=line) if columns is not None else None
    columns = _counted(fields)
    return CsvParser(name, columns, header=None) if columns is not None else None


def _regular(columns: _Columns) -> str:
    wanted = dict.fromkeys(range(columns.width), _ANY)
    wanted |= {columns.trade_id: _ID, columns.price: f"({_AMOUNT})", columns.quantity: _AMOUNT, columns.time: _TIME}
    return f"^{','.join(wanted[place] for place in range(columns.width))}\\r?$"


def _named(fields: list[str]) -> _Columns | None:
    places: dict[str, int] = {}
    for place, field in enumerate(fields):
        for meaning, names in _NAMES.items():
            if field in names:
                places.setdefault(meaning, place)
    return _Columns(len(fields), **places) if len(places) == len(_NAMES) else None


def _counted(fields: list[str]) -> _Columns | None:
    width = len(fields)
    if width in _AGGREGATE_TRADES and width in _TRADES:
        # Seven columns are spot trades, or the futures' aggTrades: there the sixth one is a time.
        return _TRADES[width] if fields[5] in _WORDS else _AGGREGATE_TRADES[width]
    return _TRADES.get(width) or _AGGREGATE_TRADES.get(width)
