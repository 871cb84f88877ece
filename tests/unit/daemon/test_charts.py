"""Charts of living positions: what is sampled, when it is written, and that nothing waits for it."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.daemon.charts import FLUSH_SECONDS
from robson.domain.errors import JournalUnwritable
from robson.domain.samples import SAMPLES_MAX, Sample, to_ms
from robson.domain.values import PositionId, Side
from robson.feed.strip import PriceStrip
from robson.ports.journal import PriceRow
from tests.rig import Rig, SimulatedClock


async def walk(rig: Rig, *prices: int, every: float = 1.0) -> None:
    for price in prices:
        await trio.sleep(every)
        rig.tick(str(price))


def kept(rig: Rig, position_id: str) -> tuple[Sample, ...]:
    return rig.journal.samples(PositionId(position_id)).samples


def lasts(samples: tuple[Sample, ...]) -> list[int]:
    return [int(sample.last) for sample in samples]


async def test_samples_begin_with_the_fill_follow_the_stop_and_end_with_the_exit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        armed = await rig.arm()
        await walk(rig, 94000, 94500)
        held = await rig.active()
        await walk(rig, 95200, 95600, 95400, 95900, 94399)
        await rig.until(held, "Closed")
        await walk(rig, 90000)
        await trio.sleep(2 * FLUSH_SECONDS)
        drawn = kept(rig, held)
        assert lasts(drawn) == [95000, 95200, 95600, 95400, 95900, 94399]
        assert [int(s.stop or 0) for s in drawn] == [93500, 93700, 94100, 94100, 94400, 94400]
        entry = rig.position(held).entry
        assert entry is not None
        assert 0 <= to_ms(entry.filled_at) - drawn[0].start_ms < 250
        assert kept(rig, armed) == ()


async def test_a_short_has_its_stop_above(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active(Side.SHORT, stop="96500")
        await walk(rig, 94800, 94000)
        await trio.sleep(FLUSH_SECONDS)
        assert [int(s.stop or 0) for s in kept(rig, held)] == [96500, 96300, 95500]


async def test_what_is_not_written_yet_is_shown_all_the_same(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = PositionId(await rig.active())
        await trio.sleep(FLUSH_SECONDS)
        await walk(rig, 95100, 95200, every=0.5)
        assert lasts(kept(rig, held)) == [95000]
        assert lasts(rig.supervisor.charts.samples(held).samples) == [95000, 95100, 95200]
        rig.supervisor.charts.flush()
        assert lasts(kept(rig, held)) == [95000, 95100, 95200]


async def test_prices_of_a_restart_follow_those_before_and_polled_ones_count_for_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        held = await rig.active()
        await walk(rig, 95100, 95200)
        await trio.sleep(FLUSH_SECONDS)
        await walk(rig, 95250)  # lost with the process
    await trio.sleep(60)
    again = Rig(tmp_path, journal=rig.reopened(), feed=rig.feed)
    async with again.running() as rig:
        rig.tick("95222", polled=True)
        await walk(rig, 95300, 95400)
        await trio.sleep(FLUSH_SECONDS)
        drawn = kept(rig, held)
        assert lasts(drawn) == [95000, 95100, 95200, 95300, 95400]
        gaps = [after.start_ms - before.start_ms for before, after in pairwise(drawn)]
        assert max(gaps) == gaps[2] > 60_000
        assert [int(s.stop or 0) for s in drawn] == [93500, 93600, 93700, 93800, 93900]


async def test_no_fault_of_a_picture_touches_a_position(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Rig(tmp_path).running() as rig:
        held, other = await rig.active(), await rig.active(capital="1000")
        failed: list[int] = []

        def fail(strip: PriceStrip, start_ms: int) -> list[Sample]:
            failed.append(start_ms)
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(PriceStrip, "since", fail)
            await walk(rig, 95100)
            await trio.sleep(2 * FLUSH_SECONDS)
            assert len(failed) >= 2
            assert (await rig.close(held)).outcome == "closed"
            rig.supervisor.charts.flush()
        await walk(rig, 95200)
        await trio.sleep(2 * FLUSH_SECONDS)
        assert lasts(kept(rig, other))[-1] == 95200


@pytest.mark.parametrize("minutes", [-20, 20])
async def test_a_venue_whose_clock_is_another_one_costs_no_prices(
    tmp_path: Path, autojump_clock: MockClock, minutes: int
) -> None:
    apart = SimulatedClock(timedelta(minutes=minutes))
    async with Rig(tmp_path, venue_clock=apart).running() as rig:
        await rig.arm()
        await walk(rig, 90000, 90001)
        held = await rig.active()
        await walk(rig, 95100, 95200)
        await trio.sleep(FLUSH_SECONDS)
        await walk(rig, 95300)
        await trio.sleep(FLUSH_SECONDS)
        drawn = lasts(kept(rig, held))
        assert 90001 not in drawn
        assert drawn[-1] == 95300
        assert len(drawn) >= 2


async def test_a_journal_that_refuses_loses_samples_and_nothing_else(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Rig(tmp_path).running() as rig:
        refused: list[int] = []

        def refuse(rows: Sequence[PriceRow]) -> None:
            refused.append(len(rows))
            raise JournalUnwritable("no space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(rig.journal, "keep_samples", refuse)
            held = await rig.active()
            await walk(rig, 95100)
            await trio.sleep(2 * FLUSH_SECONDS)
        assert refused
        assert rig.record.degraded is None
        await walk(rig, 95200)
        await trio.sleep(FLUSH_SECONDS)
        assert lasts(kept(rig, held)) == [95000, 95100, 95200]


async def test_a_long_life_is_bounded_in_memory_and_in_the_journal(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = PositionId(await rig.active())
        for number in range(2000):
            await walk(rig, 95000 + number % 7, every=3.0)
        part = rig.supervisor.charts._parts[held]
        assert len(part.strip.samples) <= 100
        drawn = rig.supervisor.charts.samples(held)
        assert SAMPLES_MAX / 3 <= len(drawn.samples) <= SAMPLES_MAX + 1
        assert (min(s.low for s in drawn.samples), max(s.high for s in drawn.samples)) == (95000, 95006)


async def test_many_positions_are_all_written(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        held = [await rig.active(capital="1000") for _ in range(70)]
        await walk(rig, 95100)
        await trio.sleep(2 * FLUSH_SECONDS)
        assert all(kept(rig, position_id)[-1].last == 95100 for position_id in held)
        await rig.panic()
        await trio.sleep(2 * FLUSH_SECONDS)
        assert not rig.supervisor.charts._parts
        assert not rig.supervisor.charts._ended
