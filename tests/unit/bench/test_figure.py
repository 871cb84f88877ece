"""Figures, their ratios and their verdicts."""

import pytest

from robson.bench.figure import Figure, Target


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_the_medians() -> None:
    figure = Figure("one", "one", "us", (10.0, 40.0, 30.0), (10.0, 20.0, 30.0))
    assert figure.ratios == (1.0, 2.0, 1.0)
    assert figure.ratio == 1.0
    assert figure.value == 30.0
    assert figure.baseline == 20.0


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target(2.0), "MET"),
        (Target(1.5), "MET"),
        (Target(1.49), "MISSED"),
        (Target(2.0, beyond=1.5), "MET, and beyond"),
        (Target(2.0, beyond=1.2), "MET"),
        (Target(1.2, beyond=1.6), "MISSED"),
        (Target(15.0, of="value"), "MET"),
        (Target(14.0, of="value"), "MISSED"),
        (Target(1.5, sense="least"), "MET"),
        (Target(1.6, sense="least"), "MISSED"),
        (Target(1.0, sense="least", beyond=1.5), "MET, and beyond"),
        (None, ""),
    ],
)
def test_a_verdict(target: Target | None, verdict: str) -> None:
    assert Figure("one", "one", "us", (15.0,), (10.0,), target).verdict == verdict


def test_a_figure_without_a_baseline_is_held_against_its_value_only() -> None:
    assert Figure("one", "one", "MiB", (60.0,), target=Target(64, of="value")).verdict == "MET"
    assert Figure("one", "one", "MiB", (60.0,)).ratio is None
    with pytest.raises(AssertionError, match="no baseline"):
        _ = Figure("one", "one", "MiB", (60.0,), target=Target(64)).verdict


@pytest.mark.parametrize(("ours", "bare"), [((), ()), ((1.0, 2.0), (1.0,))])
def test_a_figure_is_measured_and_its_baseline_as_often(ours: tuple[float, ...], bare: tuple[float, ...]) -> None:
    with pytest.raises(AssertionError):
        Figure("one", "one", "us", ours, bare)
