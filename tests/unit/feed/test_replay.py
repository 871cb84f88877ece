"""The replay feed: recorded trades in tape time, whoever else is waiting."""

import itertools
import math
from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.domain.errors import ConfigurationError, RuleError
from robson.feed.fanout import FanOut
from robson.feed.opening import open_replay
from robson.feed.tape import CorruptTape
from robson.feed.tape_row import to_datetime
from tests.recorded import recorded
from tests.unit.feed.markets import START, Recorder, write_tape


def play(opened, market, body):
    """Run `body(feed, nursery)` beside the feed, all on the tape's clock."""

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(opened.feed.run, market)
            result = await body(opened.feed)
            nursery.cancel_scope.cancel()
        return result

    return trio.run(main, clock=opened.trio_clock)


@pytest.fixture
def tape(tmp_path):
    return write_tape(tmp_path / "BTCUSDT.csv", [(0, 100), (0, 101), (2.5, 102), (60, 103), (61, 104)])


@pytest.mark.parametrize("speed", ["max", "100000"])
def test_every_trade_comes_in_order_at_its_own_time(tape, speed):
    opened, market = open_replay([tape], speed=speed), Recorder()

    async def body(feed):
        await trio.sleep(0.001)
        assert opened.clock.now() == START
        assert market.ticks == []
        await feed.subscribe("BTCUSDT")
        await trio.sleep(60.9)
        assert len(market.ticks) == 4
        await trio.sleep(0.2)
        return opened.trio_clock.begin()

    begin = play(opened, market, body)
    assert market.prices == ["100", "101", "102", "103", "104"]
    assert [round(at - begin, 6) for at in market.times] == [0, 0, 2.5, 60, 61]
    assert [one.trade_id for one in market.ticks] == [1, 2, 3, 4, 5]
    assert market.interruptions == [("BTCUSDT", "the tape has ended")]


def test_what_is_due_between_two_ticks_happens_between_them(tape):
    market = Recorder()
    opened = open_replay([tape], speed="max")
    seen = []

    async def body(feed):
        await feed.subscribe("BTCUSDT")
        begin = trio.current_time() + 0.05
        for second in range(1, 61):
            await trio.sleep_until(begin + second)
            # Several steps at the same moment: none of them may meet the next tick.
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            seen.append((len(market.ticks), (opened.clock.now() - START).total_seconds()))

    play(opened, market, body)
    assert [count for count, _ in seen] == [2] * 2 + [3] * 57 + [4]
    assert [now for _, now in seen] == pytest.approx([second + 0.05 for second in range(1, 61)], abs=0.04)


@pytest.mark.parametrize(("speed", "says"), [("max", True), ("max", False), ("1000", True)])
def test_a_decision_taken_on_a_tick_is_on_its_way_before_the_next_one(tape, speed, says):
    """Even when the next trade has the same millisecond, and the decision takes several steps.

    At speed max even when the market does not say that it woke anybody.
    """
    decided = []
    opened = open_replay([tape], speed=speed)
    woken = {}

    def wakes(tick):
        woken[tick.trade_id].set()
        return says

    market = Recorder(wakes)

    async def decide(trade_id):
        await woken[trade_id].wait()
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        decided.append((trade_id, len(market.ticks)))

    async def body(feed):
        woken.update({trade_id: trio.Event() for trade_id in range(1, 6)})
        async with trio.open_nursery() as nursery:
            for trade_id in woken:
                nursery.start_soon(decide, trade_id)
            await wait_all_tasks_blocked()
            await feed.subscribe("BTCUSDT")

    play(opened, market, body)
    assert decided == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]


def test_a_long_tape_lets_others_run(tmp_path):
    opened = open_replay([write_tape(tmp_path / "BTCUSDT.csv", [(n / 1000, 100) for n in range(5000)])], speed="max")
    market = Recorder()

    async def body(feed):
        await feed.subscribe("BTCUSDT")
        turns = 0
        while len(market.ticks) < 5000:
            await wait_all_tasks_blocked()
            turns += 1
        return turns

    assert play(opened, market, body) >= 5000 / 100


def test_after_the_end_time_goes_on_and_the_symbols_become_stale(tape):
    opened = open_replay([tape], speed="5000")
    changes = []

    async def body(feed):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fanout.watch_staleness, lambda *change: changes.append(change))
            await fanout.subscribe("BTCUSDT")
            await trio.sleep(200)
            nursery.cancel_scope.cancel()
        return fanout.states()["BTCUSDT"]

    fanout = FanOut(opened.feed, opened.clock, 30)
    state = play(opened, fanout, body)
    assert (state.last_price, state.trade_id, state.ticks, state.stale) == (Decimal(104), 5, 5, True)
    assert state.interruption == "the tape has ended"
    assert state.age_seconds > 100
    assert [(symbol, stale) for symbol, stale, _ in changes] == [
        ("BTCUSDT", True),
        ("BTCUSDT", False),
        ("BTCUSDT", True),
    ]
    assert [silence for _, _, silence in changes] == pytest.approx([30, 57.5, 30], abs=0.01)


def test_a_later_subscription_begins_at_the_present_moment(tmp_path):
    paths = [
        write_tape(tmp_path / "BTCUSDT.csv", [(n, 100 + n) for n in range(10)]),
        write_tape(tmp_path / "ETHUSDT.csv", [(n + 0.5, 10 + n) for n in range(10)]),
    ]
    opened, market = open_replay(paths, speed="max"), Recorder()

    async def body(feed):
        await feed.subscribe("BTCUSDT")
        begin = trio.current_time()
        await trio.sleep_until(begin + 5.2)
        await feed.subscribe("ETHUSDT")
        await trio.sleep_until(begin + 7.2)
        await feed.unsubscribe("BTCUSDT")
        missed = await feed.trades_from("ETHUSDT", 3)
        await trio.sleep_until(begin + 9.55)
        return missed

    missed = play(opened, market, body)
    assert [(one.symbol[:3], str(one.price)) for one in market.ticks] == [
        *[("BTC", str(100 + n)) for n in range(6)],
        *[("ETH", "15"), ("BTC", "106"), ("ETH", "16"), ("BTC", "107"), ("ETH", "17"), ("ETH", "18"), ("ETH", "19")],
    ]
    assert missed.is_whole
    assert [str(one.price) for one in missed.ticks] == ["12", "13", "14", "15", "16"]


def test_an_unknown_symbol_is_refused_and_the_tape_does_not_begin(tape):
    opened, market = open_replay([tape], speed="max"), Recorder()

    async def body(feed):
        with pytest.raises(RuleError, match="DOGEUSDT") as refused:
            await feed.subscribe("DOGEUSDT")
        await trio.sleep(0.001)
        return refused.value

    refused = play(opened, market, body)
    assert (refused.code, refused.hint) == ("unknown_symbol", "one of BTCUSDT")
    assert market.ticks == []


def ohlc(candle):
    return str(candle.open), str(candle.high), str(candle.low), str(candle.close)


def test_candles_are_those_of_whole_closed_minutes_so_far(tmp_path):
    rows = [(30, 99), (60, 100), (70, 105), (80, 95), (119, 101), (240, 110), (300, 111)]
    opened = open_replay([write_tape(tmp_path / "BTCUSDT.csv", rows)], speed="max")
    seen = []

    async def body(feed):
        assert await feed.candles("BTCUSDT", 60, 5) == []
        await feed.subscribe("BTCUSDT")
        begin = trio.current_time()
        for moment in (89, 91, 209, 211, 270.01):
            await trio.sleep_until(begin + moment)
            seen.append([ohlc(one) for one in await feed.candles("BTCUSDT", 60, 3)])
        assert await feed.candles("BTCUSDT", 45, 3) == []
        return await feed.candles("BTCUSDT", 120, 9)

    two = play(opened, Recorder(), body)
    first, flat, last = ("100", "105", "95", "101"), ("101",) * 4, ("110",) * 4
    assert seen == [[], [first], [first, flat], [first, flat, flat], [flat, flat, last]]
    assert [(one.opened_at - START, ohlc(one)) for one in two] == [(timedelta(minutes=2), flat)]


def test_a_corrupt_line_ends_the_run_after_telling_the_market(tape):
    tape.write_text(tape.read_text() + "6,1,NaN,1\n")
    opened, market = open_replay([tape], speed="max"), Recorder()

    async def body(feed):
        await feed.subscribe("BTCUSDT")
        await trio.sleep_forever()

    with pytest.RaisesGroup(pytest.RaisesExc(CorruptTape, match="line 7: ")):
        play(opened, market, body)
    assert len(market.ticks) == 5
    assert market.interruptions[0][0] == "BTCUSDT"
    assert "line 7" in market.interruptions[0][1]


def test_a_corrupt_line_can_be_passed_over(tape):
    tape.write_text(tape.read_text().replace("102,1", "oops,1"))
    told = []
    opened, market = open_replay([tape], speed="max", on_corrupt=told.append), Recorder()

    async def body(feed):
        await feed.subscribe("BTCUSDT")
        await trio.sleep(61.1)

    play(opened, market, body)
    assert market.prices == ["100", "101", "103", "104"]
    assert [corrupt.line for corrupt in told] == [4]


def test_shutting_down_takes_real_time_even_behind_the_horizon(tmp_path):
    opened, market = open_replay([write_tape(tmp_path / "BTCUSDT.csv", [(0, 1), (0.05, 2)])]), Recorder()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(opened.feed.run, market)
            await opened.feed.subscribe("BTCUSDT")
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        with trio.move_on_after(0.1) as scope:
            await trio.sleep_forever()
        return scope.cancelled_caught

    assert trio.run(main, clock=opened.trio_clock)


def test_a_bad_speed_is_refused(tape):
    with pytest.raises(ConfigurationError, match="speed was '-1'"):
        open_replay([tape], speed="-1")


def test_recorded_minutes_come_through_whole_with_the_receivers_clock_behind_the_venues():
    path = recorded("demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_2min.ws.jsonl.gz")
    opened = open_replay([path], speed="max")
    fanout = FanOut(opened.feed, opened.clock, 10)
    market = Recorder()

    class Both:
        def observe(self, one):
            market.observe(one)
            assert abs((one.at - opened.clock.now()).total_seconds()) < 0.001
            return fanout.observe(one)

        def interrupted(self, symbol, reason):
            fanout.interrupted(symbol, reason)

    async def body(feed):
        await fanout.subscribe("BTCUSDT")
        await fanout.subscribe("ETHUSDT")
        await trio.sleep(119)
        during = fanout.states()
        await market.wait_for(2571 + 2016)
        return during, fanout.states()

    during, after = play(opened, Both(), body)
    assert not any(state.stale for state in during.values())
    assert {symbol: state.ticks for symbol, state in after.items()} == {"BTCUSDT": 2571, "ETHUSDT": 2016}
    assert all(state.dropped == 0 for state in after.values())
    for _, ticks in itertools.groupby(sorted(market.ticks, key=lambda one: one.symbol), lambda one: one.symbol):
        ids = [one.trade_id or 0 for one in ticks]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert opened.trio_clock.is_max
    assert math.isclose((market.times[-1] - market.times[0]), 119.9, abs_tol=1)
    assert market.ticks[0].at == to_datetime(1723161254087896)
