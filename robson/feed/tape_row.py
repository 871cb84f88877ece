"""One row of a recording, and how its text becomes numbers."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from robson.domain.market import Tick
from robson.domain.values import PLAIN_DECIMAL, SYMBOL

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Between the years 1973 and 5138 a number of milliseconds never looks like one of microseconds.
_MILLISECONDS = range(10**11, 10**14)
_MICROSECONDS = range(10**14, 10**17)
_ID_LIMIT = 2**63
_INTEGER = re.compile(r"[0-9]{1,19}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9]+", re.ASCII)
# A date or a time such as 20240808T2354 has fewer letters than any pair.
_SYMBOL_LETTERS = 4


class TapeRow(NamedTuple):
    """One trade and when it happens on the tape, in microseconds since the epoch."""

    at_us: int
    tick: Tick


def read_price(text: str) -> Decimal:
    """A price (quote per base) in plain digits, above zero; raises ValueError."""
    if not PLAIN_DECIMAL.fullmatch(text):
        raise ValueError(f"price was {text[:40]!r}, which is not a plain decimal number")
    price = Decimal(text)
    if not price > 0:
        raise ValueError(f"price was {text[:40]!r}, which must be above 0")
    return price


def read_quantity(text: str) -> Decimal:
    """A quantity (base) in plain digits; raises ValueError."""
    if not PLAIN_DECIMAL.fullmatch(text):
        raise ValueError(f"quantity was {text[:40]!r}, which is not a plain decimal number")
    return Decimal(text)


def read_trade_id(text: str) -> int:
    """A trade id; raises ValueError."""
    if not _INTEGER.fullmatch(text) or (number := int(text)) >= _ID_LIMIT:
        raise ValueError(f"trade id was {text[:40]!r}, which is not an integer below 2^63")
    return number


def read_time(text: str) -> int:
    """A time in milliseconds or microseconds since the epoch, as microseconds; raises ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"time was {text[:40]!r}, which is not an integer")
    return to_microseconds(int(text))


def to_microseconds(time: int) -> int:
    """The same for a number (Binance's public files changed from milliseconds to microseconds in 2025)."""
    if time in _MILLISECONDS:
        return time * 1000
    if time in _MICROSECONDS:
        return time
    raise ValueError(f"time was {time}, which is neither milliseconds nor microseconds since 1970")


def to_datetime(microseconds: int) -> datetime:
    """The moment so many microseconds after the epoch, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def symbol_in_name(name: str) -> str | None:
    """The pair that a file's name speaks of, as in BTCUSDT-trades-2024-08-08.csv; None when there is none."""
    for word in _WORD.findall(name):
        if SYMBOL.fullmatch(word) and sum(letter.isalpha() for letter in word) >= _SYMBOL_LETTERS:
            return str(word)
    return None
