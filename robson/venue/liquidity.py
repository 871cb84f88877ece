"""The order book that a paper order meets: spread, slippage and depth drawn from a seeded source."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random

from robson.domain.instrument import Instrument
from robson.domain.values import OrderSide
from robson.venue.ledger import Level
from robson.venue.settings import PaperSettings

_BASIS_POINT = Decimal("0.0001")
_GRAIN = 1_000_000
ONE = Decimal(1)


def draw(source: Random) -> Decimal:
    """An evenly distributed fraction, 0 <= x < 1, in millionths."""
    return Decimal(source.randrange(_GRAIN)) / _GRAIN


def most_basis_points(settings: PaperSettings) -> Decimal:
    """How far from the last price the farthest level can be, in basis points of it."""
    return settings.spread_bps / 2 + settings.slippage_bps


def book(
    settings: PaperSettings, instrument: Instrument, side: OrderSide, quantity: Decimal, price: Decimal, source: Random
) -> tuple[Level, ...]:
    """The levels that a market order of `quantity` (base) walks, best first, around the last `price` (quote per base).

    They begin half a spread from the price and end at most one slippage beyond that, always on the order's bad side.
    With the configured probability they hold less than the order wants.
    """
    count = source.randint(1, settings.fills_max)
    farthest = settings.slippage_bps * draw(source)
    if draw(source) < settings.partial_fill_probability:
        quantity = instrument.floor(quantity * draw(source))
    steps = int(quantity / instrument.step_size)
    count = min(count, steps)
    levels = []
    for index in range(count):
        share = steps // count + (1 if index < steps % count else 0)
        away = settings.spread_bps / 2 + (farthest * index / (count - 1) if count > 1 else farthest)
        levels.append(Level(price=_beyond(side, price, away, instrument), quantity=share * instrument.step_size))
    return tuple(levels)


def _beyond(side: OrderSide, price: Decimal, basis_points: Decimal, instrument: Instrument) -> Decimal:
    tick = instrument.tick_size
    if side is OrderSide.BUY:
        return (price * (1 + basis_points * _BASIS_POINT) / tick).to_integral_value(ROUND_CEILING) * tick
    ticks = (price * (1 - basis_points * _BASIS_POINT) / tick).to_integral_value(ROUND_FLOOR)
    return max(ticks, ONE) * tick
