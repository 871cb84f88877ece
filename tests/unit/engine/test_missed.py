"""Missed prices through a stop: the first crossing, and what is forgiven."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from robson.domain.market import Candle, Tick
from robson.domain.values import Side
from robson.engine.missed import Rerun, Seen
from robson.engine.trailing import Watch

START = datetime(2026, 1, 1, tzinfo=UTC)


def tick(price, trade_id=None, seconds=0):
    return Tick(
        symbol="BTCUSDT",
        price=Decimal(price),
        quantity=Decimal(1),
        trade_id=trade_id,
        at=START + timedelta(seconds=seconds),
    )


def candle(low, high, close=None, minute=0):
    return Candle(
        symbol="BTCUSDT",
        opened_at=START + timedelta(minutes=minute),
        interval_seconds=60,
        open=Decimal(low),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(high if close is None else close),
    )


def long(stop=90, extreme=100, distance=10):
    return Watch(Side.LONG, Decimal(stop), Decimal(extreme), Decimal(distance), 7)


def short(stop=110, extreme=100, distance=10):
    return Watch(Side.SHORT, Decimal(stop), Decimal(extreme), Decimal(distance), 7)


def rerun(watch, *prices, forgiving=False):
    made = Rerun(watch, forgiving=forgiving)
    for price in prices:
        made.take(price)
    return made


def test_the_watch_itself_stands_still_until_it_adopts_the_copy():
    watch = long()
    made = rerun(watch, tick(120, 8), tick(111, 9))
    assert (watch.stop, watch.extreme, watch.trade_id, watch.moves) == (90, 100, 7, 0)
    watch.adopt(made.watch)
    assert (watch.stop, watch.extreme, watch.trade_id, watch.moves) == (110, 120, 9, 1)


@pytest.mark.parametrize(
    ("watch", "held", "stop", "hit"),
    [
        # Long: the high moves the stop to 99, then the low is compared with that.
        (long(), candle("99.01", 109), 99, None),
        (long(), candle(99, 109), 99, 99),
        (long(), candle("90.01", 100), 90, None),
        (short(), candle(91, "100.99"), 101, None),
        (short(), candle(91, 101), 101, 101),
    ],
)
def test_a_candle_moves_the_stop_first_and_is_held_against_it_then(watch, held, stop, hit):
    made = rerun(watch, held)
    assert made.watch.stop == stop
    assert (made.crossing.price if made.crossing is not None else None) == hit
    # Which trade was the last one is not known any more.
    assert made.watch.trade_id is None


def test_a_candle_that_begins_beyond_the_stop_hits_with_its_better_extreme():
    made = rerun(long(), candle(80, 85))
    assert made.crossing is not None
    assert (made.crossing.price, made.crossing.trailing_stop, made.crossing.candle_seconds) == (85, 90, 60)


def test_the_first_crossing_is_kept_with_the_stop_as_it_stood():
    made = rerun(long(), tick(115, 8, 1), tick(104, 9, 2), tick(1, 10, 3), forgiving=True)
    assert made.crossing is not None
    found = made.crossing
    assert (found.price, found.trade_id, found.at) == (104, 9, START + timedelta(seconds=2))
    assert (found.trailing_stop, found.extreme) == (105, 115)


def test_without_forgiveness_nothing_counts_after_a_crossing():
    made = rerun(long(), tick(90, 8), tick(200, 9))
    assert (made.watch.stop, made.watch.extreme, made.is_forgiven) == (90, 100, False)


@pytest.mark.parametrize(
    ("prices", "forgiven"),
    [
        ([89, 91], True),
        ([89, 90], False),
        ([89], False),
        # The stop has followed a later high: the price that was good enough is not any more.
        ([89, 130, 119], False),
        ([89, 130, 121], True),
        ([95], False),
    ],
)
def test_forgiven_is_what_stands_on_the_good_side_of_the_stop_as_it_is_now(prices, forgiven):
    made = rerun(long(), *(tick(price, n) for n, price in enumerate(prices, start=8)), forgiving=True)
    assert made.is_forgiven is forgiven


def test_of_a_candle_the_close_is_the_last_price():
    assert rerun(long(), candle(80, 99, 95), forgiving=True).is_forgiven
    assert not rerun(long(), candle(80, 99, 85), forgiving=True).is_forgiven
    assert not rerun(short(), candle(99, 120, 111), forgiving=True).is_forgiven
    assert rerun(short(), candle(101, 120, 109), forgiving=True).is_forgiven


def test_seen_compares_ids_where_both_have_one_and_times_otherwise():
    seen = Seen(trade_id=10, at=START)
    assert [seen.covers(tick(1, n, -5)) for n in (9, 10, 11)] == [True, True, False]
    assert [seen.joins(tick(1, n, 5)) for n in (10, 11, 12)] == [True, True, False]
    assert [seen.covers(tick(1, None, n)) for n in (-1, 0, 1)] == [True, False, False]
    assert [Seen(at=START).covers(tick(1, 5, n)) for n in (-1, 0, 1)] == [True, False, False]
