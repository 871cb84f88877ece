"""Orders, trades and accounts under /sapi/v1/margin, of isolated accounts only."""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.values import ZERO
from robson.emulator import orders, reports
from robson.emulator.endpoint import Call, Endpoint, signed
from robson.emulator.limits import ORDERS_PER_DAY, ORDERS_PER_TEN_SECONDS
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import Refused, invalid_symbol
from robson.emulator.wire import JsonObject, amount, short
from robson.venue.answers import known_instrument
from robson.venue.ledger import Execution, Order, Pair, liquidation_bounds
from robson.venue.ledger.liquidation import INFINITY

_DAY_MS = 86_400_000
_ACCOUNTS_AT_ONCE = 5
_ORDER_WEIGHT, _BORROWING_ORDER_WEIGHT = 6, 1500
_BORROWING = {"MARGIN_BUY", "AUTO_BORROW_REPAY"}
# Binance shows this level where nothing is owed, and these words from these levels on.
_NO_DEBT_LEVEL = Decimal(999)
_LEVELS = (
    (Decimal(2), "EXCESSIVE"),
    (Decimal("1.25"), "NORMAL"),
    (Decimal("1.15"), "MARGIN_CALL"),
    (Decimal("1.05"), "PRE_LIQUIDATION"),
)


async def place(call: Call) -> object:
    """Place an order."""
    assert call.window is not None
    return await orders.new_order(call.exchange, call.parameters, call.plan, call.window)


async def query(call: Call) -> object:
    """One order."""
    symbol = await _isolated(call)
    return reports.queried(symbol, orders.find(call.exchange, call.parameters, symbol))


async def cancel(call: Call) -> object:
    """Cancel one order."""
    return orders.cancel_order(call.exchange, call.parameters, await _isolated(call))


async def open_orders(call: Call) -> object:
    """Orders that may still execute."""
    symbol = await _isolated(call)
    pair = call.exchange.read(symbol)
    return [reports.queried(symbol, order) for order in _seen(call, pair.open_orders)]


async def cancel_open_orders(call: Call) -> object:
    """Cancel all open orders of a pair."""
    symbol = await _isolated(call)
    pair = call.exchange.read(symbol)
    if not pair.open_orders:
        raise Refused(-2011, "Unknown order sent.")
    return [
        orders.cancel_one(call.exchange, symbol, order.order_id, order.ticket.client_order_id)
        for order in pair.open_orders
    ]


async def all_orders(call: Call) -> object:
    """Orders from an id, or of a span of less than a day; without either those of the last day."""
    symbol = await _isolated(call)
    parameters, limit = call.parameters, call.parameters.limit(500, 500)
    from_id = parameters.maybe_integer("orderId")
    if from_id is not None:
        rows = [order for order in call.exchange.file.orders(symbol) if order.order_id >= from_id]
        return [reports.queried(symbol, order) for order in _seen(call, rows)[:limit]]
    start, end = _span(call)
    rows = [order for order in call.exchange.file.orders(symbol, since_ms=start) if order.created_ms <= end]
    return [reports.queried(symbol, order) for order in _seen(call, rows)[-limit:]]


async def own_trades(call: Call) -> object:
    """Executions of an order, from an id, or of a span of less than a day; without any of these the newest."""
    symbol = await _isolated(call)
    parameters, limit = call.parameters, call.parameters.limit(500, 1000)
    order_id, from_id = parameters.maybe_integer("orderId"), parameters.maybe_integer("fromId")
    start = end = None
    if "startTime" in parameters or "endTime" in parameters:
        start, end = _span(call)
    rows: Sequence[Execution] = call.exchange.file.executions(
        symbol, order_id=order_id, from_id=from_id, since_ms=start
    )
    rows = [row for row in rows if (end is None or row.at_ms <= end) and not orders.is_hidden(call.exchange, row.at_ms)]
    rows = rows[:limit] if from_id is not None or start is not None else rows[-limit:]
    return [reports.own_trade(symbol, row) for row in rows]


async def accounts(call: Call) -> object:
    """The accounts of up to five named pairs, or of all that were ever used, with their sum."""
    parameters = call.parameters
    if "symbols" in parameters:
        named = parameters.text("symbols").split(",")
        if len(named) > _ACCOUNTS_AT_ONCE:
            raise Refused(-1130, f"At most {_ACCOUNTS_AT_ONCE} symbols may be asked for at once.")
    else:
        named = [pair.symbol for pair in call.exchange.file.pairs()]
    rows = []
    for symbol in named:
        await call.exchange.market.open(symbol)
        rows.append(call.exchange.read(symbol))
    answer: JsonObject = {"assets": [_account(call, pair) for pair in rows]}
    if "symbols" not in parameters:
        assets = sum((_in_btc(call, pair, pair.account.base.total, pair.account.quote.total) for pair in rows), ZERO)
        debts = sum((_in_btc(call, pair, pair.account.base.debt, pair.account.quote.debt) for pair in rows), ZERO)
        answer["totalAssetOfBtc"] = amount(assets)
        answer["totalLiabilityOfBtc"] = amount(debts)
        answer["totalNetAssetOfBtc"] = amount(assets - debts)
    return answer


async def account_limit(call: Call) -> object:
    """How many isolated accounts are in use, and how many there may be."""
    return {"enabledAccount": len(call.exchange.file.pairs()), "maxAccount": 20}


async def enable_account(call: Call) -> object:
    """An isolated account is enabled from its first use on."""
    symbol = call.parameters.symbol()
    await call.exchange.market.open(symbol)
    call.exchange.read(symbol)
    return {"success": True, "symbol": symbol}


async def order_usage(call: Call) -> object:
    """How many orders were sent."""
    ten_seconds, day = call.exchange.limits.orders_used(call.exchange.now_ms())
    rows = (("SECOND", 10, ORDERS_PER_TEN_SECONDS, ten_seconds), ("DAY", 1, ORDERS_PER_DAY, day))
    return [
        {"rateLimitType": "ORDERS", "interval": interval, "intervalNum": number, "limit": limit, "count": count}
        for interval, number, limit, count in rows
    ]


async def cross_pairs(call: Call) -> object:
    """The pairs of the cross account, which clients load before anything else."""
    symbols = call.exchange.market.symbols
    return [{**_pair_row(symbol), "id": number} for number, symbol in enumerate(symbols, start=1)]


async def isolated_pairs(call: Call) -> object:
    """The pairs that can be traded on isolated margin."""
    symbols = call.exchange.market.symbols
    if "symbol" in call.parameters:
        named = call.parameters.symbol()
        if named not in symbols:
            raise invalid_symbol()
        symbols = (named,)
    return [_pair_row(symbol) for symbol in symbols]


async def isolated_pair(call: Call) -> object:
    """One pair that can be traded on isolated margin."""
    symbol = call.parameters.symbol()
    if symbol not in call.exchange.market.symbols:
        raise invalid_symbol()
    return _pair_row(symbol)


async def liquidations(call: Call) -> object:
    """Forced liquidations, newest first."""
    symbols = [call.parameters.symbol("isolatedSymbol")] if "isolatedSymbol" in call.parameters else None
    start = call.parameters.integer("startTime", 0)
    end = call.parameters.integer("endTime", call.exchange.now_ms())
    for symbol in symbols or ():
        await call.exchange.market.open(symbol)
        call.exchange.read(symbol)
    rows: list[JsonObject] = []
    for symbol in symbols or [pair.symbol for pair in call.exchange.file.pairs()]:
        for record in call.exchange.file.liquidations(symbol, since_ms=start):
            if record.at_ms > end:
                continue
            rows.append(
                {
                    "avgPrice": amount(record.price),
                    "executedQty": amount(record.quantity),
                    "orderId": record.order_id or 0,
                    "price": amount(record.price),
                    "qty": amount(record.quantity),
                    "side": record.side.value.upper() if record.side is not None else "SELL",
                    "symbol": symbol,
                    "timeInForce": "GTC",
                    "isIsolated": True,
                    "updatedTime": record.at_ms,
                }
            )
    rows.reverse()
    return page(rows, call.parameters)


def page(rows: list[JsonObject], parameters: Parameters) -> JsonObject:
    """One page of rows: `current` from 1 on, `size` of 10, at most 100."""
    current, size = max(1, parameters.integer("current", 1)), min(parameters.integer("size", 10), 100)
    return {"rows": rows[(current - 1) * size : current * size], "total": len(rows)}


async def _isolated(call: Call) -> str:
    """The symbol of a request about an isolated account, whose market is open."""
    call.parameters.isolated()
    symbol = call.parameters.symbol()
    await call.exchange.market.open(symbol)
    return symbol


def _seen(call: Call, rows: Sequence[Order]) -> list[Order]:
    return [order for order in rows if not orders.is_hidden(call.exchange, order.created_ms)]


def _span(call: Call) -> tuple[int, int]:
    parameters, now_ms = call.parameters, call.exchange.now_ms()
    start, end = parameters.maybe_integer("startTime"), parameters.maybe_integer("endTime")
    if start is None:
        start = (now_ms if end is None else end) - _DAY_MS
    if end is None:
        end = start + _DAY_MS
    if end - start > _DAY_MS:
        raise Refused(-1127, "More than 24 hours between startTime and endTime.")
    return start, end


def _account(call: Call, pair: Pair) -> JsonObject:
    account, price = pair.account, pair.priced()
    rules = call.exchange.rules(known_instrument(pair.symbol))
    level = account.margin_level(price)
    shown = _NO_DEBT_LEVEL if level is None else level
    low, high = liquidation_bounds(pair, rules)
    liquidation_price = ZERO if level is None else (high if high != INFINITY else low)
    is_enabled = call.exchange.faults.switch("pair_disabled") is None
    status = next((word for limit, word in _LEVELS if shown > limit), "FORCE_LIQUIDATION")
    return {
        "baseAsset": reports.balance(
            pair.base_asset, account.base, _in_btc(call, pair, account.base.total - account.base.debt, ZERO)
        ),
        "quoteAsset": reports.balance(
            pair.quote_asset, account.quote, _in_btc(call, pair, ZERO, account.quote.total - account.quote.debt)
        ),
        "symbol": pair.symbol,
        "isolatedCreated": True,
        "enabled": is_enabled,
        "marginLevel": amount(shown),
        "marginLevelStatus": status,
        "marginRatio": short(rules.terms.multiple),
        "indexPrice": amount(price),
        "liquidatePrice": amount(liquidation_price),
        "liquidateRate": amount(abs(liquidation_price - price) / price if liquidation_price else ZERO),
        "tradeEnabled": is_enabled,
    }


def _in_btc(call: Call, pair: Pair, base: Decimal, quote: Decimal) -> Decimal:
    """The worth of both amounts in BTC, zero where no price of BTC is known."""
    value = base * pair.priced() + quote
    if pair.quote_asset == "BTC":
        return value
    price = pair.index_price if pair.base_asset == "BTC" else call.exchange.market.price(f"BTC{pair.quote_asset}")
    return value / price if price else ZERO


def _pair_row(symbol: str) -> JsonObject:
    instrument = known_instrument(symbol)
    return {
        "symbol": symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "isMarginTrade": True,
        "isBuyAllowed": True,
        "isSellAllowed": True,
    }


def _order_weight(parameters: Parameters) -> int:
    borrows = parameters.text("sideEffectType", "NO_SIDE_EFFECT").upper() in _BORROWING
    return _BORROWING_ORDER_WEIGHT if borrows else _ORDER_WEIGHT


_MARGIN = "/sapi/v1/margin"
ENDPOINTS: tuple[Endpoint, ...] = (
    signed("POST", f"{_MARGIN}/order", place, uid=_order_weight),
    signed("GET", f"{_MARGIN}/order", query, ip=10),
    signed("DELETE", f"{_MARGIN}/order", cancel, ip=10),
    signed("GET", f"{_MARGIN}/openOrders", open_orders, ip=10),
    signed("DELETE", f"{_MARGIN}/openOrders", cancel_open_orders, ip=1),
    signed("GET", f"{_MARGIN}/allOrders", all_orders, ip=200),
    signed("GET", f"{_MARGIN}/myTrades", own_trades, ip=10),
    signed("GET", f"{_MARGIN}/isolated/account", accounts, ip=10),
    signed("POST", f"{_MARGIN}/isolated/account", enable_account, uid=300),
    signed("GET", f"{_MARGIN}/isolated/accountLimit", account_limit, ip=1),
    signed("GET", f"{_MARGIN}/rateLimit/order", order_usage, ip=20),
    signed("GET", f"{_MARGIN}/forceLiquidationRec", liquidations, ip=1),
    signed("GET", f"{_MARGIN}/allPairs", cross_pairs, ip=1, key_only=True),
    signed("GET", f"{_MARGIN}/isolated/allPairs", isolated_pairs, ip=10, key_only=True),
    signed("GET", f"{_MARGIN}/isolated/pair", isolated_pair, ip=10),
)
