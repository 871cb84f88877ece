"""What Binance's REST API knows of the past and the present of prices; needs no key."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec
import structlog
import trio

from robson.domain.errors import RateLimited, Rejected, Unreachable, VenueError
from robson.domain.market import Candle, Tick, Trades
from robson.feed.binance.codec import BookTop, exchange_time, positive, to_stamp
from robson.feed.candles import combine, merge
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.endpoints import Endpoint
from robson.venue.binance.errors import UNKNOWN_SYMBOL_CODES
from robson.venue.binance.reading import shaped
from robson.venue.binance.signing import Parameter
from robson.venue.binance.weights import Priority

_log = structlog.get_logger("robson.feed")

PAGE = 1000
# Without ids the trades of a gap are read to the end in one go; more than these would take too long.
TRADES_MOST = 10_000
# Side by side, so that the candles of a month take a second.
CANDLE_PAGES_AT_ONCE = 8
CANDLE_PAGES_MOST = 200
# Whoever waits for prices asks again rather than wait longer.
REQUEST_SECONDS = 4.0
_INTERVALS = {
    60: "1m",
    180: "3m",
    300: "5m",
    900: "15m",
    1800: "30m",
    3600: "1h",
    7200: "2h",
    14400: "4h",
    21600: "6h",
    28800: "8h",
    43200: "12h",
    86400: "1d",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = TypeVar("Row")
Answered = TypeVar("Answered")


class _Trade(msgspec.Struct):
    trade_id: int = msgspec.field(name="a")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    at: int = msgspec.field(name="T")


class _Kline(msgspec.Struct, array_like=True):
    opened_at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class _Price(msgspec.Struct):
    symbol: str
    price: Decimal


class _Top(msgspec.Struct):
    symbol: str
    bid: Decimal = msgspec.field(name="bidPrice")
    ask: Decimal = msgspec.field(name="askPrice")


class History:
    """Requests for prices, from the same budgets as all other requests; each raises VenueError as the client does.

    Present prices give way to questions about orders, past ones to present ones, and the candles that a detector begins
    with to all of these.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def trades_from(self, symbol: str, trade_id: int, limit: int = PAGE) -> Sequence[Tick]:
        """One page of aggregate trades with ids from `trade_id` on, oldest first."""
        return await self._trades(symbol, ("fromId", max(trade_id, 0)), ("limit", limit))

    async def trades_since(self, symbol: str, at: datetime) -> Sequence[Tick]:
        """The first page of aggregate trades from a moment on, oldest first."""
        return await self._trades(symbol, ("startTime", to_stamp(at)), ("limit", PAGE))

    async def reaches_before(self, tick: Tick) -> bool:
        """Whether the trade before this one can still be read, or this is the first of all."""
        assert tick.trade_id is not None, tick
        if tick.trade_id <= 1:
            return True
        found = await self.trades_from(tick.symbol, tick.trade_id - 1, 1)
        return bool(found) and found[0].trade_id == tick.trade_id - 1

    async def newest_trade(self, symbol: str) -> Tick | None:
        """The latest aggregate trade."""
        found = await self._trades(symbol, ("limit", 1))
        return found[-1] if found else None

    async def all_trades(self, symbol: str, first: Sequence[Tick]) -> Trades:
        """The trades that begin with a first page and go on to the present, if there are not too many."""
        found = list(first)
        page = first
        while len(page) == PAGE and len(found) < TRADES_MOST:
            assert page[-1].trade_id is not None
            page = await self.trades_from(symbol, page[-1].trade_id + 1)
            found += page
        if len(page) < PAGE:
            return Trades(ticks=tuple(found))
        return Trades(ticks=tuple(await self._trades(symbol, ("limit", PAGE))), is_whole=False)

    async def prices(self, symbols: Sequence[str]) -> dict[str, Decimal]:
        """The last price of each symbol; those that the exchange does not know are left out."""
        rows = await self._of_symbols(endpoints.LAST_PRICES, symbols, list[_Price])
        return {row.symbol: row.price for row in rows if row.price > 0}

    async def tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        """The best bid and ask of each symbol, without update ids."""
        rows = await self._of_symbols(endpoints.BOOK_TOPS, symbols, list[_Top])
        return {
            row.symbol: BookTop(symbol=row.symbol, update_id=0, bid=row.bid, ask=row.ask)
            for row in rows
            if row.bid > 0 and row.ask > 0
        }

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last `count` closed candles, oldest first; none for intervals that are not whole minutes."""
        if interval_seconds <= 0 or interval_seconds % 60 or count <= 0:
            return []
        now = await self.exchange_now()
        forming = _floor(now, interval_seconds)
        since = forming - timedelta(seconds=interval_seconds * count)
        pages = await self._candles(symbol, interval_seconds, since, now, Priority.ENTRY)
        found = combine(pages, interval_seconds)
        return [candle for candle in found if candle.opened_at < forming][-count:]

    async def candles_since(self, symbol: str, interval_seconds: int, since: datetime) -> Sequence[Candle]:
        """Every candle that ends after `since`, the forming one as it stands; none for parts of a minute.

        None, too, when nothing was traded since then.
        """
        if interval_seconds <= 0 or interval_seconds % 60:
            return []
        until = await self.exchange_now()
        try:
            newest = await self.newest_trade(symbol)
            if newest is None or newest.at < since:
                return []
            until = max(until, newest.at)
        except RateLimited:
            raise
        except Rejected as error:
            # Candles are then all there is.
            _log.warning("newest_trade_refused", symbol=symbol, error=str(error))
        begin = _floor(since, interval_seconds)
        return merge(await self._candles(symbol, interval_seconds, begin, until, Priority.HISTORY), interval_seconds)

    async def exchange_now(self) -> datetime:
        """The exchange's time, asked anew where it is a guess; the machine's own while it cannot be asked."""
        if self._client.is_clock_doubtful:
            with suppress(VenueError), trio.move_on_after(REQUEST_SECONDS):
                await self._client.read_clock()
        return self.known_now()

    def known_now(self) -> datetime:
        """The exchange's time by what was last heard of it; the machine's own before that."""
        return exchange_time(self._client.timestamp_ms())

    async def _trades(self, symbol: str, *which: tuple[str, Parameter]) -> Sequence[Tick]:
        rows = await self._ask(endpoints.PAST_TRADES, [("symbol", symbol), *which], list[_Trade])
        try:
            return [_tick(symbol, row) for row in rows]
        except (ValueError, OverflowError) as error:
            raise Unreachable(f"a trade of {symbol} could not be read: {error}") from error

    async def _candles(
        self, symbol: str, interval_seconds: int, since: datetime, until: datetime, priority: Priority
    ) -> list[Candle]:
        """Candles of the longest length of which the interval is made."""
        step = next(step for step in reversed(_INTERVALS) if interval_seconds % step == 0)
        page = timedelta(seconds=step * PAGE)
        starts = [since + n * page for n in range(CANDLE_PAGES_MOST) if since + n * page <= until]
        pages: dict[datetime, list[Candle]] = {}
        failures: list[VenueError] = []
        turns = trio.CapacityLimiter(CANDLE_PAGES_AT_ONCE)

        async def read(start: datetime) -> None:
            async with turns:
                try:
                    pages[start] = await self._candle_page(symbol, step, start, start + page, priority)
                except VenueError as error:
                    failures.append(error)
                    nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for start in starts:
                nursery.start_soon(read, start)
        if failures:
            raise failures[0]
        return [candle for start in starts for candle in pages[start]]

    async def _candle_page(
        self, symbol: str, step: int, start: datetime, end: datetime, priority: Priority
    ) -> list[Candle]:
        which: list[tuple[str, Parameter]] = [("symbol", symbol), ("interval", _INTERVALS[step]), ("limit", PAGE)]
        which += [("startTime", to_stamp(start)), ("endTime", to_stamp(end) - 1)]
        rows = await self._ask(endpoints.CANDLES, which, list[_Kline], priority)
        try:
            return [_candle(symbol, step, row) for row in rows]
        except (ValueError, OverflowError) as error:
            raise Unreachable(f"a candle of {symbol} could not be read: {error}") from error

    async def _of_symbols(self, endpoint: Endpoint, symbols: Sequence[str], kind: type[list[Row]]) -> list[Row]:
        names = msgspec.json.encode(sorted(symbols)).decode()
        try:
            return await self._ask(endpoint, [("symbols", names)], kind, Priority.PRICES)
        except Rejected as error:
            if error.code not in UNKNOWN_SYMBOL_CODES:
                raise
            # One that the exchange no longer has must not hide the prices of the others.
            found: list[Row] = []
            for symbol in sorted(symbols) if len(symbols) > 1 else ():
                found += await self._of_symbols(endpoint, [symbol], kind)
            return found

    async def _ask(
        self,
        endpoint: Endpoint,
        which: list[tuple[str, Parameter]],
        kind: type[Answered],
        priority: Priority = Priority.HISTORY,
    ) -> Answered:
        with trio.move_on_after(REQUEST_SECONDS):
            return await self._client.call(endpoint, which, lambda document: shaped(document, kind), priority=priority)
        raise Unreachable(f"GET {endpoint.path} was not answered within {REQUEST_SECONDS:g} s")


def _tick(symbol: str, row: _Trade) -> Tick:
    return Tick(
        symbol=symbol,
        price=positive("price", row.price),
        quantity=row.quantity,
        trade_id=row.trade_id,
        at=exchange_time(row.at),
    )


def _candle(symbol: str, step: int, row: _Kline) -> Candle:
    return Candle(
        symbol=symbol,
        opened_at=exchange_time(row.opened_at),
        interval_seconds=step,
        open=positive("open", row.open),
        high=positive("high", row.high),
        low=positive("low", row.low),
        close=positive("close", row.close),
    )


def _floor(at: datetime, interval_seconds: int) -> datetime:
    return at - (at - _EPOCH) % timedelta(seconds=interval_seconds)
