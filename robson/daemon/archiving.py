"""Moving the oldest events out of the journal, for an operator who asked for that."""

import structlog
import trio

from robson.daemon.record import Record
from robson.domain.errors import JournalUnusable, JournalUnwritable, StorageError
from robson.store.archive import ARCHIVE_ROWS

# Between two runs of events: a long backlog must not keep the loop to itself.
PAUSE_SECONDS = 1.0

_log = structlog.get_logger("robson.journal")


async def archive_oldest(record: Record, keep_events: int) -> None:
    """Move a run whenever there are enough events beyond those to be kept; with 0 nothing is ever moved."""
    while keep_events:
        await record.wait_events(_due(record, keep_events))
        if not await _move_one(record, keep_events):
            # An open position needs them, or the disk refuses: neither changes with the next event.
            await record.wait_events(record.last_seq + ARCHIVE_ROWS // 10)
        await trio.sleep(PAUSE_SECONDS)


def _due(record: Record, keep_events: int) -> int:
    """The seq after which there are enough events to move some."""
    try:
        return record.journal.oldest_seq() + keep_events + ARCHIVE_ROWS - 2
    except JournalUnusable as error:
        record.degrade(str(error))
        return record.last_seq + ARCHIVE_ROWS // 10


async def _move_one(record: Record, keep_events: int) -> bool:
    if record.degraded is not None:
        return False
    try:
        archiving = record.journal.archive_oldest(keep_events)
        if archiving is None:
            return False
        # The file is on disk: what else waits may go on before the rows are taken out.
        await trio.lowlevel.checkpoint()
        archiving.finish()
    except JournalUnwritable as error:
        record.degrade(str(error))
        return False
    except StorageError as error:
        _log.warning("events_not_archived", reason=str(error))
        return False
    _log.info("events_archived", **archiving.told)
    return True
