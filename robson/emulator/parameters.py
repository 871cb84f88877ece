"""The parameters of one request as they were sent, and the checks that every endpoint shares."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar
from urllib.parse import unquote_plus

from robson.domain.values import PLAIN_DECIMAL
from robson.emulator.refusals import Refused, illegal, invalid, missing, no_cross_account

T = TypeVar("T")

_DECIMAL = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
_INTEGER = re.compile(r"[0-9]{1,19}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9_.-]{1,20}", re.ASCII)
_LEGAL_SYMBOL = "^[A-Z0-9-_.]{1,20}$"


class Parameters:
    """Names and values; what stands in the query wins over the body."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @classmethod
    def read(cls, query: str, body: str) -> "Parameters":
        """Decode query and form body; Refused -1101 for a name that is sent twice in one of them."""
        return cls({**_decode(body), **_decode(query)})

    def __contains__(self, name: str) -> bool:
        return self._values.get(name, "") != ""

    def text(self, name: str, default: str | None = None) -> str:
        """A value as text; Refused -1102 when it is missing and has no default."""
        value = self._values.get(name, "")
        if value:
            return value
        if default is None:
            raise missing(name)
        return default

    def symbol(self, name: str = "symbol") -> str:
        """A symbol's name, in capitals as the exchange wants it."""
        value = self.text(name)
        if not _SYMBOL.fullmatch(value):
            raise illegal(name, _LEGAL_SYMBOL)
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number, not negative."""
        if default is not None and name not in self:
            return default
        value = self.text(name)
        if not _INTEGER.fullmatch(value):
            raise illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def maybe_integer(self, name: str) -> int | None:
        """A whole number, or None where the parameter is missing."""
        return self.integer(name) if name in self else None

    def limit(self, default: int, largest: int) -> int:
        """How many rows are asked for; more than the largest are cut to it, none is refused."""
        wanted = self.integer("limit", default)
        if wanted < 1:
            raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(wanted, largest)

    def decimal(self, name: str) -> Decimal:
        """A number in plain digits; exponents and signs are Refused -1100."""
        value = self.text(name)
        if not PLAIN_DECIMAL.fullmatch(value):
            raise illegal(name, _DECIMAL)
        return Decimal(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """TRUE or FALSE in any case."""
        if name not in self:
            return default
        value = self.text(name).upper()
        if value not in {"TRUE", "FALSE"}:
            raise invalid(name)
        return value == "TRUE"

    def choice(self, name: str, choices: type[T], refusal: Callable[[], Refused], default: T | None = None) -> T:
        """A member of an enumeration; `refusal` for any other word."""
        if default is not None and name not in self:
            return default
        try:
            return choices(self.text(name).upper())  # type: ignore[call-arg]
        except ValueError:
            raise refusal() from None

    def isolated(self) -> None:
        """Refuse a request about the cross margin account, of which there is none here."""
        if not self.flag("isIsolated", default=False):
            raise no_cross_account()


def _decode(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        if name in values:
            raise Refused(-1101, f"Too many parameters; parameter '{name}' was sent more than once.")
        values[name] = unquote_plus(value, errors="replace")
    return values
