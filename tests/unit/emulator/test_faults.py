"""Every fault that can be switched: what the client sees, and what has really happened."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from robson.emulator.control import Control, StreamActions
from robson.emulator.faults import ORDER, Fault, Faults
from robson.emulator.refusals import Cut
from robson.emulator.router import Request
from tests.unit.emulator.bench import KEY, PAIR, Bench, opened
from tests.unit.emulator.bench import ORDER as ORDER_PATH


async def known(bench: Bench) -> str | int:
    """The status of the order `x`, or the code of the refusal."""
    reply = await bench.ask("GET", ORDER_PATH, symbol=PAIR, isIsolated="TRUE", origClientOrderId="x")
    return reply.json.get("status") or reply.error[0]


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("reply_503", 503, None), ("reply_1007", 504, -1007), ("late_reply", 200, None)]
)
async def test_answers_that_hide_an_execution(
    tmp_path: Path, fault: str, status: int, code: int | None, autojump_clock: object
) -> None:
    with opened(tmp_path) as bench:
        bench.arm(fault)
        started = trio.current_time()
        reply = await bench.order("BUY", "0.01", newClientOrderId="x")
        assert reply.status == status
        if code is not None:
            assert reply.error[0] == code
        assert trio.current_time() - started == (3 if fault == "late_reply" else 0)
        assert await known(bench) == "FILLED"
        assert (await bench.order("BUY", "0.01")).status == 200, "it was armed once"


async def test_a_reply_may_be_lost_and_a_request_too(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        bench.arm("drop_request")
        with pytest.raises(Cut):
            await bench.order("BUY", "0.01", newClientOrderId="x")
        assert await known(bench) == -2013
        bench.arm("drop_reply")
        with pytest.raises(Cut):
            await bench.order("BUY", "0.01", newClientOrderId="x")
        assert await known(bench) == "FILLED"
        bench.arm("drop_reply")
        with pytest.raises(Cut):
            await bench.order("BUY", "9")


@pytest.mark.parametrize(
    ("fault", "status", "retry"), [("html_403", 403, None), ("limit_429", 429, "2"), ("ban_418", 418, "120")]
)
async def test_answers_to_what_was_never_executed(tmp_path: Path, fault: str, status: int, retry: str | None) -> None:
    with opened(tmp_path) as bench:
        bench.arm(fault)
        reply = await bench.order("BUY", "0.01", newClientOrderId="x")
        assert reply.status == status
        assert reply.headers.get("Retry-After") == retry
        if fault == "html_403":
            assert reply.content.startswith(b"<html>")
        assert await known(bench) == -2013


async def test_an_order_may_execute_after_its_connection_has_gone_but_never_after_its_window(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with trio.open_nursery() as nursery:
        with opened(tmp_path) as bench:
            bench.exchange.work_in(nursery)
            bench.arm("late", seconds=3)
            with pytest.raises(Cut):
                await bench.order("BUY", "0.01", newClientOrderId="x")
            assert await known(bench) == -2013
            await trio.sleep(2.9)
            assert await known(bench) == -2013
            await trio.sleep(0.2)
            assert await known(bench) == "FILLED"
            bench.arm("late", seconds=3)
            with pytest.raises(Cut):
                await bench.order("BUY", "0.01", newClientOrderId="y", recvWindow=1000)
            await trio.sleep(0.95)
            assert len(bench.exchange.file.orders(PAIR)) == 2, "delayed within recvWindow, however long was asked for"


async def test_a_late_order_may_also_be_refused(tmp_path: Path, autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        with opened(tmp_path) as bench:
            bench.exchange.work_in(nursery)
            bench.arm("late", seconds=1)
            with pytest.raises(Cut):
                await bench.order("BUY", "9", newClientOrderId="x")
            await trio.sleep(2)
            assert await known(bench) == -2013


async def test_queries_lag(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path) as bench:
        bench.arm("query_lag", seconds=2)
        await bench.order("BUY", "0.01", newClientOrderId="x")
        pair = {"symbol": PAIR, "isIsolated": "TRUE"}
        assert await known(bench) == -2013
        assert (await bench.ask("GET", "/sapi/v1/margin/myTrades", **pair)).json == []
        assert (await bench.ask("GET", "/sapi/v1/margin/allOrders", **pair)).json == []
        await trio.sleep(2)
        assert await known(bench) == "FILLED"
        assert len((await bench.ask("GET", "/sapi/v1/margin/myTrades", **pair)).json) == 1


async def test_a_loan_without_its_order(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        bench.arm("loan_without_order")
        reply = await bench.order("SELL", "0.5", "MARGIN_BUY", newClientOrderId="x")
        assert reply.error == (-2010, "Account has insufficient balance for requested action.")
        assert await known(bench) == -2013
        base = (await bench.account())["baseAsset"]
        assert (base["borrowed"], base["free"]) == ("0.50000000", "0.50000000")


async def test_an_auto_repayment_fails_in_silence(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        await bench.order("SELL", "0.5", "MARGIN_BUY")
        bench.arm("repay_fails")
        assert (await bench.order("BUY", "0.5", "AUTO_REPAY")).json["status"] == "FILLED"
        assert (await bench.account())["baseAsset"]["borrowed"] == "0.50000000"


async def test_a_market_order_expires_in_part_and_says_why(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        bench.arm("partial", fraction="0.25")
        order = (await bench.order("BUY", "0.4", newClientOrderId="x")).json
        assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.10000000")
        assert order["expiryReason"] == "INSUFFICIENT_LIQUIDITY"
        assert await known(bench) == "EXPIRED"
        bench.arm("partial", fraction="0")
        order = (await bench.order("BUY", "0.4")).json
        assert (order["status"], order["fills"]) == ("EXPIRED", [])


async def test_an_underfunded_market_buy_is_refused_whole_or_filled_as_far_as_it_goes(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        assert (await bench.order("BUY", "2")).error[0] == -2010
        bench.arm("underfunded_fill")
        order = (await bench.order("BUY", "2")).json
        assert (order["status"], order["executedQty"]) == ("EXPIRED", "1.05263000")


@pytest.mark.parametrize("code", [-3045, -3007])
async def test_a_refusal_of_ones_choice(tmp_path: Path, code: int) -> None:
    with opened(tmp_path) as bench:
        repay = "/sapi/v1/margin/borrow-repay"
        for endpoint in (ORDER, f"POST {repay}"):
            bench.arm("refuse", code=code, text="not now", endpoint=endpoint)
            if endpoint == ORDER:
                reply = await bench.order("BUY", "0.01", newClientOrderId="x")
            else:
                asked = {"asset": "USDT", "isIsolated": "TRUE", "symbol": PAIR, "amount": "1", "type": "BORROW"}
                reply = await bench.ask("POST", repay, **asked)
            assert reply.error == (code, "not now")
        assert await known(bench) == -2013
        assert Decimal((await bench.account())["quoteAsset"]["borrowed"]) == 0


def test_faults_are_used_up_by_the_requests_that_they_are_for() -> None:
    faults = Faults()
    faults.arm(Fault(fault="drop_reply", times=2))
    faults.arm(Fault(fault="html_403", times=0, endpoint="*"))
    assert set(faults.plan("GET /api/v3/time", is_signed=False)) == set()
    assert set(faults.plan("GET /sapi/v1/margin/order", is_signed=True)) == {"html_403"}
    assert set(faults.plan(ORDER, is_signed=True)) == {"html_403", "drop_reply"}
    assert set(faults.plan(ORDER, is_signed=True)) == {"html_403", "drop_reply"}
    assert set(faults.plan(ORDER, is_signed=True)) == {"html_403"}
    assert faults.fired == {"html_403": 4, "drop_reply": 2}
    faults.clear("html_403")
    assert faults.plan(ORDER, is_signed=True) == {}


class NoStreams(StreamActions):
    """Says what it was told."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def now(self, fault: Fault) -> bool:
        self.done.append(fault.fault)
        return fault.fault == "cut"

    def chance_changed(self) -> None:
        self.done.append("chance")


async def test_the_control_endpoint_arms_lists_and_clears(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        streams = NoStreams()
        control = Control(bench.exchange, streams)

        async def ask(method: str, path: str, body: object = None, query: str = "", **headers: str) -> tuple[int, Any]:
            raw = b"" if body is None else msgspec.json.encode(body)
            reply = await control.answer(Request(method, f"/control/{path}", query, headers, raw))
            return reply.status, json.loads(reply.content())

        status, listed = await ask("POST", "faults", {"fault": "drop_reply", "times": 3})
        assert (status, listed["armed"][0]["fault"], listed["armed"][0]["left"]) == (200, "drop_reply", 3)
        assert set(listed["known"]) >= {"late", "query_lag", "mute"}
        assert (await ask("POST", "faults", {"fault": "cut"}))[1]["fired"] == {"cut": 1}
        assert (await ask("POST", "faults", {"fault": "gap"}))[1]["armed"][1]["fault"] == "gap"
        assert (await ask("DELETE", "faults", query="fault=gap"))[1]["armed"] == listed["armed"]
        assert (await ask("DELETE", "faults"))[1]["armed"] == []
        assert (await ask("POST", "random", {"seed": "s"}))[1]["random"]["probability"] == 0.1
        assert (await ask("DELETE", "random"))[1]["random"] is None
        assert streams.done == ["cut", "gap", "chance", "chance", "chance"]
        for body in ({"fault": "nonsense"}, {"fault": "cut", "colour": "red"}, {"fault": "late", "endpoint": "*"}, 7):
            assert (await ask("POST", "faults", body))[0] == 400, body
        assert (await ask("GET", "nothing"))[0] == 404
        assert (await ask("GET", "faults", origin="http://somewhere"))[0] == 403

        assert (await ask("POST", "price", {"symbol": PAIR, "price": "90000.00"}))[0] == 200
        assert bench.market.price(PAIR) == 90_000
        assert (await ask("POST", "price", {"symbol": PAIR, "price": "90000.001"}))[0] == 400
        assert (await ask("POST", "price", {"symbol": PAIR, "price": "NaN"}))[0] == 400


async def test_any_request_can_be_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        bench.arm("refuse", code=-1121, text="not now", endpoint="GET /sapi/v1/bnbBurn")
        assert (await bench.ask("GET", "/sapi/v1/bnbBurn")).error == (-1121, "not now")
        assert (await bench.ask("GET", "/sapi/v1/bnbBurn")).status == 200


async def test_what_a_check_up_should_notice_can_be_switched_on(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        before = bench.exchange.now_ms()
        bench.arm("clock_ahead", seconds=2)
        assert bench.exchange.now_ms() - before == 2000
        bench.exchange.faults.clear("clock_ahead")
        assert bench.exchange.now_ms() == before
        for name, path, field, good in (
            ("withdrawals", "/sapi/v1/account/apiRestrictions", "enableWithdrawals", False),
            ("withdrawals", "/sapi/v1/account/apiRestrictions", "ipRestrict", True),
            ("pair_disabled", "/sapi/v1/margin/isolated/account", "enabled", True),
            ("pair_disabled", "/sapi/v1/margin/isolated/account", "tradeEnabled", True),
        ):
            for expected in (good, not good):
                answer = (await bench.ask("GET", path)).json if "account/api" in path else await bench.account()
                assert answer[field] is expected, name
                bench.arm(name)
            bench.exchange.faults.clear(name)


async def test_an_echo_repeats_the_request_and_does_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        bench.arm("echo")
        code, words = (await bench.order("BUY", "0.01", newClientOrderId="x")).error
        assert code == -1102
        assert KEY in words
        assert "newClientOrderId=x" in words
        assert "signature=" in words
        assert await known(bench) == -2013
