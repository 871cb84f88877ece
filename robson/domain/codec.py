"""Records to JSON and back: decimals in plain digits, times in RFC 3339 UTC."""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from robson.domain.values import plain

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def to_wire(record: object) -> Any:
    """Plain JSON types of a record; decimals become strings without exponents.

    msgspec itself would write Decimal("0.00000001") as "1E-8", which no venue and few scripts accept.
    """
    return _strings(msgspec.to_builtins(record, builtin_types=(Decimal,)))


def _strings(node: Any) -> Any:
    if isinstance(node, Decimal):
        return plain(node)
    if isinstance(node, dict):
        # Most children are texts, and a call for each costs more than all the rest.
        return {key: child if isinstance(child, str) else _strings(child) for key, child in node.items()}
    if isinstance(node, (list, tuple)):
        return [_strings(child) for child in node]
    return node


def encode(record: object) -> bytes:
    """The record as one line of JSON, without the line feed."""
    return _encoder.encode(to_wire(record))


def decode(raw: bytes | str, kind: type[T]) -> T:
    """Read a record; raises msgspec.ValidationError or msgspec.DecodeError with the path of the fault."""
    return msgspec.json.decode(raw, type=kind)
