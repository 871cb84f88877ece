"""`mode = "live"` with real processes: the daemon trades at the emulator as it would at the exchange."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.rehearsal import rehearsing

CENT = Decimal("0.01")


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("fee_asset", ["", "BNB"])
def test_a_life_from_arm_to_repaid(tmp_path: Path, side: str, fee_asset: str) -> None:
    with rehearsing(tmp_path, env={"ROBSON_PAPER_FEE_ASSET": fee_asset} if fee_asset else None) as live:
        robson, sign = live.daemon, 1 if side == "long" else -1
        assert robson.ok("hello")["mode"] == robson.ok("status")["mode"] == "live"
        follower = robson.subscribe(0)
        position_id = live.enter(side)
        filled = follower.event("entry_filled")["data"]
        owed = live.emulator.account()["quoteAsset" if side == "long" else "baseAsset"]
        assert Decimal(owed["borrowed"]) > 0
        fill, stop = Decimal(filled["fill_price"]), Decimal(filled["trailing_stop"])
        # Up for a long, down for a short: the stop follows.
        better = (fill + sign * 500).quantize(CENT)
        live.emulator.trade_at(better)
        moved = follower.event(
            "trailing_stop_updated", where=lambda line: (Decimal(line["data"]["extreme"]) - better) * sign >= 0
        )
        assert (Decimal(moved["data"]["trailing_stop"]) - stop) * sign > 400
        live.cross(position_id)
        assert follower.event("exit_triggered")["data"]["reason"] == "trailing_stop"
        result = follower.event("position_closed")["data"]
        assert result["exit_reason"] == "trailing_stop"
        paid = set(robson.position(position_id)["fees_by_asset"])
        assert paid == ({"BNB"} if fee_asset else {"BTC", "USDT"})
        # The first hour's interest of the loan.
        assert Decimal(result["interest"]) > 0
        live.assert_flat()
        live.assert_books_agree()
        assert robson.stop() == 0


def test_what_the_account_held_before_is_left_alone(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        status, bought = live.emulator.order("BUY", "0.00500")
        assert (status, bought["status"]) == (200, "FILLED")
        held = Decimal(live.emulator.account()["baseAsset"]["free"])
        assert held > 0
        position_id = live.entered()
        live.cross(position_id)
        live.closed(position_id)
        assert Decimal(live.emulator.account()["baseAsset"]["free"]) - held < Decimal("0.00001")


def test_what_the_trader_asks_for(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        first = live.entered("short")
        assert live.daemon.ok("close", position_id=first)["outcome"] == "closed"
        live.closed(first)
        second = live.entered("long")
        panicked = live.daemon.ok("panic")
        assert [row["outcome"] for row in panicked["positions"]] == ["closed"]
        assert live.closed(second)["exit_reason"] == "operator_panic"


def test_a_journal_knows_its_mode(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        live.daemon.arm()
        assert live.daemon.stop() == 0
        live.daemon.arguments = ("--feed", "synthetic")
        live.daemon.launch()
        assert live.daemon.running.wait(30) == 74
        assert "live" in live.daemon.tail()


def test_neighbours_on_a_pair_and_the_last_one_out(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        first, second = live.entered(), live.entered()
        assert live.daemon.ok("close", position_id=first)["outcome"] == "closed"
        assert live.daemon.position(second)["state"] == "Active"
        held = Decimal(live.emulator.account()["baseAsset"]["free"])
        assert held >= Decimal(live.daemon.position(second)["quantity"]) * Decimal("0.999")
        live.cross(second)
        live.closed(second)
