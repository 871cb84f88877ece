"""The newest moment of a state directory, from which a market that is faster than real time has to go on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio
from trio.testing import MockClock

from robson.feed.opening import open_synthetic
from robson.store.journal import SqliteJournal
from robson.store.moments import latest_moment
from tests.rig import START, Rig, SimulatedClock
from tests.unit.feed.markets import instrument

LATER = datetime.now(UTC) + timedelta(days=30)  # noqa: TID251  # what is ahead of the wall clock


def test_an_empty_place_has_no_moment(tmp_path: Path) -> None:
    assert latest_moment(tmp_path) is None
    assert latest_moment(tmp_path / "nowhere") is None


def test_files_that_cannot_be_read_have_none(tmp_path: Path) -> None:
    (tmp_path / "robson.db").write_text("no database")
    assert latest_moment(tmp_path) is None


def test_it_is_the_newest_of_the_journal_and_the_account(tmp_path: Path) -> None:
    async def live() -> None:
        path = tmp_path / "robson.db"
        journal = SqliteJournal.open(path, mode="paper", clock=SimulatedClock(), machine_id="m", version="0")
        async with Rig(tmp_path, journal=journal).running() as rig:
            assert latest_moment(tmp_path) == START
            await rig.active()
            filled_at = START + timedelta(seconds=trio.current_time())
            assert latest_moment(tmp_path) == filled_at
            await trio.sleep(7200)
            await rig.venue.account("BTCUSDT")
            await rig.arm("ETHUSDT")
            assert latest_moment(tmp_path) == START + timedelta(seconds=trio.current_time())
        journal.close()

    trio.run(live, clock=MockClock(autojump_threshold=0))


def test_a_faster_market_begins_there_and_never_in_the_past() -> None:
    assert LATER <= open_synthetic(instrument, speed="60", not_before=LATER).clock.now() < LATER + timedelta(days=1)
    past = LATER - timedelta(days=60)
    assert past < open_synthetic(instrument, speed="60", not_before=past).clock.now() < LATER


async def test_at_real_speed_the_wall_clock_counts() -> None:
    assert open_synthetic(instrument, speed="1", not_before=LATER).clock.now() < LATER
