"""The venue's filters of each pair, read again every ten minutes and after an order that they refused."""

import structlog
import trio

from robson.daemon.surroundings import Surroundings
from robson.domain.errors import RateLimited, RuleError, VenueError
from robson.executor.intents import backoff_seconds

REREAD_SECONDS = 600.0
# After a round in which the venue could not be asked about a pair.
RETRY_SECONDS = 60.0
QUERY_TIMEOUT_SECONDS = 5.0
# Then another refusal, or a later round, asks again: other pairs wait behind this one.
READS_MAX = 10
# A filter that refuses the same order again and again is not asked for each time.
AFTER_REREAD_SECONDS = 1.0

_log = structlog.get_logger("robson.filters")


async def keep_filters(around: Surroundings) -> None:
    """Keep the filters of all known pairs as the venue has them; orders meanwhile are cut by the last known ones."""
    pause = REREAD_SECONDS
    while True:
        with trio.move_on_after(pause):
            await around.filters_refused.wait()
        around.filters_refused = trio.Event()
        refused, around.refused_symbols = around.refused_symbols, set()
        told = [await _reread(symbol, around) for symbol in sorted(refused or around.instruments.keys())]
        pause = REREAD_SECONDS if all(told) else RETRY_SECONDS
        await trio.sleep(AFTER_REREAD_SECONDS)


async def _reread(symbol: str, around: Surroundings) -> bool:
    """Ask until the venue has told the filters, or for some time in vain (False); then the last known ones stay."""
    failures = 0
    while True:
        try:
            with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                known, told = around.instruments[symbol], await around.venue.instrument(symbol)
        except (VenueError, RuleError, trio.TooSlowError) as error:
            failures += 1
            _log.warning("filters_not_read", symbol=symbol, failures=failures, error=str(error) or "no answer")
            if failures > READS_MAX:
                return False
            pause = backoff_seconds(failures)
            await trio.sleep(max(pause, error.retry_after_seconds) if isinstance(error, RateLimited) else pause)
            continue
        except Exception:  # noqa: BLE001  an adapter's fault must not end the positions; what was known stays
            _log.exception("filters_not_read", symbol=symbol)
            return False
        if told != known:
            _log.warning("filters_changed", symbol=symbol, before=str(known), now=str(told))
            around.keep_instrument(told)
        return True
