"""The alert rules name what exists, behave as their own tests say, and each has its section in the runbook."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.promql import labels_named, labels_of, matchers, samples
from tests.promtool import needs_promtool, promtool

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "packaging" / "prometheus"
RUNBOOK = (ROOT / "docs" / "RUNBOOK.md").read_text("utf-8")
RULE = re.compile(
    r"""^      - alert: (?P<name>\w+)
        expr: (?P<expression>.+)
(?:        for: (?P<patience>\d+[smh])
)?        labels: \{severity: (?P<severity>\w+)\}
        annotations:
          summary: "(?P<summary>[^"]+)"
          runbook_url: "file:///usr/share/doc/robson/RUNBOOK\.md#(?P<anchor>\w+)"$""",
    re.MULTILINE,
)
SECTION = re.compile(r"^### (Robson\w+)\n\n(.*?)(?=\n##|\Z)", re.MULTILINE | re.DOTALL)
UNITS = {"s": "second", "m": "minute", "h": "hour"}


class Alert(NamedTuple):
    """One rule."""

    name: str
    expression: str
    patience: str | None
    severity: str
    summary: str
    anchor: str


TEXT = (RULES / "robson.rules.yml").read_text("utf-8")
ALERTS = [Alert(*found.groups()) for found in RULE.finditer(TEXT)]
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def test_every_rule_was_read() -> None:
    assert len(ALERTS) == TEXT.count("alert:") >= 20
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


@each_alert
def test_a_rule_names_metrics_and_labels_that_exist(alert: Alert) -> None:
    found = samples(alert.expression)
    there = {"job"}
    for name, selector in found:
        there |= labels_of(name)
        assert matchers(selector).keys() <= labels_of(name)
    assert found or "up{job=" in alert.expression
    assert labels_named(alert.expression) <= there
    assert set(re.findall(r"\$labels\.(\w+)", alert.summary)) <= there
    assert alert.severity in {"critical", "warning"}


@each_alert
def test_a_rule_has_its_section_and_the_section_says_what_the_rule_does(alert: Alert) -> None:
    sections = dict(SECTION.findall(RUNBOOK))
    assert alert.anchor == alert.name.lower()
    head = re.match(r"\*(Critical|Warning)(?:, (.+?))?\.\*", sections[alert.name])
    assert head is not None
    assert head[1].lower() == alert.severity
    told = (head[2] or "at once").replace("half a minute", "30 seconds")
    if alert.patience is None:
        assert told == "at once"
    else:
        unit = UNITS[alert.patience[-1]]
        assert told.rstrip("s").endswith(unit), told
    assert len(sections[alert.name]) > 100


def test_there_is_no_section_without_a_rule() -> None:
    assert [name for name, _ in SECTION.findall(RUNBOOK)] == [alert.name for alert in ALERTS]


def test_links_within_the_runbook_lead_somewhere() -> None:
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", RUNBOOK, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


@each_alert
def test_a_rule_is_tried_out_both_ways(alert: Alert) -> None:
    tried = (RULES / "robson.test.yml").read_text("utf-8")
    assert f"alertname: {alert.name}, exp_alerts: []}}" in tried
    assert f"alertname: {alert.name}\n        exp_alerts:\n          - exp_labels:" in tried


@needs_promtool
def test_the_rules_pass_their_own_tests() -> None:
    for arguments in (("check", "rules", "robson.rules.yml"), ("test", "rules", "robson.test.yml")):
        code, told = promtool(*arguments, place=RULES)
        assert code == 0, told
