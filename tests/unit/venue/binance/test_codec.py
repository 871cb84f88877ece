"""Answers of the exchange, as it documents them and as it really sends them, read into the domain's terms."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.domain.account import Leg
from robson.domain.values import OrderSide
from robson.venue.binance import codec
from robson.venue.binance.reading import Fields, Malformed, document_of

# The official client's own fixture of a FULL answer.
FULL = b"""{"symbol":"BTCUSDT","orderId":26769564559,"clientOrderId":"E156O3KP4gOif65bjuUK5V","isIsolated":false,
"transactTime":1713873075893,"price":"0","origQty":"0.001","executedQty":"0.001","cummulativeQuoteQty":"65.98253",
"status":"FILLED","timeInForce":"GTC","type":"MARKET","side":"SELL","selfTradePreventionMode":"EXPIRE_MAKER",
"marginBuyBorrowAmount":5,"marginBuyBorrowAsset":"BTC","fills":[{"price":"65982.53","qty":"0.001",
"commission":"0.06598253","commissionAsset":"USDT","tradeId":3570680726}]}"""
QUERIED: dict[str, Any] = {
    "clientOrderId": "rbn1",
    "cummulativeQuoteQty": "920.4",
    "executedQty": "0.01534",
    "icebergQty": "0",
    "isWorking": True,
    "orderId": 7,
    "origQty": "0.01534",
    "price": "0",
    "side": "BUY",
    "status": "FILLED",
    "stopPrice": "0",
    "symbol": "BTCUSDT",
    "isIsolated": True,
    "time": 1713873075893,
    "timeInForce": "GTC",
    "type": "MARKET",
    "selfTradePreventionMode": "NONE",
    "updateTime": 1713873075999,
}
REQUEST = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "quantity": "0.002",
    "newClientOrderId": "rbn2",
    "timestamp": "1713873075000",
}


def full(**changes: Any) -> Any:
    return document_of(FULL) | changes


def test_a_full_answer_has_its_trades_and_its_loan() -> None:
    order = codec.order(document_of(FULL), "BTCUSDT")
    assert (order.venue_order_id, order.client_order_id) == ("26769564559", "E156O3KP4gOif65bjuUK5V")
    assert (order.status, order.is_final, order.order_side) == ("FILLED", True, OrderSide.SELL)
    assert (order.quantity, order.executed, order.executed_quote) == (
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal("65.98253"),
    )
    assert order.at == datetime(2024, 4, 23, 11, 51, 15, 893000, tzinfo=UTC)
    assert order.borrowed == {"BTC": Decimal(5)}
    (trade,) = order.trades
    assert (trade.trade_id, trade.price, trade.quantity) == (3570680726, Decimal("65982.53"), Decimal("0.001"))
    assert (trade.fee, trade.fee_asset, trade.venue_order_id) == (Decimal("0.06598253"), "USDT", "26769564559")


def test_a_queried_order_has_neither_trades_nor_loan_and_its_last_change_as_its_time() -> None:
    order = codec.order(QUERIED, "BTCUSDT")
    assert (order.trades, order.borrowed) == ((), {})
    assert order.at == datetime(2024, 4, 23, 11, 51, 15, 999000, tzinfo=UTC)
    assert order.executed_quote == Decimal("920.4")


@pytest.mark.parametrize("loan", [5, 5.5, "5.25", Decimal("0.12345678901234567890")])
def test_a_loan_may_be_a_number_or_text(loan: object) -> None:
    borrowed = codec.order(full(marginBuyBorrowAmount=loan), "BTCUSDT").borrowed
    assert borrowed == {"BTC": Decimal(str(loan))}


def test_money_written_as_a_number_keeps_every_digit() -> None:
    order = codec.order(
        document_of(FULL.replace(b'"executedQty":"0.001"', b'"executedQty":0.12345678901234567890')), ""
    )
    assert order.executed == Decimal("0.12345678901234567890")


def test_numbers_as_text_text_as_numbers_and_new_fields_change_nothing() -> None:
    plain = codec.order(document_of(FULL), "BTCUSDT")
    strange = full(
        orderId="26769564559",
        transactTime="1713873075893",
        origQty=Decimal("0.001"),
        executedQty=" 0.001 ",
        cummulativeQuoteQty=Decimal("65.98253"),
        marginBuyBorrowAmount="5",
        expiryReason=None,
        brandNew={"deeply": ["nested"]},
        side="sell",
    )
    strange["fills"][0] |= {"tradeId": "3570680726", "price": 65982.53, "matchType": "ONE_PARTY"}
    assert codec.order(strange, "BTCUSDT") == plain


@pytest.mark.parametrize("status", ["PENDING_NEW", "SOMETHING_NEW", None])
def test_an_unknown_status_is_not_final(status: str | None) -> None:
    assert not codec.order(full(status=status), "BTCUSDT").is_final


@pytest.mark.parametrize("status", ["FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"])
def test_a_final_status_is(status: str) -> None:
    assert codec.order(full(status=status), "BTCUSDT").is_final


@pytest.mark.parametrize(
    "fills",
    [
        [],
        None,
        [{"price": "65982.53", "qty": "0.001"}],
        [{"price": "0", "qty": "0.001", "commission": "0", "commissionAsset": "BNB", "tradeId": 1}],
        [{"price": "1", "qty": "0.0004", "commission": "0", "commissionAsset": "BNB", "tradeId": 1}],
        [{"price": "1", "qty": "0.001", "commission": "0", "commissionAsset": "BNB", "tradeId": -1}],
        ["nonsense"],
    ],
)
def test_filled_without_prices_leaves_the_trades_to_be_asked_for(fills: object) -> None:
    order = codec.order(full(fills=fills), "BTCUSDT")
    assert (order.status, order.executed, order.trades) == ("FILLED", Decimal("0.001"), ())


@pytest.mark.parametrize("quote", ["-1", "0", "0.00000000", None, ""])
def test_a_fill_without_a_quote_amount_says_so(quote: object) -> None:
    assert codec.order(full(cummulativeQuoteQty=quote), "BTCUSDT").executed_quote is None


def test_an_order_that_executed_nothing_cost_nothing() -> None:
    order = codec.order(
        full(executedQty="0", cummulativeQuoteQty="0", status="EXPIRED", fills=[], marginBuyBorrowAmount=None), ""
    )
    assert (order.executed, order.executed_quote, order.borrowed) == (0, 0, {})


def test_a_partial_expiry_keeps_what_executed() -> None:
    order = codec.order(
        full(
            status="EXPIRED",
            origQty="0.003",
            expiryReason="INSUFFICIENT_LIQUIDITY",
        ),
        "BTCUSDT",
    )
    assert (order.is_final, order.quantity, order.executed, len(order.trades)) == (
        True,
        Decimal("0.003"),
        Decimal("0.001"),
        1,
    )


def test_a_short_answer_to_a_new_order_is_completed_from_what_was_asked() -> None:
    order = codec.placed_order({"symbol": "BTCUSDT", "orderId": 9, "clientOrderId": None}, REQUEST)
    assert (order.venue_order_id, order.client_order_id, order.is_final) == ("9", "rbn2", False)
    assert (order.order_side, order.quantity, order.executed) == (OrderSide.BUY, Decimal("0.002"), 0)
    assert order.at == datetime(2024, 4, 23, 11, 51, 15, tzinfo=UTC)


@pytest.mark.parametrize("answer", [{}, [], "FILLED", None, 7, {"orderId": {}}, {"orderId": True}])
def test_an_answer_without_an_order_is_malformed(answer: object) -> None:
    with pytest.raises(Malformed):
        codec.placed_order(answer, REQUEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"executedQty": "NaN"},
        {"executedQty": "Infinity"},
        {"executedQty": "ten"},
        {"executedQty": [1]},
        {"executedQty": True},
        {"side": "HOLD"},
        {"transactTime": "1713873075893907"},
        {"transactTime": "-1"},
        {"transactTime": "1.5"},
    ],
)
def test_what_cannot_be_true_is_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed, match="order"):
        codec.order(full(**changes), "BTCUSDT")


def test_several_orders_are_a_list() -> None:
    assert [order.venue_order_id for order in codec.orders([QUERIED, QUERIED | {"orderId": "8"}], "BTCUSDT")] == [
        "7",
        "8",
    ]
    with pytest.raises(Malformed, match="not a list"):
        codec.orders({}, "BTCUSDT")


def test_trades_are_read_as_documented() -> None:
    row = (
        b'[{"commission":"0.00006000","commissionAsset":"BTC","id":34,"isBestMatch":true,"isBuyer":false,'
        b'"isMaker":false,"orderId":39324,"price":"0.02000000","qty":"3.00000000","symbol":"BNBBTC",'
        b'"isIsolated":false,"time":1561973357171}]'
    )
    (trade,) = codec.trades(document_of(row))
    assert (trade.trade_id, trade.venue_order_id, trade.quantity) == (34, "39324", 3)
    assert (trade.fee, trade.fee_asset) == (Decimal("0.00006"), "BTC")
    assert trade.at == datetime(2019, 7, 1, 9, 29, 17, 171000, tzinfo=UTC)
    assert codec.trades([]) == []


def leg(asset: str, **amounts: str) -> dict[str, object]:
    return {
        "asset": asset,
        "borrowEnabled": True,
        "borrowed": "0",
        "free": "0",
        "interest": "0",
        "locked": "0",
        "netAsset": "0",
        "netAssetOfBtc": "0",
        "repayEnabled": True,
        "totalAsset": "0",
        **amounts,
    }


def test_an_account_is_found_by_its_pair() -> None:
    eth = {"baseAsset": leg("ETH"), "quoteAsset": leg("USDT"), "symbol": "ETHUSDT", "isolatedCreated": True}
    btc = {
        "baseAsset": leg("BTC", free="0.01532466", locked="0.1", borrowed="0.2", interest="0.00000017"),
        "quoteAsset": leg("USDT", free="-0"),
        "symbol": "BTCUSDT",
        "marginLevel": "999",
        "marginLevelStatus": "EXCESSIVE",
    }
    account = codec.account({"assets": [eth, btc]}, "BTCUSDT")
    assert account is not None
    assert account.base == Leg(
        free=Decimal("0.01532466"), locked=Decimal("0.1"), borrowed=Decimal("0.2"), interest=Decimal("0.00000017")
    )
    assert account.quote == Leg()
    assert codec.account({"assets": [eth]}, "BTCUSDT") is None
    assert codec.account({"assets": []}, "BTCUSDT") is None
    unnamed = {name: member for name, member in btc.items() if name != "symbol"}
    assert codec.account({"assets": [eth, unnamed]}, "BTCUSDT") == account


@pytest.mark.parametrize("missing", ["free", "borrowed", "interest"])
def test_an_account_without_its_amounts_is_malformed(missing: str) -> None:
    base = leg("BTC")
    del base[missing]
    with pytest.raises(Malformed, match=f"baseAsset had no {missing}"):
        codec.account({"assets": [{"symbol": "BTCUSDT", "baseAsset": base, "quoteAsset": leg("USDT")}]}, "BTCUSDT")


def test_interest_is_read_with_the_exchanges_own_spelling() -> None:
    row = {
        "txId": 1352286576452864727,
        "interestAccuredTime": 1672160400000,
        "asset": "USDT",
        "rawAsset": "USDT",
        "principal": "45.3313",
        "interest": "0.00024995",
        "interestRate": "0.00013233",
        "type": "ON_BORROW",
        "isolatedSymbol": "BNBUSDT",
    }
    kinds = ["ON_BORROW", "ON_BORROW_CONVERTED", "PERIODIC", "PERIODIC_CONVERTED", "SOMETHING"]
    charges = codec.interest({"rows": [row | {"type": kind} for kind in kinds], "total": 5})
    assert [charge.on_borrow for charge in charges] == [True, True, False, False, False]
    assert (charges[0].asset, charges[0].amount, charges[0].principal) == (
        "USDT",
        Decimal("0.00024995"),
        Decimal("45.3313"),
    )
    assert charges[0].at == datetime(2022, 12, 27, 17, tzinfo=UTC)
    assert codec.interest({"total": 0}) == []


def test_liquidations_are_read_as_documented() -> None:
    row = {
        "avgPrice": "0.00388359",
        "executedQty": "31.39000000",
        "orderId": 180015097,
        "price": "0.00388110",
        "qty": "31.39000000",
        "side": "SELL",
        "symbol": "BNBBTC",
        "timeInForce": "GTC",
        "isIsolated": True,
        "updatedTime": 1558941374745,
    }
    sold, seized = codec.liquidations({"rows": [row, row | {"orderId": None, "side": None}], "total": 2})
    assert (sold.venue_order_id, sold.order_side, sold.average_price) == (
        "180015097",
        OrderSide.SELL,
        Decimal("0.00388359"),
    )
    assert (sold.executed, sold.at.year) == (Decimal("31.39"), 2019)
    assert (seized.venue_order_id, seized.order_side) == (None, None)


@pytest.mark.parametrize("document", [{"price": "0"}, {"price": "-1"}, {"price": "NaN"}, {}, [{"price": "1"}]])
def test_a_price_is_above_zero(document: object) -> None:
    with pytest.raises(Malformed):
        codec.price(document)
    assert codec.price({"symbol": "BTCUSDT", "price": 60000}) == 60000


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a":', b"\xff\xfe", b"[" * 100_000, b"nan", b'{"a":1e99999999999}']
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        Fields(document_of(body), "x").decimal("a")


def test_truth_is_read_in_every_spelling() -> None:
    spelt = {"a": True, "b": "TRUE", "c": "false", "d": 1, "e": "0", "f": None, "g": "maybe"}
    fields = Fields(msgspec.json.decode(msgspec.json.encode(spelt)), "x")
    said = [fields.flag(name, default=False) for name in "abcdef"]
    assert said == [True, True, False, True, False, False]
    with pytest.raises(Malformed, match="maybe"):
        fields.flag("g", default=False)
