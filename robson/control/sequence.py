"""The journal's sequence as subscribers read it: a line for each row, and a cursor."""

from collections.abc import Sequence

import trio

from robson.domain.codec import encode
from robson.domain.errors import RuleError
from robson.domain.events import EVENT_TYPES, NOTICE_TYPES
from robson.domain.sequence import Recorded
from robson.protocol.operations import Operations
from robson.protocol.requests import SubscribeRequest
from robson.protocol.results import EventLine

# Rows read and written at one go; bounds both the memory a client costs and the time for which the loop stands still.
BATCH_ROWS = 64
_NEAR_ROWS = 4


def event_line(row: Recorded) -> bytes:
    """One row as it is sent, without the line feed."""
    return encode(EventLine(event=row.type, seq=row.seq, at=row.at, position_id=row.position_id, data=row.data))


class Cursor:
    """A subscriber's place in the sequence; it moves only when the subscriber has taken what it read.

    One that is far behind reads under `heavy`, so that the loop takes one batch a turn however many there are.
    """

    def __init__(self, operations: Operations, request: SubscribeRequest, heavy: trio.Lock) -> None:
        self._operations = operations
        self._heavy = heavy
        self._types = None if request.types is None else frozenset(_known(request.types))
        self.from_seq = operations.last_seq() + 1 if request.from_seq is None else request.from_seq
        self._next_seq = max(1, self.from_seq)
        self.oldest_seq = not_archived(operations, self._next_seq)

    @property
    def next_seq(self) -> int:
        """The first seq that the subscriber was not yet given."""
        return self._next_seq

    async def next_lines(self) -> bytes:
        """The next lines to send; waits until something is committed. Empty when none of a batch was wanted.

        Raises RuleError `events_archived` when the archive has overtaken the subscriber.
        """
        if self._operations.last_seq() - self._next_seq >= _NEAR_ROWS:
            async with self._heavy:
                return self._take(self._read())
        rows = self._read()
        while not rows:
            await self._operations.wait_events(self._next_seq - 1)
            rows = self._read()
        # A filter that matches nothing must not keep the loop to itself.
        await trio.lowlevel.checkpoint()
        return self._take(rows)

    def _take(self, rows: Sequence[Recorded]) -> bytes:
        if rows:
            self._next_seq = rows[-1].seq + 1
        return b"".join(event_line(row) + b"\n" for row in rows if self._types is None or row.type in self._types)

    def _read(self) -> Sequence[Recorded]:
        not_archived(self._operations, self._next_seq)
        return self._operations.read_events(from_seq=self._next_seq, limit=BATCH_ROWS)


def not_archived(operations: Operations, seq: int) -> int:
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
