"""The emulator in a process of its own: trades when told, no delays, room for thousands of exits in its budgets."""

import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import ClassVar

import trio

from robson import log
from robson.clock import RunClock
from robson.domain.market import Candle, Tick, Trades
from robson.emulator import credentials, limits, process
from robson.feed.opening import OpenedFeed
from robson.ports.feed import Market
from robson.venue.settings import PaperSettings

_PLENTY = 10**12
FIRST_PRICES = {"BTCUSDT": Decimal(100_000), "ETHUSDT": Decimal(2_001)}


class StillFeed:
    """One trade of each pair, and later only those that it is told to make up (ports.MarketFeed)."""

    source: ClassVar[str] = "still"

    def __init__(self, clock: RunClock) -> None:
        self._clock = clock
        self._market: Market | None = None
        self._runs = trio.Event()

    async def run(self, market: Market) -> None:
        """Deliver nothing by itself."""
        self._market = market
        self._runs.set()
        await trio.sleep_forever()

    async def subscribe(self, symbol: str) -> None:
        """Let the pair have a price."""
        await self._runs.wait()
        assert self._market is not None
        price = FIRST_PRICES.get(symbol, Decimal(1000))
        at = self._clock.now()
        self._market.observe(Tick(symbol=symbol, price=price, quantity=Decimal(1), trade_id=1, at=at))

    async def unsubscribe(self, symbol: str) -> None:
        """Any symbol will do."""

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """There is no past."""
        return ()

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """There is no past."""
        return ()

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        """There is no past."""
        return Trades()

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        """There is no past."""
        return Trades()


def venue(state: Path) -> None:
    """Serve until told to stop; the port is printed once it listens, the keys are in `state`/credentials."""
    log.configure("warning")
    clock = RunClock()
    for scope in limits.Scope:
        limits._LIMITS[scope] = _PLENTY  # noqa: SLF001  no setting of the emulator's: the exchange has none
    settings = PaperSettings(
        collateral=Decimal(100_000_000),
        spread_bps=Decimal(0),
        slippage_bps=Decimal(0),
        latency_ms=Decimal(0),
        latency_jitter_ms=Decimal(0),
        fills_max=1,
    )
    serve = partial(
        process.run,
        OpenedFeed(StillFeed(clock), clock, None),
        settings,
        credentials.load(state / "credentials"),
        process.Listening("127.0.0.1", 0, control=True, patience=60.0),
        state=state,
        seed=1,
        announce=lambda port: print(port, flush=True),
    )
    trio.run(serve)


if __name__ == "__main__":
    venue(Path(sys.argv[1]))
