"""Small tapes, feeds and markets that the tests of this folder share."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import trio

from robson.domain.errors import RuleError
from robson.domain.instrument import Instrument
from robson.domain.market import Candle, Tick, Trades

START = datetime(2024, 8, 8, 23, 50, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


def tick(
    price: object, trade_id: int | None = None, seconds: float = 0, symbol: str = "BTCUSDT", *, polled: bool = False
) -> Tick:
    return Tick(
        symbol=symbol,
        price=Decimal(str(price)),
        quantity=Decimal(1),
        trade_id=trade_id,
        at=START + timedelta(seconds=seconds),
        polled=polled,
    )


def write_tape(path: Path, rows: Sequence[tuple[float, object]], *, first_id: int = 1) -> Path:
    """A header CSV of (seconds after START, price)."""
    lines = [f"{first_id + n},{START_MS + round(at * 1000)},{price},1" for n, (at, price) in enumerate(rows)]
    path.write_text("\n".join(["trade_id,ts_ms,price,qty", *lines]) + "\n")
    return path


def instrument(symbol: str) -> Instrument:
    if symbol == "NOSUCH":
        raise RuleError("unknown_symbol", "symbol was 'NOSUCH'")
    return Instrument(
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        tick_size=Decimal("0.01"),
        step_size=Decimal("0.00001"),
        minimum_quantity=Decimal("0.00001"),
        minimum_notional=Decimal(5),
    )


class Recorder:
    """A market that keeps what it is told; ticks at which `wakes` is true wake somebody."""

    def __init__(self, wakes=lambda tick: False) -> None:
        self.ticks: list[Tick] = []
        self.times: list[float] = []
        self.interruptions: list[tuple[str, str]] = []
        self.wakes = wakes
        self._wanted = 0
        self._has_come = trio.Event()

    def observe(self, tick: Tick) -> bool:
        self.ticks.append(tick)
        self.times.append(trio.current_time())
        if len(self.ticks) == self._wanted:
            self._has_come.set()
        return bool(self.wakes(tick))

    def interrupted(self, symbol: str, reason: str) -> None:
        self.interruptions.append((symbol, reason))

    async def wait_for(self, count: int) -> None:
        """Wait for the tick of this number."""
        if len(self.ticks) < count:
            self._wanted = count
            await self._has_come.wait()

    @property
    def prices(self) -> list[str]:
        return [str(tick.price) for tick in self.ticks]


class HandFeed:
    """A feed that does nothing by itself and remembers what was asked of it."""

    source: ClassVar[str] = "hand"

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.history: list[Candle] = []
        self.trades: list[Tick] = []
        self.page: int | None = None
        self.failures: list[Exception] = []
        self.gate: trio.Event | None = None

    async def run(self, market: object) -> None:
        await trio.sleep_forever()

    async def subscribe(self, symbol: str) -> None:
        self.calls.append(("subscribe", symbol))
        if self.gate is not None:
            await self.gate.wait()
        instrument(symbol)

    async def unsubscribe(self, symbol: str) -> None:
        self.calls.append(("unsubscribe", symbol))

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        self.calls.append(("candles", f"{symbol} {interval_seconds} {count}"))
        return self.history[-count:]

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        self.calls.append(("candles_since", f"{symbol} {interval_seconds}"))
        await self._answer()
        return [one for one in self.history if one.ends_at > since]

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        self.calls.append(("trades_from", f"{symbol} {trade_id}"))
        await self._answer()
        found = [one for one in self.trades if one.trade_id is not None and one.trade_id >= trade_id]
        begins = self.trades[0].trade_id if self.trades else None
        is_whole = begins is not None and begins <= trade_id
        return Trades(ticks=tuple(found[: self.page]), is_whole=is_whole)

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        self.calls.append(("trades_since", symbol))
        await self._answer()
        found = [one for one in self.trades if one.at >= at]
        is_whole = bool(self.trades) and self.trades[0].at <= at
        return Trades(ticks=tuple(found[: self.page]), is_whole=is_whole)

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)
