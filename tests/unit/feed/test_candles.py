"""Candles from ticks: whole and closed, or not at all."""

from datetime import timedelta
from decimal import Decimal

from robson.domain.market import Candle
from robson.feed.candles import CandleSeries, combine
from tests.unit.feed.markets import START


def at(seconds):
    return START + timedelta(seconds=seconds)


def ohlc(candle):
    return tuple(int(price) for price in (candle.open, candle.high, candle.low, candle.close))


def series(**options):
    return CandleSeries("BTCUSDT", 60, **{"keep": 10, "since": START, **options})


def add(candles, seconds, price):
    return [
        (one.candle.opened_at - START, ohlc(one.candle), one.is_whole)
        for one in candles.add(at(seconds), Decimal(price))
    ]


def test_a_candle_closes_with_the_first_trade_of_the_next_interval():
    candles = series()
    assert add(candles, 0, 100) == []
    assert add(candles, 20, 103) == []
    assert add(candles, 40, 98) == []
    assert add(candles, 59.999, 101) == []
    assert add(candles, 60, 500) == [(timedelta(0), (100, 103, 98, 101), True)]
    assert [ohlc(one) for one in candles.recent(5)] == [(100, 103, 98, 101)]


def test_an_interval_without_trades_is_flat():
    candles = series()
    add(candles, 30, 100)
    assert [one[1:] for one in add(candles, 200, 110)] == [((100,) * 4, True)] * 3


def test_time_alone_closes_too_and_a_late_trade_changes_nothing():
    candles = series()
    add(candles, 30, 100)
    assert candles.close_until(at(59.9)) == ()
    assert [ohlc(one.candle) for one in candles.close_until(at(60))] == [(100,) * 4]
    assert add(candles, 59.95, 900) == []
    assert add(candles, 61, 101) == []
    assert [ohlc(one.candle) for one in candles.close_until(at(120))] == [(101,) * 4]


def test_a_candle_that_was_not_seen_from_its_beginning_is_not_whole():
    candles = CandleSeries("BTCUSDT", 60, keep=10)
    assert candles.ends is None
    assert candles.close_until(at(500)) == ()
    add(candles, 30, 100)
    assert [one[2] for one in add(candles, 60, 101)] == [False]
    assert [one[2] for one in add(candles, 120, 102)] == [True]
    assert [one.opened_at for one in candles.recent(9)] == [at(60)]


def test_nothing_is_whole_between_an_interruption_and_the_next_interval_but_one():
    candles = series()
    add(candles, 30, 100)
    candles.interrupt()
    assert [one[2] for one in add(candles, 150, 101)] == [False, False]
    assert [one[2] for one in add(candles, 190, 102)] == [False]
    assert [one[2] for one in add(candles, 250, 102)] == [True]


def test_a_long_silence_costs_no_more_than_what_is_kept():
    candles = series(keep=5)
    add(candles, 0, 100)
    assert len(add(candles, 60 * 10**7, 101)) == 6
    assert [one.opened_at for one in candles.recent(9)] == [at(60 * (10**7 - n)) for n in (5, 4, 3, 2, 1)]


def test_holes_are_filled_from_elsewhere_and_own_candles_stay():
    candles = series()
    add(candles, 0, 100)
    add(candles, 61, 101)
    candles.interrupt()
    add(candles, 130, 102)
    add(candles, 190, 103)
    add(candles, 250, 103)
    assert not candles.covers(4)
    assert candles.covers(1)
    assert not candles.covers(0)
    candles.fill([minute(n, 7) for n in (-1, 0, 1, 2)])
    assert [ohlc(one)[0] for one in candles.recent(9)] == [7, 100, 7, 7, 103]
    assert candles.covers(5)
    assert not candles.covers(6)


def minute(number, price):
    return Candle(
        symbol="BTCUSDT",
        opened_at=at(60 * number),
        interval_seconds=60,
        open=Decimal(price),
        high=Decimal(price + 1),
        low=Decimal(price - 1),
        close=Decimal(price),
    )


def test_minutes_join_to_whole_longer_candles_only():
    minutes = [minute(n, 100 + n) for n in (3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15)]
    joined = combine(minutes, 300)
    assert [(one.opened_at, one.interval_seconds, ohlc(one)) for one in joined] == [
        (at(300), 300, (105, 110, 104, 109))
    ]
    assert combine([], 300) == []
    assert combine(minutes[:2], 60) == minutes[:2]
