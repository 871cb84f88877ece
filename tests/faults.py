"""A venue that fails on demand around a real one: replies lost, requests lost, executed late, denied for a while."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import trio

from robson.domain.account import Credit, InterestCharge, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.errors import InDoubt, Rejected, Unreachable, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import OrderSide, Role, Side
from robson.ports import OrderReport, OrderRequest, Reply, Venue
from robson.venue.ledger import Change, Pair, PairRules
from robson.venue.ledger.lending import borrow
from robson.venue.paper import PaperVenue

# The request's own way to the paper venue takes a part of its window.
LATE_MARGIN_SECONDS = 0.3


class FaultyVenue:
    """Each `place` takes the next planned fault; without one it passes straight through.

    reply_lost      executed, the answer never comes
    request_lost    never arrives, the answer never comes
    error_after     executed, then an ambiguous error
    late            an ambiguous error at once, executed just before the receive window ends, whoever still listens
    slow            the answer never comes, executed `slow_seconds` later: the venue took it in time
    loan_only       the loan of an entry is made, its order is lost
    error_before    not executed, an ambiguous error
    unreachable     not executed, and that is known
    refused         a definite no
    broken          the adapter itself fails after the order was executed
    """

    name: ClassVar[str] = "faulty"
    # Faults of requests that surely never reached the market: the same id may be sent again.
    never_arrive: ClassVar[frozenset[str]] = frozenset({"unreachable", "refused"})

    def __init__(self, inner: Venue) -> None:
        self.inner = inner
        self.faults: deque[str] = deque()
        self.requests: list[OrderRequest] = []
        # The faults that really hit an order.
        self.taken: Counter[str] = Counter()
        # The requests that may have arrived, by client order id.
        self.arrivals: list[str] = []
        self.hidden_until = 0.0
        self.slow_seconds = 6.0
        self.on_place: Callable[[OrderRequest], None] = lambda _request: None
        self.on_arrival: Callable[[str], None] = self.arrivals.append
        # What was handed and has no answer yet.
        self._departed: set[str] = set()
        self.is_connected = True

    def hand(self, request: OrderRequest) -> Reply | None:
        """As over a wire with one open connection: what has left goes its way, whatever becomes of the daemon."""
        if self._departed or not self.has_connection:
            return None
        self.on_place(request)
        request.first_bytes.append(trio.current_time())
        self._departed.add(request.client_order_id)
        self.has_departed(request)
        found: list[OrderReport | Exception] = []
        come = trio.Event()

        async def carry() -> None:
            self.has_come(request)
            try:
                found.append(await self.place(request))
            except Unreachable as error:
                # A byte has left: nobody can be sure.
                found.append(InDoubt(str(error)))
            except Exception as error:  # noqa: BLE001  as it is, it is for whoever waits
                found.append(error)
            finally:
                self._departed.discard(request.client_order_id)
                come.set()

        async def reply() -> OrderReport:
            await come.wait()
            if isinstance(found[0], Exception):
                raise found[0]
            return found[0]

        trio.lowlevel.spawn_system_task(carry)
        return reply

    def has_departed(self, request: OrderRequest) -> None:
        """From now on it is on its way by itself."""

    def has_come(self, request: OrderRequest) -> None:
        """And now it is there: what becomes of it is `place`'s."""

    @property
    def has_connection(self) -> bool:
        """Whether an exit can leave at once."""
        return self.is_connected and (not self.faults or self.faults[0] != "unreachable")

    def note_place(self, request: OrderRequest) -> None:
        """Somebody has sent this; once for each."""
        if request.client_order_id not in self._departed:
            self.on_place(request)

    async def place(self, request: OrderRequest) -> OrderReport:
        self.requests.append(request)
        self.note_place(request)
        fault = self.faults.popleft() if self.faults else ""
        if fault:
            self.taken[fault] += 1
        if fault not in self.never_arrive:
            self.on_arrival(request.client_order_id)
        match fault:
            case "reply_lost":
                await self.inner.place(request)
                await trio.sleep_forever()
            case "request_lost":
                await trio.sleep_forever()
            case "error_after":
                await self.inner.place(request)
                raise InDoubt("-1007: Timeout waiting for response from backend server.")
            case "late":
                trio.lowlevel.spawn_system_task(self._execute_late, request)
                raise InDoubt("-1007: Timeout waiting for response from backend server.")
            case "slow":
                trio.lowlevel.spawn_system_task(self._execute_slowly, request)
                await trio.sleep_forever()
            case "loan_only":
                if request.role is Role.ENTRY:
                    self._lend(request)
                raise InDoubt("-1001: Internal error; unable to process your request.")
            case "error_before":
                raise InDoubt("-1006: An unexpected response was received from the message bus.")
            case "unreachable":
                raise Unreachable("connection refused")
            case "refused":
                raise Rejected("-2010", "Account has insufficient balance for requested action.")
            case "broken":
                await self.inner.place(request)
                raise KeyError("orderId")
            case "":
                return await self.inner.place(request)
            case _:
                return await self.place_with(fault, request)
        raise AssertionError("unreachable: sleep_forever returned")

    async def place_with(self, fault: str, request: OrderRequest) -> OrderReport:
        """Faults that only a subclass knows."""
        raise AssertionError(fault)

    def _lend(self, request: OrderRequest) -> None:
        assert isinstance(self.inner, PaperVenue)

        def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
            if request.order_side is OrderSide.SELL:
                return borrow(pair, rules, pair.base_asset, request.quantity, now_ms)
            return borrow(pair, rules, pair.quote_asset, Decimal(1000), now_ms)

        with suppress(Rejected):
            self.inner._accounts.update(request.symbol, step)

    async def _execute_late(self, request: OrderRequest) -> None:
        await trio.sleep(request.receive_window_ms / 1000 - LATE_MARGIN_SECONDS)
        with suppress(VenueError):
            await self.inner.place(request)

    async def _execute_slowly(self, request: OrderRequest) -> None:
        await trio.sleep(self.slow_seconds)
        with suppress(VenueError):
            await self.inner.place(msgspec.structs.replace(request, timestamp_ms=self.inner.timestamp_ms()))

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        if trio.current_time() < self.hidden_until:
            return None
        return await self.inner.order(symbol, client_order_id)

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        if trio.current_time() < self.hidden_until:
            return []
        return await self.inner.orders(symbol, since)

    def timestamp_ms(self) -> int:
        return self.inner.timestamp_ms()

    async def server_time_ms(self) -> int:
        return await self.inner.server_time_ms()

    async def instrument(self, symbol: str) -> Instrument:
        return await self.inner.instrument(symbol)

    async def terms(self, symbol: str) -> PairTerms:
        return await self.inner.terms(symbol)

    async def account(self, symbol: str) -> PairAccount:
        return await self.inner.account(symbol)

    async def credit(self, symbol: str, side: Side) -> Credit:
        return await self.inner.credit(symbol, side)

    async def price(self, symbol: str) -> Decimal:
        return await self.inner.price(symbol)

    async def trades(self, symbol: str, **which: Any) -> Sequence[Trade]:
        if trio.current_time() < self.hidden_until:
            return []
        return await self.inner.trades(symbol, **which)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        return await self.inner.open_orders(symbol)

    async def repay(self, symbol: str, asset: str, amount: Decimal) -> None:
        await self.inner.repay(symbol, asset, amount)

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        return await self.inner.interest(symbol, since)

    async def order_of(self, symbol: str, venue_order_id: str) -> OrderReport | None:
        if trio.current_time() < self.hidden_until:
            return None
        return await self.inner.order_of(symbol, venue_order_id)

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        return await self.inner.liquidations(symbol, since)
