"""The worked examples of an exit, out of the whole flow at the emulator: signal, loan, entry, exit, repayment."""

from decimal import Decimal
from pathlib import Path

import trio
from trio.testing import MockClock

from robson.domain.values import Side
from robson.venue.ledger import Order
from robson.venue.settings import PaperSettings
from tests.live_rig import LiveRig

SETTINGS = PaperSettings(
    collateral=Decimal(1000),
    spread_bps=Decimal(0),
    slippage_bps=Decimal(0),
    fills_max=1,
    fee_rate=Decimal("0.001"),
    base_hourly_interest_rate=Decimal("0.000011"),
)
# 1 % of it at risk over a distance of 1500 is a size of 0.01534.
CAPITAL = "2301"


def orders(rig: LiveRig) -> list[Order]:
    return list(rig.exchange.file.orders("BTCUSDT", since_ms=0))


def sizes(rig: LiveRig) -> list[Decimal]:
    """What exits asked for, those that the exchange refused included."""
    return [Decimal(row.data["quantity"]) for row in rig.journal.events() if row.type == "exit_order_placed"]


def closed(rig: LiveRig, position_id: str) -> dict[str, str]:
    (event,) = [
        row.data for row in rig.journal.events() if row.type == "position_closed" and row.position_id == position_id
    ]
    return event


async def test_a_long_pays_its_fee_in_base_and_leaves_dust(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with LiveRig(tmp_path, SETTINGS).trading() as rig:
        position_id = await rig.active(Side.LONG, entry="95000", stop="93500", capital=CAPITAL)
        owed = rig.exchange.read("BTCUSDT").account.quote
        assert owed.borrowed == Decimal("457.3"), owed
        assert rig.exchange.read("BTCUSDT").account.base.free == Decimal("0.01532466")
        rig.tick("93400")
        await rig.until(position_id, "Closed")
        entry, exit_ = orders(rig)
        assert (entry.ticket.side, entry.executed) == ("buy", Decimal("0.01534"))
        assert (exit_.ticket.side, exit_.executed) == ("sell", Decimal("0.01532"))
        assert sizes(rig) == [exit_.executed]
        account = rig.exchange.read("BTCUSDT").account
        assert account.base.debt == account.quote.debt == 0
        assert account.base.free == Decimal("0.00000466")
        assert Decimal(closed(rig, position_id)["dust"]) == Decimal("0.00000466")
        assert rig.record.pair("BTCUSDT").dust_base == Decimal("0.00000466")


async def test_a_short_buys_back_interest_and_fee_and_leaves_the_rest_of_a_step(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with LiveRig(tmp_path, SETTINGS).trading() as rig:
        position_id = await rig.active(Side.SHORT, entry="95000", stop="96500", capital=CAPITAL)
        # The first hour is charged with the loan, at ten past midnight; the third at two o'clock.
        await trio.sleep(2 * 3600 + 1200)
        debt = rig.exchange.read("BTCUSDT").account.base
        assert (debt.borrowed, debt.interest) == (Decimal("0.01534"), Decimal("0.00000051"))
        rig.tick("96600")
        await rig.until(position_id, "Closed")
        entry, exit_ = orders(rig)
        assert (entry.ticket.side, entry.executed) == ("sell", Decimal("0.01534"))
        assert (exit_.ticket.side, exit_.executed) == ("buy", Decimal("0.01536"))
        assert sizes(rig) == [exit_.executed]
        account = rig.exchange.read("BTCUSDT").account
        assert account.base.debt == account.quote.debt == 0
        assert account.base.free == Decimal("0.00000413")
        told = closed(rig, position_id)
        assert Decimal(told["dust"]) == Decimal("0.00000413")
        assert Decimal(told["quantity"]) == Decimal("0.01534")
        assert rig.record.pair("BTCUSDT").dust_base == Decimal("0.00000413")
        # Three hours of base, at the price that it was bought for.
        assert Decimal(told["interest"]) == Decimal("0.00000051") * Decimal(96600)
