"""The catalogue as Prometheus reads it."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from robson.metrics import Distribution
from robson.web.catalogue import CATALOGUE, Metric
from robson.web.sources import Sources

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class DaemonCollector(Collector):
    """Reads the daemon whenever it is asked, and keeps nothing."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """Every metric of the catalogue with its present values."""
        for metric in CATALOGUE:
            yield _family(metric, self._sources)


def registry_of(sources: Sources) -> CollectorRegistry:
    """A registry of its own for one daemon; nothing of the process's default one is in it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DaemonCollector(sources))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The page that a scrape gets."""
    return generate_latest(registry)


def _family(metric: Metric, sources: Sources) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, noted in metric.read(sources):
            assert isinstance(noted, Distribution), metric.name
            buckets = [(f"{bound}".replace("inf", "+Inf"), count) for bound, count in noted.cumulated()]
            # With buckets below zero the sum may fall, which no sum of a histogram may: then it is left out.
            histogram.add_metric(labels, buckets, sum_value=noted.total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in metric.read(sources):
        assert not isinstance(value, Distribution), metric.name
        family.add_metric(labels, float(value))
    return family
