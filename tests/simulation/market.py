"""The market of a life: trades that really happen, and a feed that loses, repeats, delays and invents some of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random

import trio

from robson.domain.market import Tick
from tests.rig import Rig
from tests.simulation.oracle import StopOracle
from tests.simulation.weather import Weather

SYMBOLS = {"BTCUSDT": Decimal(95000), "ETHUSDT": Decimal(3300)}
FEED_TROUBLES = ("silent", "frozen", "gapped", "twice", "back in time", "polled")


@dataclass
class Stream:
    """How one symbol's feed is doing."""

    trouble: str = ""
    until: float = 0.0
    newest_id: int = 0
    # What was traded and not delivered since the newest tick that was.
    missed: list[Tick] = field(default_factory=list)


class RoughMarket:
    """Makes trades and delivers them to the present run; `calm_down` ends all troubles."""

    def __init__(
        self, random: Random, weather: Weather, oracle: StopOracle, exchange_time: Callable[[], datetime]
    ) -> None:
        self.exchange_time = exchange_time
        self.oracle = oracle
        self.random = random
        self.weather = weather
        self.prices = dict(SYMBOLS)
        self.streams = {symbol: Stream() for symbol in SYMBOLS}
        self._next_id = 1

    def price(self, symbol: str) -> Decimal | None:
        """What the venue trades at."""
        return self.prices.get(symbol)

    def trade(self, rig: Rig) -> None:
        """One trade on one symbol."""
        symbol = self.random.choice(list(self.prices))
        stream = self.streams[symbol]
        if stream.until <= trio.current_time():
            stream.trouble = ""
            if "feed" in self.weather.climate and self.random.random() < 0.05:
                stream.trouble = self.random.choice(FEED_TROUBLES)
                stream.until = trio.current_time() + self.random.uniform(0.5, 40)
        if stream.trouble != "frozen":
            change = self.random.gauss(0, 0.0015) if self.random.random() < 0.97 else self.random.gauss(0, 0.02)
            self.prices[symbol] = _near(self.prices[symbol], change)
        self._deliver(rig, symbol, stream)

    def quiet(self, rig: Rig, symbol: str) -> None:
        """One trade at the present price, delivered whatever the weather."""
        self._show(rig, self._tick(rig, symbol, self.prices[symbol]))

    def _deliver(self, rig: Rig, symbol: str, stream: Stream) -> None:
        counts, random = self.weather.counts, self.random
        if stream.trouble:
            counts[f"feed: {stream.trouble}"] += 1
        if "prints" in self.weather.climate and random.random() < 0.01:
            counts["feed: off-market print"] += 1
            self._show(rig, self._tick(rig, symbol, _near(self.prices[symbol], random.choice((-1, 1)) * 0.08)))
        tick = self._tick(rig, symbol, self.prices[symbol], polled=stream.trouble == "polled")
        if stream.trouble == "silent" or (stream.trouble == "gapped" and random.random() < 0.5):
            rig.paper.observe(symbol, tick.price)
            stream.missed.append(tick)
            self.oracle.blind.add(symbol)
            return
        self._show(rig, tick)
        if stream.trouble == "twice":
            self._show(rig, tick)
        kept = rig.feed.kept.get(symbol, [])
        if stream.trouble == "back in time" and len(kept) > 3:
            for old in kept[-random.randrange(2, min(len(kept), 12)) : -1]:
                self._show(rig, old)

    def _tick(self, rig: Rig, symbol: str, price: Decimal, *, polled: bool = False) -> Tick:
        trade_id = None if polled else self._next_id
        tick = Tick(
            symbol=symbol, price=price, quantity=Decimal(1), trade_id=trade_id, at=self.exchange_time(), polled=polled
        )
        if not polled:
            self._next_id += 1
            rig.feed.kept.setdefault(symbol, []).append(tick)
            self.oracle.trade(tick)
        return tick

    def _show(self, rig: Rig, tick: Tick) -> None:
        rig.paper.observe(tick.symbol, tick.price)
        stream = self.streams[tick.symbol]
        is_streamed = tick.symbol in rig.market._quotes
        if tick.trade_id is None:
            if is_streamed:
                lives = rig.supervisor.lives
                self.oracle.glance(tick, behind={key for key, life in lives.items() if life.is_behind})
        elif tick.trade_id > stream.newest_id:
            stream.newest_id = tick.trade_id
            if stream.missed:
                rig.market.interrupted(tick.symbol, "trades are missing")
            if is_streamed:
                for one in (*stream.missed, tick):
                    self.oracle.tick(one)
            stream.missed.clear()
            self.oracle.blind.discard(tick.symbol)
        rig.market.observe(tick)


def _near(price: Decimal, change: float) -> Decimal:
    return (price * (1 + Decimal(str(round(change, 6))))).quantize(Decimal("0.01"))
