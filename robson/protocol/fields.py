"""The kinds of field that requests and results are made of, with their limits and the words for them."""

from typing import Annotated

from msgspec import Meta

from robson.domain.values import PLAIN_DECIMAL, SIGNAL_ID

_INT64_MAX = 2**63 - 1

RequestId = Annotated[int, Meta(ge=-(2**63), le=_INT64_MAX)] | str | None

# Bounds and digits are checked by domain.values.parse_amount, whose errors are better than a pattern's.
Amount = Annotated[
    str, Meta(extra_json_schema={"pattern": f"^{PLAIN_DECIMAL.pattern}$"}, extra={"words": "decimal string"})
]
SymbolText = Annotated[
    str,
    Meta(extra_json_schema={"pattern": "^[A-Za-z0-9]{5,20}$"}, extra={"words": "symbol, 5 to 20 letters and digits"}),
]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
SignalId = Annotated[str, Meta(pattern=f"^{SIGNAL_ID.pattern}$")]
IdempotencyKey = Annotated[str, Meta(min_length=1, max_length=64)]
Params = Annotated[dict[Name, Annotated[str, Meta(max_length=128)]], Meta(max_length=32)]

# SQLite's largest integer: a cursor beyond it could not be looked up.
Seq = Annotated[int, Meta(ge=0, le=_INT64_MAX)]

EVENTS_LIMIT_DEFAULT = 10_000
EVENTS_LIMIT_MAX = 10_000
Limit = Annotated[int, Meta(ge=1, le=EVENTS_LIMIT_MAX)]
