"""NautilusTrader over recorded trades, in its own environment: asked by lines of JSON, answers by lines of JSON.

Its ticks are built once, before anything is timed. The rule is a Python strategy: on each trade tick the hit is checked
before the stop moves, in the raw integers of its prices, which is the quickest exact way that a strategy has.
"""

import csv
import json
import sys
import time
from pathlib import Path

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import TradeId, Venue
from nautilus_trader.model.objects import Money, Price
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

NANOSECONDS = 1_000_000
PAIR = TestInstrumentProvider.btcusdt_binance()
SIZE = PAIR.make_qty("0.01")


class Terms(StrategyConfig, frozen=True):
    """Each case is side (1, -1), entry row and distance; `again` enters anew at the tick after an exit."""

    cases: list
    orders: bool
    again: bool


class Trails(Strategy):
    """What both kinds share: the fires, and orders."""

    def __init__(self, terms):
        super().__init__(terms)
        self.row = -1
        self.fires = []
        self.orders = terms.orders

    def on_start(self):
        self.subscribe_trade_ticks(PAIR.id)

    def fire(self, number, tick):
        self.fires.append((number, self.row, tick.ts_event, str(tick.price)))

    def order(self, sign):
        if self.orders:
            side = OrderSide.BUY if sign > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(PAIR.id, side, SIZE))


class OneTrail(Trails):
    """A long, alone."""

    def __init__(self, terms):
        super().__init__(terms)
        ((_, self.entry_row, distance),) = terms.cases
        self.far = Price(float(distance), 2).raw
        self.again = terms.again
        self.inside = False
        self.line = self.extreme = 0

    def on_trade_tick(self, tick):
        self.row += 1
        price = tick.price.raw
        if self.inside:
            if price <= self.line:
                self.inside = False
                self.fire(len(self.fires), tick)
                self.order(-1)
            elif price > self.extreme:
                self.extreme = price
                self.line = price - self.far
        elif self.row >= self.entry_row and (self.again or not self.fires):
            self.inside = True
            self.extreme = price
            self.line = price - self.far
            self.order(1)


class ManyTrails(Trails):
    """Any number of longs and shorts; a short is a long of negative prices."""

    def __init__(self, terms):
        super().__init__(terms)
        self.waiting = sorted(
            ((row, number, sign, Price(float(far), 2).raw) for number, (sign, row, far) in enumerate(terms.cases)),
            reverse=True,
        )
        self.active = []

    def on_trade_tick(self, tick):
        self.row += 1
        price = tick.price.raw
        left = False
        for one in self.active:
            seen = price * one[1]
            if seen <= one[3]:
                self.fire(one[0], tick)
                self.order(-one[1])
                one[0], left = -1, True
            elif seen > one[4]:
                one[4] = seen
                one[3] = seen - one[2]
        if left:
            self.active = [one for one in self.active if one[0] >= 0]
        while self.waiting and self.waiting[-1][0] == self.row:
            _, number, sign, far = self.waiting.pop()
            self.active.append([number, sign, far, price * sign - far, price * sign])
            self.order(sign)


def load(path):
    """Every trade of a public file as Nautilus' own object."""
    ticks = []
    with Path(path).open(newline="", encoding="ascii") as rows:
        for trade_id, price, quantity, _, at_ms, is_maker, _ in csv.reader(rows):
            side = AggressorSide.SELLER if is_maker == "True" else AggressorSide.BUYER
            at_ns = int(at_ms) * NANOSECONDS
            ticks.append(
                TradeTick(
                    PAIR.id, Price.from_str(price), PAIR.make_qty(quantity), side, TradeId(trade_id), at_ns, at_ns
                )
            )
    return ticks


def run(ticks, asked):
    """One backtest; seconds of handing over the ticks, and of the run alone."""
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False),
    )
    money = [Money(100_000_000, USDT)]
    engine.add_venue(Venue("BINANCE"), OmsType.NETTING, AccountType.MARGIN, money, None)
    engine.add_instrument(PAIR)
    began = time.perf_counter()
    engine.add_data(ticks)
    added = time.perf_counter()
    kind = OneTrail if len(asked["cases"]) == 1 else ManyTrails
    strategy = kind(Terms(cases=asked["cases"], orders=asked["orders"], again=asked["again"]))
    engine.add_strategy(strategy)
    ready = time.perf_counter()
    engine.run()
    ended = time.perf_counter()
    filled = len(engine.trader.generate_order_fills_report()) if asked["orders"] else 0
    answer = {
        "add_seconds": added - began,
        "run_seconds": ended - ready,
        "ticks": strategy.row + 1,
        "fires": strategy.fires,
        "filled": filled,
    }
    engine.dispose()
    return answer


def main():
    """Load the file, say how long that took, then answer."""
    began = time.perf_counter()
    ticks = load(sys.argv[1])
    print(json.dumps({"load_seconds": time.perf_counter() - began}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(ticks, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
