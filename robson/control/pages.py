"""Replies that may be long, gathered and encoded piece by piece: `events`, `show` and `status`."""

import msgspec
import trio

from robson.control.sequence import BATCH_ROWS, event_line, not_archived
from robson.domain.codec import encode
from robson.protocol.fields import EVENTS_LIMIT_DEFAULT
from robson.protocol.operations import Caller, Operations
from robson.protocol.oversight import ShowRequest
from robson.protocol.replies import success
from robson.protocol.requests import EventsRequest, StatusRequest

_NO_EVENTS = b'"events":[]}}'
_NO_POSITIONS = b'"positions":[]'
# What takes about a millisecond to encode.
_POSITIONS_AT_ONCE = 16


async def events_body(operations: Operations, request: EventsRequest, heavy: trio.Lock) -> bytes:
    """The body of the reply to `events`, gathered batch by batch so that nobody waits for a long page."""
    limit = EVENTS_LIMIT_DEFAULT if request.limit is None else request.limit
    oldest_seq = operations.oldest_seq()
    next_seq = oldest_seq if request.from_seq is None else max(1, request.from_seq)
    lines: list[bytes] = []
    while True:
        async with heavy:
            # Read before the rows, in the same turn of the loop: what is committed later belongs to the next page.
            oldest_seq, last_seq = not_archived(operations, next_seq), operations.last_seq()
            wanted = min(BATCH_ROWS, limit - len(lines))
            rows = operations.read_events(from_seq=next_seq, limit=wanted, position_id=request.position_id)
            lines += map(event_line, rows)
        if len(rows) < wanted:
            next_seq = max(next_seq, last_seq + 1)
            break
        next_seq = rows[-1].seq + 1
        if len(lines) == limit:
            break
    ends = b'],"next_seq":%d,"last_seq":%d,"oldest_seq":%d}}' % (next_seq, last_seq, oldest_seq)
    return b'{"ok":true,"result":{"events":[' + b",".join(lines) + ends


async def show_body(operations: Operations, request: ShowRequest, caller: Caller, heavy: trio.Lock) -> bytes:
    """The body of the reply to `show`: the position and its orders, and its events gathered batch by batch."""
    async with heavy:
        shown = await operations.show(request, caller)
    limit = EVENTS_LIMIT_DEFAULT if request.limit is None else request.limit
    next_seq = max(shown.oldest_seq, request.from_seq or 0)
    lines: list[bytes] = []
    while True:
        async with heavy:
            if (oldest_seq := operations.oldest_seq()) > next_seq:
                # The archive has overtaken the page: what is left is told whole rather than with a hole.
                lines, next_seq = [], oldest_seq
                shown = msgspec.structs.replace(shown, oldest_seq=oldest_seq)
            wanted = min(BATCH_ROWS, limit - len(lines))
            rows = operations.read_events(from_seq=next_seq, limit=wanted, position_id=shown.position_id)
            lines += map(event_line, rows)
        if len(rows) < wanted:
            break
        next_seq = rows[-1].seq + 1
        if len(lines) == limit:
            shown = msgspec.structs.replace(shown, next_seq=next_seq)
            break
    body = success(shown)
    assert body.endswith(_NO_EVENTS), body[-40:]
    return body.removesuffix(_NO_EVENTS) + b'"events":[' + b",".join(lines) + b"]}}"


async def status_body(operations: Operations, request: StatusRequest, caller: Caller, heavy: trio.Lock) -> bytes:
    """The body of the reply to `status`; where there are many positions, a few are encoded in each turn."""
    if request.all:
        async with heavy:
            status = await operations.status(request, caller)
    else:
        status = await operations.status(request, caller)
    pieces: list[bytes] = []
    for begin in range(0, len(status.positions), _POSITIONS_AT_ONCE):
        async with heavy:
            pieces += map(encode, status.positions[begin : begin + _POSITIONS_AT_ONCE])
    head, none, tail = success(msgspec.structs.replace(status, positions=())).partition(_NO_POSITIONS)
    assert none, head[-40:]
    return head + b'"positions":[' + b",".join(pieces) + b"]" + tail
