"""Bans, rate limits and refused keys: an entry is never sent again, an exit is never given up."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.account import InterestCharge
from robson.domain.errors import Banned, Fatal, RateLimited, Rejected, VenueError
from robson.domain.values import Role, Side
from robson.ports import OrderReport, OrderRequest, Venue
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)
BANNED = Banned("-1003", "Way too much request weight used; IP banned until 1.", retry_after_seconds=120)
LIMITED = RateLimited("-1015", "Too many new orders.", retry_after_seconds=30)
FATAL = Fatal("-2015", "Invalid API-key, IP, or permissions for action.")


class RefusingVenue(FaultyVenue):
    """Refuses orders and readings of interest as planned."""

    def __init__(self, inner: Venue) -> None:
        super().__init__(inner)
        self.refused_orders: deque[VenueError] = deque()
        self.readings: deque[VenueError] = deque()

    async def place(self, request: OrderRequest) -> OrderReport:
        if self.refused_orders:
            self.requests.append(request)
            raise self.refused_orders.popleft()
        return await super().place(request)

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        if self.readings:
            raise self.readings.popleft()
        return await super().interest(symbol, since)


def refusing(tmp_path: Path) -> tuple[Rig, RefusingVenue]:
    made: list[RefusingVenue] = []

    def wrap(venue: Venue) -> RefusingVenue:
        made.append(RefusingVenue(venue))
        return made[0]

    rig = Rig(tmp_path, settings=EXACT, wrap=wrap)
    return rig, made[0]


@pytest.mark.parametrize("refusal", [BANNED, LIMITED, FATAL])
async def test_a_refused_entry_is_never_sent_again(
    tmp_path: Path, autojump_clock: MockClock, refusal: Rejected
) -> None:
    rig, venue = refusing(tmp_path)
    async with rig.running():
        position_id = await rig.arm()
        rig.tick("95000")
        venue.refused_orders.append(refusal)
        await rig.signal(position_id, "95000", "93500")
        await rig.until(position_id, "Armed")
        await trio.sleep(600)
        assert len(venue.requests) == 1
        rejected = [row for row in rig.journal.events() if row.type == "signal_rejected"]
        assert [(row.data["stage"], row.data["code"]) for row in rejected] == [("venue", refusal.code)]


@pytest.mark.parametrize(("refusal", "waits"), [(BANNED, 120), (LIMITED, 30), (FATAL, 0)])
async def test_a_refused_exit_is_tried_until_it_is_taken_and_keeps_silent_meanwhile(
    tmp_path: Path, autojump_clock: MockClock, refusal: VenueError, waits: float
) -> None:
    rig, venue = refusing(tmp_path)
    venue.is_connected = False
    async with rig.running():
        position_id = await rig.active()
        sent: list[float] = []
        venue.on_place = lambda _request: sent.append(trio.current_time())
        venue.refused_orders.extend([refusal] * 3)
        began = trio.current_time()
        await rig.close(position_id)
        await rig.until(position_id, "Closed", seconds=600)
        assert len([request for request in venue.requests if request.role is Role.EXIT]) == 4
        assert waits * 3 - 1 < sent[0] - began < waits * 3 + 20


async def test_a_rate_limit_does_not_hide_the_loan_of_an_entry(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = refusing(tmp_path)
    async with rig.running():
        position_id = await rig.arm(side=Side.SHORT)
        rig.tick("95000")
        venue.faults.append("reply_lost")
        venue.readings.append(LIMITED)
        assert (await rig.signal(position_id, "95000", "96500")).accepted
        await rig.until(position_id, "Active")
        entry = rig.position(position_id).entry
        assert entry is not None
        assert entry.borrowed == {"BTC": entry.quantity}
