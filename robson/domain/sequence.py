"""Rows as they were committed: events in their one sequence, and replies kept under a key."""

from datetime import datetime
from typing import Any

from robson.domain.values import PositionId, Value


class Recorded(Value):
    """One row of the sequence as every client sees it."""

    seq: int
    type: str
    at: datetime
    position_id: PositionId | None
    data: dict[str, Any]


class StoredReply(Value):
    """The result of a mutating command, kept under its idempotency key; `body_digest` identifies the request."""

    key: str
    body_digest: str
    reply: bytes
    at: datetime
