"""The JSON Schemas (2020-12) of what is said on the socket, and the help, both made from the table."""

from typing import Any, Literal, assert_never

import msgspec

from robson.domain.events import EVENT_TYPES
from robson.protocol.replies import ErrorBody
from robson.protocol.results import CommandHelp, EventLine, FieldHelp, HelpResult, PriceLine
from robson.protocol.table import COMMANDS
from robson.protocol.unions import AnyRequest
from robson.protocol.wording import fields_of

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"

Subject = Literal["requests", "replies", "events"]


def schema_of(subject: Subject) -> dict[str, Any]:
    """The schema of every request line, or of every line that the daemon sends."""
    match subject:
        case "requests":
            return request_schema()
        case "replies":
            return reply_schema()
        case "events":
            return event_schema()
        case _:
            assert_never(subject)


def request_schema() -> dict[str, Any]:
    """A schema that a request line must satisfy; limits on amounts are in the descriptions."""
    return {"$schema": _DIALECT, "title": "A request to Robson", **msgspec.json.schema(AnyRequest)}


def reply_schema() -> dict[str, Any]:
    """A schema that every reply satisfies; `$defs` has each command's result, `results` says which."""
    commands = {name: command for name, command in COMMANDS.items() if issubclass(command.result, msgspec.Struct)}
    structs: list[type[msgspec.Struct]] = [ErrorBody, *{command.result: None for command in commands.values()}]
    (error, *_), definitions = _components(*structs)
    identity = {"type": ["string", "integer", "null"]}
    succeeded = {
        "required": ["id", "ok", "result"],
        "properties": {"id": identity, "ok": {"const": True}, "result": {"type": "object"}},
    }
    failed = {"required": ["id", "ok", "error"], "properties": {"id": identity, "ok": {"const": False}, "error": error}}
    return {
        "$schema": _DIALECT,
        "title": "A reply of Robson",
        "type": "object",
        "oneOf": [succeeded, failed],
        "results": {name: _REFERENCE.format(name=command.result.__name__) for name, command in commands.items()},
        "$defs": definitions,
    }


def event_schema() -> dict[str, Any]:
    """A schema that every line of a subscription satisfies; `$defs` has each event's `data`, `events` says which."""
    (line, price, *_), definitions = _components(EventLine, PriceLine, *EVENT_TYPES.values())
    for kind in EVENT_TYPES.values():
        # In an event line the type stands beside the data, not in it.
        data = definitions[kind.__name__]
        data["properties"].pop("type")
        data["required"] = [name for name in data.get("required", []) if name != "type"]
    return {
        "$schema": _DIALECT,
        "title": "An event line of Robson",
        "anyOf": [price, line],
        "events": {name: _REFERENCE.format(name=kind.__name__) for name, kind in EVENT_TYPES.items()},
        "$defs": definitions,
    }


def _components(*structs: type[msgspec.Struct]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    return msgspec.json.schema_components(structs, ref_template=_REFERENCE)


def help_result() -> HelpResult:
    """Every command with its fields and an example."""
    return HelpResult(
        commands=tuple(
            CommandHelp(
                cmd=command.name,
                summary=command.summary,
                mutating=command.mutating,
                takes=tuple(
                    FieldHelp(name=field.name, type=field.kind, required=field.required, meaning=field.meaning)
                    for field in fields_of(command.request)
                ),
                example=command.example,
            )
            for command in COMMANDS.values()
        )
    )
