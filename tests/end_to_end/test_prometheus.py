"""A real Prometheus scrapes a real daemon: every panel of the dashboard gets an answer, and no alert has a cause."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.end_to_end.daemon import Daemon
from tests.end_to_end.rehearsal import rehearsing
from tests.end_to_end.test_docs import free_address
from tests.end_to_end.test_metrics import ANYWHERE, port_of
from tests.unit.packaging.test_grafana import QUERIES
from tests.unit.web.test_alerts import ALERTS, RULES

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None and not os.environ.get("CI"), reason="prometheus is not installed"
)
# They mark what did not happen here.
MAY_BE_EMPTY = {"note Panic", "note Starts"}
_opener = build_opener(ProxyHandler({}))


def ask(address: str, path: str) -> Any:
    """What Prometheus answers; it is not there yet, or not ready: None."""
    try:
        with _opener.open(f"http://{address}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


@contextmanager
def prometheus(place: Path, target: int) -> Iterator[str]:
    """Its address, for the block; with the rules that are shipped."""
    address = free_address()
    place.mkdir()
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "robson.rules.yml")],
        "scrape_configs": [{"job_name": "robson", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    # JSON is YAML, too.
    (place / "prometheus.yml").write_text(json.dumps(configuration))
    with (place / "log").open("wb") as log:
        running = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={place}/prometheus.yml",
                f"--storage.tsdb.path={place}/kept",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield address
        finally:
            running.kill()
            running.wait(10)


def unanswered(address: str) -> list[str]:
    """The dashboard's queries that give nothing."""
    empty = []
    for query in QUERIES:
        text = query.text.replace("$__rate_interval", "10m").replace("$__range", "10m")
        found = ask(address, f"query?query={quote(text.replace('$job', 'robson').replace('$instance', '.*'))}")
        if not found or not found["result"]:
            empty.append(query.where)
    return empty


def rules(address: str) -> dict[str, dict[str, Any]]:
    """Every alert as Prometheus has it, once all of them were evaluated."""
    groups = (ask(address, "rules") or {"groups": []})["groups"]
    found = {rule["name"]: rule for group in groups for rule in group["rules"]}
    return found if found and all(rule["health"] != "unknown" for rule in found.values()) else {}


def settled(daemon: Daemon, address: str) -> None:
    daemon.wait_until(lambda: set(unanswered(address)) <= MAY_BE_EMPTY, "every panel to show something")


@needs_prometheus
def test_every_panel_shows_something_and_no_alert_fires(tmp_path: Path) -> None:
    keys = {"ROBSON_NOTIFY_NTFY_TOPIC": "robson", "ROBSON_NOTIFY_NTFY_URL": "http://127.0.0.1:9/"}
    env = {**ANYWHERE, **keys, "ROBSON_NOTIFY_PING_URL": "http://127.0.0.1:9/"}
    with (
        rehearsing(tmp_path, daemon_env=env) as live,
        prometheus(tmp_path / "prometheus", port_of(live.daemon)) as there,
    ):
        # What is scraped before it happens is seen to increase.
        live.daemon.wait_until(lambda: rules(there), "the first scrape")
        position_id = live.entered()
        live.cross(position_id)
        live.closed(position_id)
        live.entered("short")
        settled(live.daemon, there)
        judged = rules(there)
    assert judged.keys() == {alert.name for alert in ALERTS}
    assert {name: rule["lastError"] for name, rule in judged.items() if rule["health"] != "ok"} == {}
    assert [name for name, rule in judged.items() if rule["state"] == "firing"] == []
