"""The filters of each pair as last read: one row a pair, written cheaply, for a start while the venue tells none."""

import sqlite3

import msgspec
import structlog

from robson.domain.codec import decode, encode
from robson.domain.instrument import Instrument

_log = structlog.get_logger("robson.journal")

_SELECT = "SELECT symbol, instrument FROM instruments ORDER BY symbol"
_UPSERT = (
    "INSERT INTO instruments (symbol, instrument) VALUES (?, ?) "
    "ON CONFLICT (symbol) DO UPDATE SET instrument = excluded.instrument"
)


def read(connection: sqlite3.Connection) -> tuple[Instrument, ...]:
    """Every pair's filters; a row of another version's shape is passed over, for the venue tells them again."""
    found: list[Instrument] = []
    for symbol, content in connection.execute(_SELECT):
        try:
            found.append(decode(content.encode(), Instrument))
        except (msgspec.DecodeError, ValueError) as error:
            _log.warning("instrument_not_read", symbol=symbol, error=str(error))
    return tuple(found)


def write(connection: sqlite3.Connection, instrument: Instrument) -> None:
    """Insert or replace one pair's row."""
    connection.execute(_UPSERT, (instrument.symbol, encode(instrument).decode()))
