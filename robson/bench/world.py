"""The daemon without a network: its positions, journal and executor, a feed by hand, and a venue that only listens."""

import gc
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import ClassVar

import structlog
import trio

from robson.bench.lives import ENTRY_PRICE, LAST_TRADE, SYMBOL, open_journal
from robson.clock import RunClock
from robson.daemon.record import Record
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.detectors.registry import Registry
from robson.domain.account import Credit, InterestCharge, Leg, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.instrument import Instrument
from robson.domain.market import Candle, Tick, Trades
from robson.domain.values import Side
from robson.executor import executor
from robson.executor.executor import Executor
from robson.feed.fanout import FanOut
from robson.ports import OrderReport, OrderRequest
from robson.ports.feed import Market
from robson.venue.instruments import builtin_instrument


class QuietFeed:
    """A source whose ticks the benchmark sends, and that has missed none."""

    source: ClassVar[str] = "bench"

    async def run(self, market: Market) -> None:
        """Deliver nothing."""
        await trio.sleep_forever()

    async def subscribe(self, symbol: str) -> None:
        """Nothing to do."""
        await trio.lowlevel.checkpoint()

    async def unsubscribe(self, symbol: str) -> None:
        """Nothing to do."""
        await trio.lowlevel.checkpoint()

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """None."""
        return []

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """None."""
        return []

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        """None."""
        await trio.lowlevel.checkpoint()
        return Trades()

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        """None."""
        await trio.lowlevel.checkpoint()
        return Trades()


class ListeningVenue:
    """Takes orders, notes when each was handed to it, and does not answer."""

    name: ClassVar[str] = "bench"

    def __init__(self, holding: Decimal) -> None:
        """`holding` is the base that the account shows."""
        self._account = PairAccount(symbol=SYMBOL, base=Leg(free=holding), quote=Leg(free=Decimal(10_000_000)))
        self._wanted = 0
        self.handed: list[tuple[float, OrderRequest]] = []
        self.all_handed = trio.Event()

    def want(self, orders: int) -> None:
        """Begin to count: `all_handed` is set by the last of so many."""
        self.handed, self._wanted, self.all_handed = [], orders, trio.Event()

    def timestamp_ms(self) -> int:
        """The machine's time."""
        return int(RunClock().now().timestamp() * 1000)

    async def server_time_ms(self) -> int:
        """The same."""
        return self.timestamp_ms()

    async def instrument(self, symbol: str) -> Instrument:
        """The pair's filters."""
        await trio.lowlevel.checkpoint()
        return builtin_instrument(symbol)

    async def terms(self, symbol: str) -> PairTerms:
        """The usual ones."""
        await trio.lowlevel.checkpoint()
        return PairTerms()

    async def account(self, symbol: str) -> PairAccount:
        """The account as given."""
        await trio.lowlevel.checkpoint()
        return self._account

    async def credit(self, symbol: str, side: Side) -> Credit:
        """Unknown."""
        return Credit()

    async def price(self, symbol: str) -> Decimal:
        """The entry's."""
        return ENTRY_PRICE

    async def place(self, request: OrderRequest) -> OrderReport:
        """Note the moment; the answer never comes."""
        self.handed.append((time.perf_counter(), request))
        if len(self.handed) == self._wanted:
            self.all_handed.set()
        await trio.sleep_forever()
        raise AssertionError

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Unknown."""
        await trio.sleep_forever()
        return None

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        """None."""
        return ()

    async def order_of(self, symbol: str, venue_order_id: str) -> OrderReport | None:
        """Unknown."""
        return None

    async def trades(
        self,
        symbol: str,
        *,
        venue_order_id: str | None = None,
        from_id: int | None = None,
        since: datetime | None = None,
    ) -> Sequence[Trade]:
        """None."""
        return ()

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """None."""
        return ()

    async def repay(self, symbol: str, asset: str, amount: Decimal) -> None:
        """Nothing is owed."""

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        """None."""
        return ()

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        """None."""
        return ()


class _WholeSeal:
    """Every order of earlier runs is known."""

    def is_whole(self, epoch: int) -> bool:
        """It is."""
        return True

    def apply(self, epoch: int) -> None:
        """It is."""

    def tear(self) -> None:
        """It is."""


class World:
    """One run of the daemon on a prepared journal."""

    def __init__(self, path: Path) -> None:
        # What the log says is not what is measured here; it goes to a pipe in real life.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        # As `robson run` does.
        gc.collect()
        gc.freeze()
        # This venue never answers, and what doubt costs is not measured either.
        executor.EXIT_DOUBT_SECONDS = 3600.0
        clock = RunClock()
        self.journal = open_journal(path)
        recovery = self.journal.recover()
        entries = [position.entry for position in recovery.positions if position.entry is not None]
        fees = [entry.fees_by_asset.get("BTC", Decimal(0)) for entry in entries]
        self.venue = ListeningVenue(sum((entry.quantity for entry in entries), Decimal(0)) - sum(fees))
        self.market = FanOut(QuietFeed(), clock, 3600.0)
        self.executor = Executor(self.venue, clock)
        ids = count(1)
        self.around = Surroundings(
            clock=clock,
            venue=self.venue,
            market=self.market,
            record=Record(self.journal, recovery, clock, _WholeSeal()),
            executor=self.executor,
            strategies=Registry(),
            new_id=lambda: f"{next(ids):032x}",
        )
        self.supervisor = Supervisor(self.around)
        self.supervisor.adopt_recovered(recovery)
        self._trade_ids = count(LAST_TRADE + 1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        """Every position is recovered and watched inside."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.executor.run, self.supervisor.book)
                await nursery.start(self.supervisor.run)
                await self.supervisor.recovered.wait()
                yield self
                nursery.cancel_scope.cancel()
        finally:
            self.journal.close()

    def next_tick(self, price: Decimal) -> Tick:
        """The next trade, at a price."""
        return Tick(
            symbol=SYMBOL,
            price=price,
            quantity=Decimal(1),
            trade_id=next(self._trade_ids),
            at=self.around.clock.now(),
        )
