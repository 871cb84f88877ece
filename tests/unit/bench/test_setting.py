"""How two things are measured in turn."""

from pathlib import Path

import pytest

from robson.bench.setting import Setting, each_us, quantile


def test_who_begins_changes_and_the_first_round_is_not_counted(tmp_path: Path) -> None:
    order: list[str] = []

    def turn(name: str) -> float:
        order.append(name)
        return float(len(order))

    ours, bare = Setting(tmp_path, rounds=3).in_turn(lambda: turn("ours"), lambda: turn("bare"))
    assert order == ["ours", "bare", "ours", "bare", "bare", "ours", "ours", "bare"]
    assert ours == (3.0, 6.0, 7.0)
    assert bare == (4.0, 5.0, 8.0)


def test_quick_is_smaller(tmp_path: Path) -> None:
    assert Setting(tmp_path).size(1000, 10) == 1000
    assert Setting(tmp_path, quick=True).size(1000, 10) == 10


def test_a_place_is_on_the_measured_disk_and_does_not_stay(tmp_path: Path) -> None:
    with Setting(tmp_path).place("one") as place:
        assert place.parent == tmp_path
        (place / "file").touch()
    assert not list(tmp_path.iterdir())


def test_quantiles() -> None:
    taken = [float(value) for value in range(100, 0, -1)]
    assert quantile(taken, 0.5) == 51.0
    assert quantile(taken, 0.99) == 100.0
    assert quantile([1.0], 1) == 1.0
    with pytest.raises(AssertionError):
        quantile([], 0.5)


def test_a_step_is_measured_as_often_as_was_asked() -> None:
    steps: list[int] = []
    assert each_us(lambda: steps.append(1), 7) >= 0
    assert len(steps) == 7
