"""What a scrape of a rig says, as Prometheus's own parser reads it."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from robson.web.exposition import exposition, registry_of
from robson.web.sources import Sources
from tests.rig import Rig


def page_of(sources: Sources) -> str:
    return exposition(registry_of(sources)).decode()


def values_in(page: str) -> dict[str, float]:
    """Every sample by its name and labels as they are written: `name{a="b"}`."""
    found = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def sources_of(rig: Rig, state: Path) -> Sources:
    return Sources(rig.desk, rig.supervisor, state)


def scrape(rig: Rig, state: Path) -> dict[str, float]:
    return values_in(page_of(sources_of(rig, state)))
