"""docs/PROTOCOL.md, written from the table: `python -m robson.protocol.document docs/PROTOCOL.md`."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from robson.domain.events import EVENT_TYPES, NOTICE_TYPES
from robson.protocol import PROTOCOL_VERSION
from robson.protocol.codes import CODES, RULE_CODES
from robson.protocol.oversight_results import BackupView, FillView, Leg, OrderView, Step
from robson.protocol.panic_results import PanicStep
from robson.protocol.reading import CONTAINERS_MAX, DEPTH_MAX
from robson.protocol.results import Check, EventLine, FeedView, PanicOutcome, PositionView, PriceLine, Reason
from robson.protocol.table import COMMANDS, Command
from robson.protocol.wording import FieldWords, fields_of

_SHARED = ("id", "idempotency_key")
_NESTED: dict[type[msgspec.Struct], str] = {
    PositionView: "A position in `status`",
    FeedView: "A feed in `status`",
    Check: "A check in `health`",
    Reason: "A reason in `signal`",
    PanicOutcome: "A position in `panic`",
    PanicStep: "A position in `panic_preview`",
    OrderView: "An order in `show`",
    FillView: "A fill of an order",
    Leg: "The way in and the way out in `why`",
    Step: "A link of the chain in `why`",
    BackupView: "The last backup in `journal`",
    EventLine: "An event line",
    PriceLine: "A price line",
}

_MONITORING = ", ".join(f"`{name}`" for name, command in COMMANDS.items() if command.monitoring)

_HEAD = f"""# The control socket

<!-- $ robson run --feed synthetic -->
```sh
echo '{{"cmd":"status"}}' | socat -t30 - UNIX-CONNECT:state/robson.sock | jq .
```

```sh
echo '{{"cmd":"status"}}' | nc -N -U state/robson.sock | jq .result.positions
```

```python
import json, socket

with socket.socket(socket.AF_UNIX) as daemon:
    daemon.connect("state/robson.sock")
    with daemon.makefile("rw") as lines:
        print(json.dumps({{"id": 1, "cmd": "status"}}), file=lines, flush=True)
        print(json.loads(lines.readline())["result"]["state"])
```

Written by `python -m robson.protocol.document docs/PROTOCOL.md`; a test keeps it in step with the code. Protocol
version {PROTOCOL_VERSION}. `help` and `schema` say the same over the socket.

## Lines

- One JSON object a line, UTF-8, ended by a line feed. A request line has at most 65,536 bytes before its line feed; a
  longer one gets `line_too_long` and the connection is closed. Blank lines are ignored. The last line may lack its line
  feed.
- The daemon does not greet; ask `hello`.
- Every request gets one reply, in the order of the requests on its connection. After the client's end of input the
  remaining replies are still sent, so `socat`, `nc -N -U` and a shell's here-document work. `socat` gives up half a
  second after its own end of input unless told otherwise: use `-t30`.
- Once subscribed, event lines come between replies, never inside one; they have `event` instead of `ok`.
- Malformed lines (not UTF-8, not JSON, not an object, nested deeper than {DEPTH_MAX} levels, more than {CONTAINERS_MAX}
  objects and lists, a key given twice, an unknown field) get an error and the connection goes on. The error's `id` is
  null when the id could not be read.
- At most 32 clients a socket; the next one is told `too_many_clients` and closed. A client that takes nothing of a
  *reply* for 30 seconds is cut off alone. A subscriber that does not read its events is not: it only falls behind.
- Who sends no whole request for an hour is told `idle` and closed, unless it has a subscription (`[control]
  idle_seconds`; 0: never). More than 500 requests a second, after a burst of 2,000, are answered `too_many_requests`
  one by one (`requests_per_second`); `panic`, `close`, `disarm` and `pause` never are.
- The socket's mode is 0660: its group may do everything, unless `[control] arm_users` or `panic_users` name who may
  (names or uids, with commas between; the kernel says who calls). Others get `not_permitted`. The caller's uid, gid and
  pid are logged with every mutation.
- `[control] read_only_socket` opens a second socket, for monitoring: mode 0666, 32 clients of its own. It answers
  {_MONITORING}; to all else it says
  `read_only`.
- A command that changes something goes on to its end when its client leaves.

## Requests

`{{"id": …, "cmd": "…", …}}`. `id` is a string or an integer of 64 bits, optional, and comes back in the reply. Money,
prices and quantities are strings in plain digits: `"0.5"`, never `0.5`, `"5e-1"` or `"NaN"`. A field marked `?` may be
left out.

## Replies

`{{"id": …, "ok": true, "result": {{…}}}}` or
`{{"id": …, "ok": false, "error": {{"code": "…", "message": "…", "hint": "…", "retryable": false}}}}`.

`code` is stable and meant for programs. `retryable` means that nothing was done and that the same request may succeed
later. Every field of a result is always there, and null where nothing is known. Times are RFC 3339 UTC. Fields may be
added: ignore what you do not know.

## Idempotency

A command that changes something may carry `idempotency_key`, 1 to 64 characters, one name space for all clients. The
same key with the same body (apart from `id`) gets the stored reply under its own `id`, also after a restart; two at
once have one effect. Another body gets `idempotency_conflict`. Refusals are stored too, unless they are `retryable`.
"""

_REFUSALS = """\
Errors of `plan` and `arm`; of `signal` they stand in the result's `reason` and in `signal_rejected`. More may come.
"""


def document() -> str:
    """The whole of docs/PROTOCOL.md."""
    parts = [_HEAD, "## Commands\n", *(_command(command) for command in COMMANDS.values())]
    parts += ["## Parts of results\n"]
    parts += [f"### {title}\n\n{_results(fields_of(struct))}" for struct, title in _NESTED.items()]
    parts += [
        "## Events\n",
        _events(),
        _notices(),
        "## Error codes\n",
        _codes(CODES),
        "### Refusals by rules and strategies\n",
        _REFUSALS,
        _codes(RULE_CODES),
    ]
    return "\n".join(parts)


def _command(command: Command) -> str:
    lines = [f"### {command.name}\n", command.meaning + "\n", f"```json\n{command.example}\n```\n"]
    takes = [field for field in fields_of(command.request) if field.name not in _SHARED]
    if takes:
        rows = ((f"`{field.name}`" + ("" if field.required else "?"), field.kind, field.meaning) for field in takes)
        lines += [_rows(("takes", "kind", "meaning"), rows)]
    if command.mutating:
        lines += ["It may carry an `idempotency_key`.\n"]
    if command.right is not None:
        lines += [f"`[control] {command.right}_users` says who may do it.\n"]
    if issubclass(command.result, msgspec.Struct):
        lines += [_results(fields_of(command.result))]
    if command.codes:
        lines += ["Errors of its own: " + ", ".join(f"`{code}`" for code in command.codes) + ".\n"]
    return "\n".join(lines)


def _results(fields: Iterable[FieldWords]) -> str:
    return _rows(("gives", "kind", "meaning"), ((f"`{field.name}`", field.kind, field.meaning) for field in fields))


def _events() -> str:
    lines = []
    for name, struct in EVENT_TYPES.items():
        meaning = " ".join((struct.__doc__ or "").split())
        fields = [(f"`{field.name}`", field.kind) for field in fields_of(struct)]
        lines += [f"### {name}\n", meaning + "\n"]
        if fields:
            lines += [_rows(("data", "kind"), fields)]
    return "\n".join(lines)


def _notices() -> str:
    names = ", ".join(f"`{name}`" for name in NOTICE_TYPES)
    return f"### Notices\n\nIn the same sequence, with a `position_id` or null: {names}.\n"


def _codes(codes: dict[str, str]) -> str:
    return _rows(("code", "when"), ((f"`{code}`", meaning) for code, meaning in codes.items()))


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(_table_lines(head, rows)) + "\n"


def _table_lines(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        # A bar inside a cell would end it.
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def main(arguments: list[str]) -> None:
    """Write the document to the named file, or print it."""
    if arguments:
        Path(arguments[0]).write_text(document(), encoding="utf-8")
    else:
        sys.stdout.write(document())


if __name__ == "__main__":
    main(sys.argv[1:])
