"""An exit in doubt is followed by a second attempt where the account keeps both from executing, and nowhere else."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from robson.domain.account import PairAccount
from robson.domain.errors import Unreachable
from robson.domain.stimuli import FaultFound
from robson.domain.values import ClientOrderId, OrderSide, Role, Side
from robson.ports import OrderReport, OrderRequest, Venue
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import Rig, folded

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)
# About what one short of the tests needs: it could not buy everything back twice.
SCARCE = msgspec.structs.replace(EXACT, collateral=Decimal(1200))
STOPS = {Side.LONG: "93500", Side.SHORT: "96500"}
BEYOND = {Side.LONG: "93400", Side.SHORT: "96600"}


class Mute(FaultyVenue):
    """A venue whose account cannot be read while an exit is in doubt."""

    is_mute = False

    async def account(self, symbol: str) -> PairAccount:
        if self.is_mute:
            raise Unreachable("connection refused")
        return await super().account(symbol)


def faulty(
    directory: Path,
    *faults: str,
    settings: PaperSettings = EXACT,
    journal: MemoryJournal | None = None,
    earlier: Rig | None = None,
) -> tuple[Rig, Mute]:
    made: list[Mute] = []

    def wrap(venue: Venue) -> Venue:
        made.append(Mute(venue))
        return made[0]

    rig = Rig(directory, settings=settings, wrap=wrap, journal=journal, feed=earlier.feed if earlier else None)
    made[0].faults.extend(faults)
    return rig, made[0]


async def in_market(rig: Rig, side: Side = Side.LONG, settle: float = 1.0) -> str:
    """A position whose account was read since its fill."""
    position_id = await rig.active(side, stop=STOPS[side])
    await trio.sleep(settle)
    return position_id


def exits(venue: FaultyVenue) -> Sequence[OrderRequest]:
    return [request for request in venue.requests if request.role is Role.EXIT]


async def executed(rig: Rig, venue: FaultyVenue) -> list[OrderReport]:
    ids = dict.fromkeys(request.client_order_id for request in exits(venue))
    reports = [await rig.paper.order("BTCUSDT", client_order_id) for client_order_id in ids]
    return [report for report in reports if report is not None and report.executed > 0]


def fences(rig: Rig, position_id: str) -> list[str]:
    rows = rig.journal.events(position_id=position_id)  # type: ignore[arg-type]
    return [row.data["fence"] for row in rows if row.type == "exit_order_placed"]


async def seconds_to_close(rig: Rig, position_id: str, side: Side = Side.LONG) -> float:
    began = trio.current_time()
    rig.tick(BEYOND[side])
    await rig.until(position_id, "Closed", seconds=200)
    return trio.current_time() - began


async def seconds_to_fill(rig: Rig, position_id: str) -> float:
    """Until the journal has the first fill of the exit."""
    began = trio.current_time()
    while "exit_filled" not in rig.events(position_id):
        await rig.record.wait_events(rig.record.last_seq)
    return trio.current_time() - began


async def assert_over(rig: Rig, position_id: str) -> None:
    """Closed is flat and free of debt, and the journal says what happened."""
    account = await rig.venue.account("BTCUSDT")
    assert account.base.debt == account.quote.debt == 0
    assert account.base.total * 95_000 < 5
    assert folded(rig.journal, position_id) == rig.position(position_id)
    assert not list(rig.record.open_intents())


async def by_hand(venue: FaultyVenue, order_side: OrderSide, quantity: str) -> None:
    request = OrderRequest(
        symbol="BTCUSDT",
        client_order_id=ClientOrderId("by-hand"),
        role=Role.EXIT,
        order_side=order_side,
        quantity=Decimal(quantity),
        timestamp_ms=venue.timestamp_ms(),
        receive_window_ms=5_000,
    )
    await venue.inner.place(request)


@pytest.mark.parametrize("side", list(Side))
async def test_a_lost_request_costs_seconds_and_by_the_clock_fence_alone_many_more(
    side: Side, tmp_path: Path, autojump_clock: MockClock
) -> None:
    took = {}
    for name, settle in (("self", 1.0), ("clock", 0.0)):
        (tmp_path / name).mkdir()
        rig, venue = faulty(tmp_path / name, settings=SCARCE if side is Side.SHORT else EXACT)
        async with rig.running():
            position_id = await in_market(rig, side, settle)
            venue.faults.append("request_lost")
            rig.tick(BEYOND[side])
            took[name] = await seconds_to_fill(rig, position_id)
            await rig.until(position_id, "Closed")
            assert fences(rig, position_id) == [name, name]
            assert len(exits(venue)) == 2
            await assert_over(rig, position_id)
    assert 2 < took["self"] < 3
    # Three denials past the fence, five seconds apart.
    assert 12 < took["clock"] < 27


ARRIVALS = (0.0, 1.0, 2.0, 2.3, 2.4, 2.5, 4.0, 9.0, 30.0)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("second", ["", "reply_lost", "request_lost", "error_after", "slow", "refused", "unreachable"])
async def test_in_whatever_order_two_attempts_arrive_only_one_executes(
    side: Side, second: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    for arrival in ARRIVALS:
        directory = tmp_path / str(arrival)
        directory.mkdir()
        rig, venue = faulty(directory, settings=SCARCE if side is Side.SHORT else EXACT)
        async with rig.running():
            position_id = await in_market(rig, side)
            venue.slow_seconds = arrival
            venue.faults.extend(["request_lost" if arrival > 10 else "slow", second])
            await seconds_to_close(rig, position_id, side)
            assert len(await executed(rig, venue)) == 1, arrival
            await trio.sleep(20)
            await assert_over(rig, position_id)
            assert set(fences(rig, position_id)) == {"self"}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("fills_underfunded", [False, True])
async def test_partial_fills_of_two_attempts_are_accounted_and_what_was_bought_too_much_is_sold(
    side: Side, fills_underfunded: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = msgspec.structs.replace(
        SCARCE if side is Side.SHORT else EXACT,
        partial_fill_probability=Decimal("0.6"),
        fills_underfunded_buys=fills_underfunded,
    )
    for arrival in ARRIVALS[1:-1]:
        directory = tmp_path / str(arrival)
        directory.mkdir()
        rig, venue = faulty(directory, settings=settings)
        async with rig.running():
            position_id = await in_market(rig, side)
            venue.slow_seconds = arrival
            venue.faults.extend(["slow", "slow", "", "slow"])
            await seconds_to_close(rig, position_id, side)
            await assert_over(rig, position_id)


@asynccontextmanager
async def closing_by_clock(rig: Rig, venue: FaultyVenue, position_id: str, side: Side) -> AsyncIterator[None]:
    venue.faults.append("request_lost")
    yield
    assert await seconds_to_close(rig, position_id, side) > 12
    assert set(fences(rig, position_id)) == {"clock"}
    assert len(await executed(rig, venue)) == 1


async def test_beside_base_of_the_traders_the_fence_declines(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        await rig.arm()
        rig.tick("95000")
        await by_hand(venue, OrderSide.BUY, "0.2")
        position_id = await in_market(rig)
        async with closing_by_clock(rig, venue, position_id, Side.LONG):
            pass
        assert (await held(rig)) >= Decimal("0.1998")


async def held(rig: Rig) -> Decimal:
    return (await rig.paper.account("BTCUSDT")).base.total


@pytest.mark.parametrize("neighbour", ["Active", "Error", "Error with nothing held"])
async def test_beside_another_position_the_fence_declines(
    neighbour: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig)
        other = await rig.arm() if neighbour.endswith("held") else await rig.active(stop="90500")
        if neighbour.startswith("Error"):
            rig.supervisor.lives[other].feel(FaultFound(code="as_a_test", message="-", recoverable=True))
        await trio.sleep(40)
        rig.tick("95000")
        async with closing_by_clock(rig, venue, position_id, Side.LONG):
            pass


async def test_a_rich_account_of_a_short_keeps_the_clock_fence(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig, Side.SHORT)
        async with closing_by_clock(rig, venue, position_id, Side.SHORT):
            pass


async def test_an_account_that_was_not_read_since_the_fill_keeps_the_clock_fence(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        rig.around.reads.clear()
        venue.is_mute = False
        position_id = await rig.arm()
        rig.tick("95000")
        assert (await rig.signal(position_id, "95000", "93500")).accepted
        venue.is_mute = True
        await rig.until(position_id, "Active")
        await trio.sleep(5)
        venue.faults.append("request_lost")
        rig.tick("93400")
        await trio.sleep(1)
        venue.is_mute = False
        await rig.until(position_id, "Closed")
        assert set(fences(rig, position_id)) == {"clock"}


async def test_a_read_from_before_the_last_fill_keeps_the_clock_fence(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig)
        rig.around.fills["BTCUSDT"] += 1
        async with closing_by_clock(rig, venue, position_id, Side.LONG):
            pass


async def test_a_read_that_is_old_keeps_the_clock_fence(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig)
        venue.is_mute = True
        await trio.sleep(150)
        venue.faults.append("request_lost")
        rig.tick("93400")
        await trio.sleep(1)
        venue.is_mute = False
        await rig.until(position_id, "Closed", seconds=200)
        assert set(fences(rig, position_id)) == {"clock"}


async def test_no_entry_goes_out_beside_an_exit_under_the_self_fence(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig)
        beside = await rig.arm()
        venue.faults.append("request_lost")
        rig.tick("93400")
        await trio.sleep(1)
        refusal = await rig.signal(beside, "93400", "92000")
        assert refusal.reason is not None
        assert refusal.reason.code == "pair_busy"
        await rig.until(position_id, "Closed")
        rig.tick("93400")
        assert (await rig.signal(beside, "93400", "92000")).accepted


async def test_base_that_arrives_meanwhile_is_seen_and_the_clock_waited_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig)
        venue.faults.append("request_lost")
        rig.tick("93400")
        await trio.sleep(1)
        await by_hand(venue, OrderSide.BUY, "0.2")
        await trio.sleep(9)
        assert len(exits(venue)) == 1
        await rig.until(position_id, "Closed", seconds=200)
        assert len(await executed(rig, venue)) == 1
        assert await held(rig) >= Decimal("0.1998")


async def test_base_that_arrives_unseen_is_alarmed_and_accounted(tmp_path: Path, autojump_clock: MockClock) -> None:
    rig, venue = faulty(tmp_path)
    async with rig.running():
        position_id = await in_market(rig)
        venue.slow_seconds = 5
        venue.faults.append("slow")
        rig.tick("93400")
        await trio.sleep(1)
        await by_hand(venue, OrderSide.BUY, "0.2")
        venue.is_mute = True
        await trio.sleep(3)
        venue.is_mute = False
        await rig.until(position_id, "Closed", seconds=200)
        found = await executed(rig, venue)
        assert len(found) == 2
        told = [row.data for row in rig.journal.events() if row.type == "drift_found"]
        assert [(data["code"], data["quantity"]) for data in told] == [("exits_exceeded", str(found[1].executed))]
        fills = rig.journal.fills(rig.position(position_id).position_id)
        assert sum(fill.trade.quantity for fill in fills if fill.role is Role.EXIT) == 2 * found[0].executed
        account = await rig.paper.account("BTCUSDT")
        assert account.base.debt == account.quote.debt == 0


async def test_after_a_crash_the_second_attempt_follows_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    rig, venue = faulty(tmp_path, journal=journal)
    async with rig.running():
        position_id = await in_market(rig)
        venue.faults.append("request_lost")
        rig.tick("93400")
        await trio.sleep(1)
    again, venue = faulty(tmp_path, journal=journal.reopened(crashed=True), earlier=rig)
    async with again.running(recovered=False):
        again.tick("93400")
        assert await seconds_to_fill(again, position_id) < 3
        await again.until(position_id, "Closed")
        assert fences(again, position_id) == ["self", "self"]
        await assert_over(again, position_id)


async def test_without_a_journal_the_second_attempt_waits_for_the_clock(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    rig, venue = faulty(tmp_path, journal=journal)
    async with rig.running():
        await in_market(rig)
        venue.faults.append("request_lost")
        rig.tick("93400")
        await trio.sleep(1)
        journal.broken = "no space left on device"
        await trio.sleep(9)
        assert len(exits(venue)) == 1
        await trio.sleep(20)
        assert len(await executed(rig, venue)) == 1


async def test_a_fall_of_the_price_lets_a_short_buy_twice_and_the_surplus_is_sold(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    rig, venue = faulty(tmp_path, settings=msgspec.structs.replace(EXACT, collateral=Decimal(5500)))
    async with rig.running():
        position_id = await in_market(rig, Side.SHORT)
        venue.slow_seconds = 4
        venue.faults.append("slow")
        rig.tick("96600")
        assert rig.position(position_id).state_name
        await trio.sleep(3)
        rig.tick("85000")
        await rig.until(position_id, "Closed", seconds=200)
        await assert_over(rig, position_id)
