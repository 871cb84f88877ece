"""Numbers and JSON as the exchange writes them: decimals as strings with eight places, times in milliseconds."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from robson.domain.values import plain

JsonObject = dict[str, object]

_encoder = msgspec.json.Encoder()


def amount(number: Decimal) -> str:
    """Eight decimal places, as balances, prices and quantities are written."""
    return f"{number:.8f}"


def short(number: Decimal) -> str:
    """Plain digits without trailing zeros."""
    return plain(number)


def whole_or_text(number: Decimal) -> int | str:
    """A JSON integer where the number is whole, otherwise a string.

    The official client's schema has an integer for a loan's amount, which cannot hold what is lent for most orders.
    """
    return int(number) if number == number.to_integral_value() else plain(number)


def to_json(value: object) -> bytes:
    """One JSON text."""
    return _encoder.encode(value)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer: a JSON value, or (for what is not JSON) its bytes and type."""

    status: int = 200
    value: object = None
    body: bytes | None = None
    content_type: str = "application/json;charset=UTF-8"
    headers: Mapping[str, str] = {}

    def content(self) -> bytes:
        """The bytes to send."""
        return to_json(self.value) if self.body is None else self.body


def html(status: int, title: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A page as firewalls and gateways send it."""
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>\r\n"
    return Reply(status=status, body=page.encode(), content_type="text/html", headers=headers or {})
