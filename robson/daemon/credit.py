"""The venue's word on loans, for a plan or an entry that does not wait for it."""

import structlog
import trio

from robson.domain.account import Credit
from robson.domain.errors import VenueError
from robson.domain.values import Side
from robson.ports import Venue

# An entry does without the venue's word on loans rather than wait longer for it.
CREDIT_SECONDS = 2.0

_log = structlog.get_logger("robson.position")


async def ask_credit(venue: Venue, symbol: str, side: Side) -> Credit | None:
    """What the venue would lend now, and the index price; None where it does not say so soon."""
    with trio.move_on_after(CREDIT_SECONDS):
        try:
            return await venue.credit(symbol, side)
        except VenueError as error:
            _log.warning("credit_not_read", symbol=symbol, error=str(error))
    return None
