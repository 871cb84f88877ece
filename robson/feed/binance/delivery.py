"""From stream frames to the market: every trade once and in order, and what is missing read before what is newer."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import structlog
import trio

from robson.domain.errors import VenueError
from robson.domain.market import Tick
from robson.feed.binance.codec import BookTop
from robson.feed.binance.history import PAGE, History
from robson.feed.binance.lane import Lane
from robson.feed.binance.off_market import PrintFilter
from robson.ports.feed import Market

# Two connections, each at its own pace, are never further apart than this.
REORDER_SECONDS = 0.1
# How long newer trades wait for missing ones, and how many of those are worth it. What takes longer is left to those
# who watch: they read it themselves, each from its own last price.
GAP_SECONDS = 3.0
GAP_MOST = 3 * PAGE
_LAG_SECONDS = 0.2

_log = structlog.get_logger("robson.feed")


class Delivery:
    """Brings what the streams tell of each lane to the market; `run` must be running.

    While trades are missing the newer ones are held back, and shown as polled prices meanwhile: they may hit a stop and
    move none. A price that is beyond a stop as it was before the gap is beyond it after any gap.
    """

    def __init__(self, history: History, market: Market, nursery: trio.Nursery) -> None:
        self._history = history
        self._market = market
        self._nursery = nursery

    def take_trade(self, lane: Lane, tick: Tick) -> bool:
        """Take an aggregate trade of the stream; True when it woke somebody."""
        now = trio.current_time()
        lane.hear(now)
        if lane.sequence.goes_on(tick):
            lane.glances = None
            return self._give(lane, tick, now)
        return self._take(lane, tick)

    def _take(self, lane: Lane, tick: Tick) -> bool:
        sequence = lane.sequence
        woke = self.give(lane, sequence.take(tick))
        missing = sequence.missing
        if missing is None:
            lane.glances = None
            return woke
        if len(missing) > GAP_MOST or sequence.is_full:
            return self._give_up(lane, f"{len(missing)} trades are missing from id {missing.start} on") or woke
        if not lane.is_filling:
            lane.is_filling = True
            self._nursery.start_soon(self._fill, lane)
        return self._glance(lane, tick) or woke

    def _glance(self, lane: Lane, tick: Tick) -> bool:
        """Show a trade behind a gap; a doubtful one no later than if there was no gap."""
        now = trio.current_time()
        assert tick.trade_id is not None, tick
        lane.came.setdefault(tick.trade_id, now)
        before = lane.glances.deadline if lane.glances is not None else None
        glances = lane.glances = lane.glances or lane.filter.fork()
        woke = self._show(glances.take(tick, now))
        if glances.deadline is not None and glances.deadline != before:
            self._nursery.start_soon(self._end_glance, lane, glances, glances.deadline)
        return woke

    def _show(self, ticks: Iterable[Tick]) -> bool:
        woke = False
        for tick in ticks:
            woke = self._market.observe(msgspec.structs.replace(tick, polled=True)) or woke
        return woke

    async def _end_glance(self, lane: Lane, glances: PrintFilter, deadline: float) -> None:
        await trio.sleep_until(deadline)
        # Once the gap is filled they are in the other filter, with the time at which they came.
        if lane.is_open and lane.glances is glances:
            self._show(glances.expire(trio.current_time()))

    def take_top(self, lane: Lane, top: BookTop) -> bool:
        """Take a state of the book, unless it is older than the last one; True when it woke somebody."""
        lane.hear(trio.current_time())
        if lane.top is not None and top.update_id <= lane.top.update_id:
            return False
        lane.top, lane.book = top, (top.bid, top.ask)
        at = self._history.known_now()
        # The book has no time of its own, and ours may be corrected.
        lane.at = at if lane.at is None else max(at, lane.at)
        tick = Tick(symbol=lane.symbol, price=top.bid, ask=top.ask, quantity=Decimal(0), trade_id=None, at=lane.at)
        return self._market.observe(tick)

    def interrupt(self, lane: Lane, reason: str) -> None:
        """Say that the symbol's prices are late or lost."""
        lane.top = None
        lane.is_interrupted = True
        self._market.interrupted(lane.symbol, reason)

    def catch_up(self, lane: Lane) -> None:
        """The stream is there again: read what it has missed at once, for the next trade may be long in coming."""
        if lane.is_interrupted and lane.sequence.last is not None:
            self._nursery.start_soon(self._catch_up, lane)

    async def _catch_up(self, lane: Lane) -> None:
        try:
            with trio.fail_after(GAP_SECONDS):
                newest = await self._history.newest_trade(lane.symbol)
        except (VenueError, trio.TooSlowError) as error:
            _log.warning("missed_trades_not_read", symbol=lane.symbol, error=str(error) or "no answer")
            return
        if newest is not None and lane.is_open:
            self._take(lane, _backfilled(newest))

    def give(self, lane: Lane, ticks: Iterable[Tick]) -> bool:
        """Let the market observe what is due, but for what the filter holds back; True when that woke somebody."""
        now, woke = trio.current_time(), False
        for tick in ticks:
            came = now if tick.trade_id is None else lane.came.pop(tick.trade_id, now)
            woke = self._give(lane, tick, came) or woke
        return woke

    def _give(self, lane: Lane, tick: Tick, came: float) -> bool:
        if not lane.is_open:
            return False
        if not lane.filter.doubts:
            return self._market.observe(tick)
        woke, before = False, lane.filter.deadline
        for believed in lane.filter.take(tick, came):
            woke = self._market.observe(believed) or woke
        if lane.filter.deadline not in {None, before}:
            self._nursery.start_soon(self._end_doubt, lane, lane.filter.deadline)
        return woke

    async def _end_doubt(self, lane: Lane, deadline: float) -> None:
        await trio.sleep_until(deadline)
        for believed in lane.filter.expire(trio.current_time()) if lane.is_open else ():
            self._market.observe(believed)

    async def _fill(self, lane: Lane) -> None:
        try:
            await trio.sleep(REORDER_SECONDS)
            missing = lane.sequence.missing
            if missing is None:
                return
            self._market.interrupted(lane.symbol, f"trades are missing from id {missing.start} on and are being read")
            with trio.move_on_after(GAP_SECONDS):
                while (missing := lane.sequence.missing) is not None:
                    self.give(lane, lane.sequence.fill(await self._read(lane.symbol, missing)))
                lane.glances = None
            if (missing := lane.sequence.missing) is not None:
                self._give_up(lane, f"{len(missing)} trades from id {missing.start} on could not be read in time")
        finally:
            lane.is_filling = False

    async def _read(self, symbol: str, missing: range) -> list[Tick]:
        """All of the missing trades; waits, until it is cancelled, for those that REST does not have yet."""
        found: list[Tick] = []
        first = missing.start
        while first < missing.stop:
            try:
                page = await self._history.trades_from(symbol, first, min(PAGE, missing.stop - first))
            except VenueError as error:
                _log.warning("missing_trades_not_read", symbol=symbol, from_id=first, error=str(error))
                page = ()
            if not page:
                await trio.sleep(_LAG_SECONDS)
                continue
            assert page[-1].trade_id is not None
            found += map(_backfilled, page)
            first = page[-1].trade_id + 1
        return found

    def _give_up(self, lane: Lane, reason: str) -> bool:
        _log.warning("trades_missing", symbol=lane.symbol, reason=reason)
        self._market.interrupted(lane.symbol, reason)
        woke = self.give(lane, lane.sequence.give_up())
        lane.glances = None
        return woke


def _backfilled(tick: Tick) -> Tick:
    return msgspec.structs.replace(tick, backfilled=True)
