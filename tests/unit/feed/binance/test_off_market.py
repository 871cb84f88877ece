"""A real print far from the market: one of an insurance fund, two percent above everybody else."""

import csv
import gzip
from decimal import Decimal

from robson.domain.market import Tick
from robson.domain.values import Side
from robson.engine.trailing import Watch
from robson.feed.binance.codec import exchange_time
from robson.feed.binance.off_market import NO_DOUBT, Doubt, PrintFilter
from tests.recorded import recorded

DISTANCE = Decimal(100)


def prints() -> list[tuple[float, Tick, str]]:
    """Seconds, print and kind of every row."""
    path = recorded("ticks/binance_usdm_BTCUSDT_trades_20230404T2358_insurance_fund_print.csv.gz")
    with gzip.open(path, "rt", newline="") as lines:
        return [
            (
                int(row["ts_ms"]) / 1000,
                Tick(
                    symbol="BTCUSDT",
                    price=Decimal(row["price"]),
                    quantity=Decimal(row["qty"]),
                    trade_id=int(row["trade_id"]),
                    at=exchange_time(int(row["ts_ms"])),
                ),
                row["exec_type"],
            )
            for row in csv.DictReader(lines)
        ]


def hits(doubt: Doubt, side: Side) -> list[int]:
    """The rows whose observation hits a stop that trails the recording from its beginning, set anew after each hit."""
    source = prints()
    kept, found = PrintFilter(doubt), []
    watch: Watch | None = None
    for row, (now, tick, _) in enumerate(source):
        for believed in kept.take(tick, now):
            if watch is None:
                away = -DISTANCE if side is Side.LONG else DISTANCE
                watch = Watch(side, believed.price + away, believed.price, DISTANCE)
            elif watch.observe(believed.price, believed.trade_id):
                found.append(row)
                watch = None
    return found


def test_a_long_is_thrown_out_by_the_print_and_with_a_doubt_it_is_not() -> None:
    (odd,) = [row for row, (_, _, kind) in enumerate(prints()) if kind == "INSURANCE_FUND"]
    # The print moves the stop above the market: the very next one hits it.
    assert odd + 1 in hits(NO_DOUBT, Side.LONG)
    assert odd + 1 not in hits(Doubt(percent=Decimal(1)), Side.LONG)
    assert odd in hits(NO_DOUBT, Side.SHORT)
    assert odd not in hits(Doubt(percent=Decimal(1)), Side.SHORT)


def test_only_that_print_is_left_out_and_everything_else_comes_at_once() -> None:
    source = prints()
    kept = PrintFilter(Doubt(percent=Decimal(1)))
    given = [believed.trade_id for now, tick, _ in source for believed in kept.take(tick, now)]
    assert given == [tick.trade_id for _, tick, kind in source if kind != "INSURANCE_FUND"]
    assert kept.left_out == 1
