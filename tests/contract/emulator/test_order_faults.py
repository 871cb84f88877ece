"""Each fault of a request, switched by the control endpoint: what the connector makes of it, and that it asks once."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Banned, InDoubt, RateLimited, Rejected, Unreachable
from robson.domain.values import OrderSide, Role
from robson.emulator.faults import ORDER
from tests.contract.emulator.stages import REPAY, Stage, on_stage
from tests.contract.venue.rehearsals import BUY, ENTRY, EXIT, SELL, SYMBOL

FIREWALL = "HTTP 403: <html>"
TIMEOUT = "-1007: Timeout waiting for response from backend server. Send status unknown; execution status unknown."


@pytest.fixture
def autojump_clock() -> MockClock:
    """Time jumps once the sockets have nothing left to say."""
    return MockClock(autojump_threshold=0.01)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path) as one:
        yield one


@pytest.mark.parametrize(
    ("fault", "more", "words"),
    [
        ("drop_reply", {}, "ConnectionLost: the server went without an answer"),
        ("reply_503", {}, "HTTP 503: <html>"),
        ("reply_1007", {}, TIMEOUT),
        ("late_reply", {"seconds": 20}, "no answer within 12 s"),
    ],
)
@pytest.mark.parametrize("role", [ENTRY, EXIT])
async def test_an_order_that_was_executed_without_an_answer_is_in_doubt_and_found(
    stage: Stage, fault: str, more: dict[str, int], words: str, role: Role, autojump_clock: MockClock
) -> None:
    await stage.arm(fault, **more)
    with pytest.raises(InDoubt) as doubt:
        await stage.place(BUY, role, "0.001")
    assert str(doubt.value).startswith(words)

    found = await stage.venue.order(SYMBOL, "order-1")
    assert found is not None
    assert (found.status, found.executed) == ("FILLED", Decimal("0.001"))
    await stage.assert_asked_once()
    assert len(stage.orders()) == 1
    assert (await stage.place(BUY, role, "0.001", "order-2")).status == "FILLED", "the fault was armed once"


async def test_a_late_answer_within_the_deadline_is_heard(stage: Stage, autojump_clock: MockClock) -> None:
    await stage.arm("late_reply", seconds=11)
    began = trio.current_time()
    report = await stage.place(BUY, EXIT, "0.001")
    assert report.status == "FILLED"
    assert trio.current_time() - began >= 11
    await stage.assert_asked_once()


async def test_an_order_whose_connection_ended_before_anything_happened_is_in_doubt_and_absent(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.arm("drop_request")
    with pytest.raises(InDoubt, match="the server went without an answer"):
        await stage.place(BUY, ENTRY, "0.001")
    await stage.assert_asked_once()
    assert await stage.venue.order(SYMBOL, "order-1") is None
    assert not stage.orders()


async def test_an_order_that_executes_late_is_absent_then_found_and_only_once(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.arm("late", seconds=4)
    with pytest.raises(InDoubt, match="the server went without an answer"):
        await stage.place(BUY, ENTRY, "0.001")
    assert await stage.venue.order(SYMBOL, "order-1") is None
    await trio.sleep(4.1)
    found = await stage.venue.order(SYMBOL, "order-1")
    assert found is not None
    assert found.status == "FILLED"
    await stage.assert_asked_once()
    assert len(stage.orders()) == 1


async def test_queries_that_lag_say_nothing_of_an_order_and_later_everything(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.arm("query_lag", seconds=3)
    placed = await stage.place(BUY, ENTRY, "0.001")
    venue = stage.venue
    assert await venue.order(SYMBOL, "order-1") is None
    assert await venue.order_of(SYMBOL, placed.venue_order_id) is None
    assert not await venue.trades(SYMBOL)
    assert not await venue.orders(SYMBOL, stage.began)
    await trio.sleep(3)
    assert await venue.order(SYMBOL, "order-1") is not None
    assert tuple(await venue.trades(SYMBOL, venue_order_id=placed.venue_order_id)) == placed.trades
    assert [order.venue_order_id for order in await venue.orders(SYMBOL, stage.began)] == [placed.venue_order_id]


async def test_a_firewalls_page_leaves_an_order_in_doubt_and_silences_entries_not_exits(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.arm("html_403")
    with pytest.raises(InDoubt) as doubt:
        await stage.place(BUY, ENTRY, "0.002")
    assert str(doubt.value).startswith(FIREWALL)
    assert await stage.venue.order(SYMBOL, "order-1") is None
    with pytest.raises(RateLimited, match="403") as shunned:
        await stage.place(BUY, ENTRY, "0.002", "order-2")
    assert 0 < shunned.value.retry_after_seconds <= 120
    await stage.assert_asked_once()
    assert (await stage.place(BUY, EXIT, "0.002", "exit-1")).status == "FILLED"
    await trio.sleep(121)
    assert (await stage.place(BUY, ENTRY, "0.002", "order-3")).status == "FILLED"


@pytest.mark.parametrize(
    ("fault", "kind", "seconds", "words"),
    [
        ("limit_429", RateLimited, 2, "-1003: Too many requests."),
        ("ban_418", Banned, 120, "-1003: Way too much request weight used; IP banned until "),
    ],
)
async def test_a_limit_stops_everything_until_its_end_and_then_nothing_is_repeated(
    stage: Stage, fault: str, kind: type[RateLimited], seconds: int, words: str, autojump_clock: MockClock
) -> None:
    await stage.arm(fault, seconds=seconds)
    with pytest.raises(RateLimited) as limited:
        await stage.place(BUY, EXIT, "0.001")
    assert type(limited.value) is kind
    assert str(limited.value).startswith(words)
    assert limited.value.retry_after_seconds == seconds
    asked = list(stage.asked)
    for ask in (stage.venue.account(SYMBOL), stage.venue.price(SYMBOL), stage.venue.order(SYMBOL, "order-1")):
        with pytest.raises(RateLimited):
            await ask
    with pytest.raises(RateLimited):
        await stage.place(SELL, EXIT, "0.001", "exit-1")
    assert stage.asked == asked, "nothing was sent meanwhile"
    # What is known of the exchange's clock is never ahead of it.
    await trio.sleep(seconds + 1)
    assert await stage.venue.order(SYMBOL, "order-1") is None
    await stage.assert_asked_once()
    assert (await stage.place(BUY, EXIT, "0.001", "order-2")).status == "FILLED"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-3045, "The system does not have enough asset now."),
        (-3007, "You have pending transaction, please try again later."),
        (-3006, "Your borrow amount has exceed maximum borrow amount."),
        (-1021, "Timestamp for this request is outside of the recvWindow."),
    ],
)
async def test_a_refusal_keeps_the_exchanges_code_and_text(
    stage: Stage, code: int, text: str, autojump_clock: MockClock
) -> None:
    await stage.arm("refuse", code=code, text=text)
    with pytest.raises(Rejected) as refused:
        await stage.place(BUY, ENTRY, "0.001")
    assert type(refused.value) is Rejected
    assert (refused.value.code, refused.value.text) == (str(code), text)
    await stage.assert_asked_once()
    assert not stage.orders()


@pytest.mark.parametrize(("side", "asset"), [(BUY, "USDT"), (SELL, "BTC")])
async def test_a_loan_may_stand_without_its_order_and_be_repaid(
    stage: Stage, side: OrderSide, asset: str, autojump_clock: MockClock
) -> None:
    await stage.arm("loan_without_order")
    with pytest.raises(Rejected, match="^-2010: Account has insufficient balance for requested action"):
        await stage.place(side, ENTRY, "0.01")
    assert await stage.venue.order(SYMBOL, "order-1") is None
    account = await stage.venue.account(SYMBOL)
    leg = account.base if asset == "BTC" else account.quote
    assert leg.borrowed == (Decimal("0.01") if asset == "BTC" else Decimal(100))
    records = await stage.venue.loan_records(SYMBOL, asset, stage.began)
    assert sum(record.principal for record in records) == leg.borrowed
    # What was lent in base does not cover its own first hour.
    back = min(leg.free, leg.debt)
    await stage.venue.repay(SYMBOL, asset, back)
    account = await stage.venue.account(SYMBOL)
    assert account.base.debt + account.quote.debt == leg.debt - back < Decimal("0.000001")
    await stage.assert_asked_once()


async def test_a_repayment_may_fail_in_silence_behind_a_filled_exit(stage: Stage, autojump_clock: MockClock) -> None:
    await stage.place(BUY, ENTRY, "0.01")
    await stage.arm("repay_fails")
    report = await stage.place(SELL, EXIT, "0.00999", "exit-1")
    assert (report.status, report.executed) == ("FILLED", Decimal("0.00999"))
    account = await stage.venue.account(SYMBOL)
    assert account.quote.borrowed == 100
    await stage.venue.repay(SYMBOL, "USDT", account.quote.debt)
    assert (await stage.venue.account(SYMBOL)).quote.debt == 0


@pytest.mark.parametrize(("fraction", "executed"), [("0.25", "0.001"), ("0", "0")])
async def test_an_order_that_expires_in_part_is_final_and_counts_what_executed(
    stage: Stage, fraction: str, executed: str, autojump_clock: MockClock
) -> None:
    await stage.arm("partial", fraction=fraction)
    report = await stage.place(BUY, EXIT, "0.004")
    assert (report.status, report.is_final) == ("EXPIRED", True)
    assert report.executed == Decimal(executed)
    assert sum(trade.quantity for trade in report.trades) == Decimal(executed)
    found = await stage.venue.order(SYMBOL, "order-1")
    assert found is not None
    assert (found.status, found.executed) == ("EXPIRED", Decimal(executed))
    await stage.assert_asked_once()


async def test_an_entry_that_expired_in_part_still_owes_the_loan_for_all_of_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.arm("partial", fraction="0.5")
    report = await stage.place(BUY, ENTRY, "0.04")
    assert (report.status, report.executed, report.borrowed) == ("EXPIRED", Decimal("0.02"), {"USDT": 1900})
    account = await stage.venue.account(SYMBOL)
    assert (account.quote.borrowed, account.base.total) == (1900, Decimal("0.01998"))
    await stage.assert_asked_once()


async def test_an_underfunded_purchase_is_refused_whole_or_filled_in_part(
    stage: Stage, autojump_clock: MockClock
) -> None:
    with pytest.raises(Rejected, match="^-2010: "):
        await stage.place(BUY, EXIT, "0.01")
    assert (await stage.venue.account(SYMBOL)).base.total == 0
    await stage.arm("underfunded_fill")
    report = await stage.place(BUY, EXIT, "0.01", "exit-1")
    assert report.status == "EXPIRED"
    assert Decimal("0.008") < report.executed < Decimal("0.01")
    account = await stage.venue.account(SYMBOL)
    assert account.quote.debt == 0
    assert account.base.total == report.executed - sum(trade.fee for trade in report.trades)


@pytest.mark.parametrize(
    ("fault", "words", "repaid"),
    [
        ("drop_request", "ConnectionLost: the server went without an answer", False),
        ("drop_reply", "ConnectionLost: the server went without an answer", True),
        ("reply_503", "HTTP 503: <html>", True),
        ("reply_1007", TIMEOUT, True),
        ("html_403", FIREWALL, False),
    ],
)
async def test_a_repayment_without_an_answer_is_in_doubt_and_the_account_knows(
    stage: Stage, fault: str, words: str, repaid: bool, autojump_clock: MockClock
) -> None:
    await stage.place(BUY, ENTRY, "0.01")
    await stage.place(SELL, ENTRY, "0.005", "order-2")
    debt = (await stage.venue.account(SYMBOL)).quote.debt
    await stage.arm(fault, endpoint=REPAY)
    with pytest.raises(InDoubt) as doubt:
        await stage.venue.repay(SYMBOL, "USDT", debt)
    assert str(doubt.value).startswith(words)
    await trio.sleep(60)
    assert stage.asked.count(REPAY) == 1
    assert (await stage.venue.account(SYMBOL)).quote.debt == (0 if repaid else debt)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("drop_request", Unreachable, "RemoteProtocolError"),
        ("drop_reply", Unreachable, "RemoteProtocolError"),
        ("late_reply", Unreachable, "no answer within 10 s"),
        ("reply_503", Unreachable, "HTTP 503"),
        ("reply_1007", Unreachable, TIMEOUT),
        ("html_403", RateLimited, "403: HTTP 403"),
        ("limit_429", RateLimited, "-1003: "),
        ("ban_418", Banned, "-1003: "),
    ],
)
async def test_a_read_that_fails_is_never_in_doubt(
    stage: Stage, fault: str, kind: type[Exception], words: str, autojump_clock: MockClock
) -> None:
    await stage.place(BUY, ENTRY, "0.001")
    more = {"seconds": 30} if fault == "late_reply" else {}
    await stage.arm(fault, endpoint="GET /sapi/v1/margin/order", **more)
    with pytest.raises(kind) as failed:
        await stage.venue.order(SYMBOL, "order-1")
    assert type(failed.value) is kind
    assert str(failed.value).startswith(words)
    assert stage.asked.count("GET /sapi/v1/margin/order") == 1
    assert stage.asked.count(ORDER) == 1
