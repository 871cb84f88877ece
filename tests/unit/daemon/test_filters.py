"""The venue changes a pair's filters while positions live: orders follow, and nobody waits for it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import trio
from trio.testing import MockClock

from robson.domain.errors import Rejected, Unreachable
from robson.domain.instrument import Instrument
from robson.ports import OrderReport, OrderRequest, Venue
from tests.faults import FaultyVenue
from tests.rig import Rig


class CoarserVenue(FaultyVenue):
    """A venue whose lot step may grow, and whose filters may be out of reach."""

    def __init__(self, inner: Venue) -> None:
        super().__init__(inner)
        self.factor = 1
        self.down = False
        self.is_broken = False

    async def instrument(self, symbol: str) -> Instrument:
        if self.down:
            raise Unreachable("connection refused")
        if self.is_broken:
            raise KeyError("filters")
        known = await super().instrument(symbol)
        step = known.step_size * self.factor
        return msgspec.structs.replace(known, step_size=step, minimum_quantity=step)

    async def place(self, request: OrderRequest) -> OrderReport:
        known = await super().instrument(request.symbol)
        if request.quantity % (known.step_size * self.factor):
            self.requests.append(request)
            raise Rejected("-1013", "Filter failure: LOT_SIZE")
        return await super().place(request)


def coarser(tmp_path: Path) -> tuple[Rig, CoarserVenue]:
    made: list[CoarserVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(CoarserVenue(venue))
        return made[0]

    return Rig(tmp_path, wrap=wrap), made[0]


async def test_an_exit_that_new_filters_refuse_leaves_by_them(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = coarser(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        held = rig.position(position_id).entry.quantity
        venue.factor = 7
        assert held % Decimal("0.00007"), "the old step fits the new one: no test at all"
        assert (await rig.close(position_id)).outcome == "closed"
        assert venue.requests[-1].quantity % Decimal("0.00007") == 0
        refusals = [row for row in rig.journal.events() if row.type == "exit_refused"]
        assert len(refusals) < 3


async def test_filters_out_of_reach_hold_up_no_exit(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = coarser(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.down = True
        rig.around.doubt_filters("BTCUSDT")
        assert (await rig.close(position_id)).outcome == "closed"


async def test_filters_are_read_again_within_ten_minutes(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = coarser(tmp_path)
    async with rig.running():
        await rig.active()
        venue.factor = 10
        await trio.sleep(580)
        assert rig.around.instruments["BTCUSDT"].step_size == Decimal("0.00001")
        await trio.sleep(40)
        assert rig.around.instruments["BTCUSDT"].step_size == Decimal("0.0001")


async def test_an_adapter_that_fails_ends_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = coarser(tmp_path)
    async with rig.running():
        position_id = await rig.active()
        venue.is_broken = True
        await trio.sleep(1300)
        venue.is_broken = False
        venue.factor = 10
        await trio.sleep(80)
        assert rig.around.instruments["BTCUSDT"].step_size == Decimal("0.0001")
        assert (await rig.close(position_id)).outcome == "closed"
