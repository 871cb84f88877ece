"""Expressions in Prometheus's language, as far as it takes to see that each name and label in them exists."""

import re

from robson.web.catalogue import CATALOGUE

METRICS = {metric.name: metric for metric in CATALOGUE}
# What Prometheus gives to each sample of a target.
TARGET_LABELS = frozenset({"job", "instance"})
# Its buckets begin below zero: docs/METRICS.md.
WITHOUT_SUM = "robson_slippage_basis_points"


def labels_of(sample: str) -> set[str]:
    """The labels of a sample, by the name under which it is scraped; AssertionError for one that does not exist."""
    if sample in METRICS:
        metric = METRICS[sample]
        assert metric.kind != "histogram", f"{sample} has only _bucket, _sum and _count"
        return {*metric.labels, *TARGET_LABELS}
    name, _, part = sample.rpartition("_")
    assert part in {"bucket", "sum", "count"}, f"there is no {sample}"
    assert name in METRICS, f"there is no {sample}"
    assert METRICS[name].kind == "histogram", f"{name} is no histogram"
    assert part == "bucket" or name != WITHOUT_SUM, f"there is no {sample}"
    return {*METRICS[name].labels, *TARGET_LABELS, *(["le"] if part == "bucket" else [])}


def samples(text: str) -> list[tuple[str, str]]:
    """The names in an expression, each with its selector."""
    return re.findall(r"\b(robson_[a-z_]+)(?:\{([^}]*)\})?", text)


def matchers(selector: str) -> dict[str, str]:
    """The labels that a selector asks for, with what they must be."""
    return dict(re.findall(r'(\w+)=~?"([^"]*)"', selector))


def labels_named(text: str) -> set[str]:
    """What an expression groups by, joins on or drops."""
    groups = re.findall(r"\b(?:by|on|without) \(([^)]*)\)", text)
    return {label.strip() for group in groups for label in group.split(",")}
