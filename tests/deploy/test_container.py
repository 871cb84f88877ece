"""The image, really built and really run: read-only, without rights, killed, and alive again with its positions."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import robson
from tests.deploy.image import IMAGE, Containers, missing
from tests.deploy.manifests import PACKAGING
from tests.end_to_end.daemon import PATIENCE_SECONDS

UID = 10001
needs_tools = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    # Short: podman's sockets lie below, and a socket's path has at most 107 bytes.
    made = Containers(tmp_path_factory.mktemp("c"))
    made.build()
    yield made
    made.podman("rm", "--all", "--force", "--volumes")
    made.podman("rmi", "--all", "--force")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    place = tmp_path / "state"
    place.mkdir(mode=0o700)
    os.chown(place, UID, UID)
    return place


def ctl(containers: Containers, name: str, *arguments: str) -> Any:
    return json.loads(containers.must("exec", name, "robsonctl", "-o", "json", *arguments))


def wait_until_protected(containers: Containers, name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while containers.podman("exec", name, "robsonctl", "health").returncode != 0:
        assert time.monotonic() < deadline, containers.podman("logs", name).stdout[-2000:]


def only_position(containers: Containers, name: str) -> Any:
    (found,) = ctl(containers, name, "status")["positions"]
    return found


@needs_tools
def test_a_position_outlives_its_container(containers: Containers, state: Path) -> None:
    containers.run("first", state, "run", "--feed", "synthetic")
    wait_until_protected(containers, "first")
    position = ctl(containers, "first", "arm", "BTCUSDT", "long")["position_id"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (price := ctl(containers, "first", "status")["feed"]["BTCUSDT"]["last_price"]) is None:
        assert time.monotonic() < deadline
    stop = str(round(float(price) * 0.97, 2))
    containers.must("exec", "first", "robsonctl", "signal", position, "--entry", price, "--stop", stop)
    while only_position(containers, "first")["state"] != "Active":
        assert time.monotonic() < deadline
    before = only_position(containers, "first")
    containers.must("kill", "--signal", "KILL", "first")
    containers.must("wait", "first")
    containers.run("second", state, "run", "--feed", "synthetic")
    wait_until_protected(containers, "second")
    after = only_position(containers, "second")
    same = ("position_id", "state", "quantity", "entry_price", "technical_stop")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    containers.must("stop", "--time", "20", "second")
    assert containers.must("inspect", "second", "--format", "{{.State.ExitCode}}") == "0"


@needs_tools
def test_it_runs_without_rights_and_writes_nothing_but_its_state(containers: Containers, state: Path) -> None:
    containers.run("bounds", state, "run", "--feed", "synthetic")
    wait_until_protected(containers, "bounds")
    assert containers.must("exec", "bounds", "id", "-u") == str(UID)
    assert containers.podman("exec", "bounds", "touch", "/opt/robson/x").returncode != 0
    status = containers.must("exec", "bounds", "cat", "/proc/1/status")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert containers.must("exec", "bounds", "robson", "--version").endswith(robson.__version__)
    assert containers.podman("exec", "bounds", "python3", "-m", "pip", "--version").returncode != 0
    # What the health check asks, and that it can fail.
    assert containers.podman("exec", "bounds", "robsonctl", "ping").returncode == 0
    assert containers.podman("exec", "bounds", "robsonctl", "--socket", "/run/no", "ping").returncode == 69


@needs_tools
def test_a_second_daemon_on_the_same_volume_is_refused(containers: Containers, state: Path) -> None:
    containers.run("holder", state, "run", "--feed", "synthetic")
    wait_until_protected(containers, "holder")
    containers.run("intruder", state, "run", "--feed", "synthetic", "--socket", "/tmp/other.sock")
    assert containers.must("wait", "intruder") == "74"
    assert only_checks_are_live(containers, "holder")


def only_checks_are_live(containers: Containers, name: str) -> bool:
    return bool(ctl(containers, name, "health")["live"])


@needs_tools
def test_the_image_says_how_its_health_is_asked_for_and_what_it_holds(containers: Containers) -> None:
    (found,) = json.loads(containers.must("inspect", "--type", "image", IMAGE))
    config = found["Config"]
    assert config["User"] == f"{UID}:{UID}"
    assert config["StopSignal"] == "SIGTERM"
    assert found["Healthcheck"]["Test"] == ["CMD", "robsonctl", "ping"]
    assert config["Labels"]["org.opencontainers.image.title"] == "Robson"


def test_the_container_and_the_pod_are_one_user() -> None:
    text = (PACKAGING / "container" / "Containerfile").read_text("utf-8")
    assert f"USER {UID}:{UID}" in text
    pod = (PACKAGING / "kubernetes" / "base" / "statefulset.yaml").read_text("utf-8")
    for key in ("runAsUser", "runAsGroup", "fsGroup"):
        assert f"{key}: {UID}\n" in pod
