"""A venue in bad weather: besides faults of single orders every reading may be late, slow, wrong or refused."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, ClassVar, TypeVar

import msgspec
import trio

from robson.domain.account import Credit, InterestCharge, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.errors import InDoubt, RateLimited, Rejected, Unreachable, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import ZERO, Side
from robson.ports import OrderReport, OrderRequest
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import Change, OrderTicket, Pair, PairRules, SideEffect, place
from robson.venue.ledger.units import from_ms
from robson.venue.liquidity import book
from robson.venue.paper import PaperVenue
from tests.faults import LATE_MARGIN_SECONDS, FaultyVenue
from tests.simulation.accounts import MemoryAccounts
from tests.simulation.weather import Weather

T = TypeVar("T")
# The venue may work on an accepted request for ten seconds; a part of it goes to the request's way.
WORKS_SECONDS = 9.0


class RoughVenue(FaultyVenue):
    """A paper venue in a life's weather.

    very_late       accepted in time, executed up to nine seconds later
    slow_reply      executed, answered after up to eleven seconds
    slow_request    arrives up to five seconds late, which may be outside of its window
    unpriced        FILLED without prices and trades
    unknown_status  executed, answered with a status that nobody knows and without its loan
    rate_limited    not now
    short_of_funds  a definite no for want of balance
    no_repay        AUTO_REPAY does not repay, and says nothing
    """

    never_arrive: ClassVar[frozenset[str]] = FaultyVenue.never_arrive | {"rate_limited", "short_of_funds", "down"}

    def __init__(self, inner: PaperVenue, weather: Weather, accounts: MemoryAccounts) -> None:
        super().__init__(inner)
        self.paper = inner
        self.weather = weather
        self.accounts = accounts
        # How many requests of an id may still execute, whoever still listens; shared by all runs of a life.
        self.under_way: Counter[str] = Counter()
        self._travel = inner.place
        inner.place = self._travel_counted  # type: ignore[method-assign]

    # --- orders ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _on_its_way(self, request: OrderRequest) -> Iterator[None]:
        self.under_way[request.client_order_id] += 1
        try:
            yield
        finally:
            self.under_way[request.client_order_id] -= 1

    async def _travel_counted(self, request: OrderRequest) -> OrderReport:
        with self._on_its_way(request):
            return await self._travel(request)

    def has_departed(self, request: OrderRequest) -> None:
        self.under_way[request.client_order_id] += 1
        self.weather.counts["order: left with its decision"] += 1

    def has_come(self, request: OrderRequest) -> None:
        self.under_way[request.client_order_id] -= 1

    @property
    def has_connection(self) -> bool:
        return super().has_connection and self.weather.left("down") <= 0

    async def place(self, request: OrderRequest) -> OrderReport:
        if self._breaks_filters(request) and self.weather.left("down") <= 0:
            self.weather.counts["order: refused by changed filters"] += 1
            self.note_place(request)
            raise Rejected("-1013", "Filter failure: LOT_SIZE")
        if self.weather.left("down") > 0:
            self.faults.appendleft(self.weather.random.choice(("down", "down", "request_lost", "error_before")))
        elif self.weather.strikes("rate_limited", 0.5):
            self.faults.appendleft("rate_limited")
        report = await super().place(request)
        if report.status == "EXPIRED" and report.executed > 0:
            self.weather.counts["order: expired in part"] += 1
        return report

    async def place_with(self, fault: str, request: OrderRequest) -> OrderReport:
        random = self.weather.random
        match fault:
            case "very_late":
                self._later(request)
                raise InDoubt("-1007: Timeout waiting for response from backend server.")
            case "slow_reply":
                report = await self.inner.place(request)
                await trio.sleep(random.uniform(0.5, 11))
                return report
            case "slow_request":
                with self._on_its_way(request):
                    await trio.sleep(random.uniform(0.5, 5))
                    return await self.inner.place(request)
            case "unpriced":
                report = await self.inner.place(request)
                return msgspec.structs.replace(report, executed_quote=None, trades=())
            case "unknown_status":
                report = await self.inner.place(request)
                return msgspec.structs.replace(
                    report, status="PENDING_REPORT", executed=ZERO, executed_quote=None, trades=(), borrowed={}
                )
            case "rate_limited":
                raise RateLimited("-1003", "Too many requests.", retry_after_seconds=random.uniform(0.5, 12))
            case "short_of_funds":
                raise Rejected("-2010", "Account has insufficient balance for requested action.")
            case "down":
                await trio.sleep(random.uniform(0, 3))
                raise Unreachable("connection refused")
            case "no_repay":
                return await self._place_without_repaying(request)
            case _:
                pass
        raise AssertionError(fault)

    def _later(self, request: OrderRequest) -> None:
        accepted = request.receive_window_ms / 1000 - LATE_MARGIN_SECONDS
        delay = self.weather.random.uniform(0, accepted + WORKS_SECONDS)
        trio.lowlevel.spawn_system_task(self._execute_after, request, delay)

    async def _execute_after(self, request: OrderRequest, delay: float) -> None:
        with self._on_its_way(request), suppress(VenueError):
            await trio.sleep(delay)
            late = msgspec.structs.replace(request, timestamp_ms=self.inner.timestamp_ms())
            await self.inner.place(late)

    async def _execute_late(self, request: OrderRequest) -> None:
        with self._on_its_way(request):
            await super()._execute_late(request)

    async def _execute_slowly(self, request: OrderRequest) -> None:
        with self._on_its_way(request):
            await super()._execute_slowly(request)

    async def _place_without_repaying(self, request: OrderRequest) -> OrderReport:
        paper = self.paper
        effect = SideEffect.AUTO_REPAY if request.role.value == "exit" else SideEffect.MARGIN_BUY
        ticket = OrderTicket(
            client_order_id=request.client_order_id,
            side=request.order_side,
            quantity=request.quantity,
            side_effect=effect,
        )

        def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
            levels = book(
                paper._settings, rules.instrument, ticket.side, ticket.quantity, pair.priced(), Random(now_ms)
            )
            return place(pair, rules, ticket, levels, now_ms, repays=False)

        await trio.sleep(0.05)
        paper._accounts.update(request.symbol, step)
        report = await self.inner.order(request.symbol, request.client_order_id)
        assert report is not None
        loans = self.accounts.newest_order(request.symbol, request.client_order_id)
        assert loans is not None
        borrowed = {loans.borrowed_asset: loans.borrowed} if loans.borrowed_asset else {}
        return msgspec.structs.replace(report, borrowed=borrowed)

    # --- readings ----------------------------------------------------------------------------------------------------

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        weather, random = self.weather, self.weather.random
        if weather.left("down") > 0:
            weather.counts["reading: venue down"] += 1
            await trio.sleep(random.choice((0.05, random.uniform(1, 15))))
            raise Unreachable("connection refused")
        if weather.strikes("rate_limited", 0.7):
            weather.counts["reading: rate limited"] += 1
            raise RateLimited("-1003", "Too many requests.", retry_after_seconds=random.uniform(0.2, 10))
        if weather.strikes("slow", 0.8):
            weather.counts["reading: slow"] += 1
            await trio.sleep(random.uniform(0.2, 7))
        return await call()

    def _shown_until(self, of: str) -> datetime:
        return from_ms(self.inner.timestamp_ms()) - timedelta(seconds=self.weather.lag(of))

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        report = await self._ask(lambda: FaultyVenue.order(self, symbol, client_order_id))
        return self._shown(report) if report is not None else None

    async def order_of(self, symbol: str, venue_order_id: str) -> OrderReport | None:
        report = await self._ask(lambda: FaultyVenue.order_of(self, symbol, venue_order_id))
        shown = self._shown(report) if report is not None else None
        if shown is None:
            self.weather.counts["reading: order of a trade not shown"] += 1
        return shown

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        weather = self.weather
        reports = await self._ask(lambda: FaultyVenue.orders(self, symbol, since))
        shown = [report for one in reports if (report := self._shown(one)) is not None]
        if len(shown) < len(reports):
            weather.counts["reading: orders missing in the list"] += 1
        if len(shown) > 1 and weather.strikes("fills", 0.5):
            weather.counts["reading: orders out of order"] += 1
            weather.random.shuffle(shown)
        return shown

    def _shown(self, report: OrderReport) -> OrderReport | None:
        """An order as the records have it now."""
        weather = self.weather
        if report.at > self._shown_until("orders"):
            weather.counts["reading: order not shown yet"] += 1
            return None
        if weather.strikes("fields", 0.3):
            weather.counts["reading: order of unknown status"] += 1
            return msgspec.structs.replace(report, status="PENDING_REPORT", executed_quote=None)
        if weather.strikes("fields", 0.5):
            weather.counts["reading: order without prices"] += 1
            return msgspec.structs.replace(report, executed_quote=None)
        return report

    async def trades(self, symbol: str, **which: Any) -> Sequence[Trade]:
        weather = self.weather
        trades = list(await self._ask(lambda: FaultyVenue.trades(self, symbol, **which)))
        shown = [trade for trade in trades if trade.at <= self._shown_until("trades")]
        if len(shown) < len(trades):
            weather.counts["reading: trades not shown yet"] += 1
        if shown and weather.strikes("fills", 0.4):
            weather.counts["reading: a trade twice"] += 1
            shown.append(weather.random.choice(shown))
        if len(shown) > 1 and weather.strikes("fills", 0.5):
            weather.counts["reading: trades out of order"] += 1
            weather.random.shuffle(shown)
        return shown

    async def account(self, symbol: str) -> PairAccount:
        account = await self._ask(lambda: self.inner.account(symbol))
        if self.weather.lag("account") > 0:
            earlier = self.accounts.account_at(symbol, self._shown_until("account"))
            if earlier is not None and earlier != account:
                self.weather.counts["reading: account behind"] += 1
                return earlier
        return account

    def timestamp_ms(self) -> int:
        return self.inner.timestamp_ms() + self.weather.clock_error_ms

    async def server_time_ms(self) -> int:
        return await self._ask(self.inner.server_time_ms)

    async def instrument(self, symbol: str) -> Instrument:
        filters = self._filtered(await self._ask(lambda: self.inner.instrument(symbol)))
        self.weather.filters_told[symbol].append((trio.current_time(), filters))
        return filters

    def _filtered(self, instrument: Instrument) -> Instrument:
        """The filters as the weather has them now: whoever keeps to them keeps to the venue's own, too."""
        coarser = self.weather.step_factor
        if coarser == 1:
            return instrument
        step = instrument.step_size * coarser
        return msgspec.structs.replace(instrument, step_size=step, minimum_quantity=step)

    def _breaks_filters(self, request: OrderRequest) -> bool:
        return request.quantity % self._filtered(builtin_instrument(request.symbol)).step_size != 0

    async def terms(self, symbol: str) -> PairTerms:
        return await self._ask(lambda: self.inner.terms(symbol))

    async def credit(self, symbol: str, side: Side) -> Credit:
        return await self._ask(lambda: self.inner.credit(symbol, side))

    async def price(self, symbol: str) -> Decimal:
        return await self._ask(lambda: self.inner.price(symbol))

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        return await self._ask(lambda: self.inner.open_orders(symbol))

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        records = await self._ask(lambda: self.inner.liquidations(symbol, since))
        shown = [record for record in records if record.at <= self._shown_until("trades")]
        if len(shown) < len(records):
            self.weather.counts["reading: liquidation not shown yet"] += 1
        return shown

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        charges = await self._ask(lambda: self.inner.interest(symbol, since))
        shown = [charge for charge in charges if charge.at <= self._shown_until("interest")]
        if len(shown) < len(charges):
            self.weather.counts["reading: interest not shown yet"] += 1
        return shown

    async def repay(self, symbol: str, asset: str, amount: Decimal) -> None:
        weather = self.weather
        if weather.strikes("repay", 0.4):
            weather.counts["repay: refused"] += 1
            raise Rejected("-3007", "You have pending transaction, please try again later.")
        lost = weather.strikes("repay", 0.4)
        if lost and weather.random.random() < 0.5:
            weather.counts["repay: request lost"] += 1
            raise InDoubt("-1007: Timeout waiting for response from backend server.")
        await self._ask(lambda: self.inner.repay(symbol, asset, amount))
        if lost:
            weather.counts["repay: reply lost"] += 1
            raise InDoubt("-1007: Timeout waiting for response from backend server.")
