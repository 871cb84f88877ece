"""A venue that wants silence or does not accept the key: nothing enters, exits go on, and everybody is told."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
import trio
from trio.testing import MockClock

from robson.domain.account import PairAccount, PairTerms
from robson.domain.errors import Banned, Fatal, RateLimited, Rejected, Unreachable, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import Side
from robson.ports import OrderReport, OrderRequest
from robson.protocol import requests as ask
from robson.protocol.results import HealthResult
from tests.faults import FaultyVenue
from tests.rig import NOBODY, Rig
from tests.unit.daemon.test_protection import EXACT, seconds_told

BAD_KEY = Fatal("-2015", "Invalid API-key, IP, or permissions for action.")


class Gate(FaultyVenue):
    """A venue that refuses what needs a key while it is closed."""

    closed: VenueError | None = None
    only_orders = False
    no_terms = False
    # What an exit may do without: does the venue refuse to tell it, or never answer?
    beside: Literal["told", "refused", "silent"] = "told"

    async def place(self, request: OrderRequest) -> OrderReport:
        if self.closed is not None:
            self.requests.append(request)
            raise self.closed
        return await super().place(request)

    async def account(self, symbol: str) -> PairAccount:
        if self.closed is not None and not self.only_orders:
            raise self.closed
        return await super().account(symbol)

    async def price(self, symbol: str) -> Decimal:
        await self._beside()
        return await super().price(symbol)

    async def _beside(self) -> None:
        if self.beside == "refused":
            raise Rejected("404", "HTTP 404")
        if self.beside == "silent":
            await trio.sleep_forever()

    async def instrument(self, symbol: str) -> Instrument:
        await self._beside()
        return await super().instrument(symbol)

    async def terms(self, symbol: str) -> PairTerms:
        await self._beside()
        if self.no_terms:
            raise Rejected("404", "HTTP 404")
        return await super().terms(symbol)


def gated(rig: Rig) -> Gate:
    assert isinstance(rig.venue, Gate)
    return rig.venue


async def health(rig: Rig) -> HealthResult:
    return await rig.desk.health(ask.HealthRequest(), NOBODY)


@pytest.mark.parametrize("only_orders", [False, True])
async def test_an_exit_goes_on_with_a_refused_key_until_it_is_accepted(
    tmp_path: Path, autojump_clock: MockClock, only_orders: bool
) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        position_id = await rig.active()
        venue = gated(rig)
        venue.closed, venue.only_orders = BAD_KEY, only_orders
        rig.tick("90000")
        await trio.sleep(600)
        assert rig.position(position_id).state_name == "Exiting"
        check = (await health(rig)).checks["venue"]
        assert not check.ok
        assert "does not accept the key: -2015" in check.detail
        assert rig.desk.state() == "degraded"
        # Not given up, and not in a loop either.
        assert 100 < len(venue.requests) < 130 if only_orders else len(venue.requests) == 2
        venue.closed = None
        await rig.until(position_id, "Closed")
        assert (await health(rig)).checks["venue"].ok
    assert sum(seconds_told(rig, position_id)) == pytest.approx(600, abs=10)


@pytest.mark.parametrize("kind", [RateLimited, Banned])
async def test_silence_is_kept_and_counted_as_unprotected(
    tmp_path: Path, autojump_clock: MockClock, kind: type[RateLimited]
) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        position_id = await rig.active()
        venue = gated(rig)
        venue.closed = kind("-1003", "Too many requests.", retry_after_seconds=90)
        asked = len(venue.requests)
        rig.tick("90000")
        await trio.sleep(45)
        assert len(venue.requests) == asked + 1
        assert "wants silence: -1003" in (await health(rig)).checks["venue"].detail
        venue.closed = None
        await trio.sleep(44)
        assert rig.position(position_id).state_name == "Exiting"
        await trio.sleep(5)
        assert rig.position(position_id).state_name == "Closed"
    assert seconds_told(rig, position_id) == [pytest.approx(90, abs=1)]


async def test_a_key_that_is_revoked_shows_before_an_exit_needs_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        position_id = await rig.active()
        gated(rig).closed = BAD_KEY
        for _ in range(70):
            rig.tick("95000")
            await trio.sleep(1)
        assert "-2015" in (await health(rig)).checks["venue"].detail
        gated(rig).closed = None
        for _ in range(70):
            rig.tick("95000")
            await trio.sleep(1)
        assert (await health(rig)).checks["venue"].ok
    assert seconds_told(rig, position_id) == [pytest.approx(70, abs=35)]


async def test_an_entry_with_a_refused_key_is_a_rejected_signal(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        position_id = await rig.arm(side=Side.LONG)
        rig.tick("95000")
        venue = gated(rig)
        venue.closed, venue.only_orders = BAD_KEY, True
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        await trio.sleep(1)
        assert rig.position(position_id).state_name == "Armed"
        (refused,) = [row for row in rig.journal.events() if row.type == "signal_rejected"]
        assert (refused.data["stage"], refused.data["code"]) == ("venue", "-2015")
        assert not (await health(rig)).checks["venue"].ok


async def test_arming_says_what_the_venue_said(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        gated(rig).no_terms = True
        with pytest.raises(Rejected, match="404"):
            await rig.arm(side=Side.LONG)


async def test_an_entry_that_never_left_does_not_count_for_ever(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        neighbour = await rig.active()
        position_id = await rig.arm("ETHUSDT")
        rig.tick("3000", "ETHUSDT")
        gated(rig).closed, gated(rig).only_orders = Unreachable("connection refused"), True
        assert (await rig.signal(position_id, "3000", "2950")).accepted
        await trio.sleep(1)
        assert rig.position(position_id).state_name == "Armed"
        gated(rig).closed = None
        await trio.sleep(60)
        assert rig.executor.reachable
    assert sum(seconds_told(rig, neighbour)) < 60


async def test_terms_that_are_refused_keep_no_stop_from_being_watched(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        position_id = await rig.active()
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed, wrap=Gate)
    gated(again).no_terms = True
    with trio.fail_after(60):
        async with again.running():
            again.tick("90000")
            assert (await again.until(position_id, "Closed")).state_name == "Closed"


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("beside", ["refused", "silent"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_exit_needs_neither_prices_nor_filters_nor_terms_of_the_venue(
    tmp_path: Path, autojump_clock: MockClock, side: Side, beside: Literal["refused", "silent"], restarted: bool
) -> None:
    """The stop is watched and the position closed on the feed's price, also by a daemon that never was told terms."""
    async with Rig(tmp_path, settings=EXACT, wrap=Gate).running() as rig:
        position_id = await rig.active(side, stop="93500" if side is Side.LONG else "96500")
        if not restarted:
            gated(rig).beside = beside
            rig.tick("90000" if side is Side.LONG else "100000")
            await rig.until(position_id, "Closed")
            return
    again = Rig(tmp_path, settings=EXACT, journal=rig.reopened(), feed=rig.feed, wrap=Gate)
    gated(again).beside = beside
    with trio.fail_after(60):
        async with again.running():
            again.tick("90000" if side is Side.LONG else "100000")
            await again.until(position_id, "Closed")
