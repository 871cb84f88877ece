"""Debts that no live position explains: repaid, or carried by the pair's record until the last one out repays them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from robson.domain.account import InterestCharge
from robson.domain.errors import RateLimited
from robson.domain.position import Armed
from robson.domain.values import ZERO, Side
from robson.ports import OrderReport, OrderRequest, Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig

POOR = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), collateral=Decimal(1000))


async def test_a_loss_left_to_a_neighbour_bars_nobody(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    """The pair's collateral is in the neighbour's base: what the loss left owed waits for the last one out."""
    journal = MemoryJournal()
    rig = Rig(tmp_path, journal=journal, settings=POOR)
    async with rig.running():
        first = await rig.active(capital="3000")
        second = await rig.active(capital="3000")
        rig.tick("94000")
        assert (await rig.close(second)).outcome == "closed"
        account = await rig.venue.account("BTCUSDT")
        left = account.quote.borrowed - rig.position(first).entry.borrowed["USDT"]
        assert left > 1, "the loss was covered: no test at all"
        assert account.quote.free == 0
        assert rig.record.pair("BTCUSDT").carried_quote == left
        third = await rig.active(entry="94000", stop="92500", capital="1000")
    # What is carried outlives a crash.
    again = Rig(tmp_path, journal=journal.reopened(crashed=True), settings=POOR, feed=rig.feed)
    async with again.running():
        again.tick("94000")
        assert again.record.pair("BTCUSDT").carried_quote == left
        assert (await again.close(third)).outcome == "closed"
        assert (await again.close(first)).outcome == "closed"
        account = await again.venue.account("BTCUSDT")
        assert account.quote.debt == account.base.debt == 0
        pair = again.record.pair("BTCUSDT")
        assert pair.carried_base == pair.carried_quote == 0


@pytest.mark.parametrize(("side", "stop"), [(Side.LONG, "93500"), (Side.SHORT, "96500")])
async def test_a_loan_without_its_order_is_repaid_and_its_interest_bars_nobody(
    side: Side, stop: str, tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(FaultyVenue(venue))
        return made[0]

    rig = Rig(tmp_path, wrap=wrap)
    async with rig.running():
        position_id = await rig.arm("BTCUSDT", side)
        rig.tick("95000")
        made[0].faults.append("loan_only")
        assert (await rig.signal(position_id, "95000", stop)).accepted
        while not isinstance(rig.position(position_id).state, Armed):
            await rig.record.wait_events(rig.record.last_seq)
        assert made[0].taken["loan_only"] == 1
        assert (await rig.venue.account("BTCUSDT")).equity(Decimal(95_000)) < 100_000, (
            "nothing was lent: no test at all"
        )
        with trio.move_on_after(5):
            await trio.sleep_forever()
        rig.tick("95000")
        # The first hour's interest of a base loan is paid from the loan itself, so that much of it stays owed.
        account = await rig.venue.account("BTCUSDT")
        owed = account.base.borrowed + account.quote.borrowed
        assert owed == rig.record.pair("BTCUSDT").carried_base
        assert (owed > 0) == (side is Side.SHORT)
        # Neither side is barred, and the next one out leaves no debt at all.
        for next_side, next_stop in ((Side.LONG, "93500"), (Side.SHORT, "96500")):
            following = await rig.active(next_side, stop=next_stop)
            assert (await rig.close(following)).outcome == "closed"
            account = await rig.venue.account("BTCUSDT")
            assert account.base.debt == account.quote.debt == 0
            pair = rig.record.pair("BTCUSDT")
            assert pair.carried_base == pair.carried_quote == 0
            assert account.base.total == pair.dust_base
            rig.tick("95000")


async def test_a_crumb_of_a_base_loan_is_repaid_by_a_long_before_it_sells(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(FaultyVenue(venue))
        return made[0]

    rig = Rig(tmp_path, wrap=wrap)
    async with rig.running():
        short = await rig.arm("BTCUSDT", Side.SHORT)
        rig.tick("95000")
        made[0].faults.append("loan_only")
        assert (await rig.signal(short, "95000", "96500")).accepted
        while not isinstance(rig.position(short).state, Armed):
            await rig.record.wait_events(rig.record.last_seq)
        with trio.move_on_after(5):
            await trio.sleep_forever()
        long = await rig.active(Side.LONG)
        crumb = (await rig.venue.account("BTCUSDT")).base.debt
        assert 0 < crumb < Decimal("0.00001")
        rig.tick("93000")
        await rig.until(long, "Closed")
        account = await rig.venue.account("BTCUSDT")
        assert account.base.debt == 0
        assert rig.record.pair("BTCUSDT").carried_base == 0


class CurtVenue(FaultyVenue):
    """A venue whose replies tell nothing but that the order arrived."""

    async def place(self, request: OrderRequest) -> OrderReport:
        report = await super().place(request)
        nothing = {"executed": ZERO, "executed_quote": None, "trades": (), "borrowed": {}}
        return msgspec.structs.replace(report, status="PENDING_REPORT", **nothing)


async def test_a_loan_that_the_reply_did_not_tell_belongs_to_its_entry(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    async with Rig(tmp_path, settings=POOR, wrap=CurtVenue).running() as rig:
        position_id = await rig.active(side=Side.SHORT, stop="96500", capital="3000")
        account = await rig.venue.account("BTCUSDT")
        assert rig.position(position_id).entry.borrowed == {"BTC": account.base.borrowed}
        assert account.base.borrowed > 0


async def test_base_that_was_lent_without_its_order_is_no_baseline(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(FaultyVenue(venue))
        return made[0]

    async with Rig(tmp_path, settings=POOR, wrap=wrap).running() as rig:
        short = await rig.arm(side=Side.SHORT)
        rig.tick("95000")
        await made[0].account("BTCUSDT")
        made[0].faults.append("loan_only")
        assert (await rig.signal(short, "95000", "96500")).accepted
        other = await rig.arm(side=Side.SHORT)
        await trio.sleep(1)
        assert (await made[0].account("BTCUSDT")).base.free > 0
        # While it is in doubt nobody is let in; the moment it is not, the loan bars the pair.
        await rig.until(short, "Armed")
        refused = await rig.signal(other, "95000", "96500")
        assert not refused.accepted
        assert rig.record.pair("BTCUSDT").baseline_base == 0


class BusyVenue(CurtVenue):
    """The same, and it does not tell of loans for a while."""

    refusals = 3

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        if self.refusals:
            self.refusals -= 1
            raise RateLimited("-1003", "Too many requests.", retry_after_seconds=2)
        return await super().interest(symbol, since)


async def test_a_loan_that_is_not_told_right_now_is_asked_for_again(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    async with Rig(tmp_path, settings=POOR, wrap=BusyVenue).running() as rig:
        position_id = await rig.active(side=Side.SHORT, stop="96500", capital="3000")
        account = await rig.venue.account("BTCUSDT")
        assert rig.position(position_id).entry.borrowed == {"BTC": account.base.borrowed}
