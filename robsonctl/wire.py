"""Requests and results as plain JSON, for commands that must start at once.

The protocol's structs check more and cost more: msgspec alone takes three times as long to import as Python to start.
A request is checked by the daemon, which names the fault; docs/decisions/0040 has the figures.
"""

import json
from collections.abc import Mapping
from typing import Any

# The daemon's own words for a result that was asked for without an id.
_SUCCESS = b'{"id":null,"ok":true,"result":'

Question = dict[str, Any]


class View(dict[str, Any]):
    """A JSON object whose fields are attributes too, None where there is none; its text is safe on a terminal."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.get(name)


def question(command: str, **fields: Any) -> Question:
    """A request; fields that are None or False are left out."""
    return {
        "cmd": command,
        **{name: value for name, value in fields.items() if value is not None and value is not False},
    }


def mutating(request: Any) -> str | None:
    """The idempotency key of a request that changes something, None for one that only asks."""
    if isinstance(request, Mapping):
        return request.get("idempotency_key")
    return getattr(request, "idempotency_key", None)


def line_of(request: Any) -> bytes:
    """A request, or a struct of the protocol, as the line that is sent."""
    if isinstance(request, Mapping):
        return dumps(request).encode() + b"\n"
    import msgspec

    return msgspec.json.encode(request) + b"\n"


def dumps(value: Any) -> str:
    """JSON as the daemon writes it: without spaces, letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def result_of(line: bytes) -> bytes | View:
    """The result's own bytes, or the error of a refusal."""
    line = line.rstrip()
    if line.startswith(_SUCCESS):
        return line[len(_SUCCESS) : -1]
    reply = json.loads(line)
    if reply.get("ok"):
        return dumps(reply.get("result")).encode()
    shown = line[:200].decode("utf-8", "replace")
    return _view(reply.get("error") or {"code": "bad_reply", "message": f"the daemon's reply was {shown!r}"})


def view(record: Any) -> Any:
    """A result as people are shown it: JSON, or a struct of the protocol, with every text made safe."""
    match record:
        case View():
            return record
        case bytes():
            return json.loads(record, object_hook=_view)
        case dict():
            return json.loads(dumps(record), object_hook=_view)
        case list() | tuple():
            return [view(part) for part in record]
        case _:
            from robson.domain.codec import encode

            return json.loads(encode(record), object_hook=_view)


def safe(text: str) -> str:
    """The text without control characters: nothing that was sent may move a cursor or turn the reading round."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in text)


def _view(fields: dict[str, Any]) -> View:
    return View((safe(name), _safe_part(value)) for name, value in fields.items())


def _safe_part(value: Any) -> Any:
    match value:
        case str():
            return safe(value)
        case list():
            return [_safe_part(part) for part in value]
        case _:
            return value
