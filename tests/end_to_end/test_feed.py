"""The feed on real sockets against `robson emulator`: whatever the stream suffers, a watch sees each trade once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from robson.clock import RunClock
from robson.domain.values import Side
from robson.engine.groups import Seat
from robson.engine.trailing import Watch
from robson.feed.binance import connection
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.history import History
from robson.feed.binance.wire import Socket, open_socket
from robson.feed.fanout import FanOut
from robson.venue.binance.client import Client
from robson.venue.binance.opening import keep
from tests.end_to_end.daemon import PATIENCE_SECONDS
from tests.end_to_end.emulator import PAIR, Emulator

STALE_SECONDS, POLL_SECONDS = 0.5, 0.2
TRADES = 30
PAGE = 1000


class NotedWatch(Watch):
    """A watch that keeps each trade it was shown, in that order, and says when there is a new one."""

    __slots__ = ("news", "seen")

    def __init__(self) -> None:
        super().__init__(Side.LONG, Decimal(1), Decimal(2), Decimal(1_000_000_000))
        self.seen: list[tuple[int | None, Decimal]] = []
        self.news = trio.Event()

    def note(self, price: Decimal, trade_id: int | None) -> None:
        self.seen.append((trade_id, price))
        self.news.set()

    def observe(self, price: Decimal, trade_id: int | None = None) -> bool:
        self.note(price, trade_id)
        return super().observe(price, trade_id)

    def copy(self) -> "NotedWatch":
        return NotedWatch()

    def adopt(self, other: Watch) -> None:
        assert isinstance(other, NotedWatch)
        self.seen += other.seen
        super().adopt(other)
        self.news.set()


class Bench:
    """A feed, the fan-out and one watch in this process; the exchange in another."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.watch = NotedWatch()
        self.made = self.open = 0
        # The fewest that were open at once since the last look.
        self.fewest = 0
        self.asked = Decimal(50_000)

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Socket]:
        async with open_socket(url) as socket:
            self.made += 1
            self.open += 1
            try:
                yield socket
            finally:
                self.open -= 1
                self.fewest = min(self.fewest, self.open)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Bench"]:
        clock = RunClock()
        at = f"127.0.0.1:{self.emulator.port}"
        async with keep(Client(f"http://{at}", None, clock)) as client, trio.open_nursery() as nursery:
            feed = BinanceFeed(
                History(client),
                stream_url=f"ws://{at}",
                connect=self.connect,
                random=lambda: 1.0,
                stale_after_seconds=STALE_SECONDS,
                poll_seconds=POLL_SECONDS,
            )
            market = FanOut(feed, clock, STALE_SECONDS)
            nursery.start_soon(feed.run, market)
            nursery.start_soon(market.make_up)
            await market.subscribe(PAIR)
            attachment = market.attach(PAIR, self.watch, lambda _crossing: None)
            self._note_what_the_crowd_sees(market)
            with trio.fail_after(PATIENCE_SECONDS):
                await self.watch.news.wait()
            yield self
            attachment.detach()
            nursery.cancel_scope.cancel()

    def _note_what_the_crowd_sees(self, market: FanOut) -> None:
        """A watch that is live is shown nothing by itself: its crowd observes for it."""
        crowd = market._quotes[PAIR].longs
        observe = crowd.observe

        def noted(price: Decimal, trade_id: int | None) -> list[Seat]:
            if isinstance(self.watch.seat, Seat):
                self.watch.note(price, trade_id)
            return observe(price, trade_id)

        crowd.observe = noted  # type: ignore[method-assign]

    async def trade(self, times: int = TRADES) -> None:
        """Make up so many trades, each at a price of its own."""
        for _ in range(times):
            self.asked += 1
            self.emulator.trade_at(self.asked)
            await trio.lowlevel.checkpoint()

    async def caught_up(self) -> None:
        """Wait until the watch has seen the newest trade that the exchange knows."""
        newest = self.emulator.request("GET", f"/api/v3/aggTrades?symbol={PAIR}&limit=1")[1][-1]["a"]
        with trio.fail_after(PATIENCE_SECONDS):
            while (self.watch.seen[-1][0] or 0) < newest:
                self.watch.news = trio.Event()
                await self.watch.news.wait()

    async def connections(self, number: int) -> None:
        """Wait until so many connections were made in all; trades go on meanwhile."""
        with trio.fail_after(PATIENCE_SECONDS):
            while self.made < number:
                await self.trade(1)
                await trio.sleep(0.01)

    def assert_whole(self) -> None:
        """Consecutive and ascending, each exactly once, and each at the price that the exchange has on record."""
        ids = [number for number, _ in self.watch.seen]
        first, last = ids[0], ids[-1]
        assert first is not None
        assert last is not None
        assert ids == list(range(first, last + 1))
        record: dict[int, Decimal] = {}
        while len(record) < len(ids):
            start = first + len(record)
            page = self.emulator.request("GET", f"/api/v3/aggTrades?symbol={PAIR}&fromId={start}&limit={PAGE}")[1]
            record |= {row["a"]: Decimal(row["p"]) for row in page if row["a"] <= last}
        assert dict(self.watch.seen) == record


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    emulator = Emulator(tmp_path / "exchange", "--control", "--seed", "feed").start()
    yield Bench(emulator)
    emulator.end()


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        ("gap", {"times": 7}),
        ("duplicate", {"times": 10}),
        ("reorder", {"times": 5}),
        ("cut", {}),
        ("mute", {"seconds": 2}),
        ("shutdown", {"seconds": 1}),
    ],
)
async def test_no_trade_is_lost_reordered_or_shown_twice(bench: Bench, fault: str, more: dict[str, int]) -> None:
    async with bench.running():
        await bench.trade()
        await bench.caught_up()
        made, bench.fewest = bench.made, bench.open
        bench.emulator.arm(fault, **more)
        await bench.trade()
        if fault in {"cut", "mute", "shutdown"}:
            await bench.connections(made + 1)
        await bench.trade()
        await bench.caught_up()
        bench.assert_whole()
        assert len(bench.watch.seen) > 2 * TRADES
        assert bench.emulator.fired()[fault] >= 1
        if fault == "shutdown":
            assert bench.fewest >= 1, "the next connection was not up before the last one closed"
        if fault in {"gap", "duplicate", "reorder"}:
            assert bench.made == made


async def test_everything_at_once_and_again(bench: Bench) -> None:
    async with bench.running():
        for fault, more in (
            *(("gap", {"times": 3}), ("duplicate", {"times": 3}), ("reorder", {"times": 2}), ("cut", {})),
            *(("gap", {"times": 40}), ("mute", {"seconds": 1}), ("cut", {}), ("reorder", {"times": 9})),
            *(("shutdown", {"seconds": 0.5}), ("gap", {"times": 5}), ("duplicate", {"times": 25})),
        ):
            bench.emulator.arm(fault, **more)
            await bench.trade(10)
        bench.emulator.clear()
        await bench.trade()
        await bench.caught_up()
        bench.assert_whole()


async def test_a_connection_that_is_too_old_is_replaced_without_a_hole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ROTATE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "STABLE_SECONDS", 0.1)
    async with bench.running():
        bench.fewest = bench.open
        await bench.connections(4)
        await bench.caught_up()
        bench.assert_whole()
        assert bench.fewest >= 1
