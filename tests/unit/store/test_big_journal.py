"""Recovery of a journal in which open positions are scattered among many closed ones: right, and in bounded memory."""

import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from robson.bench.big_journal import build, expected
from robson.bench.lives import open_journal
from robson.bench.recovery import plain, recover
from robson.domain.position import Position

OPEN = 5


@pytest.mark.parametrize("life_events", [1, 2, 4, 60])
def test_each_open_position_is_what_its_events_make(path: Path, life_events: int) -> None:
    build(path, events=1500, open_positions=OPEN, life_events=life_events)
    with closing(open_journal(path)) as journal:
        recovery = journal.recover()
        assert recovery.last_seq == 1500
        assert len(journal.positions(closed=True)) > 100
    found: dict[str, Position] = {position.position_id: position for position in recovery.positions}
    for number in range(OPEN):
        assert found.pop(f"open-{number:04}") == expected(number, life_events)
    # The last closed life may have been cut off by the end.
    assert [name[:6] for name in found] in ([], ["closed"])


def test_the_benchmark_reads_what_recovery_folds(path: Path) -> None:
    build(path, events=1200, open_positions=OPEN, life_events=60)
    assert plain(path) == pytest.approx(OPEN * 60, abs=8)
    assert recover(path) in {OPEN, OPEN + 1}


def test_memory_does_not_grow_with_the_length_of_a_life(path: Path) -> None:
    build(path, events=24_000, open_positions=2, life_events=11_000)
    recover(path)
    tracemalloc.start()
    recover(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Eleven thousand events of some 250 bytes, held all at once, would be three times as much for one position alone.
    assert peak < 1_000_000
