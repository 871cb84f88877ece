"""Weights, their headers, and what becomes of who does not heed them."""

from pathlib import Path

import pytest
import trio

from robson.emulator.limits import REFUSALS_BEFORE_BAN, Limits, Scope
from robson.emulator.refusals import Refused
from tests.unit.emulator.bench import ORDER, PAIR, opened

MINUTE = 60_000


async def test_each_request_says_what_was_used(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path) as bench:
        assert (await bench.get("/api/v3/time")).headers["X-MBX-USED-WEIGHT-1M"] == "1"
        assert (await bench.get("/api/v3/exchangeInfo")).headers["X-MBX-USED-WEIGHT-1M"] == "21"
        for ticker in ("price", "bookTicker"):
            path = f"/api/v3/ticker/{ticker}"
            before = int((await bench.get("/api/v3/time")).headers["X-MBX-USED-WEIGHT-1M"])
            one = (await bench.get(path, symbol="BTCUSDT")).headers["X-MBX-USED-WEIGHT-1M"]
            several = (await bench.get(path, symbols='["BTCUSDT"]')).headers["X-MBX-USED-WEIGHT-1M"]
            assert (int(one) - before, int(several) - int(one)) == (2, 4)
        plain = await bench.order("BUY", "0.01")
        assert plain.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "6"
        assert plain.headers["X-MBX-ORDER-COUNT-10S"] == "1"
        borrowing = await bench.order("SELL", "0.1", "MARGIN_BUY")
        assert borrowing.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "1506"
        asked = {"symbol": PAIR, "isIsolated": "TRUE"}
        assert (await bench.ask("GET", ORDER, **asked, orderId=1)).headers["X-SAPI-USED-IP-WEIGHT-1M"] == "10"
        most = await bench.ask("GET", "/sapi/v1/margin/maxBorrowable", asset="BTC", isolatedSymbol=PAIR)
        assert most.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "750", "each endpoint has its own budget"
        await trio.sleep(60)
        assert (await bench.order("BUY", "0.01")).headers["X-SAPI-USED-UID-WEIGHT-1M"] == "6"
        assert (await bench.order("BUY", "0.01")).headers["X-MBX-ORDER-COUNT-10S"] == "2"


async def test_a_refused_order_costs_as_much_as_any(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        reply = await bench.order("SELL", "99", "MARGIN_BUY")
        assert (reply.status, reply.headers["X-SAPI-USED-UID-WEIGHT-1M"]) == (400, "1500")


def test_above_the_budget_comes_429_with_the_seconds_to_wait_then_418() -> None:
    limits, now = Limits(), 10 * MINUTE + 45_500
    for _ in range(120):
        limits.charge(Scope.SAPI_UID, "order", 1500, now)
    with pytest.raises(Refused) as refused:
        limits.charge(Scope.SAPI_UID, "order", 1500, now)
    assert (refused.value.status, refused.value.code) == (429, -1003)
    assert refused.value.headers["Retry-After"] == "15"
    limits.charge(Scope.SAPI_UID, "borrow-repay", 1500, now)
    for _ in range(REFUSALS_BEFORE_BAN):
        with pytest.raises(Refused) as refused:
            limits.charge(Scope.SAPI_UID, "order", 6, now)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (418, "120")
    with pytest.raises(Refused, match="banned until"):
        limits.charge(Scope.API, "", 1, now + 119_000)
    limits.charge(Scope.API, "", 1, now + 120_000)


def test_a_new_minute_is_a_new_budget() -> None:
    limits = Limits()
    limits.charge(Scope.API, "", 6000, 0)
    with pytest.raises(Refused):
        limits.charge(Scope.API, "", 1, MINUTE - 1)
    assert limits.charge(Scope.API, "", 1, MINUTE)["X-MBX-USED-WEIGHT-1M"] == "1"


def test_ten_thousand_orders_in_ten_seconds_and_no_more() -> None:
    limits = Limits()
    for _ in range(10_000):
        limits.count_order(0)
    with pytest.raises(Refused) as refused:
        limits.count_order(9_000)
    assert (refused.value.code, refused.value.status, refused.value.headers["Retry-After"]) == (-1015, 429, "1")
    assert limits.count_order(10_000)["X-MBX-ORDER-COUNT-10S"] == "1"
