"""Every metric is documented, parses, and is named as Prometheus asks for."""

import re
from pathlib import Path
from random import Random

import pytest
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from robson.domain.values import Side
from robson.notify.courier import Courier, Story
from robson.notify.http import Http, Ntfy
from robson.notify.notifier import Notifier
from robson.notify.ping import Ping
from robson.notify.settings import NotifySettings
from robson.venue.binance.secret import Secret
from robson.web.catalogue import CATALOGUE, Metric
from robson.web.document import text
from robson.web.sources import Sources
from tests.promtool import assert_lints, needs_promtool
from tests.rig import Rig
from tests.unit.web.scraping import page_of, scrape, sources_of
from tests.unit.web.test_readings import Requests

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "METRICS.md"
UNITS = ("_seconds", "_bytes", "_basis_points")
NOT_BASE_UNITS = re.compile(r"_(ms|millis\w*|minutes|hours|days|kb|mb|percent|count|sum|bucket)(_|$)")
BOUNDED_LABELS = {
    "stage",
    "channel",
    "check",
    "version",
    "mode",
    "state",
    "cause",
    "role",
    "result",
    "symbol",
    "type",
    "file",
    "endpoint",
    "budget",
}


def test_the_document_is_in_step() -> None:
    assert DOCUMENT.read_text("utf-8") == text(), "write it again: python -m robson.web.document docs/METRICS.md"
    assert all(f"| `{metric.name}` |" in text() for metric in CATALOGUE)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_a_name_keeps_to_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"robson(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not NOT_BASE_UNITS.search(metric.name)
    if metric.kind == "histogram":
        assert metric.name.endswith(UNITS)
    assert set(metric.labels) <= BOUNDED_LABELS
    assert not metric.meaning.endswith(".")


async def test_the_page_holds_each_metric_once_and_parses(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        await rig.arm()
        families = list(text_string_to_metric_families(page_of(sources_of(rig, tmp_path))))
        kinds = [(family.name.removesuffix("_total"), family.type) for family in families]
    assert kinds == [(metric.name.removesuffix("_total"), metric.kind) for metric in CATALOGUE]
    assert all(family.documentation for family in families)


async def test_no_position_has_a_sample_of_its_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        ids = [await rig.arm(side=side) for side in (Side.LONG, Side.SHORT) for _ in range(20)]
        few = scrape(rig, tmp_path)
        ids += [await rig.arm() for _ in range(20)]
        many = scrape(rig, tmp_path)
    assert few.keys() == many.keys()
    assert (few['robson_positions{state="Armed"}'], many['robson_positions{state="Armed"}']) == (40, 60)
    assert not any(position_id in name for name in many for position_id in ids)


@needs_promtool
async def test_the_linter_has_no_complaint_of_a_page_with_every_metric(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "robson.db").touch()
    async with Rig(tmp_path).running() as rig:
        rig.desk.notifier = notifier_of_one(rig)
        sources = Sources(rig.desk, rig.supervisor, tmp_path, traffic=Requests())
        await rig.active()
        page = page_of(sources)
    # Every metric has a sample, so that none is passed over.
    names = {family.name for family in text_string_to_metric_families(page) if family.samples}
    assert names == {metric.name.removesuffix("_total") for metric in CATALOGUE}
    assert_lints(page)


def notifier_of_one(rig: Rig) -> Notifier:
    """One channel and a ping; nothing of it runs."""
    http, clock = Http(rig.clock), rig.clock
    ping = Ping(http, Secret(b"http://127.0.0.1:9/"), seconds=60, timeout_seconds=5, is_ready=never)
    story = Story(rig.journal, rig.desk.last_seq, rig.desk.wait_events)
    courier = Courier(Ntfy(http, "", "", None), story, NotifySettings(), clock=clock, mode="paper", random=Random(1))
    return Notifier([courier], ping, trouble=None, clock=clock, mode="paper")


async def never() -> bool:
    return False
