"""The dashboard for Grafana: it names what exists, shows all that is measured, and its expressions parse."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from trio.testing import MockClock

from tests.promql import METRICS, labels_named, labels_of, matchers, samples
from tests.promtool import needs_promtool, promtool
from tests.rig import Rig
from tests.unit.web.scraping import scrape

DASHBOARD = json.loads((Path(__file__).resolve().parents[3] / "packaging" / "grafana" / "robson.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
# What no panel shows, and why.
NOT_SHOWN = {"robson_journal_last_seq": "robson_events_total has the same by type, and as a rate"}
COLUMNS = 24


class Query(NamedTuple):
    """One expression, with what stands in its legend."""

    where: str
    text: str
    legend: str


def queries() -> Iterator[Query]:
    for panel in SHOWN:
        for target in panel["targets"]:
            yield Query(f"{panel['title']} {target['refId']}", target["expr"], target["legendFormat"])
    for note in DASHBOARD["annotations"]["list"]:
        yield Query(f"note {note['name']}", note["expr"], "")


QUERIES = list(queries())
each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)


@each_query
def test_each_name_and_label_exists(query: Query) -> None:
    found = samples(query.text)
    assert found
    there: set[str] = set()
    for name, selector in found:
        there |= labels_of(name)
        chosen = matchers(selector)
        assert chosen.keys() <= labels_of(name)
        # One dashboard for as many daemons as there are.
        assert (chosen["job"], chosen["instance"]) == ("$job", "$instance")
    grouped = labels_named(query.text)
    assert grouped <= there
    kept = grouped if grouped or re.search(r"\b(sum|min|max)\b", query.text) else there
    assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= kept - {"le"}


async def test_what_a_selector_asks_for_is_scraped(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        page = scrape(rig, tmp_path)
    asked = [
        (name, match) for query in QUERIES for name, selector in samples(query.text)
        for match in re.findall(r'\w+="[^"$]+"', selector)
    ]  # fmt: skip
    assert asked
    for name, match in asked:
        assert any(sample.startswith(f"{name}{{") and match in sample for sample in page), (name, match)


def test_every_metric_is_shown_or_left_out_for_a_reason() -> None:
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for query in QUERIES for name, _ in samples(query.text)}
    assert shown | NOT_SHOWN.keys() == METRICS.keys()
    assert not shown & NOT_SHOWN.keys()


@needs_promtool
def test_the_expressions_parse(tmp_path: Path) -> None:
    rules = []
    for number, query in enumerate(QUERIES):
        text = query.text.replace("$__rate_interval", "1m").replace("$__range", "6h")
        rules.append({"record": f"panel:{number}", "expr": text.replace("$job", ".*").replace("$instance", ".*")})
        assert "$" not in rules[-1]["expr"]
    # JSON is YAML, too.
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    code, told = promtool("check", "rules", "rules.yml", place=tmp_path)
    assert (code, f"{len(QUERIES)} rules found" in told) == (0, True), told


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    unit = panel["fieldConfig"]["defaults"]["unit"]
    text = " ".join(target["expr"] for target in panel["targets"])
    assert ("_seconds" in text) == (unit == "s"), unit
    assert ("_bytes" in text) == (unit == "bytes"), unit
    assert ("_basis_points" in text) == (unit == "suffix: bp"), unit


def test_no_two_panels_overlap_and_none_is_beyond_the_edge() -> None:
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
    for one, other in combinations(PANELS, 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, (one["title"], other["title"])


def test_ids_are_unique_and_the_data_source_is_the_reader_s_own() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    # An id or a uid of its own would take the place of somebody's dashboard.
    assert not {"id", "uid"} & DASHBOARD.keys()
    variables = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}
    text = json.dumps(DASHBOARD)
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"${datasource}"}
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in SHOWN)
    assert not re.search(r"https?://", text)
