"""The JSON Schema (2020-12) of a request line, and the help, both made from the table."""

from typing import Any

import msgspec

from robson.protocol.requests import AnyRequest
from robson.protocol.results import CommandHelp, FieldHelp, HelpResult
from robson.protocol.table import COMMANDS
from robson.protocol.wording import fields_of

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def request_schema() -> dict[str, Any]:
    """A schema that a request line must satisfy; limits on amounts are in the descriptions."""
    return {"$schema": _DIALECT, "title": "A request to Robson", **msgspec.json.schema(AnyRequest)}


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
