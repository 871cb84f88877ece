"""Exit orders that went out while nothing could be written: found again before anything else goes out.

A protective exit is sent even when the journal is gone, and its id is deterministic. Where the last process may have
done that (its seal is torn), no exit goes out and no absence is believed until nothing of it can arrive any more. Then
the venue's orders are read: whatever carries an id of the position that the journal has not is taken over. Prices are
watched and decisions are taken meanwhile; only their orders wait.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import msgspec
import structlog
import trio

from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings, weighs_on_pair
from robson.domain.errors import RuleError, VenueError
from robson.domain.ids import exit_order_id, is_ours
from robson.domain.position import Position
from robson.domain.stimuli import ExitsFound, FoundOrder
from robson.domain.values import ZERO, ClientOrderId, ExitReason, Role
from robson.executor import intents
from robson.executor.intents import backoff_seconds
from robson.ports import Intent, OrderReport

QUERY_TIMEOUT_SECONDS = 5.0
# After the last moment at which a request can execute, its record may still be missing for a while.
RECORDS_LAG_MS = 2_000
# The entry's fill is told by the venue's clock, as orders are; a little is left for rounding.
BEFORE_ENTRY = timedelta(seconds=1)
# After the first ones an exit tries every five seconds at most; twice as many ids as that are looked for.
ATTEMPTS_PER_SECOND = 0.4
FIRST_ATTEMPTS = 100
ATTEMPTS_MAX = 200_000
IDS_PER_STEP = 1_000

_log = structlog.get_logger("robson.recovery")


def remember_unlisted(around: Surroundings) -> None:
    """Hold back the exits of every position that an earlier process may have sent some for, unwritten."""
    if around.record.is_complete:
        return
    around.unlisted.update(key for key, life in around.lives.items() if weighs_on_pair(life.position))
    if not around.unlisted:
        around.record.completed()


async def find_unwritten(lives: Iterable[Life], around: Surroundings) -> None:
    """Take over, for each position that is held back, what went out without being written."""
    opens_ms = await _venue_clock_ms(around)
    opens_ms += intents.EXIT_RECEIVE_WINDOW_MS + intents.VENUE_TIMEOUT_MS + RECORDS_LAG_MS
    _log.warning("unwritten_exits_possible", positions=len(around.unlisted))
    await _past(opens_ms, around)
    async with trio.open_nursery() as nursery:
        for life in lives:
            if life.position.position_id not in around.unlisted:
                continue
            nursery.start_soon(_find, life, opens_ms + intents.ACCOUNT_DISAGREES_MS)
    around.record.completed()


async def _past(opens_ms: int, around: Surroundings) -> None:
    """Return once the venue's own clock is past a moment."""
    while True:
        left_ms = opens_ms - await _venue_clock_ms(around)
        if left_ms < 0:
            return
        await trio.sleep((left_ms + 1) / 1000)


async def _venue_clock_ms(around: Surroundings) -> int:
    """The venue's clock, asked until it answers."""
    failures = 0
    while True:
        try:
            with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                return await around.venue.server_time_ms()
        except (VenueError, trio.TooSlowError) as error:
            failures += 1
            _log.warning("venue_clock_not_read", failures=failures, error=str(error))
            await trio.sleep(backoff_seconds(failures))


async def _find(life: Life, too_long_ms: int) -> None:
    """Look until orders and account agree that there is nothing more, or for too long; then let its exits go."""
    around, position_id = life.around, life.position.position_id
    failures = 0
    while True:
        await _entry_settled(life)
        try:
            if await _nothing_more(life, too_long_ms):
                break
        except (VenueError, RuleError, trio.TooSlowError) as error:
            _log.warning("unwritten_not_read", position_id=position_id, failures=failures, error=str(error))
        except Exception:  # noqa: BLE001  a fault in one position never touches another
            _log.exception("unwritten_not_taken_over", position_id=position_id)
        failures += 1
        await trio.sleep(backoff_seconds(failures))
    around.unlisted.discard(position_id)
    around.executor.wake()
    life.stir()


async def _entry_settled(life: Life) -> None:
    """Before its entry is known a position has no exits, and the ids of those sent meanwhile have no owner."""
    while any(i.order.role is Role.ENTRY for i in life.around.record.intents_of(life.position.position_id)):
        await life.news()


async def _nothing_more(life: Life, too_long_ms: int) -> bool:
    """Take over what is found; True when there was nothing, and the account shows nothing either."""
    around, entry = life.around, life.position.entry
    if entry is None or not life.position.is_open:
        return True
    with trio.fail_after(QUERY_TIMEOUT_SECONDS):
        instrument = await around.instrument(life.position.symbol)
        reports = await around.venue.orders(life.position.symbol, entry.filled_at - BEFORE_ENTRY)
        account = await around.look_at(life.position.symbol)
        now_ms = await around.venue.server_time_ms()
    parts = len(instrument.split(max(instrument.ceil(entry.quantity), instrument.step_size)))
    found = await _unwritten(life, reports, parts)
    if found:
        _take_over(life, found)
        return False
    position = life.position
    if position.entry is None:
        return True
    # Its own exits so far, and everybody else's, are in what is expected of the account.
    moved = account.base.total - account.base.debt - around.expected_net_base(position.symbol)
    progress = position.exit
    left = position.entry.quantity - (progress.quantity - progress.returned if progress is not None else ZERO)
    if -moved * position.side.sign * 2 <= max(left, 2 * instrument.step_size):
        return True
    if now_ms > too_long_ms:
        _log.error("account_disagrees", symbol=position.symbol, position_id=position.position_id)
        return True
    return False


async def _unwritten(life: Life, reports: Iterable[OrderReport], parts: int) -> Mapping[FoundOrder, OrderReport]:
    """The position's exit orders at the venue that no intent speaks of, or only a pending one."""
    position, record = life.position, life.around.record
    pending = {i.order.client_order_id for i in record.intents_of(position.position_id) if i.status == "pending"}
    known = {order.client_order_id for order in position.exit.orders} if position.exit is not None else set()
    candidates = {
        report.client_order_id: report
        for report in reports
        if is_ours(report.client_order_id)
        and ClientOrderId(report.client_order_id) not in known - pending
        and (report.executed > 0 or not report.is_final)
    }
    found: dict[FoundOrder, OrderReport] = {}
    if not candidates:
        return found
    async for client_order_id, attempt, part in _possible_ids(life, parts):
        report = candidates.pop(client_order_id, None)
        if report is not None:
            order = FoundOrder(attempt=attempt, part=part, order_side=report.order_side, quantity=report.quantity)
            found[order] = report
        if not candidates:
            break
    return found


async def _possible_ids(life: Life, parts: int) -> AsyncIterator[tuple[str, int, int]]:
    """Every id that an exit of this position could have had until now, with attempt and part."""
    position = life.position
    assert position.entry is not None, position
    seconds = (life.around.clock.now() - position.entry.filled_at).total_seconds()
    last = position.exit.attempt if position.exit is not None else 0
    attempts = last + FIRST_ATTEMPTS + int(min(max(seconds, 0) * ATTEMPTS_PER_SECOND, ATTEMPTS_MAX))
    for number in range(attempts * parts):
        attempt, part = number // parts + 1, number % parts
        yield exit_order_id(position.position_id, attempt, part), attempt, part
        if number % IDS_PER_STEP == IDS_PER_STEP - 1:
            await trio.lowlevel.checkpoint()


def _take_over(life: Life, found: Mapping[FoundOrder, OrderReport]) -> None:
    """Write the found orders down as sent, and drop what was decided before they were known: its size is wrong."""
    position, record = life.position, life.around.record
    reports = {report.client_order_id: report for report in found.values()}
    settled: list[Intent] = []
    for intent in record.intents_of(position.position_id):
        if intent.status != "pending" or intent.order.role is not Role.EXIT:
            continue
        report = reports.pop(intent.order.client_order_id, None)
        if report is None:
            settled.append(intents.mark_refused(intent, "superseded", "an exit that was not written had gone out"))
        else:
            order = msgspec.structs.replace(intent.order, quantity=report.quantity)
            settled.append(intents.new_intent(order, intent.created_at, record.epoch, sent_at=report.at))
    _log.warning("exits_found", position_id=position.position_id, orders=len(found))
    orders = tuple(order for order, report in found.items() if report.client_order_id in reports)
    stimulus = (
        ExitsFound(orders=orders, reason=_reason(position, list(reports.values())), trail=life.moved())
        if orders
        else None
    )
    life.feel(stimulus, intents=tuple(settled), already_sent={key: report.at for key, report in reports.items()})
    life.around.executor.wake()


def _reason(position: Position, reports: Sequence[OrderReport]) -> ExitReason:
    """What the fills suggest: the memory of who asked for this exit went with the process that sent it."""
    executed = sum((report.executed for report in reports), ZERO)
    quote = sum((report.executed_quote or ZERO for report in reports), ZERO)
    trail = position.trail
    if trail is None or executed <= 0 or quote <= 0:
        return ExitReason.OPERATOR_CLOSE
    price: Decimal = quote / executed
    past_stop = (trail.stop - price) * position.side.sign >= 0
    return ExitReason.TRAILING_STOP if past_stop else ExitReason.OPERATOR_CLOSE
