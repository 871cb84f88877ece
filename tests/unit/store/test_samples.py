"""The rows of price samples on disk: few, small, damaged ones without harm, and thinned when the events leave."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from robson.domain.samples import BASE_MS, SAMPLES_MAX, Sample, Strip, merged, to_ms, width_for
from robson.domain.values import PositionId
from robson.ports.journal import PriceRow
from robson.store import SqliteJournal, archive
from robson.store.backup import back_up, put_back
from robson.store.samples import ARCHIVED_SAMPLES, ROWS_MAX
from tests.contract.journal.lives import NOON, ONE, TWO, armed, entry_facts, exit_facts, filled, life, write
from tests.contract.journal.shelves import FixedClock

Open = Callable[..., SqliteJournal]
BEGAN = to_ms(NOON)


def walk(count: int, width_ms: int = BASE_MS, *, first: int = 0) -> Strip:
    prices = [Decimal(95_000) + Decimal((number * 7919) % 9973) / 100 for number in range(first, first + count)]
    return Strip(
        width_ms,
        tuple(
            Sample(BEGAN - BEGAN % width_ms + (first + n) * width_ms, price, price + 2, price + 1, Decimal("93600.00"))
            for n, price in enumerate(prices)
        ),
    )


def entered(journal: SqliteJournal, position_id: PositionId = ONE) -> None:
    write(journal, armed(position_id))
    write(journal, *entry_facts(position_id))
    write(journal, filled(position_id))


def rows(path: Path) -> list[tuple[int, int, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT number, width_ms, length(samples) FROM price_samples").fetchall()


def test_restarts_without_end_leave_few_rows_and_lose_nothing(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    entered(journal)
    for number in range(200):
        journal.keep_samples([PriceRow(position_id=ONE, number=number + 1, strip=walk(1, first=number))])
        assert len(rows(path)) <= ROWS_MAX + 2
    assert journal.samples(ONE) == walk(200)


def test_a_life_of_three_days_is_kept_in_a_few_kilobytes(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    entered(journal)
    step, number = 10_000, 1
    kept: tuple[Sample, ...] = ()
    for now in range(step, 3 * 86_400_000, step):
        width = width_for(now)
        price = Decimal(95_000) + Decimal((now // step * 7919) % 9973) / 100
        fresh = Sample(BEGAN + now, price - 3, price + 3, price, Decimal("93600.00"))
        kept = merged((*kept, fresh), width)
        journal.keep_samples([PriceRow(position_id=ONE, number=number, strip=Strip(width, kept))])
        if len(kept) >= 64:
            number, kept = number + 1, kept[-1:]
        if now % 7_200_000 == 0:
            assert len(journal.samples(ONE).samples) <= SAMPLES_MAX + 1
            assert len(rows(path)) <= ROWS_MAX + 2
    write(journal, *exit_facts(ONE))
    journal.keep_samples([PriceRow(position_id=ONE, number=number, strip=Strip(BASE_MS, ()), final=True)])
    ((settled, width, size),) = rows(path)
    assert (settled, width) == (0, width_for(3 * 86_400_000))
    assert size < 10_000


def test_a_damaged_row_is_a_gap(path: Path, open_journal: Open) -> None:
    journal = open_journal()
    entered(journal)
    for number in (1, 2, 3):
        journal.keep_samples([PriceRow(position_id=ONE, number=number, strip=walk(4, first=4 * number))])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE price_samples SET samples = x'5b5b31' WHERE number = 2")
        connection.commit()
    assert journal.samples(ONE).samples == walk(4, first=4).samples + walk(4, first=12).samples
    journal.keep_samples([PriceRow(position_id=ONE, number=4, strip=walk(1, first=16), final=True)])
    assert len(journal.samples(ONE).samples) == 9


def test_what_goes_to_the_archive_keeps_a_smaller_picture(
    path: Path, open_journal: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "ARCHIVE_ROWS", 8)
    journal = open_journal()
    write(journal, *life(ONE))
    entered(journal, TWO)
    drawn = walk(600)
    journal.keep_samples([PriceRow(position_id=ONE, number=1, strip=drawn, final=True)])
    journal.keep_samples([PriceRow(position_id=TWO, number=1, strip=drawn)])
    (before,) = [size for _, width, size in rows(path) if _ == 0]
    archiving = journal.archive_oldest(0)
    assert archiving is not None
    archiving.finish()
    kept = journal.samples(ONE).samples
    assert ARCHIVED_SAMPLES // 2 <= len(kept) <= ARCHIVED_SAMPLES + 1
    assert (max(s.high for s in kept), min(s.low for s in kept)) == (
        max(s.high for s in drawn.samples),
        min(s.low for s in drawn.samples),
    )
    assert rows(path)[0][2] < before / 2
    assert journal.samples(TWO) == drawn


def test_a_backup_has_the_pictures_and_gives_them_back(path: Path, open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal()
    entered(journal)
    journal.keep_samples([PriceRow(position_id=ONE, number=1, strip=walk(30))])
    back_up(path, tmp_path / "copy.db")
    journal.close()
    state = tmp_path / "state"
    state.mkdir()
    put_back(tmp_path / "copy.db", state, mode="paper", clock=FixedClock())
    assert open_journal(state / "robson.db").samples(ONE) == walk(30)
