"""The book that a paper order meets: always on its bad side, on the tick, reproducible."""

from decimal import Decimal
from random import Random

import pytest

from robson.domain.values import OrderSide
from robson.venue.instruments import builtin_instrument
from robson.venue.liquidity import book
from robson.venue.settings import PaperSettings

INSTRUMENT = builtin_instrument("BTCUSDT")
PRICE = Decimal("60000.01")
ONE = Decimal(1)
DRY = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("side", OrderSide)
def test_levels_hold_the_quantity_from_best_to_worst_within_spread_and_slippage(side: OrderSide, seed: int) -> None:
    settings = PaperSettings(spread_bps=Decimal(2), slippage_bps=Decimal(5), fills_max=4)
    levels = book(settings, INSTRUMENT, side, ONE, PRICE, Random(seed))
    sign = 1 if side is OrderSide.BUY else -1

    assert sum(level.quantity for level in levels) == ONE
    away = [sign * (level.price / PRICE - 1) * 10_000 for level in levels]
    assert away == sorted(away)
    assert Decimal(1) <= away[0]
    assert away[-1] <= Decimal("6.01")
    assert all(level.price % INSTRUMENT.tick_size == 0 for level in levels)
    assert levels == book(settings, INSTRUMENT, side, ONE, PRICE, Random(seed))


def test_without_spread_and_slippage_an_order_trades_at_the_last_price() -> None:
    for side in OrderSide:
        assert [level.price for level in book(DRY, INSTRUMENT, side, ONE, PRICE, Random(1))] == [PRICE]


def test_orders_are_filled_in_one_or_several_trades() -> None:
    counts = {len(book(PaperSettings(), INSTRUMENT, OrderSide.BUY, ONE, PRICE, Random(seed))) for seed in range(50)}
    assert counts == {1, 2, 3}
    (level,) = book(PaperSettings(), INSTRUMENT, OrderSide.BUY, INSTRUMENT.step_size, PRICE, Random(1))
    assert level.quantity == INSTRUMENT.step_size


def test_liquidity_may_run_out() -> None:
    thin = PaperSettings(partial_fill_probability=ONE)
    depths = [
        sum((level.quantity for level in book(thin, INSTRUMENT, OrderSide.SELL, ONE, PRICE, Random(seed))), Decimal(0))
        for seed in range(50)
    ]
    assert max(depths) < ONE
    assert len(set(depths)) > 40
    assert all(depth % INSTRUMENT.step_size == 0 for depth in depths)


def test_a_price_never_falls_below_one_tick() -> None:
    wide = PaperSettings(spread_bps=Decimal(1000), slippage_bps=Decimal(0), fills_max=1)
    (level,) = book(wide, INSTRUMENT, OrderSide.SELL, ONE, Decimal("0.01"), Random(1))
    assert level.price == Decimal("0.01")
