"""Exit orders that went out while nothing could be written: found again by the ids that they must have had.

A protective exit is sent even when the journal is gone, and its id is deterministic. After a restart the venue is asked
for the next ids of every position in the market; an order that exists is taken over instead of sent once more.
"""

import structlog

from robson.daemon.life import Life
from robson.daemon.surroundings import exit_terms
from robson.domain.ids import exit_order_id
from robson.domain.position import Active, Exiting
from robson.domain.stimuli import ExitRequested, RemainderFound
from robson.domain.values import ZERO, ExitReason
from robson.ports import OrderReport

_log = structlog.get_logger("robson.recovery")


async def take_over_exits(life: Life) -> None:
    """Take over every exit order of a position that the venue has and the journal has not, one after the other.

    Raises VenueError while the venue cannot be asked.
    """
    while True:
        while life.around.record.intents_of(life.position.position_id):
            await life.news()
        if not isinstance(life.position.state, (Active, Exiting)):
            return
        position, around = life.position, life.around
        attempt = position.exit.attempt + 1 if position.exit is not None else 1
        found = await _parts_of(life, attempt)
        if not found:
            return
        _log.warning("exit_found", position_id=position.position_id, attempt=attempt, parts=len(found))
        terms = exit_terms(position, around)
        if isinstance(position.state, Active):
            stimulus: ExitRequested | RemainderFound = ExitRequested(
                reason=_reason(life, found[0]), exit_terms=terms, trail=life.moved()
            )
        else:
            stimulus = RemainderFound(
                quantity=sum((part.quantity for part in found), ZERO), exit_terms=terms, order_side=found[0].order_side
            )
        life.feel(stimulus, already_sent={part.client_order_id: part.at for part in found})


async def _parts_of(life: Life, attempt: int) -> list[OrderReport]:
    """The parts of an attempt that the venue knows, in their order."""
    found: list[OrderReport] = []
    while True:
        client_order_id = exit_order_id(life.position.position_id, attempt, len(found))
        report = await life.around.venue.order(life.position.symbol, client_order_id)
        if report is None:
            return found
        found.append(report)


def _reason(life: Life, report: OrderReport) -> ExitReason:
    """What the fill suggests: the memory of who asked for this exit went with the process that sent it."""
    trail = life.position.trail
    if trail is None or report.executed <= 0 or not report.executed_quote:
        return ExitReason.OPERATOR_CLOSE
    price = report.executed_quote / report.executed
    past_stop = (trail.stop - price) * life.position.side.sign >= 0
    return ExitReason.TRAILING_STOP if past_stop else ExitReason.OPERATOR_CLOSE
