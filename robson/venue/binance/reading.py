"""Reading the exchange's JSON tolerantly: numbers as strings and the reverse, fields that are new or gone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from robson.domain.values import OrderSide

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS_MOST = 60
_YEAR_2100_MS = 4_102_444_800_000
# Money written as a JSON number keeps every digit.
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Malformed(ValueError):
    """An answer lacks what cannot be done without, or has something else in its place; the message names it."""


def document_of(body: bytes) -> Any:
    """The body's JSON; Malformed when it is none."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation) as error:
        raise Malformed(f"not JSON: {error}") from None


def shaped(document: Any, kind: type[T]) -> T:
    """The document as a type that msgspec knows, numbers as text and the reverse; Malformed when it is none."""
    try:
        return msgspec.convert(document, kind, strict=False)
    except (msgspec.ValidationError, InvalidOperation) as error:
        raise Malformed(f"not what was asked for: {error}") from None


class Fields:
    """One JSON object of an answer; `where` names it in messages."""

    __slots__ = ("_members", "where")

    def __init__(self, members: Any, where: str) -> None:
        if not isinstance(members, dict):
            raise Malformed(f"{where} was {type(members).__name__}, not an object")
        self._members = members
        self.where = where

    def get(self, *names: str) -> Any:
        """The first of these members that is there and not null, as it came; None without."""
        for name in names:
            value = self._members.get(name)
            if value is not None:
                return value
        return None

    def text(self, *names: str) -> str:
        """A member as text; a number is written out."""
        value = self._required(names)
        if isinstance(value, (dict, list, bool)):
            raise self._strange(names, value)
        return str(value)

    def decimal(self, *names: str) -> Decimal:
        """A member as an exact, finite number."""
        number = self.decimal_or_none(*names)
        if number is None:
            raise self._missing(names)
        return number

    def decimal_or_none(self, *names: str) -> Decimal | None:
        """The same, None when it is missing or empty."""
        value = self.get(*names)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, (dict, list, bool)):
            raise self._strange(names, value)
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise self._strange(names, value) from None
        # An exponent beyond any amount would only cost memory when the number is written out.
        if not number.is_finite() or abs(number.adjusted()) > _DIGITS_MOST:
            raise self._strange(names, value)
        return number

    def integer(self, *names: str) -> int:
        """A member as a whole number."""
        number = self.decimal(*names)
        if number != number.to_integral_value():
            raise self._strange(names, number)
        return int(number)

    def flag(self, *names: str, default: bool) -> bool:
        """A member as a truth value; `default` when it is missing."""
        value = self.get(*names)
        if value is None:
            return default
        said = str(value).strip().lower()
        if said in {"true", "1"}:
            return True
        if said in {"false", "0", ""}:
            return False
        raise self._strange(names, value)

    def moment(self, *names: str) -> datetime:
        """A member in milliseconds since the epoch as a time."""
        milliseconds = self.integer(*names)
        if not 0 <= milliseconds <= _YEAR_2100_MS:
            raise self._strange(names, milliseconds)
        return _EPOCH + timedelta(milliseconds=milliseconds)

    def side(self, *names: str) -> OrderSide:
        """A member as the side of an order."""
        said = self.text(*names)
        try:
            return OrderSide(said.lower())
        except ValueError:
            raise self._strange(names, said) from None

    def below(self, name: str) -> "Fields":
        """The object in a member."""
        return Fields(self.get(name), f"{self.where}.{name}")

    def rows(self, name: str) -> "Iterator[Fields]":
        """The objects of a list in a member; none when it is missing."""
        value = self.get(name)
        return rows(value if value is not None else [], f"{self.where}.{name}")

    def _required(self, names: tuple[str, ...]) -> Any:
        value = self.get(*names)
        if value is None:
            raise self._missing(names)
        return value

    def _missing(self, names: tuple[str, ...]) -> Malformed:
        return Malformed(f"{self.where} had no {' or '.join(names)}")

    def _strange(self, names: tuple[str, ...], value: object) -> Malformed:
        return Malformed(f"{self.where}: {' or '.join(names)} was {str(value)[:40]!r}")


def rows(document: Any, where: str) -> Iterator[Fields]:
    """The objects of a list, or of the one that an object keeps under `rows`."""
    if isinstance(document, dict):
        document = document.get("rows", [])
    if not isinstance(document, list):
        raise Malformed(f"{where} was {type(document).__name__}, not a list")
    for index, row in enumerate(document):
        yield Fields(row, f"{where}[{index}]")
