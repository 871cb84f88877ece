"""The whole daemon on a silent stream and on the book: a stop is left at the side of the book that it can trade at."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.emulator import PAIR
from tests.end_to_end.rehearsal import Rehearsal, rehearsing

# Bid and ask are a thousandth away from the last price.
SPREAD = {"ROBSON_PAPER_SPREAD_BPS": "20"}


def refuses_to_enter(live: Rehearsal, side: str) -> bool:
    """Whether a signal is refused for the silence alone."""
    position_id = live.daemon.arm(PAIR, side)
    entry = Decimal(live.daemon.price(PAIR))
    stop = str((entry * (Decimal("0.97") if side == "long" else Decimal("1.03"))).quantize(Decimal("0.01")))
    answer = live.daemon.ok("signal", position_id=position_id, entry_price=str(entry), stop_price=stop)
    live.daemon.ok("disarm", position_id=position_id)
    return not answer["accepted"] and "stale" in f"{answer['reason']}"


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize(
    ("price_source", "is_mute"),
    [("trade", True), ("book", True), ("book", False)],
    ids=["trade-mute", "book-mute", "book-streamed"],
)
def test_a_stop_is_left_on_a_silent_stream_and_on_its_own_side_of_the_book(
    tmp_path: Path, side: str, price_source: str, is_mute: bool
) -> None:
    with rehearsing(
        tmp_path, env=SPREAD, price_source=f'"{price_source}"', stale_after_seconds="1", poll_seconds="0.2"
    ) as live:
        position_id, sign = live.entered(side), 1 if side == "long" else -1
        if is_mute:
            live.emulator.arm("mute", times=0)
            live.daemon.wait_event("feed_stale")
            assert refuses_to_enter(live, side)
        stop = Decimal(live.daemon.position(position_id)["trailing_stop"])
        # The last price is not at the stop yet; the book's side that the exit would get is beyond it.
        near = stop * (1 + sign * Decimal("0.0003")) if price_source == "book" else stop * (1 - sign * Decimal("0.001"))
        price = near.quantize(Decimal("0.01"))

        def is_closed() -> bool:
            # The market goes on by itself, and a poll sees its last price only.
            live.emulator.trade_at(price)
            return bool(live.daemon.position(position_id)["state"] == "Closed")

        live.daemon.wait_until(is_closed, "the stop to be left")
        trigger = live.daemon.wait_event("exit_triggered", position_id=position_id)["data"]
        assert trigger["reason"] == "trailing_stop"
        told = Decimal(trigger["price"])
        assert (Decimal(trigger["trailing_stop"]) - told) * sign >= 0
        if price_source == "book":
            assert (price - stop) * sign > 0
            assert trigger["trade_id"] is None
        names = [line["event"] for line in live.daemon.events()]
        if is_mute:
            assert names.index("feed_stale") < names.index("exit_triggered")
            assert "feed_recovered" not in names
            assert live.daemon.position(position_id)["unprotected_seconds"] > 0
        live.assert_flat()
        assert live.daemon.stop() == 0
