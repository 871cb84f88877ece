"""Bringing one position back after a start: filters and prices, its stop, then its life."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from robson.daemon.beside import known_instrument, known_terms
from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings
from robson.daemon.unprotected import as_decimal
from robson.domain.errors import RuleError, VenueError
from robson.domain.events import Notice
from robson.executor.intents import backoff_seconds

_log = structlog.get_logger("robson.recovery")


async def prepare(life: Life) -> None:
    """What a position needs before it may leave or be watched; an unreachable venue is retried, never a failure."""
    await _persist(life, _prepare)
    life.around.executor.wake()


def tell_protected(around: Surroundings) -> float:
    """Every stop is rebuilt and watched: gives, and tells, the real seconds since the process was started."""
    age, positions = around.process_age(), len(around.record.recovery.positions)
    _log.info("protected", seconds=round(age, 3), positions=positions)
    if positions:
        found = {"seconds": str(as_decimal(age)), "positions": positions}
        around.record.notice(Notice(type="recovered", at=around.clock.now(), data=found))
    return age


async def _prepare(life: Life) -> None:
    around, symbol = life.around, life.position.symbol
    await known_instrument(around, symbol)
    await known_terms(around, symbol)
    await around.market.subscribe(symbol)
    life.is_subscribed = True


async def _persist(life: Life, step: Callable[[Life], Awaitable[None]]) -> None:
    failures = 0
    while True:
        try:
            await step(life)
        except (VenueError, RuleError, trio.TooSlowError) as error:
            failures += 1
            life.detail = f"not recovered yet: {error or 'the venue did not answer'}"
            _log.warning("recovery_waits", position_id=life.position.position_id, error=str(error))
            await trio.sleep(backoff_seconds(failures))
        else:
            life.detail = None
            return
