"""docs/METRICS.md, written from the catalogue: `python -m robson.web.document docs/METRICS.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from robson.web.catalogue import CATALOGUE

_HEAD = """# Metrics

Written by `python -m robson.web.document docs/METRICS.md`; a test keeps it in step with the code. `[http] listen` in
`robson.toml` opens the address, [the runbook](RUNBOOK.md#health-and-metrics-over-http) says how.

Everything is read at the moment of the scrape, at most once a second. Counters and histograms begin anew with each
start of the daemon (`robson_journal_epoch`). Seconds are those of the run's clock, on a tape the tape's. Labels
are states, roles, symbols, files, endpoints and checks, never a position. The metrics `robson_exchange_*` are there
where the daemon talks to an exchange. `robson_slippage_basis_points` has buckets below zero, and so neither `_sum` nor
`_count`.

[The alerts](RUNBOOK.md#alerts) say when a number is a danger, and a dashboard for
[Grafana](RUNBOOK.md#prometheus-and-grafana) shows them all.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def rows() -> Iterator[str]:
    """One row of the table a metric."""
    for metric in CATALOGUE:
        labels = " ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |\n"


def text() -> str:
    """The whole page."""
    return _HEAD + "".join(rows())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), "utf-8")
