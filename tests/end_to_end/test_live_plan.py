"""`robsonctl plan` in live mode: with the exchange's tier, loans and index, and with what is known when it is gone."""

import json
from decimal import Decimal
from pathlib import Path

from tests.end_to_end.emulator import PAIR
from tests.end_to_end.rehearsal import rehearsing


def test_a_plan_is_made_with_the_exchange_and_without_it(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as live:
        robson = live.daemon
        robson.arm(PAIR)
        price = Decimal(robson.price(PAIR))
        words = ("plan", PAIR, "long", "--entry", str(price), "--stop", f"{price * Decimal('0.97'):.2f}", "--json")
        plan = json.loads(robson.robsonctl(*words).stdout)
        asked = live.emulator.ask("GET", "/sapi/v1/margin/maxBorrowable", asset="USDT", isolatedSymbol=PAIR)[1]
        assert plan["notes"] == []
        assert plan["borrowable"] == asked["amount"]
        assert abs(Decimal(plan["index_price"]) / price - 1) < Decimal("0.01")
        # The collateral of 1000 carries ten times as much, not the 1 % of 10000 that the Golden Rule would risk.
        assert Decimal(plan["quantity"]) * price < 10_000

        live.emulator.end()
        known = json.loads(robson.robsonctl(*words).stdout)
        assert known["quantity"] == plan["quantity"]
        assert known["borrowable"] is known["index_price"] is None
        assert len(known["notes"]) == 1
        assert known["notes"][0].startswith("the account as of ")
        printed = robson.robsonctl(*words[:-1])
        assert printed.returncode == 0
        assert "the account as of " in printed.stdout
