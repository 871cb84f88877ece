"""`why` and `show`: what a position's own rows, orders and fills tell, and nothing more."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.values import Side
from robson.protocol import oversight
from robson.protocol import oversight_results as told
from robson.protocol import requests as ask
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.rig import NOBODY, Rig

# Market orders execute worse than the last price, by chance.
WORSE = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(10))


async def why(rig: Rig, position_id: str) -> told.WhyResult:
    return await rig.desk.why(oversight.WhyRequest(position_id=position_id), NOBODY)


async def show(rig: Rig, position_id: str) -> told.ShowResult:
    return await rig.desk.show(oversight.ShowRequest(position_id=position_id), NOBODY)


def steps(result: told.WhyResult) -> str:
    return " ".join(step.step for step in result.chain)


@pytest.mark.parametrize(
    ("side", "stop", "best", "hit"), [(Side.LONG, "93500", "96000", "94400"), (Side.SHORT, "96500", "94000", "95600")]
)
async def test_a_stopped_position_is_explained_from_tick_to_fill(
    tmp_path: Path, autojump_clock: MockClock, side: Side, stop: str, best: str, hit: str
) -> None:
    async with Rig(tmp_path, settings=WORSE).running() as rig:
        held = await rig.active(side, stop=stop)
        await trio.sleep(5)
        rig.tick(best)
        await trio.sleep(5)
        rig.tick(hit)
        position = await rig.until(held, "Closed")
        result = await why(rig, held)
        assert steps(result) == "signal decision order fill stop stop tick decision order fill result"
        assert (result.complete, result.stop_moves, result.adjustments) == (True, 1, 0)
        entry, out = result.entry, result.exit
        assert entry is not None
        assert out is not None
        assert (entry.reference_price, entry.stop_price) == (Decimal(95_000), Decimal(stop))
        assert entry.fill_price == position.entry.fill_price
        assert out.reference_price == Decimal(hit)
        assert out.stop_price == position.exit.trigger.trailing_stop
        assert out.fill_price == position.exit.average
        assert out.reason == "trailing_stop"
        worse = (
            (entry.fill_price - 95_000) * side.sign / 95_000,
            (Decimal(hit) - out.fill_price) * side.sign / Decimal(hit),
        )
        for leg, share in zip((entry, out), worse, strict=True):
            assert leg.slippage_bps == round(share * 10_000, 2) > 0
            assert leg.orders == 1
            assert leg.decision_to_sent_ms == 0
            assert 0 < leg.sent_to_fill_ms < 1000
            assert 0 < leg.fill_to_known_ms < 1000
        assert out.tick_to_decision_ms == 0
        assert out.stop_slippage_bps > out.slippage_bps
        assert all(step.seq for step in result.chain)
        assert result.chain[0].at is None  # when the signal came is written nowhere
        rows = {row.seq: row.type for row in rig.journal.events()}
        assert [rows[step.seq or 0] for step in result.chain if step.step == "tick"] == ["exit_triggered"]


async def test_an_operators_exit_has_no_price_to_slip_from(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        assert (await why(rig, held)).exit is None
        await rig.close(held)
        result = await why(rig, held)
        assert "tick" not in steps(result)
        out = result.exit
        assert out is not None
        assert (out.reason, out.reference_price, out.stop_price) == ("operator_close", None, None)
        assert (out.slippage_bps, out.stop_slippage_bps, out.tick_to_decision_ms) == (None, None, None)
        assert out.fill_price is not None


async def test_before_a_signal_there_is_nothing_to_explain(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        armed = await rig.arm()
        result = await why(rig, armed)
        assert (result.chain, result.entry, result.exit, result.complete) == ((), None, None, True)
        rig.tick("95000")
        assert not (await rig.signal(armed, "95000", "80000")).accepted
        assert (await why(rig, armed)).entry is None
        with pytest.raises(RuleError, match="was not found"):
            await why(rig, "nobody")
        with pytest.raises(RuleError, match="was not found"):
            await show(rig, "nobody")


async def test_an_adjusted_stop_is_told_as_the_operators(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        request = oversight.AdjustRequest(position_id=held, stop_price="94700")
        await rig.desk.adjust(request, NOBODY, None)
        rig.tick("94700")
        await rig.until(held, "Closed")
        result = await why(rig, held)
        assert (result.stop_moves, result.adjustments) == (1, 1)
        (moved,) = (step for step in result.chain if step.words.startswith("moved by"))
        assert (moved.price, moved.words) == (Decimal(94_700), "moved by the operator, trade 1 seen")


async def test_show_gives_the_view_and_every_order_with_its_fills(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        shown = await show(rig, held)
        view = await rig.view(held)
        for name in view.__struct_fields__:
            assert getattr(shown, name) == getattr(view, name), name
        (entry,) = shown.orders
        assert (entry.role, entry.order_side, entry.status) == ("entry", "buy", "filled")
        assert entry.executed == entry.quantity == sum(fill.quantity for fill in entry.fills)
        assert entry.average_price == view.entry_price
        await rig.close(held)
        entry, out = (await show(rig, held)).orders
        assert (out.role, out.order_side, out.attempt) == ("exit", "sell", 1)
        assert out.fills[-1].at == out.filled_at
    async with Rig(tmp_path, journal=journal.reopened()).running() as rig:
        assert (await show(rig, held)).orders == (entry, out)


async def test_the_journal_is_measured(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        await rig.arm("ETHUSDT")
        await rig.close(held)
        result = await rig.desk.journal(oversight.JournalRequest(), NOBODY)
        assert (result.positions, result.open_positions, result.orders, result.open_orders) == (2, 1, 2, 0)
        assert (result.oldest_seq, result.last_seq, result.events) == (1, rig.record.last_seq, rig.record.last_seq)
        assert (result.writable, result.epoch, result.last_backup) == (True, 1, None)
        version = await rig.desk.version(oversight.VersionRequest(), NOBODY)
        hello = await rig.desk.hello(ask.HelloRequest(), NOBODY)
        assert (version.version, version.protocol) == (hello.version, hello.protocol)
