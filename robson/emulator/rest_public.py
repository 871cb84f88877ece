"""Market data under /api/v3: no key is needed."""

from typing import Any

import msgspec

from robson.domain.values import ZERO
from robson.emulator import klines, reports
from robson.emulator.endpoint import Call, Endpoint, public
from robson.emulator.limits import API_WEIGHT_PER_MINUTE, ORDERS_PER_DAY, ORDERS_PER_TEN_SECONDS
from robson.emulator.market import MarketTrade, Tape
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import bad_interval, invalid, invalid_symbol
from robson.emulator.symbols import describe
from robson.emulator.wire import JsonObject, amount
from robson.venue.instruments import builtin_instrument

_LEVELS_MAX = 100
_DAY_MS = 86_400_000


async def ping(call: Call) -> object:
    """Nothing, to see that somebody answers."""
    return {}


async def server_time(call: Call) -> object:
    """The exchange's clock."""
    return {"serverTime": call.exchange.now_ms()}


async def exchange_information(call: Call) -> object:
    """Limits and symbols with their filters; all of them, or those that are named."""
    wanted = _named_symbols(call)
    return {
        "timezone": "UTC",
        "serverTime": call.exchange.now_ms(),
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, API_WEIGHT_PER_MINUTE),
            _rate_limit("ORDERS", "SECOND", 10, ORDERS_PER_TEN_SECONDS),
            _rate_limit("ORDERS", "DAY", 1, ORDERS_PER_DAY),
            _rate_limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters": [],
        "symbols": [describe(builtin_instrument(symbol)) for symbol in wanted or call.exchange.market.symbols],
    }


async def price(call: Call) -> object:
    """The last price of one symbol, of several, or of all that have one."""
    return await _one_or_many(call, lambda tape: {"symbol": tape.instrument.symbol, "price": amount(_last(tape).price)})


async def book_ticker(call: Call) -> object:
    """Best bid and ask of one symbol, of several, or of all that have a price."""

    def row(tape: Tape) -> JsonObject:
        book = tape.book()
        return {
            "symbol": tape.instrument.symbol,
            "bidPrice": amount(book.bid),
            "bidQty": amount(book.bid_quantity),
            "askPrice": amount(book.ask),
            "askQty": amount(book.ask_quantity),
        }

    return await _one_or_many(call, row)


async def average_price(call: Call) -> object:
    """The volume-weighted price of five minutes."""
    tape = await call.exchange.market.open(call.parameters.symbol())
    now_ms = call.exchange.now_ms()
    return {"mins": 5, "price": amount(tape.average(now_ms)), "closeTime": _last(tape).at_ms}


async def day_ticker(call: Call) -> object:
    """What a symbol did in the last day, as far as it is known."""
    tape = await call.exchange.market.open(call.parameters.symbol())
    now_ms, last, book = call.exchange.now_ms(), _last(tape), tape.book()
    first = next((trade for trade in tape.trades if now_ms - trade.at_ms <= _DAY_MS), last)
    change = last.price - first.price
    prices = [trade.price for trade in tape.trades]
    volume = sum((trade.quantity for trade in tape.trades), ZERO)
    return {
        "symbol": tape.instrument.symbol,
        "priceChange": amount(change),
        "priceChangePercent": f"{change / first.price * 100:.3f}",
        "weightedAvgPrice": amount(tape.average(now_ms)),
        "prevClosePrice": amount(first.price),
        "lastPrice": amount(last.price),
        "lastQty": amount(last.quantity),
        "bidPrice": amount(book.bid),
        "bidQty": amount(book.bid_quantity),
        "askPrice": amount(book.ask),
        "askQty": amount(book.ask_quantity),
        "openPrice": amount(first.price),
        "highPrice": amount(max(prices)),
        "lowPrice": amount(min(prices)),
        "volume": amount(volume),
        "quoteVolume": amount(sum((trade.quantity * trade.price for trade in tape.trades), ZERO)),
        "openTime": now_ms - _DAY_MS,
        "closeTime": now_ms,
        "firstId": tape.trades[0].trade_id,
        "lastId": last.trade_id,
        "count": len(tape.trades),
    }


async def aggregate_trades(call: Call) -> object:
    """Aggregate trades from an id, of a span of time, or the newest."""
    return [reports.aggregate(trade) for trade in await _trades(call)]


async def trades(call: Call) -> object:
    """The newest trades, or those from an id."""
    return [
        {
            "id": trade.trade_id,
            "price": amount(trade.price),
            "qty": amount(trade.quantity),
            "quoteQty": amount(trade.price * trade.quantity),
            "time": trade.at_ms,
            "isBuyerMaker": trade.buyer_is_maker,
            "isBestMatch": True,
        }
        for trade in await _trades(call)
    ]


async def candles(call: Call) -> object:
    """Candles, oldest first; the last one is still forming."""
    parameters, market, now_ms = call.parameters, call.exchange.market, call.exchange.now_ms()
    interval = parameters.text("interval")
    if interval not in klines.INTERVAL_SECONDS:
        raise bad_interval()
    limit = parameters.limit(500, 1000)
    tape = await market.open(parameters.symbol())
    start, end = parameters.integer("startTime", 0), parameters.integer("endTime", now_ms)
    length_ms = klines.INTERVAL_SECONDS[interval] * 1000
    wanted = limit if not start else max(limit, (now_ms - start) // length_ms + 1)
    rows = await klines.closed(market, tape, interval, now_ms, min(wanted, 20_000))
    forming = await klines.forming(market, tape, interval, now_ms)
    if forming is not None:
        rows.append(forming)
    rows = [row for row in rows if start <= row.open_ms <= end]
    rows = rows[:limit] if start else rows[-limit:]
    return [row.row() for row in rows]


async def depth(call: Call) -> object:
    """A book invented around the last price: as many levels as are asked for, one price step apart."""
    limit = call.parameters.limit(100, _LEVELS_MAX)
    tape = await call.exchange.market.open(call.parameters.symbol())
    book, tick = tape.book(), tape.instrument.tick_size
    bids = [book.bid - tick * step for step in range(limit)]
    return {
        "lastUpdateId": book.update_id,
        "bids": [[amount(level), amount(book.bid_quantity)] for level in bids if level > 0],
        "asks": [[amount(book.ask + tick * step), amount(book.ask_quantity)] for step in range(limit)],
    }


def _last(tape: Tape) -> MarketTrade:
    assert tape.last is not None, tape.instrument.symbol
    return tape.last


async def _trades(call: Call) -> list[MarketTrade]:
    parameters = call.parameters
    limit = parameters.limit(500, 1000)
    tape = await call.exchange.market.open(parameters.symbol())
    from_id = parameters.maybe_integer("fromId")
    if from_id is not None:
        return tape.trades_from(from_id, limit)
    start, end = parameters.maybe_integer("startTime"), parameters.maybe_integer("endTime")
    if start is None and end is None:
        return list(tape.trades)[-limit:]
    span = [trade for trade in tape.trades if (start or 0) <= trade.at_ms and (end is None or trade.at_ms <= end)]
    return span[:limit] if start is not None else span[-limit:]


def _named_symbols(call: Call) -> list[str]:
    parameters = call.parameters
    if "symbols" in parameters:
        try:
            named = msgspec.json.decode(parameters.text("symbols"), type=list[str])
        except msgspec.DecodeError:
            raise invalid("symbols") from None
    elif "symbol" in parameters:
        named = [parameters.symbol()]
    else:
        return []
    if any(symbol not in call.exchange.market.symbols for symbol in named):
        raise invalid_symbol()
    return named


async def _one_or_many(call: Call, row: Any) -> object:
    market = call.exchange.market
    if "symbol" in call.parameters:
        return row(await market.open(call.parameters.symbol()))
    named = _named_symbols(call)
    if named:
        return [row(await market.open(symbol)) for symbol in named]
    priced = [symbol for symbol in market.symbols if market.price(symbol) is not None]
    return [row(await market.open(symbol)) for symbol in priced]


def _rate_limit(kind: str, interval: str, count: int, limit: int) -> JsonObject:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _ticker_weight(parameters: Parameters) -> int:
    """Half for one symbol of what several or all of them weigh."""
    return 2 if "symbol" in parameters else 4


ENDPOINTS: tuple[Endpoint, ...] = (
    public("/api/v3/ping", 1, ping),
    public("/api/v3/time", 1, server_time),
    public("/api/v3/exchangeInfo", 20, exchange_information),
    public("/api/v3/ticker/price", _ticker_weight, price),
    public("/api/v3/ticker/bookTicker", _ticker_weight, book_ticker),
    public("/api/v3/ticker/24hr", 2, day_ticker),
    public("/api/v3/avgPrice", 2, average_price),
    public("/api/v3/aggTrades", 4, aggregate_trades),
    public("/api/v3/trades", 25, trades),
    public("/api/v3/historicalTrades", 25, trades),
    public("/api/v3/klines", 2, candles),
    public("/api/v3/depth", 5, depth),
)
