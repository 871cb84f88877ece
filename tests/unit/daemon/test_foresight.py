"""What panic would do: every open position, what becomes of it, and an estimate that is never in the way."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from robson.daemon.foresight import ESTIMATE_SECONDS
from robson.domain.errors import Unreachable
from robson.domain.values import OrderSide, Side
from robson.ports import Slippage
from robson.protocol.panic_results import PanicPreviewResult, PanicStep
from robson.protocol.requests import PanicPreviewRequest
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import NOBODY, Rig


async def preview(rig: Rig) -> PanicPreviewResult:
    return await rig.desk.panic_preview(PanicPreviewRequest(), NOBODY)


def step_of(found: PanicPreviewResult, position_id: str) -> PanicStep:
    return next(step for step in found.positions if step.position_id == position_id)


class Estimate:
    """Answers with a tenth of a percent, fails, or never answers."""

    def __init__(self, *, fails: Exception | None = None, mute: tuple[str, ...] = ()) -> None:
        self.asked: list[tuple[str, OrderSide, Decimal]] = []
        self._fails = fails
        self._mute = mute

    async def slippage(self, symbol: str, order_side: OrderSide, quantity: Decimal) -> Slippage:
        self.asked.append((symbol, order_side, quantity))
        await trio.lowlevel.checkpoint()
        if symbol in self._mute:
            await trio.sleep_forever()
        if self._fails is not None:
            raise self._fails
        return Slippage(price=Decimal(95_000), basis_points=Decimal(10), source="order_book", is_least=True)


async def test_each_state_says_what_becomes_of_it(tmp_path: Path, autojump_clock: Any) -> None:
    settings = PaperSettings(spread_bps=Decimal(2), slippage_bps=Decimal(3))
    async with Rig(tmp_path, settings=settings, wrap=FaultyVenue).running() as rig:
        active = await rig.active()
        armed = await rig.arm()
        entering = await rig.arm("ETHUSDT", Side.SHORT)
        rig.tick("3300", "ETHUSDT")
        assert isinstance(rig.venue, FaultyVenue)
        rig.venue.faults.extend(["request_lost"] * 9)
        assert (await rig.signal(entering, "3300", "3350")).accepted
        before = rig.record.last_seq
        found = await preview(rig)
        assert rig.record.last_seq == before
        assert [step.will for step in (step_of(found, armed), step_of(found, entering), step_of(found, active))] == [
            "disarm",
            "close_after_fill",
            "close",
        ]
        held = step_of(found, active)
        assert (held.state, held.side, held.quantity) == ("Active", "long", rig.position(active).entry.quantity)
        assert held.price == Decimal(95_000)
        assert held.notional == (held.quantity * held.price).quantize(Decimal("0.01"))
        # Half the spread and the most that the paper venue takes beyond.
        assert (held.slippage_bps, held.slippage_source) == (Decimal("4.00"), "paper_rule")
        assert held.slippage == (held.notional * Decimal("0.0004")).quantize(Decimal("0.01"))
        waiting = step_of(found, armed)
        assert (waiting.quantity, waiting.notional, waiting.slippage_unknown) == (None, None, None)
        assert found.notional == sum(step.notional or 0 for step in found.positions)
        assert found.slippage == sum(step.slippage or 0 for step in found.positions) > 0
        assert (found.mode, found.panic_latched, found.without_estimate) == ("paper", False, 0)


async def test_an_exit_under_way_is_joined_with_what_is_left(tmp_path: Path, autojump_clock: Any) -> None:
    async with Rig(tmp_path, wrap=FaultyVenue).running() as rig:
        active = await rig.active()
        assert isinstance(rig.venue, FaultyVenue)
        rig.venue.faults.extend(["request_lost"] * 9)
        rig.tick("93400")
        await rig.until(active, "Exiting")
        await trio.sleep(2.5)
        (step,) = (await preview(rig)).positions
        assert (step.will, step.state, step.order_in_doubt) == ("join", "Exiting", True)
        assert step.quantity == rig.position(active).entry.quantity


async def test_what_leaves_one_book_is_estimated_together(tmp_path: Path, autojump_clock: Any) -> None:
    async with Rig(tmp_path).running() as rig:
        ids = [await rig.active() for _ in range(2)]
        estimate = rig.around.slippage = Estimate()
        found = await preview(rig)
        quantities = [rig.position(one).entry.quantity for one in ids]
        assert estimate.asked == [("BTCUSDT", OrderSide.SELL, sum(quantities))]
        assert all(step.slippage_is_least for step in found.positions)


@pytest.mark.parametrize("fault", [Unreachable("nobody answered"), KeyError("bids")])
async def test_a_venue_that_fails_costs_the_estimate_and_nothing_else(
    tmp_path: Path, autojump_clock: Any, fault: Exception
) -> None:
    async with Rig(tmp_path).running() as rig:
        await rig.active()
        rig.around.slippage = Estimate(fails=fault)
        found = await preview(rig)
        (step,) = found.positions
        assert step.slippage is step.slippage_bps is step.slippage_source is None
        assert str(fault) in step.slippage_unknown
        assert (found.without_estimate, found.slippage) == (1, 0)
        assert found.notional > 0


async def test_a_venue_that_does_not_answer_is_waited_for_two_seconds_and_costs_others_nothing(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with Rig(tmp_path).running() as rig:
        mute, heard = await rig.active(), await rig.active(symbol="ETHUSDT", entry="3300", stop="3250")
        rig.around.slippage = Estimate(mute=("BTCUSDT",))
        began = trio.current_time()
        found = await preview(rig)
        assert trio.current_time() - began == ESTIMATE_SECONDS
        assert step_of(found, mute).slippage_unknown == "no answer within 2 s"
        assert step_of(found, heard).slippage_bps == 10
        assert found.without_estimate == 1
