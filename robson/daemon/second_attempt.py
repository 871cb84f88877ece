"""The second attempt of an exit in doubt, where the account itself keeps it from executing beside the first."""

from contextlib import suppress

import msgspec
import structlog
import trio

from robson.daemon.exit_terms import exit_terms
from robson.daemon.life import Life
from robson.domain.errors import RateLimited, RuleError, VenueError
from robson.domain.stimuli import RemainderFound
from robson.domain.values import Fence, plain
from robson.executor import self_fence
from robson.executor.executor import EXIT_DOUBT_SECONDS
from robson.executor.intents import backoff_seconds
from robson.ports import Intent

# How long the question about the first attempt, and a look at the account, may take before the second one goes out.
LAST_LOOK_SECONDS = 0.3
# While a pair's account is kept read for a stop that may be hit at any moment.
REFRESH_SECONDS = 30.0
SHORTEST_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 5.0

_log = structlog.get_logger("robson.exit")


async def keep_account_read(life: Life) -> None:
    """While a position is in the market and alone there, know its account: a stop that is hit waits for no read."""
    around, symbol = life.around, life.position.symbol
    failures = 0
    while True:
        pause = _seconds_known(life)
        if pause <= SHORTEST_SECONDS:
            pause = REFRESH_SECONDS
            if around.is_alone(life.position):
                try:
                    with trio.fail_after(READ_TIMEOUT_SECONDS):
                        await around.account(symbol)
                    failures = 0
                except (VenueError, trio.TooSlowError) as error:
                    failures += 1
                    if isinstance(error, trio.TooSlowError):
                        around.executor.reach.hear_account(error)
                    # Nobody waits for this read, and the venue may be in trouble.
                    pause = backoff_seconds(failures - 1, first=SHORTEST_SECONDS)
                    if isinstance(error, RateLimited):
                        pause = max(pause, error.retry_after_seconds)
                    _log.debug("account_not_read", symbol=symbol, failures=failures, error=str(error))
                except Exception:  # noqa: BLE001  what only hurries an exit must not end the watch over its stop
                    failures += 1
                    pause = backoff_seconds(failures - 1, first=SHORTEST_SECONDS)
                    _log.exception("account_read_failed", symbol=symbol, failures=failures)
        await trio.sleep(pause)


def _seconds_known(life: Life) -> float:
    """For how long the newest read of the account need not be repeated; zero when it is older than the last fill."""
    around, symbol = life.around, life.position.symbol
    read = around.reads.get(symbol)
    if read is None or read.fills != around.fills[symbol]:
        return 0.0
    return REFRESH_SECONDS - (around.clock.monotonic() - read.asked_at)


async def orders_settled(life: Life) -> None:
    """Return once no order of the position is open; attempts under the self fence follow the one in doubt meanwhile."""
    looks = 0
    while open_intents := life.around.record.intents_of(life.position.position_id):
        in_doubt = self_fence.in_doubt_alone(life.position, open_intents)
        if in_doubt is None:
            await life.news()
            continue
        pause = backoff_seconds(looks - 1) if looks else _seconds_to_doubt(life, in_doubt)
        with trio.move_on_after(pause + LAST_LOOK_SECONDS):
            await _until_settled(life, in_doubt, look_after=pause)
            continue
        looks += 1
        _send_another(life, in_doubt)


def _seconds_to_doubt(life: Life, in_doubt: Intent) -> float:
    """How long until the attempt has been without an answer for two seconds; an ambiguous answer may come sooner."""
    assert in_doubt.timestamp_ms is not None, in_doubt
    waited = (life.around.venue.timestamp_ms() - in_doubt.timestamp_ms) / 1000
    return min(max(EXIT_DOUBT_SECONDS - waited, 0), EXIT_DOUBT_SECONDS)


async def _until_settled(life: Life, intent: Intent, *, look_after: float) -> None:
    """Return once the intent is no longer open; the account is read at the last moment, if that does not take long."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_look, life, look_after)
        while intent.order.client_order_id in {
            known.order.client_order_id for known in life.around.record.intents_of(life.position.position_id)
        }:
            await life.news()
        nursery.cancel_scope.cancel()


async def _look(life: Life, after: float) -> None:
    await trio.sleep(after)
    with suppress(VenueError):
        await life.around.account(life.position.symbol)


def _send_another(life: Life, in_doubt: Intent) -> None:
    """Decide on one more attempt, unless the fence no longer holds, or nothing is left, or it could not be written."""
    around, position = life.around, life.position
    symbol, record = position.symbol, around.record
    instrument, read, trail = around.instruments[symbol], around.reads.get(symbol), position.trail
    assert trail is not None, position
    # Just after a start there may be no price yet; where the exit was meant to happen is near enough.
    price = around.market.prices(symbol) or trail.stop
    if record.degraded is not None or record.intents_of(position.position_id) != (in_doubt,):
        return
    quantity = self_fence.quantity_beside(position, in_doubt, instrument)
    if not instrument.is_sellable(quantity, price):
        return
    lost = not around.is_alone(position)
    lost = lost or (
        read is not None and not self_fence.funds_one_only(position.side, quantity, read.account, instrument, price)
    )
    if lost:
        # Collateral or a trade by hand: from here on only the clock tells that the attempt in doubt is over.
        _log.error("self_fence_lost", position_id=position.position_id, symbol=symbol, quantity=plain(quantity))
        return
    terms = msgspec.structs.replace(exit_terms(position, around), fence=Fence.SELF)
    _log.warning("attempt_beside_one_in_doubt", position_id=position.position_id, symbol=symbol)
    with suppress(RuleError):
        remainder = RemainderFound(quantity=quantity, exit_terms=terms, order_side=in_doubt.order.order_side)
        life.feel(remainder, durable=True)
