"""What holds of the feed whatever comes in."""

import gzip
import json
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robson.domain.errors import ConfigurationError
from robson.domain.market import Candle, Tick
from robson.domain.values import Side, plain
from robson.engine.missed import Crossing
from robson.engine.trailing import Watch
from robson.engine.what_if import Trial, replay, stretches
from robson.feed.candles import CandleSeries, combine
from robson.feed.fanout import FanOut
from robson.feed.opening import open_replay
from robson.feed.tape import Tape
from robson.feed.tape_csv import csv_parser
from robson.feed.tape_frames import FrameParser
from robson.feed.tape_row import TapeRow
from tests.unit.feed.markets import HandFeed

START = datetime(2024, 8, 8, 23, 50, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000

prices = st.decimals(min_value="0.01", max_value="1000", places=2)
sides = st.sampled_from(Side)


class NoClock:
    def now(self):
        return START

    def monotonic(self):
        return 0.0


def tick(price, trade_id, seconds=0.0):
    return Tick(
        symbol="BTCUSDT", price=price, quantity=Decimal(1), trade_id=trade_id, at=START + timedelta(seconds=seconds)
    )


@given(
    st.lists(st.tuples(st.integers(0, 30), prices), max_size=60),
    st.lists(st.tuples(sides, st.integers(0, 59), st.decimals("0.01", "300", places=2)), max_size=6),
)
def test_every_watch_sees_what_it_would_see_alone(observed, watches):
    """Attached at any moment, among others that are hit: the newer ticks, each once, in order, until the hit."""

    async def main():
        fanout = FanOut(HandFeed(), NoClock(), 10)
        await fanout.subscribe("BTCUSDT")
        hits: dict[int, list[Crossing]] = {}
        alone: dict[int, Watch] = {}
        together: dict[int, Watch] = {}
        expected: dict[int, list[int]] = {}
        newest = -1
        for step, (trade_id, price) in enumerate(observed):
            for number, (side, begins, distance) in enumerate(watches):
                if begins == step:
                    stop = price - distance * side.sign
                    together[number] = Watch(side, stop, price, distance)
                    alone[number] = Watch(side, stop, price, distance)
                    hits[number], expected[number] = [], []
                    fanout.attach("BTCUSDT", together[number], hits[number].append)
            fanout.observe(tick(price, trade_id))
            if trade_id > newest:
                newest = trade_id
                for number, watch in alone.items():
                    if not expected[number] and watch.observe(price, trade_id):
                        expected[number].append(trade_id)
        assert {number: [one.trade_id for one in mine] for number, mine in hits.items()} == expected
        for number, watch in together.items():
            assert (watch.stop, watch.extreme, watch.moves) == (
                alone[number].stop,
                alone[number].extreme,
                alone[number].moves,
            )

    trio.run(main)


@given(st.lists(st.tuples(st.integers(0, 900), prices), min_size=1, max_size=60))
def test_candles_are_the_prices_of_their_interval(trades):
    trades = sorted(trades, key=lambda trade: trade[0])
    series = CandleSeries("BTCUSDT", 60, keep=100, since=START)
    for seconds, price in trades:
        series.add(START + timedelta(seconds=seconds), price)
    series.close_until(START + timedelta(seconds=960))
    closed = {int((one.opened_at - START).total_seconds()): one for one in series.recent(100)}
    first = trades[0][0] // 60 * 60
    assert sorted(closed) == list(range(first, 960, 60))
    last = None
    for start in sorted(closed):
        inside = [price for seconds, price in trades if start <= seconds < start + 60] or [last]
        candle = closed[start]
        assert (candle.open, candle.high, candle.low, candle.close) == (inside[0], max(inside), min(inside), inside[-1])
        last = inside[-1]


@given(st.sets(st.integers(0, 40)), st.integers(1, 8))
def test_joined_candles_hold_exactly_their_minutes(numbers, size):
    minutes = [
        Candle(
            symbol="BTCUSDT",
            opened_at=START + timedelta(minutes=number),
            interval_seconds=60,
            open=Decimal(number),
            high=Decimal(number + 1),
            low=Decimal(number),
            close=Decimal(number + 1),
        )
        for number in sorted(numbers)
    ]
    offset = int(START.timestamp()) // 60
    whole = [
        start - offset
        for start in range(offset // size * size, offset + 41, size)
        if all(start + n - offset in numbers for n in range(size))
    ]
    joined = combine(minutes, 60 * size)
    assert [(int(one.open), int(one.high), int(one.low), int(one.close)) for one in joined] == [
        (start, start + size, start, start + size) for start in whole
    ]


@given(
    st.integers(0, 2**63 - 1),
    st.decimals("0.00000001", "99999999999", places=8),
    st.decimals("0", "99999999999", places=8),
    st.integers(10**11, 10**14 - 1),
    st.booleans(),
)
def test_a_trade_is_the_same_from_every_format(trade_id, price, quantity, time_ms, in_microseconds):
    time = time_ms * 1000 if in_microseconds else time_ms
    fields = {"id": trade_id, "p": plain(price), "q": plain(quantity), "T": time}
    rows = [
        "{id},{p},{q},1,{T},True,True",
        "{id},{p},{q},1,2,{T},True,True",
    ]
    found = []
    for row in rows:
        line = row.format(**fields).encode()
        parser = csv_parser(line, "BTCUSDT")
        assert parser is not None
        found.append(parser.parse(line))
    header = csv_parser(b"trade_id,ts_ms,price,qty", "BTCUSDT")
    assert header is not None
    found.append(header.parse("{id},{T},{p},{q}".format(**fields).encode()))
    frame = {"e": "trade", "s": "BTCUSDT", "t": trade_id, "p": fields["p"], "q": fields["q"], "T": time}
    found.append(FrameParser().parse(json.dumps({"stream": "btcusdt@trade", "data": frame}).encode()))
    first = found[0]
    assert isinstance(first, TapeRow)
    assert (first.at_us, first.tick.price, first.tick.quantity) == (time_ms * 1000, price, quantity)
    assert found == [first] * 4


lines = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"1,2,3,4,1723161255342,True,True", b"trade_id,ts_ms,price,qty", b"9,1723161255342,5,1", b"{}"]),
    st.text('0123456789.,eE-+NaInf"{}[]:tpqsTe ', max_size=60).map(str.encode),
)


@settings(max_examples=150)
@given(st.lists(lines, max_size=6), st.booleans())
def test_any_file_gives_trades_or_one_clear_error(content, packed):
    raw = b"\n".join(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTCUSDT.csv"
        path.write_bytes(gzip.compress(raw) if packed else raw)
        rows, refusal = _read(path)
    assert (str(path) in refusal) if refusal else rows
    assert all(row.tick.price.is_finite() and row.tick.price > 0 for row in rows)


def _read(path):
    try:
        return list(Tape(path)), ""
    except ConfigurationError as error:
        return [], str(error)


@given(
    st.lists(prices, min_size=1, max_size=50),
    st.lists(st.tuples(sides, st.integers(0, 55), st.decimals("0.01", "2000", places=2)), max_size=8),
)
def test_a_case_does_not_depend_on_the_others(walk, cases):
    def outcomes(chosen):
        trials = [Trial(str(number), side, row, distance) for number, (side, row, distance) in chosen]
        assert replay(trials, stretches([walk])) == len(walk)
        return [trial.outcome for trial in trials]

    together = outcomes(list(enumerate(cases)))
    assert together == [outcomes([one])[0] for one in enumerate(cases)]
    for (side, row, distance), outcome in zip(cases, together, strict=True):
        assert (outcome is None) == (row >= len(walk))
        if outcome is not None and outcome.exit_price is not None:
            assert outcome.stop_at_exit is not None
            assert (outcome.exit_price - outcome.stop_at_exit) * side.sign <= 0
            assert outcome.stop_at_exit == outcome.extreme - distance * side.sign


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3000), prices), min_size=1, max_size=40),
    st.lists(st.integers(1, 3000), max_size=10),
)
def test_on_a_tape_everything_happens_at_its_own_time(trades, delays):
    """At speed max, whatever sleeps wakes at its deadline exactly: after all earlier ticks, before all later ones."""
    trades = sorted(trades, key=lambda trade: trade[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTCUSDT.csv"
        rows = [f"{n},{START_US // 1000 + at},{price},1" for n, (at, price) in enumerate(trades)]
        path.write_text("\n".join(["trade_id,ts_ms,price,qty", *rows]))
        _play_beside_sleepers(path, trades, delays)


def _play_beside_sleepers(path, trades, delays):
    opened = open_replay([path], speed="max")
    seen: list[tuple[float, int]] = []

    class Market:
        def observe(self, tick):
            seen.append((trio.current_time(), 1))
            return False

        def interrupted(self, symbol, reason):
            finished.set()

    async def wake(deadline):
        await trio.sleep_until(deadline)
        assert trio.current_time() == deadline
        seen.append((deadline, 0))

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(opened.feed.run, Market())
            await opened.feed.subscribe("BTCUSDT")
            now = trio.current_time()
            last = (trades[-1][0] - trades[0][0]) / 1000
            for delay in delays:
                # After the end of the tape time is real: nobody wants to wait for that.
                if delay / 1000 < last:
                    nursery.start_soon(wake, now + delay / 1000)
            await finished.wait()
            nursery.cancel_scope.cancel()

    finished = trio.Event()
    trio.run(main, clock=opened.trio_clock)
    assert len([one for one in seen if one[1]]) == len(trades)
    assert [moment for moment, _ in seen] == sorted(moment for moment, _ in seen)
