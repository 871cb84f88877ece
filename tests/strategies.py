"""Hypothesis strategies: amounts as venues write them, and any record of the domain from its type alone."""

import enum
import functools
import operator
import types
import typing
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, Union

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

# For what carries the most: three times as often as the profile says.
thorough = settings(max_examples=3 * settings().max_examples)

DIGITS_MAX = 20
_WIDE = Context(prec=60)

# Up to twenty digits on either side of the point, as the wire has them; the ends are drawn often.
_ENDS = ["0", "0.00000001", "1E-20", "1", "0.1", "100", "9" * 20, "9" * 20 + "." + "9" * 20, "1E+19"]
amounts = st.sampled_from(_ENDS).map(Decimal) | st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places, _WIDE),
    st.integers(0, 10**DIGITS_MAX - 1),
    st.integers(0, DIGITS_MAX),
)
signed_amounts = st.builds(lambda amount, sign: amount.copy_sign(Decimal(sign)), amounts, st.sampled_from([1, -1]))
texts = st.text(st.characters(codec="utf-8"), max_size=20)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def prices(low: int = 1, high: int = 200_000, places: int = 2) -> st.SearchStrategy[Decimal]:
    """Prices (quote per base) between whole bounds, with so many decimal places."""
    scale = 10**places
    return st.integers(low * scale, high * scale).map(lambda units: Decimal(units) / scale)


@functools.cache
def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a record's field may have."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        Decimal: signed_amounts,
        str: texts,
        int: st.integers(0, 2**63 - 1),
        bool: st.booleans(),
        datetime: moments,
        type(None): st.none(),
        Any: json_values,
    }
    if kind in plain:
        return plain[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {Union, types.UnionType}:
        return functools.reduce(operator.or_, map(anything, arguments))
    if origin is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(anything(arguments[0]), anything(arguments[1]), max_size=3)
    if isinstance(kind, typing.NewType):
        return anything(kind.__supertype__)
    assert isinstance(kind, type), kind
    if issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    assert issubclass(kind, msgspec.Struct), kind
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: anything(hints[field.name]) for field in msgspec.structs.fields(kind)})
