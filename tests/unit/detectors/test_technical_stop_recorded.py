"""The technical stop on a month of recorded candles."""

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from robson.detectors.technical_stop import INTERVAL_SECONDS, find_technical_stop
from robson.domain.market import Candle
from robson.domain.values import Side
from robson.engine.sizing import stop_distance
from tests.recorded import recorded


def quarter_hours(path: Path) -> list[Candle]:
    """The whole 15-minute candles of a file of one-minute bars."""
    bars: dict[int, list[dict[str, str]]] = {}
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for bar in csv.DictReader(lines):
            bars.setdefault(int(bar["open_ms"]) // (INTERVAL_SECONDS * 1000), []).append(bar)
    return [
        Candle(
            symbol="BTCUSDT",
            opened_at=datetime.fromtimestamp(index * INTERVAL_SECONDS, UTC),
            interval_seconds=INTERVAL_SECONDS,
            open=Decimal(minutes[0]["open"]),
            high=max(Decimal(minute["high"]) for minute in minutes),
            low=min(Decimal(minute["low"]) for minute in minutes),
            close=Decimal(minutes[-1]["close"]),
        )
        for index, minutes in bars.items()
        if len(minutes) == INTERVAL_SECONDS // 60
    ]


def test_every_second_hour_of_a_month_gives_a_stop_and_mostly_a_level() -> None:
    candles = quarter_hours(recorded("klines/ftx_BTC-PERP_1m_202201.csv.gz"))
    methods: Counter[str] = Counter()
    for end in range(100, len(candles), 8):
        entry = candles[end - 1].close
        for side in Side:
            stop = find_technical_stop(side, entry, candles[end - 100 : end])
            assert stop_distance(side, entry, stop.price) > 0
            methods[stop.method] += 1
    assert methods["swing"] > 20 * methods["true_range"] > 0
