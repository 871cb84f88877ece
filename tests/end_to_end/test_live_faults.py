"""Live mode with real processes at an exchange that fails: each order executes once, and no debt stays."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.rehearsal import Rehearsal, rehearsing

PLANNED = {"long": "93000", "short": "97000"}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsing(tmp_path) as found:
        yield found


def executed(live: Rehearsal) -> list[Decimal]:
    """What each order executed that executed anything."""
    amounts = [Decimal(order["executedQty"]) for order in live.emulator.orders()]
    return [amount for amount in amounts if amount > 0]


@pytest.mark.parametrize(
    ("fault", "side"),
    [
        ("drop_reply", "long"),
        ("reply_503", "short"),
        ("reply_1007", "long"),
        ("late_reply", "short"),
        ("late", "long"),
        ("drop_request", "short"),
    ],
)
def test_an_entry_whose_answer_does_not_come(live: Rehearsal, fault: str, side: str) -> None:
    live.emulator.arm(fault, seconds=1)
    position_id = live.enter(side)
    if fault == "drop_request":
        # It never arrived: sent once and not again, the signal is too old by the time that this is certain.
        live.until(position_id, "Armed")
        (refused,) = live.order_events(position_id, "signal_rejected")
        assert refused["stage"] == "stale"
        assert live.emulator.orders() == []
        return
    live.until(position_id, "Active")
    assert len(live.emulator.orders()) == 1
    live.cross(position_id)
    live.closed(position_id)
    assert live.emulator.fired()[fault] == 1


@pytest.mark.parametrize(
    ("fault", "side"),
    [
        ("drop_reply", "short"),
        ("reply_503", "long"),
        ("reply_1007", "short"),
        ("late_reply", "long"),
        ("late", "short"),
        ("late", "long"),
        ("html_403", "long"),
        ("limit_429", "short"),
        ("ban_418", "long"),
    ],
)
def test_an_exit_whose_answer_does_not_come(live: Rehearsal, fault: str, side: str) -> None:
    position_id = live.entered(side)
    live.emulator.arm(fault, seconds=1)
    live.cross(position_id)
    live.closed(position_id)
    assert len(executed(live)) == 2
    assert live.emulator.fired()[fault] == 1


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("underfunded", ["refused", "filled"])
def test_a_second_attempt_beside_an_exit_that_was_executed_and_is_not_shown(
    live: Rehearsal, side: str, underfunded: str
) -> None:
    position_id = live.entered(side)
    for _ in range(2):
        # By the time that a plan has read the account twice, the stop's own read, asked for earlier, has ended.
        live.daemon.ok("plan", symbol="BTCUSDT", side=side, entry_price="95000", stop_price=PLANNED[side])
    if underfunded == "filled":
        live.emulator.arm("underfunded_fill")
    live.emulator.arm("query_lag", seconds=5)
    live.emulator.arm("drop_reply")
    live.cross(position_id)
    live.daemon.wait_event("position_closed", position_id=position_id)
    live.emulator.clear()
    live.closed(position_id)
    attempts = live.order_events(position_id, "exit_order_placed")
    assert [attempt["fence"] for attempt in attempts[:2]] == ["self", "self"], attempts
    sold = [order for order in live.emulator.orders()[1:] if Decimal(order["executedQty"]) > 0]
    if underfunded == "refused" or side == "long":
        assert len(sold) == 1, sold


def test_a_repayment_that_silently_fails(live: Rehearsal) -> None:
    for side in ("long", "short"):
        position_id = live.entered(side)
        live.emulator.arm("repay_fails")
        live.cross(position_id)
        live.closed(position_id)
    assert live.emulator.fired()["repay_fails"] == 2


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_loan_without_its_order_goes_back_before_anything_enters(live: Rehearsal, side: str) -> None:
    live.emulator.arm("loan_without_order")
    position_id = live.enter(side)
    live.daemon.wait_event("signal_rejected", position_id=position_id)
    leg = "quoteAsset" if side == "long" else "baseAsset"

    def repaid() -> bool:
        return Decimal(live.emulator.account()[leg]["borrowed"]) < Decimal("0.0001")

    live.daemon.wait_until(repaid, "the loan to be repaid")
    assert executed(live) == []

    def entered() -> bool:
        entry = Decimal(live.daemon.price("BTCUSDT"))
        stop = (entry * (Decimal("0.97") if side == "long" else Decimal("1.03"))).quantize(Decimal("0.01"))
        asked = {"position_id": position_id, "entry_price": str(entry), "stop_price": str(stop)}
        return live.daemon.ok("signal", **asked)["accepted"] is True

    live.daemon.wait_until(entered, "a signal to be accepted again")
    live.until(position_id, "Active")
    live.cross(position_id)
    live.closed(position_id)


@pytest.mark.parametrize("side", ["long", "short"])
def test_orders_that_expire_in_part(live: Rehearsal, side: str) -> None:
    live.emulator.arm("partial", fraction="0.5")
    position_id = live.entered(side)
    entry = live.emulator.orders()[0]
    assert entry["status"] == "EXPIRED"
    view = live.daemon.position(position_id)
    assert Decimal(view["quantity"]) == Decimal(entry["executedQty"]) < Decimal(entry["origQty"])
    live.emulator.arm("partial", fraction="0.5")
    live.cross(position_id)
    live.closed(position_id)
    assert len(executed(live)) == 3
    assert live.emulator.fired()["partial"] == 2


def test_no_key_is_ever_said(live: Rehearsal) -> None:
    live.emulator.arm("refuse", code=-2015, text="Invalid API-key, IP, or permissions for action.")
    position_id = live.enter()
    live.daemon.wait_event("signal_rejected", position_id=position_id)
    said = live.daemon.log.read_text("utf-8") + json.dumps([live.daemon.ok("status"), live.daemon.events()])
    said += Path(f"/proc/{live.daemon.running.pid}/cmdline").read_text()
    for name in ("binance-api-key", "binance-api-secret"):
        key = (live.emulator.credentials / name).read_text().strip()
        assert key not in said
        assert key.encode() not in (live.daemon.state / "robson.db").read_bytes()
