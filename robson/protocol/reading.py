"""One line into one request, or into the one error that says precisely what is wrong with it."""

import difflib
import json
import re
from itertools import accumulate, count
from operator import sub
from typing import Any

import msgspec

from robson.domain.errors import RuleError
from robson.domain.values import Side
from robson.protocol.fields import RequestId
from robson.protocol.requests import Mutation
from robson.protocol.table import COMMANDS, Command
from robson.protocol.unions import AnyRequest
from robson.protocol.wording import field_kind

DEPTH_MAX = 32
# No command takes nearly so many. Each of the thousands that fit into a line would cost the loop an object.
CONTAINERS_MAX = 256
_SHOWN_MAX = 40
# A question means the same for ever, and whoever looks on asks the same again and again: so many that are so short are
# remembered.
_KNOWN_BYTES = 64
_LINES_KNOWN = 64
_known: "dict[bytes, tuple[RequestId, AnyRequest | RuleError]]" = {}

# Brackets do not count in strings. One without an end goes to the line's: looked for again at each further quote, a
# line of quotes would hold the loop for seconds.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
# Twice what is open, for bytes have no sign.
_OPENED = bytes.maketrans(b"[{]}", b"\x02\x02\x00\x00")
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_INT64 = range(-(2**63), 2**63)


def read_request(line: bytes) -> tuple[RequestId, AnyRequest | RuleError]:
    """Read one line; the id comes with it also when the rest is wrong, and is None when it could not be read."""
    found = _known.get(line)
    if found is None:
        found = _read(line)
        if len(line) <= _KNOWN_BYTES and not isinstance(found[1], (Mutation, RuleError)):
            if len(_known) >= _LINES_KNOWN:
                _known.clear()
            _known[line] = found
    return found


def _read(line: bytes) -> tuple[RequestId, AnyRequest | RuleError]:
    try:
        fields = _read_object(line)
    except RuleError as error:
        return None, error
    request_id = _readable_id(fields.get("id"))
    try:
        return request_id, _convert(fields)
    except RuleError as error:
        return request_id, error


def _read_object(line: bytes) -> dict[str, Any]:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise RuleError(
            "not_utf8", f"byte {error.start} of the line was {line[error.start]:#04x}, which is not UTF-8"
        ) from None
    _check_depth(line)
    try:
        value = msgspec.json.decode(line)
    except msgspec.ValidationError as error:
        raise RuleError("bad_number", f"a JSON number could not be held: {error}", hint=_AMOUNTS) from None
    except msgspec.DecodeError as error:
        raise RuleError("bad_json", str(error), hint=_ONE_OBJECT) from None
    if not isinstance(value, dict):
        raise RuleError("bad_request", f"the line was {_shown(value)}, which must be an object", hint=_ONE_OBJECT)
    _check_keys(line)
    return value


_ONE_OBJECT = 'one JSON object a line, such as {"cmd":"status"}'
_AMOUNTS = 'money, prices and quantities are strings in plain digits, such as "0.5"'


def _check_depth(line: bytes) -> None:
    if line.count(b"[") + line.count(b"{") <= DEPTH_MAX:
        return
    opened = _STRING.sub(b"", line).translate(_OPENED, _NO_BRACKETS)
    # The first brackets alone tell of a line that has too many.
    if max(map(sub, accumulate(opened[: 4 * CONTAINERS_MAX]), count(1)), default=0) > DEPTH_MAX:
        raise RuleError("too_deep", f"the line nested deeper than {DEPTH_MAX} levels", hint=_ONE_OBJECT)
    if (containers := opened.count(2)) > CONTAINERS_MAX:
        raise RuleError(
            "bad_request",
            f"the line had {containers} objects and lists, at most {CONTAINERS_MAX} are read",
            hint=_ONE_OBJECT,
        )


def _check_keys(line: bytes) -> None:
    # msgspec would silently take the last of two equal keys; with two capitals nobody knows which one was meant.
    json.loads(line, object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RuleError("duplicate_key", f"the key {_shown(key)} was given twice", hint="name each key once")
        found[key] = value
    return found


def _readable_id(value: Any) -> RequestId:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
        return value
    return None


def _convert(fields: dict[str, Any]) -> AnyRequest:
    command = _command(fields)
    known = command.request.__struct_encode_fields__
    for name in fields:
        if name != "cmd" and name not in known:
            raise RuleError(
                "bad_request", f"{_shown(name)} is not a field of {command.name}", hint=_field_hint(name, command)
            )
    for field in msgspec.structs.fields(command.request):
        if field.required and field.encode_name not in fields:
            raise RuleError("bad_request", f"{field.encode_name} was missing", hint=f"for example {command.example}")
    try:
        return msgspec.convert(fields, command.request)
    except msgspec.ValidationError as error:
        raise _explain(str(error), fields, command) from None


def _command(fields: dict[str, Any]) -> Command:
    if "cmd" not in fields:
        raise RuleError("bad_request", "cmd was missing", hint=_ONE_OBJECT)
    name = fields["cmd"]
    if not isinstance(name, str):
        raise RuleError("bad_request", f"cmd was {_shown(name)}, which must be a string", hint=_ONE_OBJECT)
    command = COMMANDS.get(name)
    if command is None:
        raise RuleError(
            "unknown_command",
            f"cmd was {_shown(name)}, which is not a command",
            hint=_nearest(name, COMMANDS) or "commands: " + ", ".join(COMMANDS),
        )
    return command


def _field_hint(name: str, command: Command) -> str:
    if name == "idempotency_key":
        return "only commands that change something take an idempotency_key"
    known = ("cmd", *command.request.__struct_encode_fields__)
    return _nearest(name, known) or f"{command.name} takes {', '.join(known)}"


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name[:64], list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _explain(fault: str, fields: dict[str, Any], command: Command) -> RuleError:
    found = _PATH.search(fault)
    path = found["path"] if found else ""
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    shown = _shown(fields.get(name))
    if name == "side":
        choices = ", ".join(Side)
        return RuleError("unknown_side", f"side was {shown}, which must be one of {choices}", hint=f"side: {choices}")
    kind = field_kind(command.request, name)
    if kind is None:
        return RuleError("bad_request", fault, hint=f"for example {command.example}")
    hint = _AMOUNTS if "decimal string" in kind else f"for example {command.example}"
    return RuleError("bad_request", f"{name} was {shown}, which must be {kind}", hint=hint)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."
