"""What a self-test prints, and when it has passed."""

import argparse
import math

import pytest

from robson.commands.selftest import add_arguments
from robson.commands.selftest.report import RULES, Report, percentile


def test_percentiles_are_by_nearest_rank() -> None:
    samples = [0.3, 0.1, 0.2, 0.4]
    assert percentile(samples, 0.5) == 0.2
    assert percentile(samples, 0.99) == 0.4
    assert percentile(samples, 1.0) == 0.4
    assert percentile([0.7], 0.01) == 0.7
    assert math.isnan(percentile([], 0.5))


def test_it_has_passed_only_at_its_end_and_without_a_violation() -> None:
    report = Report()
    assert not report.passed
    assert report.values()["account_flat"] == "no"
    report.ended = True
    report.found({rule: [] for rule in RULES})
    assert report.passed
    assert report.values()["account_flat"] == "yes"


@pytest.mark.parametrize("rule", RULES)
def test_any_violation_fails_it(rule: str) -> None:
    report = Report(ended=True)
    report.found({rule: ["something"]})
    report.found({rule: ["something"]})
    assert not report.passed
    assert report.values()[rule] == 1
    assert report.words() == [f"{rule}: something"]
    assert (report.values()["account_flat"] == "no") == (rule in {"unresolved", "debts_left", "unfinished"})


def test_what_was_not_measured_is_nothing() -> None:
    values = Report().values()
    assert values["time_to_protected_p99_seconds"] is None
    assert values["unprotected_seconds_p50"] is None


@pytest.mark.parametrize("words", [["--kills", "0"], ["--kills", "-1"], ["--kills", "x"], ["--kills", "1e9"]])
def test_a_bad_number_of_kills_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="robson")
    add_arguments(parser)
    with pytest.raises(SystemExit) as refused:
        parser.parse_args(words)
    assert refused.value.code == 2
    assert "must be a number from 1 to 100000" in capsys.readouterr().err
