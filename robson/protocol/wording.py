"""The wire structs in words: what kind a field is, with its limits."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec import inspect as kinds

_INT64_MAX = 2**63 - 1
_NAMES_MAX = 6


@dataclass(frozen=True, slots=True)
class FieldWords:
    """One field of a struct, for people."""

    name: str
    kind: str
    required: bool
    meaning: str


def fields_of(struct: type[msgspec.Struct]) -> Iterator[FieldWords]:
    """The struct's fields in words, in the order they are written."""
    described = kinds.type_info(struct)
    assert isinstance(described, kinds.StructType), described
    for field in described.fields:
        yield FieldWords(field.encode_name, kind_words(field.type), field.required, _meaning(field.type))


def field_kind(struct: type[msgspec.Struct], name: str) -> str | None:
    """What the named field must be, as the end of a sentence; None when the struct has no such field."""
    kind = next((field.kind for field in fields_of(struct) if field.name == name), None)
    if kind is None:
        return None
    words = kind.removesuffix(" or null")
    if words.startswith(("true", '"')):
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def kind_words(kind: kinds.Type) -> str:
    """A type in words."""
    match kind:
        case kinds.Metadata(extra={"words": str(words)}):
            return words
        case kinds.Metadata():
            return kind_words(kind.type)
        case kinds.UnionType():
            return " or ".join(kind_words(choice) for choice in kind.types)
        case kinds.NoneType():
            return "null"
        case kinds.BoolType():
            return "true or false"
        case kinds.IntType():
            return "integer" + _range(kind.ge, kind.le)
        case kinds.FloatType():
            return "number"
        case kinds.DecimalType():
            return "decimal string"
        case kinds.DateTimeType():
            return "time, RFC 3339 UTC"
        case kinds.StrType():
            return "string" + _length(kind)
        case kinds.EnumType():
            return " or ".join(f'"{member.value}"' for member in kind.cls)
        case kinds.LiteralType():
            return " or ".join(f'"{value}"' for value in kind.values)
        case kinds.StructType():
            names = [field.encode_name for field in kind.fields]
            shown = names if len(names) <= _NAMES_MAX else [*names[:4], "…"]
            return "{" + ", ".join(shown) + "}"
        case kinds.DictType():
            return "object of " + _plural(kind_words(kind.value_type))
        case kinds.VarTupleType() | kinds.ListType():
            return "list of " + _plural(kind_words(kind.item_type))
        case kinds.AnyType():
            return "any JSON"
        case _:
            raise AssertionError(f"no words for {kind!r}")


def _plural(words: str) -> str:
    head, _, limits = words.partition(" of ")
    if head in {"string", "decimal string", "integer"}:
        return head + "s" + (f" of {limits}" if limits else "")
    return words


def _range(low: int | None, high: int | None) -> str:
    if low == -_INT64_MAX - 1 and high == _INT64_MAX:
        return " of 64 bits"
    return "" if low is None and high is None else f" of {low} to {high}"


def _length(kind: kinds.StrType) -> str:
    if kind.pattern is not None:
        return f" of the form {kind.pattern}"
    if kind.max_length is not None:
        return f" of {kind.min_length or 0} to {kind.max_length} characters"
    return ""


def _meaning(kind: kinds.Type) -> str:
    if isinstance(kind, kinds.Metadata):
        return str((kind.extra_json_schema or {}).get("description", ""))
    return ""
