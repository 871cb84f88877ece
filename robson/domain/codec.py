"""Records to JSON and back: decimals in plain digits, times in RFC 3339 UTC."""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from robson.domain.values import plain

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
# What to_builtins makes of anything that holds something else; it is always made anew.
_NESTED = frozenset({dict, list, tuple})


def to_wire(record: object) -> Any:
    """Plain JSON types of a record; decimals become strings without exponents.

    msgspec itself would write Decimal("0.00000001") as "1E-8", which no venue and few scripts accept.
    """
    return _plain(msgspec.to_builtins(record, builtin_types=(Decimal,)))


def _plain(node: Any) -> Any:
    """A fresh tree with its decimals as strings; most leaves are none, and are not even looked at by a call."""
    kind = type(node)
    if kind is dict:
        for key, child in node.items():
            below = type(child)
            if below is Decimal:
                node[key] = plain(child)
            elif below in _NESTED:
                node[key] = _plain(child)
        return node
    if kind in _NESTED:
        return [_plain(child) for child in node]
    return plain(node) if isinstance(node, Decimal) else node


def encode(record: object) -> bytes:
    """The record as one line of JSON, without the line feed."""
    return _encoder.encode(to_wire(record))


def decode(raw: bytes | str, kind: type[T]) -> T:
    """Read a record; raises msgspec.ValidationError or msgspec.DecodeError with the path of the fault."""
    return msgspec.json.decode(raw, type=kind)
