"""What candles make of a stop, against what the trades in them would have made of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import trio
from hypothesis import given
from hypothesis import strategies as st

from robson.domain.market import Candle, Tick, Trades
from robson.domain.values import Side
from robson.engine.missed import Crossing, Rerun, Seen
from robson.engine.trailing import Watch
from robson.feed.fanout import FanOut
from tests.unit.feed.markets import HandFeed

START = datetime(2026, 1, 1, tzinfo=UTC)
prices = st.decimals(min_value="60", max_value="140", places=1)
sides = st.sampled_from(Side)
distances = st.decimals(min_value="0.1", max_value="50", places=1)
# Minutes of trades, oldest first; a minute may be without any.
minutes = st.lists(st.lists(prices, max_size=6), min_size=1, max_size=6)


def watch_of(side, distance):
    return Watch(side, Decimal(100) - distance * side.sign, Decimal(100), distance)


def candle(number, held):
    return Candle(
        symbol="BTCUSDT",
        opened_at=START + timedelta(minutes=number),
        interval_seconds=60,
        open=held[0],
        high=max(held),
        low=min(held),
        close=held[-1],
    )


def ticks_of(story):
    found = []
    for number, held in enumerate(story):
        for second, price in enumerate(held):
            at = START + timedelta(minutes=number, seconds=second)
            found.append(Tick(symbol="BTCUSDT", price=price, quantity=Decimal(1), trade_id=len(found) + 1, at=at))
    return found


@given(sides, distances, minutes)
def test_a_candle_never_leaves_a_stop_looser_and_exits_whenever_its_trades_would(side, distance, story):
    by_trades, by_candles = watch_of(side, distance), watch_of(side, distance)
    for number, held in enumerate(story):
        if not held:
            continue
        hit = any(by_trades.observe(price) for price in held)
        crossing = by_candles.observe_candle(candle(number, held))
        assert crossing is not None or not hit, "the trades hit the stop, the candle did not"
        if crossing is not None:
            return
        assert (by_candles.stop - by_trades.stop) * side.sign >= 0
        assert by_candles.extreme == by_trades.extreme


@given(sides, distances, st.lists(prices, min_size=1, max_size=6), st.lists(prices, min_size=1, max_size=6))
def test_a_candle_that_began_before_the_gap_is_no_looser_either(side, distance, before, missed):
    """Its extremes may be prices that were seen already: it may exit where the trades would not, never the reverse."""
    by_trades, by_candle = watch_of(side, distance), watch_of(side, distance)
    hit = any(by_trades.observe(price) for price in missed)
    crossing = by_candle.observe_candle(candle(0, [*before, *missed]))
    assert crossing is not None or not hit
    if crossing is None:
        assert (by_candle.stop - by_trades.stop) * side.sign >= 0


@given(sides, distances, minutes, st.integers(0, 20))
def test_trades_taken_again_after_their_candle_change_nothing(side, distance, story, again):
    """So candles and trades may overlap where they meet."""
    ticks = ticks_of(story)
    rerun = Rerun(watch_of(side, distance), forgiving=False)
    for number, held in enumerate(story):
        if held:
            rerun.take(candle(number, held))
    found, stop = rerun.crossing, rerun.watch.stop
    last = [tick for tick in ticks if tick.at >= START + timedelta(minutes=len(story) - 1)]
    for tick in last[-again:]:
        rerun.take(tick)
    assert (rerun.crossing, rerun.watch.stop) == (found, stop)


class Windowed(HandFeed):
    """A source that has candles of everything and the last few trades."""

    def __init__(self, story, window):
        super().__init__()
        self.all = ticks_of(story)
        self.kept = self.all[len(self.all) - min(window, len(self.all)) :]
        self.history = [candle(number, held) for number, held in enumerate(story) if held]

    def _given(self, is_wanted):
        wanted = [tick for tick in self.all if is_wanted(tick)]
        found = [tick for tick in self.kept if is_wanted(tick)]
        return Trades(ticks=tuple(found), is_whole=len(found) == len(wanted))

    async def trades_from(self, symbol, trade_id):
        await trio.lowlevel.checkpoint()
        return self._given(lambda tick: tick.trade_id >= trade_id)

    async def trades_since(self, symbol, at):
        await trio.lowlevel.checkpoint()
        return self._given(lambda tick: tick.at >= at)


class RunClock:
    def now(self):
        return START

    def monotonic(self):
        return trio.current_time()


@given(sides, distances, minutes, st.integers(0, 30), st.integers(0, 30), st.integers(0, 8), st.booleans())
def test_however_short_the_window_no_crossing_is_missed_and_no_stop_is_looser(
    side, distance, story, window, seen, live, by_time
):
    """A restart at any moment, with any window, while the last trades already come over the stream."""
    feed = Windowed(story, window)
    ticks = feed.all
    seen, live = min(seen, len(ticks)), min(live, len(ticks))
    watch = watch_of(side, distance)
    for tick in ticks[:seen]:
        if watch.observe(tick.price, tick.trade_id):
            return
    true = watch.copy()
    hit = any(true.observe(tick.price) for tick in ticks[seen:])
    hits: list[Crossing] = []

    async def main():
        fanout = FanOut(feed, RunClock(), 10)
        await fanout.subscribe("BTCUSDT")
        last = ticks[seen - 1] if seen else None
        at = last.at if last is not None else START
        known = last.trade_id if last is not None else 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fanout.make_up)
            attachment = fanout.attach(
                "BTCUSDT", watch, hits.append, seen=Seen(at=at, trade_id=None if by_time else known)
            )
            for tick in ticks[len(ticks) - live :]:
                fanout.observe(tick)
            while attachment.is_behind:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert hits or not hit
    if not hits:
        assert (watch.stop - true.stop) * side.sign >= 0
    elif not by_time and window >= len(ticks) - seen:
        assert hit, "the trades were all there, and none of them hit"
