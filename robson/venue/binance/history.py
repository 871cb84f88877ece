"""The exchange's records of the past, page by page: trades, orders, interest, loans, liquidations."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from robson.domain.account import InterestCharge, Liquidation, Trade
from robson.ports.venue import OrderReport
from robson.venue.binance import codec, endpoints, lending
from robson.venue.binance.client import Client
from robson.venue.binance.endpoints import Endpoint
from robson.venue.binance.lending import LoanRecord
from robson.venue.binance.signing import Parameter
from robson.venue.ledger.units import to_ms

T = TypeVar("T")
R = TypeVar("R", Trade, OrderReport)

TRADES_PER_PAGE = 1_000
ORDERS_PER_PAGE = 500
RECORDS_PER_PAGE = 100
# The exchange refuses more than a day of trades or orders at once, and more than thirty days of records.
DAY_MS = 86_400_000
RECORDS_SPAN_MS = 30 * DAY_MS
# A longer past is not searched: day by day, an empty one would cost more weight than a minute allows.
TRADES_REACH_MS = 90 * DAY_MS
ORDERS_REACH_MS = 30 * DAY_MS
RECORDS_REACH_MS = 180 * DAY_MS
# Our clock is a little behind the exchange's: the newest record must not lie after the end that is asked for.
END_SLACK_MS = 60_000


class History:
    """Reads whole lists; the exchange gives them in pages, and of a bounded time."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def trades(
        self, symbol: str, *, venue_order_id: str | None, from_id: int | None, since: datetime | None
    ) -> Sequence[Trade]:
        """Our executions that meet every given condition, oldest first; the latest page without any condition."""
        of_order: list[tuple[str, Parameter]] = [] if venue_order_id is None else [("orderId", venue_order_id)]
        if venue_order_id is None and from_id is None and since is not None:
            found = await self._first_page(
                symbol, since, TRADES_REACH_MS, TRADES_PER_PAGE, self._trades_page, lambda trade: trade.trade_id
            )
            if found:
                after = max(trade.trade_id for trade in found) + 1
                found += await self._trades_on(symbol, [], await self._trades_page(symbol, [("fromId", after)]))
        else:
            start: list[tuple[str, Parameter]] = [] if from_id is None else [("fromId", from_id)]
            first = await self._trades_page(symbol, [*of_order, *start])
            found = first if not of_order and not start else await self._trades_on(symbol, of_order, first)
        by_id = {
            trade.trade_id: trade
            for trade in found
            if (since is None or trade.at >= since)
            and (from_id is None or trade.trade_id >= from_id)
            and (venue_order_id is None or trade.venue_order_id == venue_order_id)
        }
        return tuple(by_id[trade_id] for trade_id in sorted(by_id))

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        """All orders placed since a time, oldest first."""
        page = await self._first_page(
            symbol, since, ORDERS_REACH_MS, ORDERS_PER_PAGE, self._orders_page, lambda order: int(order.venue_order_id)
        )
        by_id: dict[int, OrderReport] = {}
        while page:
            new = {int(order.venue_order_id): order for order in page if int(order.venue_order_id) not in by_id}
            by_id |= new
            if not new:
                break
            page = await self._orders_page(symbol, [("orderId", max(by_id) + 1)])
        return tuple(by_id[order_id] for order_id in sorted(by_id))

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        """Interest charges since a time, oldest first."""
        found = await self._records(endpoints.INTEREST, symbol, [], since, codec.interest)
        return tuple(sorted((charge for charge in found if charge.at >= since), key=lambda charge: charge.at))

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        """Forced liquidations since a time, oldest first."""
        found = await self._records(endpoints.LIQUIDATIONS, symbol, [], since, codec.liquidations)
        return tuple(sorted((one for one in found if one.at >= since), key=lambda one: one.at))

    async def loans(self, symbol: str, asset: str, since: datetime) -> Sequence[LoanRecord]:
        """Borrowings and repayments of an asset since a time, oldest first."""
        found: list[LoanRecord] = []
        for kind in ("BORROW", "REPAY"):
            which: list[tuple[str, Parameter]] = [("type", kind), ("asset", asset)]
            found += await self._records(endpoints.LOAN_RECORDS, symbol, which, since, lending.loan_records)
        return tuple(sorted((one for one in found if one.at >= since), key=lambda one: one.at))

    async def _trades_page(self, symbol: str, which: list[tuple[str, Parameter]]) -> list[Trade]:
        parameters = [("symbol", symbol), ("isIsolated", "TRUE"), *which, ("limit", TRADES_PER_PAGE)]
        return await self._client.call(endpoints.TRADES, parameters, codec.trades)

    async def _orders_page(self, symbol: str, which: list[tuple[str, Parameter]]) -> list[OrderReport]:
        parameters = [("symbol", symbol), ("isIsolated", "TRUE"), *which, ("limit", ORDERS_PER_PAGE)]
        return await self._client.call(
            endpoints.ALL_ORDERS, parameters, lambda document: codec.orders(document, symbol)
        )

    async def _trades_on(self, symbol: str, which: list[tuple[str, Parameter]], page: list[Trade]) -> list[Trade]:
        """The page and all that follow it, by id."""
        found = list(page)
        while len(page) >= TRADES_PER_PAGE:
            after = max(trade.trade_id for trade in page) + 1
            page = await self._trades_page(symbol, [*which, ("fromId", after)])
            found += page
        return found

    async def _first_page(
        self,
        symbol: str,
        since: datetime,
        reach_ms: int,
        per_page: int,
        page_of: Callable[[str, list[tuple[str, Parameter]]], Awaitable[list[R]]],
        id_of: Callable[[R], int],
    ) -> list[R]:
        """The earliest page since a time that holds something, searched day by day."""
        now = self._client.timestamp_ms()
        start = max(to_ms(since), now - reach_ms)
        while True:
            page = await page_of(symbol, [("startTime", start), ("endTime", start + DAY_MS - 1)])
            if page or start + DAY_MS > now:
                break
            start += DAY_MS
        # Whether a full page is the span's beginning or its end is documented nowhere: look before it.
        while len(page) >= per_page:
            first = min(page, key=id_of)
            earlier = await page_of(symbol, [("startTime", start), ("endTime", to_ms(first.at))])
            if min(map(id_of, earlier), default=id_of(first)) >= id_of(first):
                break
            page = earlier
        return page

    async def _records(
        self,
        endpoint: Endpoint,
        symbol: str,
        which: list[tuple[str, Parameter]],
        since: datetime,
        decode: Callable[[Any], list[T]],
    ) -> list[T]:
        """Rows of a paged list since a time; one that slid onto the next page meanwhile is counted once."""
        end = self._client.timestamp_ms() + END_SLACK_MS
        start = max(to_ms(since), end - RECORDS_REACH_MS)
        found: dict[str, T] = {}

        def keyed(document: Any) -> dict[str, T]:
            raw = document.get("rows", []) if isinstance(document, dict) else document
            return {repr(row): read for row, read in zip(raw, decode(document), strict=True)}

        while start <= end:
            until, page = min(start + RECORDS_SPAN_MS - 1, end), 1
            while True:
                window = [("startTime", start), ("endTime", until), ("current", page), ("size", RECORDS_PER_PAGE)]
                parameters = [("isolatedSymbol", symbol), *which, *window]
                rows = await self._client.call(endpoint, parameters, keyed)
                found |= rows
                if len(rows) < RECORDS_PER_PAGE:
                    break
                page += 1
            start = until + 1
        # Each list comes newest first: those of one moment are told in the order in which they happened.
        return list(reversed(found.values()))
