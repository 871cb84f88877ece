"""Price samples: parts that replace each other, one picture at the end, and never too large."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robson.domain.errors import JournalUnwritable
from robson.domain.samples import BASE_MS, SAMPLES_MAX, Sample, Strip, merged, to_ms, width_for
from robson.domain.values import PositionId
from robson.ports.journal import Journal, PriceRow
from robson.store import MemoryJournal
from tests.contract.journal.lives import NOON, ONE, TWO, armed, entry_facts, exit_facts, filled, write
from tests.contract.journal.shelves import Shelf, now_and_reopened

BEGAN = to_ms(NOON)


def sample(second: float, price: int | str, stop: str | None = "93600") -> Sample:
    at = Decimal(price)
    return Sample(BEGAN + round(second * 1000), at - 1, at + 1, at, Decimal(stop) if stop else None)


def part(number: int, *samples: Sample, width_ms: int = BASE_MS, final: bool = False) -> PriceRow:
    return PriceRow(position_id=ONE, number=number, strip=Strip(width_ms, merged(samples, width_ms)), final=final)


@pytest.fixture
def entered(shelf: Shelf) -> Journal:
    write(shelf.journal, armed(ONE))
    write(shelf.journal, *entry_facts(ONE))
    write(shelf.journal, filled(ONE))
    return shelf.journal


def test_nothing_is_an_empty_strip(journal: Journal) -> None:
    assert journal.samples(ONE) == Strip(BASE_MS)


def test_a_part_replaces_itself_and_follows_the_ones_before(entered: Journal, shelf: Shelf) -> None:
    one, two, three = sample(0, 95100), sample(0.25, 95110), sample(0.5, 95105, "93610")
    entered.keep_samples([part(1, one)])
    entered.keep_samples([part(1, one, two)])
    entered.keep_samples([part(2, three)])
    for journal in now_and_reopened(shelf):
        assert journal.samples(ONE) == Strip(BASE_MS, (one, two, three))
        assert journal.samples(TWO).samples == ()


def test_a_wider_part_makes_those_before_it_as_wide(entered: Journal) -> None:
    entered.keep_samples([part(1, sample(0, 95100), sample(0.25, 95200))])
    entered.keep_samples([part(2, sample(0.5, 95050), sample(0.75, 95060), width_ms=500)])
    found = entered.samples(ONE)
    assert found.width_ms == 500
    assert [(s.start_ms - BEGAN, s.low, s.high, s.last) for s in found.samples] == [
        (0, 95099, 95201, 95200),
        (500, 95049, 95061, 95060),
    ]


def test_the_final_part_ends_the_picture(entered: Journal, shelf: Shelf) -> None:
    for number in range(1, 4):
        entered.keep_samples([part(number, sample(number, 95000 + number))])
    write(entered, *exit_facts(ONE))
    entered.keep_samples([part(4, sample(4, 95004), final=True)])
    for journal in now_and_reopened(shelf):
        assert [s.last for s in journal.samples(ONE).samples] == [95001, 95002, 95003, 95004]


def test_a_disk_that_refuses_costs_the_samples_and_nothing_else(entered: Journal, shelf: Shelf) -> None:
    shelf.break_disk()
    with pytest.raises(JournalUnwritable):
        entered.keep_samples([part(1, sample(0, 95100))])
    shelf.mend_disk()
    assert entered.samples(ONE).samples == ()
    entered.keep_samples([part(1, sample(0, 95100))])
    assert len(entered.samples(ONE).samples) == 1


def test_an_earlier_run_writes_no_more(entered: Journal, shelf: Shelf) -> None:
    shelf.open_beside()
    with pytest.raises(JournalUnwritable):
        entered.keep_samples([part(1, sample(0, 95100))])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_life_of_any_length_and_any_restarts_is_one_bounded_picture(data: st.DataObject) -> None:
    journal = MemoryJournal()
    write(journal, armed(ONE))
    now, number = 0, 1
    every: list[Sample] = []
    kept: tuple[Sample, ...] = ()
    for _ in range(data.draw(st.integers(1, 40))):
        now += data.draw(st.integers(1, 40_000)) * BASE_MS
        every.append(sample(now / 1000, data.draw(st.integers(90_000, 99_000))))
        width = width_for(now)
        kept = merged((*kept, every[-1]), width)
        journal.keep_samples([part(number, *kept, width_ms=width)])
        if data.draw(st.booleans()):
            number, kept = number + 1, ()
    found = journal.samples(ONE)
    assert len(found.samples) <= SAMPLES_MAX + 1
    assert max(s.high for s in found.samples) == max(s.high for s in every)
    assert min(s.low for s in found.samples) == min(s.low for s in every)
    assert found.samples[-1].last == every[-1].last
    assert timedelta(milliseconds=found.width_ms) <= timedelta(milliseconds=max(BASE_MS, 2 * now // SAMPLES_MAX))


def test_a_position_that_is_not_there_has_no_samples(journal: Journal) -> None:
    with pytest.raises(JournalUnwritable):
        journal.keep_samples([PriceRow(position_id=PositionId("nobody"), number=1, strip=Strip(BASE_MS, ()))])
