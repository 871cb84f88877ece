"""What is measured, as Prometheus reads it: names, units and labels; everything is read when it is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Readings:
    """One look at the daemon; seconds and counts. Labels are symbols, states and checks, never positions."""

    version: str
    mode: str
    state: str
    positions: Mapping[str, int]
    intents_in_doubt: Mapping[str, int]
    feed_age_seconds: Mapping[str, float]
    feeds_stale: Mapping[str, bool]
    checks: Mapping[str, bool]
    unprotected_seconds: float
    time_to_protected_seconds: float | None
    panic_latched: bool
    last_seq: int


class _Look(Collector):
    """The metrics of one look."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        """Every metric with its samples."""
        seen = self._readings
        yield _labelled("robson_info", "Which daemon this is", ("version", "mode"), {(seen.version, seen.mode): 1})
        states = {state: float(state == seen.state) for state in ("recovering", "degraded", "live")}
        yield _counted("robson_state", "1 for the state that the daemon is in", "state", states)
        yield _counted("robson_positions", "Open positions", "state", seen.positions)
        yield _counted(
            "robson_intents_in_doubt",
            "Orders that were sent and whose outcome is not known",
            "role",
            seen.intents_in_doubt,
        )
        yield _counted("robson_feed_age_seconds", "Seconds since the last price", "symbol", seen.feed_age_seconds)
        yield _counted("robson_feed_stale", "1 while prices are too old to be trusted", "symbol", seen.feeds_stale)
        yield _counted("robson_check_ok", "1 for each check of `health` that is in order", "check", seen.checks)
        yield GaugeMetricFamily(
            "robson_unprotected_seconds",
            "Seconds without protection of the positions open now",
            seen.unprotected_seconds,
        )
        if seen.time_to_protected_seconds is not None:
            yield GaugeMetricFamily(
                "robson_time_to_protected_seconds",
                "Seconds from the start until every stop was watched",
                seen.time_to_protected_seconds,
            )
        yield GaugeMetricFamily("robson_panic_latched", "1 while panic is latched", float(seen.panic_latched))
        yield GaugeMetricFamily("robson_journal_last_seq", "The newest event of the journal", seen.last_seq)


def exposition(readings: Readings) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Look(readings))
    return generate_latest(registry)


def _counted(name: str, words: str, label: str, samples: Mapping[str, float]) -> Metric:
    return _labelled(name, words, (label,), {(key,): value for key, value in samples.items()})


def _labelled(name: str, words: str, labels: tuple[str, ...], samples: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in samples.items():
        family.add_metric(key, float(value))
    return family
