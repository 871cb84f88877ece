"""A price that wanders: seeded, with regimes, jumps, gaps and now and then a crash.

Floats are at home here and nowhere else in Robson: these prices are invented, and what leaves the generator is a
Decimal on the instrument's grid.
"""

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

from robson.domain.instrument import Instrument
from robson.domain.market import Candle

_START_PRICES = {
    "BTCUSDT": 95_000.0,
    "ETHUSDT": 3_300.0,
    "SOLUSDT": 190.0,
    "BNBUSDT": 650.0,
    "XRPUSDT": 2.2,
    "ADAUSDT": 0.9,
    "DOGEUSDT": 0.32,
    "LTCUSDT": 105.0,
    "LINKUSDT": 22.0,
    "AVAXUSDT": 38.0,
}
# A start price of others is at least so many price steps, or its candles would all be flat.
_STEPS_AT_LEAST = 2_000.0
_START_SPAN = 50.0

_SECONDS_BETWEEN_TICKS = 0.3
_JUMP_CHANCE = 1 / 2_500
_GAP_CHANCE = 1 / 2_000
_PULL_PER_SECOND = 1 / 21_600
_FURTHEST = math.log(3)
_NOTIONAL = 800.0

MINUTE_SECONDS = 60


class Regime(NamedTuple):
    """A mood of the market: drift of the log price per second, volatility per square root of a second, mean length."""

    name: str
    drift: float
    volatility: float
    seconds: float


CALM = Regime("calm", 0.0, 0.00007, 500.0)
RISING = Regime("rising", 0.000012, 0.0001, 400.0)
FALLING = Regime("falling", -0.000012, 0.0001, 400.0)
VOLATILE = Regime("volatile", 0.0, 0.0003, 200.0)
CRASH = Regime("crash", -0.0011, 0.0005, 40.0)
REBOUND = Regime("rebound", 0.0003, 0.0004, 60.0)
_MOODS = (CALM, RISING, FALLING, VOLATILE)


class Step(NamedTuple):
    """One invented trade, `at_us` microseconds after the walk began."""

    at_us: int
    price: Decimal
    quantity: Decimal


class Walk:
    """The endless walk of one symbol; the same for the same seed and symbol, whatever else is going on."""

    def __init__(self, seed: str, instrument: Instrument) -> None:
        self._random = random.Random(f"{seed}/{instrument.symbol}")  # noqa: S311  # repeatable, not secret
        self._instrument = instrument
        self._tick_size = float(instrument.tick_size)
        self.start_price = on_grid(start_price(instrument), instrument)
        self._origin = math.log(float(self.start_price))
        self._level = 0.0
        self._seconds = 0.0
        self._regime = CALM
        self._regime_ends = self._random.uniform(30.0, CALM.seconds)
        self._next_crash = self._random.uniform(1_200.0, 4_800.0)

    @property
    def regime(self) -> Regime:
        """The present mood."""
        return self._regime

    def step(self) -> Step:
        """The next trade."""
        chance = self._random
        wait = chance.expovariate(1 / _SECONDS_BETWEEN_TICKS)
        if chance.random() < _GAP_CHANCE:
            wait += chance.uniform(2.0, 8.0)
            self._level += chance.gauss(0.0, 0.002)
        if chance.random() < _JUMP_CHANCE:
            self._level += chance.choice((-1, 1)) * chance.uniform(0.001, 0.004)
        self._seconds += max(wait, 1e-3)
        self._move(wait)
        if self._seconds >= self._regime_ends:
            self._change_mood()
        price = on_grid(math.exp(self._origin + self._level), self._instrument)
        return Step(round(self._seconds * 1e6), price, self._quantity(float(price)))

    def skip(self, seconds: float) -> None:
        """Let time pass without trades: the next price is where a walk of that length leads."""
        self._seconds += seconds
        self._move(seconds)

    def _move(self, seconds: float) -> None:
        regime = self._regime
        noise = regime.volatility * math.sqrt(seconds) * self._random.gauss(0.0, 1.0)
        kept = math.exp(-_PULL_PER_SECOND * seconds)
        level = self._level * kept + regime.drift * min(seconds, regime.seconds) + noise
        self._level = min(max(level, -_FURTHEST), _FURTHEST)

    def _change_mood(self) -> None:
        if self._regime is CRASH:
            self._regime = REBOUND
        elif self._seconds >= self._next_crash:
            self._regime = CRASH
            self._next_crash = self._seconds + self._random.expovariate(1 / 10_800.0)
        else:
            self._regime = self._random.choice([mood for mood in _MOODS if mood is not self._regime])
        self._regime_ends = self._seconds + self._regime.seconds * self._random.uniform(0.5, 1.5)

    def _quantity(self, price: float) -> Decimal:
        amount = _NOTIONAL * math.exp(self._random.gauss(0.0, 1.2)) / price
        steps = max(1, round(amount / float(self._instrument.step_size)))
        return self._instrument.step_size * steps


def past_minutes(seed: str, instrument: Instrument, until: datetime, count: int) -> Sequence[Candle]:
    """The `count` one-minute candles before `until` (a whole minute), oldest first, leading up to the start price.

    A slow swing of one percent each way makes sure that there is support below and resistance above.
    """
    chance = random.Random(f"{seed}/{instrument.symbol}/past")  # noqa: S311  # repeatable, not secret
    origin = math.log(float(on_grid(start_price(instrument), instrument)))
    period = chance.uniform(300.0, 420.0)
    direction = chance.choice((-1, 1))
    closes, wander = [0.0], 0.0
    for minutes_back in range(1, count + 1):
        wander = wander * (1 - 1 / 240) + chance.gauss(0.0, 0.0006)
        closes.append(wander + direction * 0.01 * math.sin(2 * math.pi * minutes_back / period))
    candles = []
    for minutes_back in range(count, 0, -1):
        opening, closing = closes[minutes_back], closes[minutes_back - 1]
        high = max(opening, closing) + abs(chance.gauss(0.0, 0.0003))
        low = min(opening, closing) - abs(chance.gauss(0.0, 0.0003))
        open_, high_, low_, close_ = (
            on_grid(math.exp(origin + level), instrument) for level in (opening, high, low, closing)
        )
        candles.append(
            Candle(
                symbol=instrument.symbol,
                opened_at=until - timedelta(seconds=MINUTE_SECONDS * minutes_back),
                interval_seconds=MINUTE_SECONDS,
                open=open_,
                high=high_,
                low=low_,
                close=close_,
            )
        )
    return candles


def start_price(instrument: Instrument) -> float:
    """A realistic price for the known pairs (quote per base), an arbitrary one for others, always the same."""
    known = _START_PRICES.get(instrument.symbol)
    if known is not None:
        return known
    digest = sha256(instrument.symbol.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    lowest = max(0.1, _STEPS_AT_LEAST * float(instrument.tick_size))
    return float(lowest * _START_SPAN**share)


def on_grid(price: float, instrument: Instrument) -> Decimal:
    """The nearest price on the instrument's grid, at least one step."""
    return instrument.tick_size * max(1, round(price / float(instrument.tick_size)))
