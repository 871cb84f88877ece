"""What every price source must know of its past: each test runs against every implementation of the port."""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from robson.domain.market import Candle, Tick
from robson.feed.binance.feed import BinanceFeed
from robson.feed.opening import OpenedFeed, open_replay, open_synthetic
from robson.feed.replay import ReplayFeed
from robson.feed.synthetic import SyntheticFeed
from robson.ports.feed import MarketFeed
from tests.exchange import Exchange, feed_of
from tests.rig import START as RIG_START
from tests.rig import ScriptedFeed, SimulatedClock
from tests.unit.feed.markets import Recorder, instrument, write_tape

SYMBOL = "BTCUSDT"
MINUTE = timedelta(minutes=1)
Ask = Callable[[MarketFeed, Sequence[Tick]], Awaitable[None]]
# Trades of some minutes: (seconds, price), not one of them in the third.
STORY = [(n * 7 + (80 if n > 17 else 0), 100 + (n * n) % 13) for n in range(40)]
KEPT = 25


class Source:
    """One implementation: it delivers its trades, then the test asks."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        self.exchange: Exchange | None = None

    def ask(self, questions: Ask) -> None:
        match self.kind:
            case "replay":
                self._play(open_replay([write_tape(self.directory / f"{SYMBOL}.csv", STORY)], speed="max"), questions)
            case "synthetic":
                self._play(open_synthetic(instrument, speed="max"), questions)
            case "binance":
                trio.run(self._stream, questions, clock=MockClock(autojump_threshold=0))
            case _:
                self._script(questions)

    def _play(self, opened: OpenedFeed, questions: Ask) -> None:
        market = Recorder()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(opened.feed.run, market)
                await opened.feed.subscribe(SYMBOL)
                if self.kind == "replay":
                    await market.wait_for(len(STORY))
                else:
                    await trio.sleep(200)
                await questions(opened.feed, tuple(market.ticks))
                nursery.cancel_scope.cancel()

        trio.run(main, clock=opened.trio_clock)

    async def _stream(self, questions: Ask) -> None:
        async with trio.open_nursery() as nursery:
            clock = SimulatedClock()
            exchange = self.exchange = Exchange(nursery, clock, SYMBOL)
            feed, market = feed_of(exchange, clock), Recorder()
            nursery.start_soon(feed.run, market)
            await feed.subscribe(SYMBOL)
            await wait_all_tasks_blocked()
            for seconds, price in STORY:
                await trio.sleep_until(seconds)
                exchange.trade(price)
            await wait_all_tasks_blocked()
            await questions(feed, tuple(tick for tick in market.ticks if not tick.polled))
            nursery.cancel_scope.cancel()

    def _script(self, questions: Ask) -> None:
        feed = ScriptedFeed()
        feed.kept[SYMBOL] = [
            Tick(
                symbol=SYMBOL,
                price=Decimal(price),
                quantity=Decimal(1),
                trade_id=number,
                at=RIG_START + timedelta(seconds=seconds),
            )
            for number, (seconds, price) in enumerate(STORY, start=1)
        ]

        async def main() -> None:
            await feed.subscribe(SYMBOL)
            await questions(feed, tuple(feed.kept[SYMBOL]))

        trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.fixture(params=["replay", "synthetic", "scripted", "binance"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return Source(request.param, tmp_path)


def opened_at(tick: Tick) -> datetime:
    return tick.at.replace(second=0, microsecond=0)


def test_trades_are_given_from_an_id_or_a_moment_on(source: Source) -> None:
    async def questions(feed: MarketFeed, ticks: Sequence[Tick]) -> None:
        assert len(ticks) > 30
        tenth = ticks[10]
        assert tenth.trade_id is not None
        by_id, by_time = await feed.trades_from(SYMBOL, tenth.trade_id), await feed.trades_since(SYMBOL, tenth.at)
        assert by_id.ticks == by_time.ticks == ticks[10:]
        assert by_id.is_whole
        assert by_time.is_whole
        # Trades of before the source's first one there are none, so nothing is missing.
        everything = await feed.trades_from(SYMBOL, 0)
        assert (everything.ticks, everything.is_whole) == (ticks, True)
        assert ticks[-1].trade_id is not None
        later = await feed.trades_from(SYMBOL, ticks[-1].trade_id + 1)
        assert (later.ticks, later.is_whole) == ((), True)

    source.ask(questions)


def test_a_source_says_what_it_no_longer_has_and_its_candles_reach_further_back(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robson.feed.history._TICKS_KEPT", KEPT)

    async def questions(feed: MarketFeed, ticks: Sequence[Tick]) -> None:
        if isinstance(feed, ScriptedFeed):
            feed.window = KEPT
        elif source.exchange is not None:
            source.exchange.window = KEPT
        first, oldest = ticks[0], ticks[-KEPT]
        assert first.trade_id is not None
        assert oldest.trade_id is not None
        for given in (await feed.trades_from(SYMBOL, first.trade_id), await feed.trades_since(SYMBOL, first.at)):
            assert (given.ticks, given.is_whole) == (ticks[-KEPT:], False)
        whole = await feed.trades_from(SYMBOL, oldest.trade_id)
        assert (whole.ticks, whole.is_whole) == (ticks[-KEPT:], True)
        candles = await feed.candles_since(SYMBOL, 60, first.at)
        assert candles[0].opened_at <= first.at
        assert candles[0].ends_at > first.at

    source.ask(questions)


def test_candles_since_a_moment_hold_every_price_since_then_and_the_forming_one(source: Source) -> None:
    async def questions(feed: MarketFeed, ticks: Sequence[Tick]) -> None:
        for begin in (ticks[0], ticks[12], ticks[-1]):
            candles = await feed.candles_since(SYMBOL, 60, begin.at)
            assert all(one.ends_at > begin.at for one in candles)
            assert [one.opened_at for one in candles] == sorted({one.opened_at for one in candles})
            by_minute = {minute: [tick.price for tick in part] for minute, part in itertools.groupby(ticks, opened_at)}
            found = {one.opened_at: one for one in candles}
            for tick in ticks[ticks.index(begin) :]:
                assert_holds(found[opened_at(tick)], by_minute[opened_at(tick)])

    source.ask(questions)


def assert_holds(candle: Candle, prices: Sequence[Decimal]) -> None:
    # A source that begins before its first trade stands at a price then, which is in its first candle.
    assert candle.high >= max(prices)
    assert candle.low <= min(prices)
    assert candle.close == prices[-1]
    assert candle.interval_seconds == 60


def test_closed_candles_are_the_same_by_count_and_by_time(source: Source) -> None:
    async def questions(feed: MarketFeed, ticks: Sequence[Tick]) -> None:
        by_count = list(await feed.candles(SYMBOL, 60, 2))
        if isinstance(feed, ScriptedFeed):
            return  # it has none for detectors
        by_time = await feed.candles_since(SYMBOL, 60, by_count[0].opened_at)
        assert len(by_count) == 2
        assert list(by_time[:2]) == by_count

    source.ask(questions)


def test_a_source_whose_time_is_earlier_has_nothing_of_later(source: Source) -> None:
    """A tape that has begun again must not show its old prices as those that were missed."""

    async def questions(feed: MarketFeed, ticks: Sequence[Tick]) -> None:
        later = ticks[-1].at + timedelta(seconds=1)
        assert list(await feed.candles_since(SYMBOL, 60, later)) == []
        given = await feed.trades_since(SYMBOL, later)
        assert (given.ticks, given.is_whole) == ((), True)

    source.ask(questions)


@pytest.mark.parametrize("kind", ["replay", "synthetic", "binance"])
def test_a_sources_loop_answers_when_it_is_asked_for_a_sign_of_life(kind: str, tmp_path: Path) -> None:
    async def questions(feed: MarketFeed, ticks: Sequence[Tick]) -> None:
        assert isinstance(feed, SyntheticFeed | ReplayFeed | BinanceFeed)
        # A tape that has ended owes nothing: a restart would not mend that.
        assert feed.pulse.is_running == (kind != "replay")
        feed.pulse.ask()
        assert feed.pulse.is_owing == (kind != "replay")
        if feed.pulse.is_owing:
            await trio.sleep(1)
        assert not feed.pulse.is_owing

    Source(kind, tmp_path).ask(questions)
