"""The venue port over the wire: what each method asks for, and what it makes of the answers."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from robson.domain.account import Credit
from robson.domain.errors import InDoubt, RateLimited, Rejected, Unreachable
from robson.domain.values import ClientOrderId, OrderSide, Role, Side
from robson.ports import OrderRequest, Venue
from robson.venue.binance import history
from robson.venue.binance.client import Client
from robson.venue.binance.terms import TERMS_KEPT_SECONDS
from robson.venue.binance.venue import PAIRS_KEPT_SECONDS, BinanceVenue
from tests.unit.venue.binance.conftest import START_MS
from tests.unit.venue.binance.exchange import HANG_UP, Asked, Exchange, Say
from tests.unit.venue.binance.test_filters import REAL, with_filter
from tests.unit.venue.binance.test_lending import COMMISSION, RATES, TIER_1, TIER_2
from tests.unit.venue.clocks import START, VirtualClock

ORDER = "/sapi/v1/margin/order"
RULES, PAIRS = "/api/v3/exchangeInfo", "/sapi/v1/margin/isolated/allPairs"
TIERS, LENDING, FEES = (
    "/sapi/v1/margin/isolatedMarginTier",
    "/sapi/v1/margin/isolatedMarginData",
    "/api/v3/account/commission",
)
NOT_FOUND = Say({"code": -2013, "msg": "Order does not exist."}, status=400)
INVALID_SYMBOL = Say({"code": -1121, "msg": "Invalid symbol."}, status=400)
DAY = timedelta(days=1)


def refused(code: int, text: str = "no") -> Say:
    return Say({"code": code, "msg": text}, status=400)


def rules(filters: list[dict[str, Any]] = REAL, **listed: Any) -> Say:
    pair = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "isMarginTradingAllowed": True,
        "filters": filters,
    }
    return Say({"symbols": [pair | listed]})


def order(order_id: int, **more: Any) -> dict[str, Any]:
    shown = {
        "symbol": "BTCUSDT",
        "orderId": order_id,
        "clientOrderId": f"rbn{order_id}",
        "status": "FILLED",
        "side": "BUY",
        "origQty": "0.001",
        "executedQty": "0.001",
        "cummulativeQuoteQty": "60",
        "time": START_MS,
        "updateTime": START_MS,
    }
    return shown | more


def trade(trade_id: int, order_id: int = 7, at_ms: int = START_MS) -> dict[str, Any]:
    return {
        "id": trade_id,
        "orderId": order_id,
        "price": "60000",
        "qty": "0.001",
        "commission": "0.06",
        "commissionAsset": "USDT",
        "time": at_ms,
    }


def asking(role: Role, side: OrderSide, quantity: str = "0.01534") -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT",
        client_order_id=ClientOrderId("rbn0123"),
        role=role,
        order_side=side,
        quantity=Decimal(quantity),
        timestamp_ms=START_MS,
        receive_window_ms=2000 if role is Role.EXIT else 5000,
    )


def test_it_is_a_venue() -> None:
    port: type[Venue] = BinanceVenue
    assert port.name == "binance"


@pytest.mark.parametrize(
    ("role", "side", "quantity", "wire"),
    [
        (
            Role.ENTRY,
            OrderSide.BUY,
            "0.01534",
            (
                "symbol=BTCUSDT&side=BUY&type=MARKET&isIsolated=TRUE&quantity=0.01534&newClientOrderId=rbn0123"
                "&newOrderRespType=FULL&sideEffectType=MARGIN_BUY&autoRepayAtCancel=TRUE&recvWindow=5000"
            ),
        ),
        (
            Role.EXIT,
            OrderSide.SELL,
            "1E-5",
            (
                "symbol=BTCUSDT&side=SELL&type=MARKET&isIsolated=TRUE&quantity=0.00001&newClientOrderId=rbn0123"
                "&newOrderRespType=FULL&sideEffectType=AUTO_REPAY&recvWindow=2000"
            ),
        ),
    ],
)
async def test_an_order_on_the_wire(
    exchange: Exchange,
    venue: BinanceVenue,
    role: Role,
    side: OrderSide,
    quantity: str,
    wire: str,
    virtual_time: MockClock,
) -> None:
    fill = {"price": "60000", "qty": "0.001", "commission": "0.06", "commissionAsset": "USDT", "tradeId": 5}
    exchange.then("POST", ORDER, Say(order(7, transactTime=START_MS, fills=[fill])))
    report = await venue.place(asking(role, side, quantity))
    (asked,) = exchange.asked
    assert asked.body.decode().partition("&signature=")[0] == f"{wire}&timestamp={START_MS}"
    assert (report.venue_order_id, [one.trade_id for one in report.trades]) == ("7", [5])


async def test_an_order_in_doubt_is_found_by_its_id(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("POST", ORDER, HANG_UP)
    exchange.then("GET", ORDER, NOT_FOUND, Say(order(7)))
    with pytest.raises(InDoubt):
        await venue.place(asking(Role.EXIT, OrderSide.SELL))
    assert await venue.order("BTCUSDT", "rbn0123") is None
    found = await venue.order("BTCUSDT", "rbn0123")
    assert found is not None
    assert (found.venue_order_id, found.trades) == ("7", ())
    assert len(exchange.of("POST", ORDER)) == 1
    asked = exchange.of("GET", ORDER)[0].parameters
    assert asked.items() >= {"symbol": "BTCUSDT", "isIsolated": "TRUE", "origClientOrderId": "rbn0123"}.items()


async def test_a_duplicate_of_an_open_order_is_in_doubt_not_refused(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("POST", ORDER, refused(-2010, "Duplicate order sent."))
    with pytest.raises(InDoubt, match="Duplicate order sent"):
        await venue.place(asking(Role.EXIT, OrderSide.SELL))


async def test_borrowing_orders_use_up_their_share_and_leave_exits_theirs(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.always("POST", ORDER, Say(order(7, transactTime=START_MS)))
    for _ in range(72):
        await venue.place(asking(Role.ENTRY, OrderSide.BUY))
    with pytest.raises(RateLimited, match="weight"):
        await venue.place(asking(Role.ENTRY, OrderSide.BUY))
    await venue.place(asking(Role.EXIT, OrderSide.SELL))


async def test_an_order_is_found_by_the_exchanges_own_id(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("GET", ORDER, Say(order(7)), NOT_FOUND, refused(-2026, "Order was archived."))
    found = await venue.order_of("BTCUSDT", "7")
    assert found is not None
    assert exchange.asked[0].parameters["orderId"] == "7"
    assert await venue.order_of("BTCUSDT", "8") is None
    assert await venue.order_of("BTCUSDT", "9") is None
    assert await venue.order_of("BTCUSDT", "autoclose") is None
    assert len(exchange.asked) == 3


async def test_other_refusals_of_a_query_are_not_taken_for_absence(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("GET", ORDER, refused(-1102), Say(status=404, body=b"<html>"), Say(status=503))
    for kind in (Rejected, Rejected, Unreachable):
        with pytest.raises(kind):
            await venue.order("BTCUSDT", "rbn0123")


async def test_an_instrument_is_tradable_only_where_both_lists_say_so(
    exchange: Exchange, client: Client, virtual_time: MockClock
) -> None:
    listed = {"symbol": "BTCUSDT", "isMarginTrade": True, "isBuyAllowed": True, "isSellAllowed": True}
    for pairs, status, tradable in [
        (Say([listed]), "TRADING", True),
        (Say([listed]), "CANCEL_ONLY", False),
        (Say([listed | {"isBuyAllowed": False}]), "TRADING", False),
        (Say([listed | {"symbol": "ETHUSDT"}]), "TRADING", False),
        # A list that is missing says nothing.
        (Say(status=404, body=b"<html>"), "TRADING", True),
        (refused(-1102), "TRADING", True),
    ]:
        exchange.then("GET", PAIRS, pairs)
        exchange.then("GET", RULES, rules(status=status))
        instrument = await BinanceVenue(client, VirtualClock()).instrument("BTCUSDT")
        assert instrument.tradable is tradable


async def test_an_unknown_symbol_is_refused_by_name(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("GET", RULES, INVALID_SYMBOL, Say({"symbols": []}), refused(-1100, "Illegal characters"))
    for _ in range(3):
        with pytest.raises(Rejected) as unknown:
            await venue.instrument("NOPEUSDT")
        assert unknown.value.code == "unknown_symbol"
    exchange.always("GET", "/api/v3/ticker/price", INVALID_SYMBOL)
    with pytest.raises(Rejected, match="-1121"):
        await venue.price("NOPEUSDT")


async def test_a_maximum_notional_is_turned_into_a_quantity_by_the_price(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    applied = with_filter("NOTIONAL", minNotional="5", maxNotional="100000", applyMaxToMarket=True)
    exchange.then("GET", RULES, rules(applied))
    exchange.then("GET", "/api/v3/ticker/price", Say({"symbol": "BTCUSDT", "price": "60000.00"}))
    assert (await venue.instrument("BTCUSDT")).maximum_quantity == Decimal("0.83333")


def lend(exchange: Exchange, **instead: Say) -> None:
    exchange.always("GET", RULES, rules())
    exchange.always("GET", TIERS, instead.get("tiers", Say([TIER_2, TIER_1])))
    exchange.always("GET", LENDING, instead.get("lending", Say(RATES)))
    exchange.always("GET", FEES, instead.get("fees", Say(COMMISSION)))


async def test_terms_are_the_lowest_tiers_and_kept_for_a_while(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    lend(exchange)
    terms = await venue.terms("BTCUSDT")
    assert (terms.multiple, terms.quote_borrow_limit, terms.taker_fee_rate) == (10, 50000, Decimal("0.001034"))
    before = len(exchange.asked)
    await trio.sleep(TERMS_KEPT_SECONDS - 1)
    assert await venue.terms("BTCUSDT") == terms
    assert len(exchange.asked) == before
    lend(exchange, tiers=Say([TIER_2]))
    await trio.sleep(2)
    assert (await venue.terms("BTCUSDT")).multiple == 5


async def test_terms_that_cannot_be_read_again_hold_on(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    lend(exchange, tiers=Say(status=502))
    with pytest.raises(Unreachable):
        await venue.terms("BTCUSDT")
    lend(exchange)
    terms = await venue.terms("BTCUSDT")
    lend(exchange, tiers=Say(status=502))
    await trio.sleep(TERMS_KEPT_SECONDS + 1)
    assert await venue.terms("BTCUSDT") == terms


async def test_a_missing_fee_endpoint_leaves_the_usual_fee(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    lend(exchange, fees=Say(status=404, body=b"<html>"))
    assert (await venue.terms("BTCUSDT")).taker_fee_rate == Decimal("0.001")


async def test_a_missing_endpoint_of_rates_leaves_the_last_ones(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    """Without any, interest is what the account says, and a loan's bounds are those of the tier."""
    missing = Say(status=404, body=b"<html>")
    lend(exchange, lending=missing)
    terms = await venue.terms("BTCUSDT")
    assert (terms.multiple, terms.base_hourly_interest_rate, terms.quote_borrow_limit) == (10, 0, 70000)
    lend(exchange)
    await trio.sleep(TERMS_KEPT_SECONDS + 1)
    known = await venue.terms("BTCUSDT")
    assert known.base_hourly_interest_rate > 0
    lend(exchange, lending=missing)
    await trio.sleep(TERMS_KEPT_SECONDS + 1)
    assert await venue.terms("BTCUSDT") == known


async def test_a_missing_account_is_refused(exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock) -> None:
    leg = {"free": "1", "borrowed": "0", "interest": "0"}
    pair = {"symbol": "BTCUSDT", "baseAsset": leg | {"asset": "BTC"}, "quoteAsset": leg | {"asset": "USDT"}}
    exchange.then("GET", "/sapi/v1/margin/isolated/account", Say({"assets": [pair]}), Say({"assets": []}))
    assert (await venue.account("BTCUSDT")).base.free == 1
    assert exchange.asked[0].parameters["symbols"] == "BTCUSDT"
    with pytest.raises(Rejected, match="-11001"):
        await venue.account("BTCUSDT")


async def test_a_repayment_on_the_wire_and_its_doubt(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    path = "/sapi/v1/margin/borrow-repay"
    exchange.then("POST", path, Say({"tranId": 100000001}), refused(-3044), refused(-3015, "Repay amount exceeds."))
    await venue.repay("BTCUSDT", "USDT", Decimal("420.404204"))
    assert (
        exchange.asked[0]
        .body.decode()
        .startswith("asset=USDT&isIsolated=TRUE&symbol=BTCUSDT&amount=420.404204&type=REPAY&recvWindow=5000&timestamp=")
    )
    with pytest.raises(InDoubt):
        await venue.repay("BTCUSDT", "USDT", Decimal(1))
    with pytest.raises(Rejected, match="-3015"):
        await venue.repay("BTCUSDT", "USDT", Decimal(1))


def trades_of(rows: list[dict[str, Any]], size: int) -> Callable[[Asked], Say]:
    """A myTrades that keeps to the exchange's rules: pages, ids, and no more than a day at once."""

    def answer(asked: Asked) -> Say:
        said = asked.parameters
        if "fromId" in said and "startTime" in said:
            return refused(-1128)
        if "startTime" in said and int(said["endTime"]) - int(said["startTime"]) >= history.DAY_MS:
            return refused(-1127)
        found = [
            row
            for row in rows
            if row["id"] >= int(said.get("fromId", 0))
            and int(said.get("startTime", 0)) <= row["time"] <= int(said.get("endTime", 10**14))
            and str(row["orderId"]) == said.get("orderId", str(row["orderId"]))
        ]
        limit = min(size, int(said["limit"]))
        return Say(found[:limit] if {"fromId", "startTime", "orderId"} & set(said) else found[-limit:])

    return answer


async def test_trades_are_read_whole_by_order_by_id_and_by_time(
    exchange: Exchange, venue: BinanceVenue, monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    monkeypatch.setattr(history, "TRADES_PER_PAGE", 3)
    hour = 3_600_000
    rows = [trade(n, order_id=7 if n < 8 else 8, at_ms=START_MS + n * 5 * hour) for n in range(1, 15)]
    exchange.always("GET", "/sapi/v1/margin/myTrades", trades_of(rows, 3))
    await trio.sleep(4 * 86_400)

    async def ids(**which: Any) -> list[int]:
        return [one.trade_id for one in await venue.trades("BTCUSDT", **which)]

    assert await ids() == [12, 13, 14]
    assert await ids(venue_order_id="7") == [1, 2, 3, 4, 5, 6, 7]
    assert await ids(venue_order_id="7", from_id=3) == [3, 4, 5, 6, 7]
    assert await ids(venue_order_id="nonsense") == []
    assert await ids(from_id=10) == [10, 11, 12, 13, 14]
    assert await ids(since=START + timedelta(hours=26)) == [6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert await ids(since=START - 3 * DAY) == list(range(1, 15))
    assert await ids(since=START + 3 * DAY) == []
    assert await ids(since=START + timedelta(hours=40), venue_order_id="8") == [8, 9, 10, 11, 12, 13, 14]


async def test_orders_are_listed_since_a_time_page_by_page(
    exchange: Exchange, venue: BinanceVenue, monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    monkeypatch.setattr(history, "ORDERS_PER_PAGE", 2)
    rows = [order(n, time=START_MS + n * 10_000_000) for n in range(1, 6)]

    def answer(asked: Asked) -> Say:
        said = asked.parameters
        assert int(said.get("endTime", 0)) - int(said.get("startTime", 0)) < history.DAY_MS
        found = [
            row
            for row in rows
            if row["orderId"] >= int(said.get("orderId", 0))
            and int(said.get("startTime", 0)) <= row["time"] <= int(said.get("endTime", 10**14))
        ]
        return Say(found[:2])

    exchange.always("GET", "/sapi/v1/margin/allOrders", answer)
    await trio.sleep(2 * 86_400)
    assert [one.venue_order_id for one in await venue.orders("BTCUSDT", START - DAY)] == ["1", "2", "3", "4", "5"]
    later = await venue.orders("BTCUSDT", START + timedelta(seconds=25_000))
    assert [one.venue_order_id for one in later] == ["3", "4", "5"]
    assert await venue.orders("BTCUSDT", START + DAY) == ()


def paged(rows: list[dict[str, Any]], time: str) -> Callable[[Asked], Say]:
    """A paged list, newest first, of at most thirty days."""

    def answer(asked: Asked) -> Say:
        said = {name: int(text) for name, text in asked.parameters.items() if text.isdecimal()}
        if said["endTime"] - said["startTime"] >= history.RECORDS_SPAN_MS:
            return refused(-4047)
        found = [row for row in reversed(rows) if said["startTime"] <= row[time] <= said["endTime"]]
        start = (said["current"] - 1) * said["size"]
        # One row has slid onto this page since the page before was read.
        return Say({"rows": found[max(start - 1, 0) : start + said["size"]], "total": len(found)})

    return answer


async def test_interest_is_read_whole_and_each_charge_once(
    exchange: Exchange, venue: BinanceVenue, monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    monkeypatch.setattr(history, "RECORDS_PER_PAGE", 5)
    rows = [
        {
            "txId": n,
            "interestAccuredTime": START_MS + n * 86_400_000,
            "asset": "BTC",
            "principal": "1",
            "interest": "0.00000017",
            "type": "ON_BORROW" if n == 0 else "PERIODIC",
            "isolatedSymbol": "BTCUSDT",
        }
        for n in range(40)
    ]
    exchange.always("GET", "/sapi/v1/margin/interestHistory", paged(rows, "interestAccuredTime"))
    await trio.sleep(40 * 86_400)
    charges = await venue.interest("BTCUSDT", START)
    assert [charge.at for charge in charges] == [START + n * DAY for n in range(40)]
    assert [charge.on_borrow for charge in charges].count(True) == 1
    assert len(await venue.interest("BTCUSDT", START + timedelta(days=30.5))) == 9
    assert exchange.asked[0].parameters["isolatedSymbol"] == "BTCUSDT"


async def test_liquidations_and_loans_are_read_oldest_first(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    sold = [
        {"avgPrice": "1", "executedQty": "1", "orderId": n, "side": "SELL", "updatedTime": START_MS + n} for n in (1, 2)
    ]
    exchange.always("GET", "/sapi/v1/margin/forceLiquidationRec", paged(sold, "updatedTime"))
    assert [one.venue_order_id for one in await venue.liquidations("BTCUSDT", START)] == ["1", "2"]
    assert [one.venue_order_id for one in await venue.liquidations("BTCUSDT", START + timedelta(milliseconds=2))] == [
        "2"
    ]
    lent = [
        {"txId": n, "asset": "BTC", "amount": "1", "principal": "1", "status": "CONFIRMED", "timestamp": START_MS + n}
        for n in (1, 2)
    ]
    exchange.always("GET", "/sapi/v1/margin/borrow-repay", paged(lent, "timestamp"))
    records = await venue.loan_records("BTCUSDT", "BTC", START)
    assert [record.transaction_id for record in records] == ["1", "1", "2", "2"]
    kinds = [asked.parameters["type"] for asked in exchange.of("GET", "/sapi/v1/margin/borrow-repay")]
    assert kinds == ["BORROW", "REPAY"]


async def test_open_orders_are_asked_for_by_pair(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("GET", "/sapi/v1/margin/openOrders", Say([order(9, status="NEW", executedQty="0")]))
    (resting,) = await venue.open_orders("BTCUSDT")
    assert not resting.is_final
    assert exchange.asked[0].parameters.items() >= {"symbol": "BTCUSDT", "isIsolated": "TRUE"}.items()


async def test_what_a_doctor_and_a_plan_ask_for(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("GET", "/sapi/v1/margin/priceIndex", Say({"calcTime": 1, "price": "59990.5", "symbol": "BTCUSDT"}))
    exchange.then("GET", "/sapi/v1/margin/maxBorrowable", Say({"amount": "1.5", "borrowLimit": "60"}), refused(-3045))
    exchange.then("GET", "/sapi/v1/account/apiRestrictions", Say({"enableMargin": True, "ipRestrict": True}))
    exchange.always("GET", PAIRS, Say([{"symbol": "BTCUSDT"}]))
    assert await venue.index_price("BTCUSDT") == Decimal("59990.5")
    assert (await venue.max_borrowable("BTCUSDT", "USDT")).amount == Decimal("1.5")
    assert exchange.asked[1].parameters.items() >= {"asset": "USDT", "isolatedSymbol": "BTCUSDT"}.items()
    with pytest.raises(Rejected, match="-3045"):
        await venue.max_borrowable("BTCUSDT", "USDT")
    assert (await venue.key_permissions()).trades_margin is True
    for _ in range(2):
        assert list(await venue.pairs()) == ["BTCUSDT"]
    assert len(exchange.of("GET", PAIRS)) == 1
    await trio.sleep(PAIRS_KEPT_SECONDS)
    await venue.pairs()
    assert len(exchange.of("GET", PAIRS)) == 2


async def test_the_exchanges_clock_is_read_and_followed(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    read = await venue.server_time_ms()
    assert 0 <= read - venue.timestamp_ms() + 1 < 200
    await trio.sleep(10)
    assert abs(venue.timestamp_ms() - read - 10_000) < 200


async def test_an_entry_asks_for_the_loan_of_its_own_asset_and_for_the_index(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.always("GET", RULES, rules())
    exchange.always("GET", "/sapi/v1/margin/priceIndex", Say({"price": "59990.5", "symbol": "BTCUSDT"}))
    exchange.always("GET", "/sapi/v1/margin/maxBorrowable", Say({"amount": "1.5", "borrowLimit": "60"}))
    expected = Credit(borrowable=Decimal("1.5"), index_price=Decimal("59990.5"))
    assert await venue.credit("BTCUSDT", Side.LONG) == expected
    assert await venue.credit("BTCUSDT", Side.SHORT) == expected
    asked = [one.parameters["asset"] for one in exchange.of("GET", "/sapi/v1/margin/maxBorrowable")]
    assert asked == ["USDT", "BTC"]
    assert len(exchange.of("GET", RULES)) == 1


async def test_what_is_not_said_of_a_loan_leaves_the_rest(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.always("GET", RULES, rules())
    exchange.then("GET", "/sapi/v1/margin/priceIndex", Say({"price": "59990.5"}), Say(status=404, body=b"<html>"))
    exchange.then("GET", "/sapi/v1/margin/maxBorrowable", refused(-3045), Say({"amount": "1.5"}))
    assert await venue.credit("BTCUSDT", Side.LONG) == Credit(index_price=Decimal("59990.5"))
    assert await venue.credit("BTCUSDT", Side.LONG) == Credit(borrowable=Decimal("1.5"))
    exchange.always("GET", "/sapi/v1/margin/priceIndex", refused(-1121))
    exchange.always("GET", "/sapi/v1/margin/maxBorrowable", refused(-3045))
    with pytest.raises(Rejected):
        await venue.credit("BTCUSDT", Side.LONG)
