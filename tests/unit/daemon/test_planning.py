"""A plan and an entry are sized by the same numbers, and a plan is answered without the venue, which it then says."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.account import Credit, PairAccount, PairTerms
from robson.domain.errors import RuleError, Unreachable
from robson.domain.instrument import Instrument
from robson.domain.values import Side
from robson.ports import Venue
from robson.protocol import requests as ask
from robson.protocol import results as give
from tests.faults import FaultyVenue
from tests.rig import NOBODY, Rig


class Lender(FaultyVenue):
    """A venue that lends as told, has an index price of its own, and may be out of reach or mute."""

    lends: Credit | None = None
    gone = False
    mute = False

    async def _reach(self) -> None:
        if self.mute:
            await trio.sleep_forever()
        if self.gone:
            raise Unreachable("no route to the venue")

    async def instrument(self, symbol: str) -> Instrument:
        await self._reach()
        return await super().instrument(symbol)

    async def terms(self, symbol: str) -> PairTerms:
        await self._reach()
        return await super().terms(symbol)

    async def account(self, symbol: str) -> PairAccount:
        await self._reach()
        return await super().account(symbol)

    async def credit(self, symbol: str, side: Side) -> Credit:
        await self._reach()
        return await super().credit(symbol, side) if self.lends is None else self.lends


class Bench(Rig):
    """A rig with that venue."""

    lender: Lender

    def __init__(self, directory: Path) -> None:
        def wrap(venue: Venue) -> Venue:
            self.lender = Lender(venue)
            return self.lender

        super().__init__(directory, wrap=wrap)

    async def plan(self, symbol: str = "BTCUSDT", side: Side = Side.SHORT, stop: str = "96000") -> give.PlanResult:
        request = ask.PlanRequest(symbol=symbol, side=side, entry_price="95000", stop_price=stop)
        return await self.desk.plan(request, NOBODY)


async def test_a_plan_and_an_entry_are_cut_to_the_same_loan(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig = Bench(tmp_path)
    rig.lender.lends = Credit(borrowable=Decimal("0.05"), index_price=Decimal(95100))
    async with rig.running():
        position_id = await rig.arm(side=Side.SHORT)
        rig.tick("95000")
        plan = await rig.plan()
        assert (plan.quantity, plan.cut_by) == (Decimal("0.0495"), "borrow_limit")
        assert (plan.borrowable, plan.index_price, plan.notes) == (Decimal("0.05"), Decimal(95100), ())
        answer = await rig.signal(position_id, "95000", "96000")
        assert answer.quantity == plan.quantity
        await rig.until(position_id, "Active")


@pytest.mark.parametrize("broken", ["gone", "mute"])
async def test_a_plan_is_made_from_what_is_known(tmp_path: Path, autojump_clock: MockClock, broken: str) -> None:
    rig = Bench(tmp_path)
    async with rig.running():
        await rig.arm()
        rig.tick("95000")
        before = await rig.plan()
        assert before.notes == ()
        await trio.sleep(7)
        setattr(rig.lender, broken, True)
        after = await rig.plan()
        assert after.quantity == before.quantity
        assert after.borrowable is after.index_price is None
        terms, account = after.notes
        reason = "no route to the venue" if broken == "gone" else "no answer within 5 s"
        assert terms == f"the terms last read were taken: {reason}"
        assert account.startswith(f"the account as of {12 if broken == 'mute' else 7} s ago was taken")


async def test_a_plan_is_made_before_anything_is_known(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig = Bench(tmp_path)
    rig.lender.gone = True
    async with rig.running():
        plan = await rig.plan()
        assert plan.raw_quantity == Decimal("0.1")
        assert plan.cut_by is None
        assert [note.partition(":")[0] for note in plan.notes] == [
            "the pair's usual filters were taken",
            "the usual terms of the lowest tier were taken",
            "an account with 10000 of collateral was taken",
        ]
        with pytest.raises(RuleError, match="NOPEUSDT was not read: no route to the venue") as refused:
            await rig.plan("NOPEUSDT")
        assert (refused.value.code, refused.value.retryable) == ("venue_unreachable", True)
        rig.lender.gone = False
        with pytest.raises(RuleError) as refused:
            await rig.plan("NOPEUSDT")
        assert refused.value.code == "unknown_symbol"


async def test_an_entry_goes_on_without_the_venues_word_on_loans(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig = Bench(tmp_path)
    rig.lender.lends = Credit(index_price=Decimal(95000))
    async with rig.running():
        await rig.active()
        plan = await rig.plan(side=Side.LONG, stop="93500")
        assert plan.notes == ("what the venue would lend now is not known: the account's margin alone was counted",)


async def test_before_the_first_price_nothing_is_lent_and_nothing_noted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig = Bench(tmp_path)
    async with rig.running():
        plan = await rig.plan()
        assert plan.borrowable is plan.index_price is None
        assert plan.notes == ()
