"""Orders, loans and accounts over REST: what the exchange's documents promise, line by line."""

from decimal import ROUND_UP, Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from tests.unit.emulator.bench import EXACT, ORDER, PAIR, opened

HOUR = 3600


async def test_a_long_borrows_its_shortfall_pays_in_base_and_repays_interest_first(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        entry = (await bench.order("BUY", "2", "MARGIN_BUY", newClientOrderId="entry")).json
        assert entry["status"] == "FILLED"
        assert entry["isIsolated"] is True
        assert entry["cummulativeQuoteQty"] == "190000.00000000"
        assert (entry["marginBuyBorrowAmount"], entry["marginBuyBorrowAsset"]) == (90000, "USDT")
        (fill,) = entry["fills"]
        assert (fill["commission"], fill["commissionAsset"]) == ("0.00200000", "BTC")
        quote = (await bench.account())["quoteAsset"]
        assert (quote["borrowed"], quote["interest"]) == ("90000.00000000", "0.51390000"), "an hour is charged at once"
        history = (await bench.ask("GET", "/sapi/v1/margin/interestHistory", isolatedSymbol=PAIR)).json
        assert [row["type"] for row in history["rows"]] == ["ON_BORROW"]

        left = (await bench.order("SELL", "0.5", "AUTO_REPAY")).json
        quote = (await bench.account())["quoteAsset"]
        received = Decimal(left["cummulativeQuoteQty"]) - Decimal(left["fills"][0]["commission"])
        assert Decimal(quote["interest"]) == 0, "interest is repaid first"
        assert Decimal(quote["borrowed"]) == 90000 - (received - Decimal("0.5139"))
        assert "marginBuyBorrowAmount" not in left


async def test_interest_is_charged_at_each_full_hour(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path) as bench:
        await bench.order("SELL", "1", "MARGIN_BUY")
        await trio.sleep(3 * HOUR)
        base = (await bench.account())["baseAsset"]
        assert (base["borrowed"], base["interest"]) == ("1.00000000", f"{4 * Decimal('0.00000571'):.8f}")
        rows = (await bench.ask("GET", "/sapi/v1/margin/interestHistory", isolatedSymbol=PAIR)).json["rows"]
        assert [row["type"] for row in rows] == ["PERIODIC"] * 3 + ["ON_BORROW"]


async def test_the_worked_exit_of_a_long(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        await bench.order("BUY", "0.01534", "MARGIN_BUY")
        assert (await bench.account())["baseAsset"]["free"] == "0.01532466"
        await bench.order("SELL", "0.01532", "AUTO_REPAY")
        assert (await bench.account())["baseAsset"]["free"] == "0.00000466"


async def test_the_worked_exit_of_a_short_after_three_hours(tmp_path: Path, autojump_clock: object) -> None:
    # 17 units an hour; the first at once, two more at full hours.
    settings = msgspec.structs.replace(EXACT, base_hourly_interest_rate=Decimal("0.000011"))
    with opened(tmp_path, settings) as bench:
        await bench.order("SELL", "0.01534", "MARGIN_BUY")
        await trio.sleep(2 * HOUR)
        base = (await bench.account())["baseAsset"]
        debt = Decimal(base["borrowed"]) + Decimal(base["interest"])
        assert debt == Decimal("0.01534051")
        quantity = (debt / (1 - Decimal("0.001"))).quantize(Decimal("0.00001"), ROUND_UP)
        assert quantity == Decimal("0.01536")
        await bench.order("BUY", str(quantity), "AUTO_REPAY")
        base = (await bench.account())["baseAsset"]
        assert (base["borrowed"], base["interest"], base["free"]) == ("0.00000000", "0.00000000", "0.00000413")


async def test_a_client_order_id_is_unique_among_open_orders_only(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        first = (await bench.order("BUY", "0.01", newClientOrderId="same")).json
        second = (await bench.order("BUY", "0.01", newClientOrderId="same")).json
        assert second["orderId"] == first["orderId"] + 1, "the first was filled: the id is free, and it trades again"
        asked = {"symbol": PAIR, "isIsolated": "TRUE", "origClientOrderId": "same"}
        assert (await bench.ask("GET", ORDER, **asked)).json["orderId"] == second["orderId"]

        resting = {"type": "LIMIT", "timeInForce": "GTC", "price": "90000", "newClientOrderId": "open"}
        assert (await bench.order("BUY", "0.01", **resting)).json["status"] == "NEW"
        assert (await bench.order("BUY", "0.01", **resting)).error == (-2010, "Duplicate order sent.")
        cancelled = (await bench.ask("DELETE", ORDER, symbol=PAIR, isIsolated="TRUE", origClientOrderId="open")).json
        assert (cancelled["status"], cancelled["orderId"]) == ("CANCELED", "3"), "an order id is a string here"
        assert (await bench.order("BUY", "0.01", **resting)).json["status"] == "NEW"


@pytest.mark.parametrize("identity", ["a" * 37, "with space", "dot.ted", "col:on", "ä"])
async def test_a_client_order_id_has_36_plain_characters(tmp_path: Path, identity: str) -> None:
    with opened(tmp_path) as bench:
        code, text = (await bench.order("BUY", "0.01", newClientOrderId=identity)).error
        assert code == -1100
        assert "^[a-zA-Z0-9-_]{1,36}$" in text


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"quantity": "0.000001"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "0.0100001"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "100.00001"}, (-1013, "Filter failure: MARKET_LOT_SIZE")),
        ({"quantity": "0.00005"}, (-1013, "Filter failure: NOTIONAL")),
        (
            {"quantity": "1e-05"},
            (
                -1100,
                "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
            ),
        ),
        ({"quantity": "-1"}, None),
        ({"quantity": "1.5"}, (-2010, "Account has insufficient balance for requested action.")),
        ({"side": "HOLD"}, (-1117, "Invalid side.")),
        ({"type": "STOP_LOSS"}, (-1116, "Invalid orderType.")),
        ({"symbol": "NOPEUSDT"}, (-1121, "Invalid symbol.")),
        ({"symbol": "XRPUSDT"}, (-1121, "Invalid symbol.")),
        ({"symbol": "btcusdt"}, None),
        ({"isIsolated": "FALSE"}, (-3003, "Margin account does not exist.")),
        ({"isIsolated": ""}, (-3003, "Margin account does not exist.")),
        ({"isIsolated": "maybe"}, (-1130, "Data sent for parameter 'isIsolated' is not valid.")),
        ({"sideEffectType": "MAGIC"}, (-1130, "Data sent for parameter 'sideEffectType' is not valid.")),
        ({"timeInForce": "GTC"}, (-1106, "Parameter 'timeInForce' sent when not required.")),
        ({"quantity": ""}, (-1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.")),
    ],
)
async def test_an_order_is_refused_in_the_exchanges_words(
    tmp_path: Path, asked: dict[str, str], code: tuple[int, str] | None
) -> None:
    with opened(tmp_path) as bench:
        whole = {"side": "BUY", "quantity": "0.01", **asked}
        side, quantity = whole.pop("side"), whole.pop("quantity")
        effect = whole.pop("sideEffectType", "NO_SIDE_EFFECT")
        reply = await bench.order(side, quantity, effect, **whole)
        assert reply.status == 400
        assert reply.error == code if code is not None else reply.error[0] == -1100
        assert bench.exchange.file.orders(PAIR) == []


async def test_the_market_lot_size_has_a_step_of_zero_and_a_maximum(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        (symbol,) = (await bench.get("/api/v3/exchangeInfo", symbol=PAIR)).json["symbols"]
        filters = {row["filterType"]: row for row in symbol["filters"]}
        assert filters["MARKET_LOT_SIZE"]["stepSize"] == filters["MARKET_LOT_SIZE"]["minQty"] == "0.00000000"
        assert filters["MARKET_LOT_SIZE"]["maxQty"] == "100.00000000"
        assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
        assert filters["NOTIONAL"]["minNotional"] == "5.00000000"


async def test_lending_refuses_what_the_tier_and_the_minima_do_not_allow(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        await bench.order("BUY", "0.01")

        async def move(kind: str, amount: str, asset: str = "USDT") -> tuple[int, str]:
            reply = await bench.ask(
                "POST",
                "/sapi/v1/margin/borrow-repay",
                asset=asset,
                isIsolated="TRUE",
                symbol=PAIR,
                amount=amount,
                type=kind,
            )
            return reply.error if reply.status != 200 else (0, "")

        assert (await bench.order("BUY", "11", "MARGIN_BUY")).error[0] == -11008
        assert (await bench.order("SELL", "99", "MARGIN_BUY")).error[0] == -11008
        assert (await move("BORROW", "950000"))[0] == -3006
        assert (await move("BORROW", "0.000001", "BTC"))[0] == -3013
        assert (await move("BORROW", "0.00000001"))[0] == 0
        assert await move("REPAY", "1") == (-3015, "Repay amount exceeds borrow amount.")
        assert (await move("BORROW", "10"))[0] == 0
        owed = (await bench.account())["quoteAsset"]
        debt = Decimal(owed["borrowed"]) + Decimal(owed["interest"])
        crumb = str(debt - Decimal("0.0000005"))
        assert await move("REPAY", crumb) == (-3015, "The unpaid debt is too small after this repayment.")
        assert (await move("REPAY", "0.0000001"))[0] == -3016
        assert (await move("REPAY", str(debt)))[0] == 0
        rows = (await bench.ask("GET", "/sapi/v1/margin/borrow-repay", type="REPAY", isolatedSymbol=PAIR)).json["rows"]
        assert [(row["type"], row["status"], Decimal(row["amount"])) for row in rows] == [("MANUAL", "CONFIRMED", debt)]


async def test_the_first_ten_thousandths_are_lent_up_to_what_max_borrowable_says(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        most = (await bench.ask("GET", "/sapi/v1/margin/maxBorrowable", asset="USDT", isolatedSymbol=PAIR)).json[
            "amount"
        ]
        asked = {"asset": "USDT", "isIsolated": "TRUE", "symbol": PAIR, "type": "BORROW"}
        above = str(Decimal(most) + Decimal("0.00000001"))
        path = "/sapi/v1/margin/borrow-repay"
        assert (await bench.ask("POST", path, amount=above, **asked)).error[0] == -3006
        assert (await bench.ask("POST", path, amount=most, **asked)).json["tranId"] > 0


async def test_a_short_is_liquidated_at_1_05_and_the_record_says_so(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        await bench.order("SELL", "9", "MARGIN_BUY")
        limit = Decimal((await bench.account())["liquidatePrice"])
        bench.tick(str((limit - 1).quantize(Decimal("0.01"))))
        assert (await bench.account())["marginLevelStatus"] == "PRE_LIQUIDATION"
        bench.tick(str((limit + 1).quantize(Decimal("0.01"))))
        account = await bench.account()
        assert Decimal(account["baseAsset"]["borrowed"]) == 0
        records = (await bench.ask("GET", "/sapi/v1/margin/forceLiquidationRec", isolatedSymbol=PAIR)).json
        assert (records["total"], records["rows"][0]["side"]) == (1, "BUY")
        order = (
            await bench.ask("GET", ORDER, symbol=PAIR, isIsolated="TRUE", orderId=records["rows"][0]["orderId"])
        ).json
        assert order["clientOrderId"].startswith("autoclose-")


async def test_a_resting_order_fills_when_the_price_comes(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        await bench.order("BUY", "0.01", type="LIMIT", timeInForce="GTC", price="94000", newClientOrderId="rest")
        assert (await bench.account())["quoteAsset"]["locked"] == "940.00000000"
        bench.tick("94000.01")
        asked = {"symbol": PAIR, "isIsolated": "TRUE", "origClientOrderId": "rest"}
        assert (await bench.ask("GET", ORDER, **asked)).json["status"] == "NEW"
        bench.tick("94000")
        assert (await bench.ask("GET", ORDER, **asked)).json["status"] == "FILLED"


async def test_queries_by_id_by_span_and_by_nobodys_id(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path) as bench:
        for number in range(3):
            await bench.order("BUY", "0.01", newClientOrderId=f"o{number}")
            await trio.sleep(60)
        pair = {"symbol": PAIR, "isIsolated": "TRUE"}
        trades = (await bench.ask("GET", "/sapi/v1/margin/myTrades", **pair, fromId=2)).json
        assert [(row["id"], row["orderId"], row["isBuyer"]) for row in trades] == [(2, 2, True), (3, 3, True)]
        assert (await bench.ask("GET", "/sapi/v1/margin/myTrades", **pair, orderId=2)).json == trades[:1]
        since = trades[1]["time"]
        assert len((await bench.ask("GET", "/sapi/v1/margin/myTrades", **pair, startTime=since)).json) == 1
        assert len((await bench.ask("GET", "/sapi/v1/margin/allOrders", **pair, orderId=2)).json) == 2
        span = {"startTime": since - 86_400_001, "endTime": since}
        assert (await bench.ask("GET", "/sapi/v1/margin/allOrders", **pair, **span)).error[0] == -1127
        assert (await bench.ask("GET", ORDER, **pair, origClientOrderId="nobody")).error == (
            -2013,
            "Order does not exist.",
        )
        assert (await bench.ask("GET", ORDER, **pair)).error[0] == -1102
        assert (await bench.ask("GET", ORDER, **pair, orderId=1, origClientOrderId="o2")).error[0] == -2039
        assert (await bench.ask("DELETE", ORDER, **pair, orderId=1)).error == (-2011, "Unknown order sent.")


async def test_collateral_comes_and_goes(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        path, isolated = "/sapi/v1/asset/transfer", {"asset": "USDT", "amount": "50000"}
        assert (await bench.ask("POST", path, type="MAIN_MARGIN", **isolated)).status == 200
        await bench.ask("POST", path, type="MARGIN_ISOLATEDMARGIN", toSymbol=PAIR, **isolated)
        assert (await bench.account())["quoteAsset"]["free"] == "150000.00000000"
        await bench.ask("POST", path, type="ISOLATEDMARGIN_MARGIN", fromSymbol=PAIR, **isolated)
        assert (await bench.account())["quoteAsset"]["free"] == "100000.00000000"
        most = (await bench.ask("GET", "/sapi/v1/margin/maxTransferable", asset="USDT", isolatedSymbol=PAIR)).json
        assert most == {"amount": "100000.00000000"}
        reply = await bench.ask(
            "POST", path, type="ISOLATEDMARGIN_MARGIN", fromSymbol=PAIR, asset="USDT", amount="100001"
        )
        assert reply.error[0] == -3020


async def test_a_third_asset_pays_the_fee_where_it_is_set(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(EXACT, fee_asset="BNB", fee_asset_price=Decimal(500))
    with opened(tmp_path, settings) as bench:
        (fill,) = (await bench.order("BUY", "1")).json["fills"]
        assert (fill["commissionAsset"], fill["commission"]) == ("BNB", "0.19000000")


async def test_what_happened_is_still_there_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        await bench.order("BUY", "1", newClientOrderId="before")
    with opened(tmp_path) as again:
        found = (await again.ask("GET", ORDER, symbol=PAIR, isIsolated="TRUE", origClientOrderId="before")).json
        assert found["orderId"] == 1
        assert (await again.order("BUY", "0.01")).json["orderId"] == 2
