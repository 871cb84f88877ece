"""Stops on prices without trade ids: their moves are decisions, and a restart asks for prices by time."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio

from robson.domain.market import Tick
from robson.domain.position import Active
from robson.store.memory import MemoryJournal
from tests.rig import Rig


def quote(rig: Rig, bid: str, ask: str) -> None:
    at = rig.clock.now()
    rig.market.observe(
        Tick(symbol="BTCUSDT", price=Decimal(bid), ask=Decimal(ask), quantity=Decimal(0), trade_id=None, at=at)
    )


def stop_of(rig: Rig, position_id: str) -> Decimal:
    state = rig.position(position_id).state
    assert isinstance(state, Active)
    return state.trail.stop


@pytest.mark.parametrize("has_ids", [True, False])
async def test_a_move_without_a_trade_id_is_durable_with_its_flush(
    tmp_path: Path, autojump_clock: object, has_ids: bool
) -> None:
    journal = MemoryJournal()
    rig = Rig(tmp_path, journal=journal)
    async with rig.running():
        position_id = await rig.active()
        await trio.sleep(1)
        if has_ids:
            rig.tick("97000")
        else:
            quote(rig, "97000", "97000.01")
        await trio.sleep(1)
        assert stop_of(rig, position_id) == Decimal(95500)
    durable = journal.reopened(crashed=True).position(position_id)
    assert isinstance(durable.state, Active)
    assert durable.state.trail.stop == Decimal("93500" if has_ids else "95500")
    if not has_ids:
        assert durable.state.trail.trade_id is None
        assert durable.state.trail.seen_at is not None


async def test_a_restart_takes_the_prices_since_the_last_move(tmp_path: Path, autojump_clock: object) -> None:
    journal = MemoryJournal()
    rig = Rig(tmp_path, journal=journal)
    async with rig.running():
        position_id = await rig.active()
        await trio.sleep(1)
        quote(rig, "97000", "97000.01")
        await trio.sleep(1)
    again = Rig(tmp_path, journal=journal.reopened(crashed=True), feed=rig.feed)
    # While it was down: below the stop and back.
    rig.feed.kept["BTCUSDT"] += [
        Tick(symbol="BTCUSDT", price=Decimal(price), quantity=Decimal(1), trade_id=1000 + n, at=again.clock.now())
        for n, price in enumerate(("95400", "98000"))
    ]
    async with again.running():
        position = await again.until(position_id, "Closed")
        assert position.state.reason.value == "trailing_stop"
