"""Bringing one position back after a start: filters and prices, its stop, then its life."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from robson.daemon.life import Life
from robson.domain.errors import RuleError, VenueError
from robson.executor.intents import backoff_seconds

_log = structlog.get_logger("robson.recovery")


async def rebuild_stop(life: Life) -> None:
    """Until this returns the position's stop is not watched; an unreachable venue is retried, never a failure."""
    await _persist(life, _prepare)
    life.around.executor.wake()
    await life.catch_up()


async def _prepare(life: Life) -> None:
    around, symbol = life.around, life.position.symbol
    await around.instrument(symbol)
    await around.pair_terms(symbol)
    await around.market.subscribe(symbol)


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
