"""The invented market: the same story for the same seed, and one worth trading in."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.clock import RunClock
from robson.detectors.technical_stop import INTERVAL_SECONDS, StopSettings, find_technical_stop
from robson.domain.errors import RuleError
from robson.domain.values import Side
from robson.feed.opening import open_synthetic
from robson.feed.walk import Walk, start_price
from tests.unit.feed.markets import Recorder, instrument


def play(opened, market, body):
    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(opened.feed.run, market)
            result = await body(opened.feed)
            nursery.cancel_scope.cancel()
        return result

    return trio.run(main, clock=opened.trio_clock)


def story(*symbols, seed="robson", seconds=120.0, speed="max"):
    market = Recorder()
    opened = open_synthetic(instrument, seed=seed, speed=speed)

    async def body(feed):
        for symbol in symbols:
            await feed.subscribe(symbol)
        await trio.sleep(seconds)

    play(opened, market, body)
    return market


def prices_of(market, symbol="BTCUSDT"):
    return [one.price for one in market.ticks if one.symbol == symbol]


def test_a_symbols_prices_depend_on_seed_and_symbol_alone():
    alone = prices_of(story("BTCUSDT"))
    together = prices_of(story("ETHUSDT", "BTCUSDT", "SOLUSDT"))
    shared = min(len(alone), len(together))
    assert shared > 300
    assert alone[:shared] == together[:shared]
    assert alone[:50] != prices_of(story("BTCUSDT", seed="other"))[:50]


def test_prices_are_decimals_on_the_grid_and_ids_are_consecutive_per_symbol():
    market = story("BTCUSDT", "ETHUSDT", "SOLUSDT", "SHIBUSDT")
    assert sorted({one.symbol for one in market.ticks}) == ["BTCUSDT", "ETHUSDT", "SHIBUSDT", "SOLUSDT"]
    for symbol, start in (("BTCUSDT", 95_000), ("ETHUSDT", 3_300), ("SOLUSDT", 190)):
        assert prices_of(market, symbol)[0] == pytest.approx(Decimal(start), rel=Decimal("0.01"))
    for _, ticks in itertools.groupby(sorted(market.ticks, key=lambda one: one.symbol), lambda one: one.symbol):
        group = list(ticks)
        assert 2 < len(group) / 120 < 6
        assert all(one.price % instrument("X").tick_size == 0 and one.price > 0 for one in group)
        assert all(one.quantity % instrument("X").step_size == 0 and one.quantity > 0 for one in group)
        ids = [one.trade_id for one in group]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        times = [one.at for one in group]
        assert times == sorted(times)


def test_ticks_come_at_their_own_time():
    market = story("BTCUSDT", "ETHUSDT", seconds=60)
    offsets = {one.at.timestamp() - at for one, at in zip(market.ticks, market.times, strict=True)}
    assert max(offsets) - min(offsets) < 1e-3


def test_trade_ids_of_a_later_run_are_greater():
    first, second = story("BTCUSDT", seconds=5), story("BTCUSDT", seconds=5)
    assert first.ticks[-1].trade_id < second.ticks[0].trade_id


def test_a_walk_has_every_mood_a_crash_jumps_and_gaps_and_stays_in_bounds():
    walk = Walk("robson", instrument("BTCUSDT"))
    moods, steps = set(), []
    while walk.regime.name != "rebound":
        steps.append(walk.step())
        moods.add(walk.regime.name)
        assert len(steps) < 60_000
    moods.add(walk.regime.name)
    assert moods == {"calm", "rising", "falling", "volatile", "crash", "rebound"}
    pauses = [(after.at_us - before.at_us) / 1e6 for before, after in itertools.pairwise(steps)]
    changes = [abs(after.price / before.price - 1) for before, after in itertools.pairwise(steps)]
    assert 2 < max(pauses) < 9.9
    assert sorted(changes)[-5] > Decimal("0.001")
    deepest = min(after.price / before.price for before, after in zip(steps, steps[120:], strict=False))
    assert deepest < Decimal("0.98")
    assert Decimal(30_000) < min(one.price for one in steps) < max(one.price for one in steps) < Decimal(290_000)


def test_start_prices_of_other_symbols_are_arbitrary_but_fixed():
    prices = [start_price(instrument(f"{name}USDT")) for name in ("AAA", "BBB", "CCC", "DDD")]
    assert prices == [start_price(instrument(f"{name}USDT")) for name in ("AAA", "BBB", "CCC", "DDD")]
    assert len(set(prices)) == 4
    assert all(20 <= price <= 1000 for price in prices)


def test_the_history_leads_up_to_the_first_price_and_gives_technical_stops_on_both_sides():
    for number in range(10):
        opened = open_synthetic(instrument, seed=f"seed {number}", speed="max")

        async def body(feed):
            return await feed.candles("BTCUSDT", INTERVAL_SECONDS, 200)

        candles = play(opened, Recorder(), body)
        assert len(candles) == 200
        assert all(
            after.opened_at - before.opened_at == timedelta(minutes=15) for before, after in itertools.pairwise(candles)
        )
        assert all(after.open == before.close for before, after in itertools.pairwise(candles))
        assert all(one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high for one in candles)
        assert (
            candles[-1].opened_at + timedelta(minutes=15)
            <= opened.clock.now()
            < candles[-1].opened_at + timedelta(minutes=30)
        )
        assert candles[-1].close == pytest.approx(Decimal(95_000), rel=Decimal("0.02"))
        for side in Side:
            stop = find_technical_stop(side, Decimal(95_000), candles, settings=StopSettings())
            assert stop.method == "swing", (number, side, stop)


def test_candles_go_on_from_history_into_the_live_market():
    opened = open_synthetic(instrument, speed="max")
    market = Recorder()

    async def body(feed):
        before = await feed.candles("BTCUSDT", 60, 3)
        await feed.subscribe("BTCUSDT")
        await trio.sleep(200)
        return before, await feed.candles("BTCUSDT", 60, 6)

    before, after = play(opened, market, body)
    known = {one.opened_at: one for one in after}
    assert [known[one.opened_at] for one in before[-1:]] == list(before[-1:])
    assert all(two.opened_at - one.opened_at == timedelta(minutes=1) for one, two in itertools.pairwise(after))
    last = after[-1]
    inside = [one.price for one in market.ticks if last.opened_at <= one.at < last.opened_at + timedelta(minutes=1)]
    assert (last.open, last.high, last.low, last.close) == (inside[0], max(inside), min(inside), inside[-1])


def test_the_past_is_the_same_whenever_it_is_asked_for():
    async def ask(feed):
        return await feed.candles("BTCUSDT", 900, 5)

    def levels(candles):
        return [(one.open, one.high, one.low, one.close) for one in candles]

    async def later(feed):
        await feed.subscribe("BTCUSDT")
        await trio.sleep(5)
        return await ask(feed)

    minutes = []
    for body in (ask, later):
        opened = open_synthetic(instrument, speed="max")

        async def minute_history(feed, body=body):
            await body(feed)
            return await feed.candles("BTCUSDT", 60, 3000)

        minutes.append(levels(play(opened, Recorder(), minute_history)))
    # A minute may end between the two runs.
    assert minutes[1][-2000:-10] in (minutes[0][-2000:-10], minutes[0][-1999:-9], minutes[0][-2001:-11])


def test_an_unknown_symbol_is_refused():
    opened = open_synthetic(instrument)

    async def body(feed):
        with pytest.raises(RuleError):
            await feed.subscribe("NOSUCH")
        with pytest.raises(RuleError):
            await feed.candles("NOSUCH", 60, 1)
        await feed.unsubscribe("NOSUCH")

    play(opened, Recorder(), body)


def test_an_unsubscribed_symbol_is_silent_and_comes_back_elsewhere_with_the_next_id():
    opened = open_synthetic(instrument, speed="max")
    market = Recorder()

    async def body(feed):
        await feed.subscribe("ETHUSDT")
        await feed.subscribe("BTCUSDT")
        await trio.sleep(30)
        await feed.unsubscribe("BTCUSDT")
        seen = len(prices_of(market))
        await trio.sleep(7200)
        assert len(prices_of(market)) == seen
        await feed.subscribe("BTCUSDT")
        await feed.subscribe("BTCUSDT")
        await trio.sleep(30)
        return seen, await feed.trades_from("BTCUSDT", market.ticks[0].trade_id + 10)

    seen, kept = play(opened, market, body)
    mine = [one for one in market.ticks if one.symbol == "BTCUSDT"]
    assert len(mine) > seen > 50
    first_id = mine[0].trade_id or 0
    assert [one.trade_id for one in mine] == list(range(first_id, first_id + len(mine)))
    assert (mine[seen].at - mine[seen - 1].at).total_seconds() == pytest.approx(7200, abs=20)
    assert mine[seen].price != mine[seen - 1].price
    assert kept.is_whole
    assert [one.trade_id for one in kept.ticks] == [one.trade_id for one in mine[10:]]


def test_without_subscriptions_max_speed_does_not_race_away():
    opened = open_synthetic(instrument, speed="max")

    async def body(feed):
        await wait_all_tasks_blocked()
        before = opened.clock.now()
        await feed.subscribe("BTCUSDT")
        await trio.sleep(60)
        await feed.unsubscribe("BTCUSDT")
        with trio.move_on_after(0.02):
            await trio.sleep_forever()
        return opened.clock.now() - before

    assert timedelta(seconds=60) <= play(opened, Recorder(), body) < timedelta(seconds=75)


def test_at_speed_one_the_run_stays_on_the_machines_clock():
    opened = open_synthetic(instrument)
    assert opened.trio_clock is None
    assert abs((opened.clock.now() - RunClock().now()).total_seconds()) < 60
    market = Recorder(wakes=lambda tick: True)

    async def body(feed):
        await feed.subscribe("BTCUSDT")
        await market.wait_for(2)

    play(opened, market, body)
    assert market.ticks[0].at > datetime(2024, 1, 1, tzinfo=UTC)
