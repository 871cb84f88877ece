"""The journal under a running daemon: lost and found without a write, reopened, copied; the unprotected time kept."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.daemon.backlog import NOTICES_MOST
from robson.daemon.record import Record
from robson.domain.errors import JournalUnusable, RuleError
from robson.domain.events import Notice
from robson.domain.sequence import Recorded
from robson.ports import Commit
from robson.protocol import requests as ask
from robson.store import MemoryJournal, SqliteJournal
from robson.store.backup import back_up
from robson.store.lock import StateLock
from robson.store.seal import FileSeal
from tests.contract.journal.shelves import FixedClock
from tests.rig import NOBODY, Rig, SimulatedClock


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def opened(path: Path, *, read_only: bool = False, machine_id: str = "this-machine") -> SqliteJournal:
    return SqliteJournal.open(
        path, mode="paper", clock=FixedClock(), machine_id=machine_id, version="0", read_only=read_only
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    (tmp_path / "state").mkdir()
    with closing(opened(tmp_path / "state" / "robson.db")) as journal:
        yield journal


async def checks(rig: Rig) -> dict[str, tuple[bool, str]]:
    health = await rig.desk.health(ask.HealthRequest(), NOBODY)
    return {name: (check.ok, check.detail) for name, check in health.checks.items()}


async def test_a_journal_that_is_gone_is_noticed_although_nothing_is_written(
    tmp_path: Path, journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        last = rig.record.last_seq
        journal.path.rename(tmp_path / "away.db")
        await trio.sleep(3)
        assert rig.record.degraded is not None
        assert "No such file" in rig.record.degraded
        assert (await checks(rig))["journal"] == (False, rig.record.degraded)
        with pytest.raises(RuleError, match="while degraded"):
            await rig.arm("ETHUSDT")
        assert (await rig.close(held)).outcome == "closed"
        assert rig.record.last_seq == last
        (tmp_path / "away.db").rename(journal.path)
        await trio.sleep(3)
        assert rig.record.degraded is None
        assert rig.folded(held).state_name == "Closed"
        assert rig.events()[last:][:2] == ["journal_degraded", "exit_triggered"]
        assert rig.events().count("journal_degraded") == rig.events().count("journal_recovered") == 1


async def test_one_that_could_only_be_read_is_written_when_the_disk_is_back(
    tmp_path: Path, journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    feed = None
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        feed = rig.feed
    journal.close()
    with closing(opened(journal.path, read_only=True)) as read:
        rig = Rig(tmp_path, journal=read, feed=feed)
        rig.record.start_degraded("the disk was read-only")
        assert rig.record.epoch == 2
        async with rig.running():
            await trio.sleep(3)
            assert rig.record.degraded is None
            assert (await rig.close(held)).outcome == "closed"
            # What was to be told meanwhile has waited for the disk.
            at = rig.events().index("journal_degraded")
            assert rig.events()[at : at + 4] == ["journal_degraded", "recovered", "unprotected", "journal_recovered"]
            assert (await rig.arm("ETHUSDT")) is not None
    with closing(opened(journal.path)) as again:
        assert again.epoch == 3


async def test_a_copy_in_use_is_told_and_no_more_when_the_other_ends(
    tmp_path: Path, journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, journal=journal).running() as rig:
        assert (await checks(rig))["copies"] == (True, "no other daemon has this journal")
        await rig.arm()
    (tmp_path / "copy").mkdir()
    back_up(journal.path, tmp_path / "copy" / "robson.db")
    lock = StateLock.take(tmp_path / "state", clock=FixedClock())
    with closing(opened(tmp_path / "copy" / "robson.db")) as copy:
        async with Rig(tmp_path / "copy", journal=copy).running() as rig:
            ok, told = (await checks(rig))["copies"]
            assert not ok
            assert f"{journal.path}, was held by pid" in told
            assert not (await rig.desk.health(ask.HealthRequest(), NOBODY)).ready
            await trio.sleep(10)
            (row,) = (row for row in rig.journal.events() if row.type == "journal_copied")
            assert (row.data["in_use"], row.data["place"]) == (True, str(journal.path))
            lock.release()
            await trio.sleep(3)
            assert (await checks(rig))["copies"][0]


async def test_a_disk_that_cannot_be_read_leaves_a_trade_without_an_owner(
    tmp_path: Path, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(journal, journal.recover(), SimulatedClock(), FileSeal(tmp_path, place=tmp_path, boot_id="1"))

    def broken(symbol: str, trade_id: int) -> bool:
        raise JournalUnusable("disk I/O error")

    monkeypatch.setattr(journal, "has_fill", broken)
    assert not record.knows_trade("BTCUSDT", 1)
    assert record.degraded == "disk I/O error"


async def test_the_unprotected_time_is_the_same_after_a_restart(
    tmp_path: Path, journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path, journal=journal).running() as rig:
        held = await rig.active()
        await trio.sleep(15)
        rig.tick("95001")
        await trio.sleep(0.5)
        counted = (await rig.view(held)).unprotected_seconds
        assert counted >= 5
        feed = rig.feed
    journal.close()
    with closing(opened(journal.path)) as again:
        assert float(again.unprotected_seconds(rig.position(held).position_id)) == pytest.approx(counted, abs=0.01)
        async with Rig(tmp_path, journal=again, feed=feed).running() as rig:
            # The seconds until its stop was watched again come on top of it.
            assert counted < (await rig.view(held)).unprotected_seconds < counted + 1
            rig.tick("95002")
            await rig.close(held)
            assert (await rig.view(held)).unprotected_seconds >= counted


class SlowJournal(MemoryJournal):
    """Each commit takes as long as it is told to, on the daemon's clock."""

    def __init__(self, clock: "Stepping") -> None:
        super().__init__()
        self.clock = clock
        self.takes = 0.0

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        self.clock.passed += self.takes
        return super().commit(commit)


class Stepping(SimulatedClock):
    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return trio.current_time() + self.passed


class CountingJournal(MemoryJournal):
    """Counts what is written."""

    count = 0

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        self.count += 1
        return super().commit(commit)


async def test_notices_wait_for_the_disk_in_their_turn_and_only_so_many(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    journal = CountingJournal()
    clock = SimulatedClock()
    record = Record(journal, journal.recover(), clock, FileSeal(tmp_path, place=tmp_path, boot_id="1"))
    journal.broken = "no space left on device"
    for number in range(NOTICES_MOST + 100):
        record.notice(Notice(type="feed_stale", at=clock.now(), data={"number": number}))
    journal.broken = None
    journal.count = 0
    record.notice(Notice(type="feed_recovered", at=clock.now()))
    # However many they are, the loop does not wait for the disk as often.
    assert journal.count == 2
    rows = list(journal.events(limit=10 * NOTICES_MOST))
    assert [row.type for row in (rows[0], rows[-1])] == ["journal_degraded", "feed_recovered"]
    assert [row.data["number"] for row in rows[1:-1]] == list(range(NOTICES_MOST - 1))


async def test_a_slow_disk_is_told_of_until_it_is_fast_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    clock = Stepping()
    journal = SlowJournal(clock)
    record = Record(journal, journal.recover(), clock, FileSeal(tmp_path, place=tmp_path, boot_id="1"))
    told = Notice(type="feed_stale", at=clock.now())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(record.look_after)
        for journal.takes in (0.3, 0.05, 0.049, 0.2, 0.05):
            record.notice(told)
            assert record.remark is None
        journal.takes = 0.06
        record.notice(told)
        assert record.remark == "the disk is slow: a commit took 0.200 s, in which nothing else ran"
        journal.takes = 0.001
        record.notice(told)
        await trio.sleep(50)
        assert record.remark is not None
        await trio.sleep(15)
        assert record.remark is None
        nursery.cancel_scope.cancel()


async def test_an_archive_that_cannot_be_written_keeps_nobody_from_anything(
    tmp_path: Path, journal: SqliteJournal, autojump_clock: MockClock
) -> None:
    in_the_way = journal.path.with_name("archive")
    in_the_way.write_text("not a directory")
    rig = Rig(tmp_path, journal=journal)
    rig.supervisor.keep_events = 1000
    async with rig.running():
        stale = Notice(type="feed_stale", at=rig.clock.now())
        rig.record.write(Commit(notices=(stale,) * 3100))
        await trio.sleep(5)
        assert journal.oldest_seq() == 1
        assert rig.record.degraded is None
        in_the_way.unlink()
        rig.record.write(Commit(notices=(stale,) * 300))
        await trio.sleep(5)
        assert journal.oldest_seq() == 2001
        assert [file.name for file in sorted(in_the_way.iterdir())] == [
            "events-000000000001-000000001000.jsonl.gz",
            "events-000000001001-000000002000.jsonl.gz",
        ]
        held = await rig.active()
        assert rig.folded(held).state_name == "Active"
