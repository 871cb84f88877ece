"""Filters that change while the daemon runs: read anew in time, and at once when an order breaks them."""

from decimal import Decimal
from pathlib import Path

import msgspec
import trio
from trio.testing import MockClock

from robson.domain.errors import Rejected, Unreachable
from robson.domain.instrument import Instrument
from robson.domain.values import Role
from robson.ports import OrderReport, OrderRequest
from tests.faults import FaultyVenue
from tests.rig import Rig
from tests.unit.daemon.test_protection import EXACT


class Changing(FaultyVenue):
    """A venue that may halve its largest order, halt the pair, or not tell its filters."""

    largest = Decimal(100)
    tradable = True
    silent = False

    async def instrument(self, symbol: str) -> Instrument:
        if self.silent:
            raise Unreachable("connection refused")
        found = await super().instrument(symbol)
        return msgspec.structs.replace(found, maximum_quantity=self.largest, tradable=self.tradable)

    async def place(self, request: OrderRequest) -> OrderReport:
        if request.quantity > self.largest:
            self.requests.append(request)
            raise Rejected("-1013", "Filter failure: MARKET_LOT_SIZE")
        return await super().place(request)


def changing(rig: Rig) -> Changing:
    assert isinstance(rig.venue, Changing)
    return rig.venue


async def test_an_exit_that_became_too_large_is_split(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Changing).running() as rig:
        position_id = await rig.active()
        quantity = rig.position(position_id).entry.quantity
        venue = changing(rig)
        venue.largest = quantity / 2 + Decimal("0.001")
        rig.tick("90000")
        await rig.until(position_id, "Closed")
        exits = [request for request in venue.requests if request.role is Role.EXIT]
        assert exits[0].quantity > venue.largest
        assert len(exits) == 3
        assert all(request.quantity <= venue.largest for request in exits[1:])


async def test_a_halted_pair_is_noticed_within_ten_minutes(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Changing).running() as rig:
        position_id = await rig.arm()
        rig.tick("95000")
        venue = changing(rig)
        venue.tradable = False
        await trio.sleep(500)
        rig.tick("95000")
        venue.silent = True
        await trio.sleep(200)
        rig.tick("95000")
        # Nobody tells: what was known holds.
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        await rig.until(position_id, "Active")
        await rig.close(position_id)
        venue.silent = False
        await trio.sleep(70)
        rig.tick("95000")
        second = await rig.arm()
        rig.tick("95000")
        refused = await rig.signal(second, "95000", "93500")
        assert refused.reason.code == "not_tradable"
