"""A stop that the operator tightens, and entries that are held back: durable, and the same after a restart."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import RuleError
from robson.domain.events import TrailingStopUpdated
from robson.domain.values import Side
from robson.protocol import oversight
from robson.protocol import oversight_results as told
from robson.protocol import requests as ask
from robson.protocol.operations import Ticket, body_digest
from robson.store.memory import MemoryJournal
from tests.rig import NOBODY, Rig


async def adjust(rig: Rig, position_id: str, stop: str, ticket: Ticket | None = None) -> told.AdjustResult:
    request = oversight.AdjustRequest(position_id=position_id, stop_price=stop)
    return await rig.desk.adjust(request, NOBODY, ticket)


async def refused(rig: Rig, position_id: str, stop: str) -> str:
    before = rig.position(position_id), rig.record.last_seq
    with pytest.raises(RuleError) as caught:
        await adjust(rig, position_id, stop)
    assert (rig.position(position_id), rig.record.last_seq) == before
    return f"{caught.value.code}: {caught.value.message}; {caught.value.hint}"


async def pause(rig: Rig) -> bool:
    return (await rig.desk.pause(oversight.PauseRequest(), NOBODY, None)).paused


async def unpause(rig: Rig) -> bool:
    return (await rig.desk.unpause(oversight.UnpauseRequest(), NOBODY, None)).paused


def moves(rig: Rig, position_id: str) -> list[tuple[Decimal, Decimal, bool]]:
    rows = [row.data for row in rig.journal.events() if row.type == "trailing_stop_updated"]
    return [(Decimal(x["previous_stop"]), Decimal(x["trailing_stop"]), x["adjusted"]) for x in rows]


@pytest.mark.parametrize(
    ("side", "stop", "wanted", "hit", "miss"),
    [(Side.LONG, "93500", "94700", "94700", "94701"), (Side.SHORT, "96500", "95300", "95300", "95299")],
)
async def test_an_adjusted_stop_is_where_it_was_put_and_is_hit_there(
    tmp_path: Path, autojump_clock: MockClock, side: Side, stop: str, wanted: str, hit: str, miss: str
) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active(side, stop=stop)
        result = await adjust(rig, held, wanted)
        assert (result.previous_stop, result.trailing_stop) == (Decimal(stop), Decimal(wanted))
        assert result.price == Decimal(95_000)
        assert (await rig.view(held)).trailing_stop == Decimal(wanted)
        assert rig.folded(held) == rig.position(held)
        rig.tick(miss)
        await trio.sleep(1)
        assert rig.position(held).state_name == "Active"
        rig.tick(hit)
        closed = await rig.until(held, "Closed")
        assert closed.exit is not None
        assert closed.exit.trigger.trailing_stop == Decimal(wanted)
        assert rig.folded(held) == closed


async def test_it_follows_again_once_the_best_price_is_further_away_than_the_distance(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        await adjust(rig, held, "94700")
        rig.tick("96100")
        assert (await rig.view(held)).trailing_stop == Decimal(94_700)
        rig.tick("96300")
        assert (await rig.view(held)).trailing_stop == Decimal(94_800)
        await trio.sleep(1)
        assert moves(rig, held) == [
            (Decimal(93_500), Decimal(94_700), True),
            (Decimal(94_700), Decimal(94_800), False),
        ]
        assert rig.folded(held) == rig.position(held)


async def test_what_the_market_has_moved_since_the_last_flush_comes_first(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        rig.tick("96000")
        told_looser = await refused(rig, held, "94400")
        assert told_looser.startswith("stop_looser: the new stop was 94400, below the present one of 94500")
        assert "between 94500 and the price of 96000" in told_looser
        await adjust(rig, held, "95000")
        assert moves(rig, held) == [
            (Decimal(93_500), Decimal(94_500), False),
            (Decimal(94_500), Decimal(95_000), True),
        ]


async def test_it_is_refused_with_the_numbers(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        assert (await refused(rig, held, "93499.99")).startswith("stop_looser: the new stop was 93499.99, below")
        for beyond in ("95000", "95000.01"):
            assert (await refused(rig, held, beyond)).startswith(
                f"stop_passed: the new stop was {beyond}, and the price"
            )
        armed = await rig.arm("ETHUSDT")
        assert (await refused(rig, armed, "3000")).startswith("wrong_state")
        with pytest.raises(RuleError, match="was not found"):
            await adjust(rig, "nobody", "3000")
        await rig.close(held)
        assert (await refused(rig, held, "94000")).startswith("wrong_state")
        # Where it stands already: nothing is written, and it is no fault.
        short = await rig.active(Side.SHORT, stop="96500")
        last = rig.record.last_seq
        assert (await adjust(rig, short, "96500")).trailing_stop == Decimal(96_500)
        assert rig.record.last_seq == last
        assert (await refused(rig, short, "96501")).startswith("stop_looser: the new stop was 96501, above")


async def test_one_key_moves_it_once_also_after_a_crash(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        digest = body_digest(oversight.AdjustRequest(position_id=held, stop_price="94700"))
        ticket = Ticket("tight", digest, rig.clock.now())
        await adjust(rig, held, "94700", ticket)
        assert ticket.sealed is not None
        assert journal.stored_reply("tight") == ticket.sealed
        feed = rig.feed
    after = journal.reopened(crashed=True)
    async with Rig(tmp_path, journal=after, feed=feed).running() as rig:
        assert (await rig.view(held)).trailing_stop == Decimal(94_700)
        rig.tick("94700")
        await rig.until(held, "Closed")


async def test_a_stop_that_cannot_be_written_stays_where_it_was(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        journal.broken = "the disk was full"
        assert (await refused(rig, held, "94700")).startswith("journal_unwritable")
        assert (await rig.view(held)).trailing_stop == Decimal(93_500)
        rig.tick("94699")
        assert rig.position(held).state_name == "Active"
        journal.broken = None
        await trio.sleep(3)
        assert (await adjust(rig, held, "94500")).trailing_stop == Decimal(94_500)


async def test_a_stop_that_is_still_catching_up_is_left_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        rig.feed.gate["BTCUSDT"] = trio.Event()
        rig.market.interrupted("BTCUSDT", "the stream was lost")
        rig.lose("95500")
        rig.tick("95200")
        assert (await refused(rig, held, "94700")).startswith("stop_not_watched")
        rig.feed.gate["BTCUSDT"].set()
        await trio.sleep(1)
        assert (await rig.view(held)).trailing_stop == Decimal(94_000)
        assert (await adjust(rig, held, "94700")).previous_stop == Decimal(94_000)


async def test_paused_nothing_enters_and_exits_go_on_also_after_a_restart(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        assert await pause(rig)
        assert await pause(rig)
        waiting = await rig.arm()
        result = await rig.signal(waiting, "95000", "93500")
        assert (result.accepted, result.reason and result.reason.code) == (False, "paused")
        assert rig.position(waiting).state_name == "Armed"
        feed = rig.feed
    async with Rig(tmp_path, journal=journal.reopened(), feed=feed).running() as rig:
        status = await rig.desk.status(ask.StatusRequest(), NOBODY)
        assert (status.paused, status.panic_latched) == (True, False)
        assert (await rig.desk.hello(ask.HelloRequest(), NOBODY)).paused
        health = await rig.desk.health(ask.HealthRequest(), NOBODY)
        assert (health.checks["entries"].ok, health.checks["entries"].detail) == (True, "paused")
        rig.tick("95000")
        assert not (await rig.signal(waiting, "95000", "93500")).accepted
        rig.tick("93500")
        await rig.until(held, "Closed")
        assert not await unpause(rig)
        assert not await unpause(rig)
        rig.tick("95000")
        assert (await rig.signal(waiting, "95000", "93500")).accepted
        await rig.until(waiting, "Active")
        events = rig.events()
        assert (events.count("entries_paused"), events.count("entries_unpaused")) == (1, 1)


async def test_the_panic_latch_and_the_pause_are_two(tmp_path: Path, autojump_clock: MockClock) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal).running() as rig:
        await rig.panic()
        await pause(rig)
        health = await rig.desk.health(ask.HealthRequest(), NOBODY)
        assert health.checks["entries"].detail == "panic latched and paused"
        await rig.desk.resume(ask.ResumeRequest(), NOBODY, None)
        assert (rig.record.latched, rig.record.paused) == (False, True)
        armed = await rig.arm()
        rig.tick("95000")
        assert not (await rig.signal(armed, "95000", "93500")).accepted
    assert journal.reopened().recover().paused


async def test_a_pause_holds_although_the_disk_refuses_and_is_written_later(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = MemoryJournal()
    async with Rig(tmp_path, journal=journal).running() as rig:
        journal.broken = "the disk was full"
        assert await pause(rig)
        with pytest.raises(RuleError, match="journal could not be written"):
            await unpause(rig)
        assert rig.record.paused
        journal.broken = None
        await trio.sleep(3)
    assert journal.reopened().recover().paused


def test_an_older_event_without_the_word_was_no_adjustment() -> None:
    move = TrailingStopUpdated(previous_stop=Decimal(1), trailing_stop=Decimal(2), extreme=Decimal(3))
    assert not move.adjusted
