"""The journal's sequence as clients read it: a page for `events`, a cursor for `subscribe`."""

from collections.abc import Sequence

import msgspec
import trio

from robson.domain.codec import encode
from robson.domain.errors import RuleError
from robson.domain.events import EVENT_TYPES, NOTICE_TYPES
from robson.domain.sequence import Recorded
from robson.protocol.fields import EVENTS_LIMIT_DEFAULT
from robson.protocol.operations import Caller, Operations
from robson.protocol.oversight import ShowRequest
from robson.protocol.replies import success
from robson.protocol.requests import EventsRequest, SubscribeRequest
from robson.protocol.results import EventLine

# Rows read and written at one go; bounds both the memory a client costs and the time for which the loop stands still.
BATCH_ROWS = 256
_NO_EVENTS = b'"events":[]}}'


def event_line(row: Recorded) -> bytes:
    """One row as it is sent, without the line feed."""
    return encode(EventLine(event=row.type, seq=row.seq, at=row.at, position_id=row.position_id, data=row.data))


async def events_body(operations: Operations, request: EventsRequest) -> bytes:
    """The body of the reply to `events`, gathered batch by batch so that nobody waits for a long page."""
    limit = EVENTS_LIMIT_DEFAULT if request.limit is None else request.limit
    oldest_seq = operations.oldest_seq()
    next_seq = oldest_seq if request.from_seq is None else max(1, request.from_seq)
    lines: list[bytes] = []
    while True:
        # Read before the rows, in the same turn of the loop: what is committed later belongs to the next page.
        oldest_seq, last_seq = _not_archived(operations, next_seq), operations.last_seq()
        wanted = min(BATCH_ROWS, limit - len(lines))
        rows = operations.read_events(from_seq=next_seq, limit=wanted, position_id=request.position_id)
        lines += map(event_line, rows)
        if len(rows) < wanted:
            next_seq = max(next_seq, last_seq + 1)
            break
        next_seq = rows[-1].seq + 1
        if len(lines) == limit:
            break
        await trio.lowlevel.checkpoint()
    ends = b'],"next_seq":%d,"last_seq":%d,"oldest_seq":%d}}' % (next_seq, last_seq, oldest_seq)
    return b'{"ok":true,"result":{"events":[' + b",".join(lines) + ends


async def show_body(operations: Operations, request: ShowRequest, caller: Caller) -> bytes:
    """The body of the reply to `show`: the position and its orders, and its events gathered batch by batch."""
    shown = await operations.show(request, caller)
    limit = EVENTS_LIMIT_DEFAULT if request.limit is None else request.limit
    next_seq = max(shown.oldest_seq, request.from_seq or 0)
    lines: list[bytes] = []
    while True:
        wanted = min(BATCH_ROWS, limit - len(lines))
        rows = operations.read_events(from_seq=next_seq, limit=wanted, position_id=shown.position_id)
        lines += map(event_line, rows)
        if len(rows) < wanted:
            break
        next_seq = rows[-1].seq + 1
        if len(lines) == limit:
            shown = msgspec.structs.replace(shown, next_seq=next_seq)
            break
        await trio.lowlevel.checkpoint()
    body = success(shown)
    assert body.endswith(_NO_EVENTS), body[-40:]
    return body.removesuffix(_NO_EVENTS) + b'"events":[' + b",".join(lines) + b"]}}"


class Cursor:
    """A subscriber's place in the sequence; it moves only when the subscriber has taken what it read."""

    def __init__(self, operations: Operations, request: SubscribeRequest) -> None:
        self._operations = operations
        self._types = None if request.types is None else frozenset(_known(request.types))
        self.from_seq = operations.last_seq() + 1 if request.from_seq is None else request.from_seq
        self._next_seq = max(1, self.from_seq)
        self.oldest_seq = _not_archived(operations, self._next_seq)

    @property
    def next_seq(self) -> int:
        """The first seq that the subscriber was not yet given."""
        return self._next_seq

    async def next_lines(self) -> bytes:
        """The next lines to send; waits until something is committed. Empty when none of a batch was wanted.

        Raises RuleError `events_archived` when the archive has overtaken the subscriber.
        """
        rows = self._read()
        while not rows:
            await self._operations.wait_events(self._next_seq - 1)
            rows = self._read()
        self._next_seq = rows[-1].seq + 1
        # A filter that matches nothing must not keep the loop to itself.
        await trio.lowlevel.checkpoint()
        return b"".join(event_line(row) + b"\n" for row in rows if self._types is None or row.type in self._types)

    def _read(self) -> Sequence[Recorded]:
        _not_archived(self._operations, self._next_seq)
        return self._operations.read_events(from_seq=self._next_seq, limit=BATCH_ROWS)


def _not_archived(operations: Operations, seq: int) -> int:
    """The first seq that can be asked for, which must not lie behind this one: nobody is to miss a gap."""
    oldest = operations.oldest_seq()
    if seq < oldest:
        raise RuleError(
            "events_archived",
            f"from_seq was {seq}; events before {oldest} were moved to the archive",
            hint=f"begin with from_seq {oldest}; the state directory's archive/ has the others, one file a run",
        )
    return oldest


def _known(types: tuple[str, ...]) -> tuple[str, ...]:
    for name in types:
        if name not in EVENT_TYPES and name not in NOTICE_TYPES:
            shown = ", ".join((*EVENT_TYPES, *NOTICE_TYPES))
            raise RuleError("unknown_event_type", f"types named {name!r}, which is never sent", hint=f"types: {shown}")
    return types
