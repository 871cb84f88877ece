"""A whole daemon in one process on simulated time: real positions, executor, journal, paper venue; scripted ticks."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
import trio

from robson.daemon.desk import Desk
from robson.daemon.record import Record
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.daemon.window import Identity
from robson.detectors.registry import Registry
from robson.domain.events import EVENT_TYPES, Fact, read_event
from robson.domain.market import Candle, Tick, Trades
from robson.domain.position import Position
from robson.domain.values import PositionId, Side
from robson.engine.evolve import fold
from robson.executor.executor import Executor
from robson.feed.fanout import FanOut
from robson.ports import Journal, Seal, Venue
from robson.ports.feed import Market
from robson.protocol import requests as ask
from robson.protocol import results as give
from robson.protocol.operations import Caller, Ticket
from robson.store.memory import MemoryJournal
from robson.store.seal import FileSeal
from robson.venue.account_file import AccountFile
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue

START = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
NOBODY = Caller(uid=0, pid=0, gid=0)


class SimulatedClock:
    """Wall time that follows Trio's (mock) clock from START; `ahead` is by how much it was set forward."""

    ahead = timedelta(0)

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return START + self.ahead + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()


class ScriptedFeed:
    """A feed whose ticks the test sends."""

    source: ClassVar[str] = "scripted"

    def __init__(self) -> None:
        self.kept: dict[str, list[Tick]] = {}
        # How many of the newest trades can still be asked for; all of them without a limit.
        self.window: int | None = None
        # Asked for the past it waits for this, or raises that.
        self.gate: dict[str, trio.Event] = {}
        self.broken: Exception | None = None
        self.fails: Exception | None = None

    async def run(self, market: Market) -> None:
        await trio.sleep_forever()

    async def subscribe(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.fails is not None:
            raise self.fails

    async def unsubscribe(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        await trio.lowlevel.checkpoint()
        return []

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        await self._past(symbol)
        length = timedelta(seconds=interval_seconds)
        traded = [tick for tick in self.kept.get(symbol, []) if tick.trade_id is not None]
        if not traded or traded[-1].at < since:
            return []
        found = []
        for opened_at, part in groupby(traded, lambda tick: tick.at - (tick.at - START) % length):
            prices = [tick.price for tick in part]
            candle = Candle(
                symbol=symbol,
                opened_at=opened_at,
                interval_seconds=interval_seconds,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[-1],
            )
            if candle.ends_at > since:
                found.append(candle)
        return found

    async def trades_from(self, symbol: str, trade_id: int) -> Trades:
        await self._past(symbol)
        return self._trades(symbol, lambda tick: tick.trade_id is not None and tick.trade_id >= trade_id)

    async def trades_since(self, symbol: str, at: datetime) -> Trades:
        await self._past(symbol)
        return self._trades(symbol, lambda tick: tick.trade_id is not None and tick.at >= at)

    async def _past(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        if symbol in self.gate:
            await self.gate[symbol].wait()
        if self.broken is not None:
            raise self.broken

    def _trades(self, symbol: str, is_wanted: Callable[[Tick], bool]) -> Trades:
        wanted = [tick for tick in self.kept.get(symbol, []) if is_wanted(tick)]
        given = wanted if self.window is None else wanted[max(0, len(wanted) - self.window) :]
        return Trades(ticks=tuple(given), is_whole=len(given) == len(wanted))


class Rig:
    """One run of the daemon; build another one on the same journal and account to model a restart."""

    def __init__(
        self,
        directory: Path,
        *,
        journal: Journal | None = None,
        wrap: Callable[[Venue], Venue] = lambda venue: venue,
        settings: PaperSettings | None = None,
        feed: ScriptedFeed | None = None,
        clock: SimulatedClock | None = None,
        venue_clock: SimulatedClock | None = None,
        prices: Callable[[str], Decimal | None] | None = None,
        account: AccountFile | None = None,
        seal: Seal | None = None,
        on_gap: Literal["exit", "forgive"] = "exit",
    ) -> None:
        self.clock = clock or SimulatedClock()
        self.feed = feed or ScriptedFeed()
        self.journal = journal or MemoryJournal()
        self.market = FanOut(self.feed, self.clock, 10.0, on_gap=on_gap)
        self.paper = PaperVenue(
            account or AccountFile.open(directory / "paper-account.db"),
            clock=venue_clock or self.clock,
            prices=prices or self.market.prices,
            settings=settings or PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0)),
            seed=1,
        )
        self.venue = wrap(self.paper)
        hand = self.venue.hand if isinstance(self.venue, FaultyVenue) else None
        self.executor = Executor(self.venue, self.clock, hand)
        recovery = self.journal.recover()
        self.record = Record(
            self.journal, recovery, self.clock, seal or FileSeal(directory, place=directory, boot_id="1")
        )
        ids = count(1)
        epoch = recovery.epoch
        self.around = Surroundings(
            clock=self.clock,
            venue=self.venue,
            market=self.market,
            record=self.record,
            executor=self.executor,
            strategies=Registry(),
            process_age=trio.current_time,
            new_id=lambda: f"{epoch:04x}{next(ids):028x}",
            slippage=self.paper,
        )
        self.supervisor = Supervisor(self.around)
        self.supervisor.adopt_recovered(recovery)
        self.desk = Desk(self.supervisor, Identity("0", "paper", Decimal(10_000), Decimal(1)))
        self._trade_ids = count(
            max([tick.trade_id or 0 for kept in self.feed.kept.values() for tick in kept], default=0) + 1
        )

    @asynccontextmanager
    async def running(self, *, recovered: bool = True) -> AsyncIterator["Rig"]:
        """The daemon runs inside; leaving the block is the end of the process: nothing is flushed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.executor.run, self.supervisor.book)
            await nursery.start(self.supervisor.run)
            if recovered:
                await self.supervisor.recovered.wait()
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()
        self.paper.close()

    # --- the market --------------------------------------------------------------------------------------------------

    def tick(self, price: str | Decimal, symbol: str = "BTCUSDT", *, polled: bool = False) -> bool:
        """One trade at a price."""
        tick = self._trade(price, symbol, polled=polled)
        self.paper.observe(symbol, tick.price)
        return self.market.observe(tick)

    def lose(self, price: str | Decimal, symbol: str = "BTCUSDT") -> None:
        """One trade that the stream does not deliver; the source knows it when it is asked."""
        self._trade(price, symbol)

    def _trade(self, price: str | Decimal, symbol: str, *, polled: bool = False) -> Tick:
        trade_id = None if polled else next(self._trade_ids)
        tick = Tick(
            symbol=symbol,
            price=Decimal(price),
            quantity=Decimal(1),
            trade_id=trade_id,
            at=self.clock.now(),
            polled=polled,
        )
        self.feed.kept.setdefault(symbol, []).append(tick)
        return tick

    # --- the operator ------------------------------------------------------------------------------------------------

    async def arm(
        self,
        symbol: str = "BTCUSDT",
        side: Side = Side.LONG,
        strategy: str = "signal",
        ticket: Ticket | None = None,
        **more: Any,
    ) -> str:
        request = ask.ArmRequest(symbol=symbol, side=side, strategy=strategy, **more)
        return (await self.desk.arm(request, NOBODY, ticket)).position_id

    async def signal(
        self, position_id: str, entry: str, stop: str, signal_id: str | None = None, ticket: Ticket | None = None
    ) -> give.SignalResult:
        request = ask.SignalRequest(position_id=position_id, entry_price=entry, stop_price=stop, signal_id=signal_id)
        return await self.desk.signal(request, NOBODY, ticket)

    async def close(self, position_id: str) -> give.CloseResult:
        return await self.desk.close(ask.CloseRequest(position_id=position_id), NOBODY, None)

    async def panic(self) -> give.PanicResult:
        return await self.desk.panic(ask.PanicRequest(), NOBODY, None)

    async def view(self, position_id: str) -> give.PositionView:
        status = await self.desk.status(ask.StatusRequest(position_id=position_id), NOBODY)
        return status.positions[0]

    async def orders_check(self) -> give.Check:
        """What `health` says of orders."""
        return (await self.desk.health(ask.HealthRequest(), NOBODY)).checks["orders"]

    # --- what happened -----------------------------------------------------------------------------------------------

    def position(self, position_id: str) -> Position:
        life = self.supervisor.lives.get(position_id)
        if life is not None:
            return life.position
        position = self.journal.position(position_id)
        assert position is not None, position_id
        return position

    async def until(self, position_id: str, state: str, seconds: float = 60.0) -> Position:
        """Wait until the position is in a state."""
        with trio.fail_after(seconds):
            while (position := self.position(position_id)).state_name != state:
                await self.record.wait_events(self.record.last_seq)
        return position

    def reopened(self) -> MemoryJournal:
        """The journal as the next run finds it."""
        assert isinstance(self.journal, MemoryJournal), self.journal
        return self.journal.reopened()

    def events(self, position_id: str | None = None) -> list[str]:
        """The names of the committed rows, all or one position's."""
        return [row.type for row in self.journal.events() if position_id in (None, row.position_id)]

    def folded(self, position_id: str) -> Position:
        """The position folded from the rows that clients see."""
        return folded(self.journal, position_id)

    async def active(
        self,
        side: Side = Side.LONG,
        symbol: str = "BTCUSDT",
        entry: str = "95000",
        stop: str = "93500",
        **more: Any,
    ) -> str:
        """A position in the market, entered at a price."""
        position_id = await self.arm(symbol, side, **more)
        self.tick(entry, symbol)
        result = await self.signal(position_id, entry, stop)
        assert result.accepted, result
        await self.until(position_id, "Active")
        return position_id


def forget_filters(rig: Rig) -> None:
    """Leave the journal as a version did that kept no filters: the next run has to be told them."""
    assert isinstance(rig.journal, MemoryJournal), rig.journal
    rig.journal._contents.instruments.clear()


def folded(journal: Journal, position_id: str) -> Position:
    """One position folded from a journal's committed rows, as any client could do it."""
    rows = journal.events(position_id=PositionId(position_id), limit=1_000_000)
    return fold(
        Fact(position_id=PositionId(position_id), at=row.at, event=read_event(row.type, msgspec.json.encode(row.data)))
        for row in rows
        if row.type in EVENT_TYPES
    )
