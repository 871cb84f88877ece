"""The manifests for Kubernetes: each valid in its release's own schema, one daemon only, nothing that surprises it."""

import copy
import re
import shutil
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

import robson
from robson.config import PREFIX, Settings, load
from robson.web.door import parse_address
from tests.deploy.manifests import (
    BASE,
    OVERLAYS,
    PACKAGING,
    RELEASES,
    ROOT,
    Object,
    closed,
    files,
    kustomized,
    objects,
    one,
    refusal,
)

ARGO_CRD = ROOT.parent / "shared" / "data" / "schemas" / "argocd-application-crd.yaml"
APPLICATION = PACKAGING / "argocd" / "application.yaml"
# From the operator's documentation, with the fields that we use; everything else is a typo.
SERVICE_MONITOR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "ServiceMonitor"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "endpoints"],
            "properties": {
                "selector": {"type": "object", "required": ["matchLabels"], "additionalProperties": False}
                | {"properties": {"matchLabels": {"type": "object"}}},
                "endpoints": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["port"],
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string"},
                            "interval": {"type": "string"},
                            "scrapeTimeout": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
}

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
named = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)


def base_object(name: str) -> Object:
    (found,) = objects((BASE / name).read_text("utf-8"))
    return found


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("path", files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_manifest_is_valid(path: Path, release: str) -> None:
    for found in objects(path.read_text("utf-8")):
        assert refusal(found, release) is None


@pytest.mark.parametrize(
    ("file", "path", "typo"),
    [
        ("statefulset.yaml", ("spec",), "replicaz"),
        ("statefulset.yaml", ("spec", "template", "spec"), "terminationGracePeriodSecond"),
        ("networkpolicy.yaml", ("spec",), "podSelecter"),
        ("poddisruptionbudget.yaml", ("spec",), "maxUnavailible"),
        ("service.yaml", ("spec",), "publishNotReadyAddress"),
        ("serviceaccount.yaml", (), "automountServiceAccountTokens"),
    ],
)
def test_a_planted_typo_is_refused(file: str, path: tuple[str, ...], typo: str) -> None:
    found = base_object(file)
    place = found
    for name in path:
        place = place[name]
    place[typo] = True
    for release in RELEASES:
        assert typo in str(refusal(found, release))


@needs_kubectl
@named
def test_each_overlay_is_valid_and_runs_one_daemon_of_this_version(overlay: Path) -> None:
    made = kustomized(overlay)
    for found in made:
        for release in RELEASES:
            assert refusal(found, release) is None, found["kind"]
    workload = one(made, "StatefulSet")
    assert workload["spec"]["replicas"] == 1
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    pod = workload["spec"]["template"]["spec"]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["image"] == f"localhost/robson:{robson.__version__}"
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert "limits" not in container["resources"] or "cpu" not in container["resources"]["limits"]


@needs_kubectl
@named
def test_each_overlays_configuration_is_one(overlay: Path, tmp_path: Path) -> None:
    made = kustomized(overlay)
    config = one(made, "ConfigMap")
    pod = one(made, "StatefulSet")["spec"]["template"]["spec"]
    (mounted,) = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    assert mounted == config["metadata"]["name"]
    file = tmp_path / "robson.toml"
    file.write_text(config["data"]["robson.toml"], "utf-8")
    settings = load(file, {}, {})
    assert settings.mode == ("paper" if overlay.name == "paper" else "live")
    assert parse_address(settings.http.listen, expose=settings.http.expose)[1] == 9464
    on_loopback = settings.binance.rest_url.startswith("http://127.0.0.1:")
    assert on_loopback == (overlay.name == "rehearsal"), "only the rehearsal may not talk to the exchange"


@needs_kubectl
def test_keys_must_be_there_for_live_trading_and_only_there() -> None:
    wanted = {}
    for overlay in OVERLAYS:
        pod = one(kustomized(overlay), "StatefulSet")["spec"]["template"]["spec"]
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "credentials"]
        wanted[overlay.name] = volume.get("secret", {}).get("optional")
    assert wanted == {"paper": True, "live": False, "rehearsal": None}


def test_no_variable_of_the_cluster_looks_like_a_setting() -> None:
    pod = base_object("statefulset.yaml")["spec"]["template"]["spec"]
    assert pod["enableServiceLinks"] is False
    service = base_object("service.yaml")["metadata"]["name"]
    # This is why: the daemon would refuse to start.
    with pytest.raises(Exception, match="ROBSON_PORT"):
        load(None, {f"{service.upper()}_PORT": "tcp://10.0.0.1:9464"}, {})
    assert f"{service.upper()}_" == PREFIX
    for container in pod["containers"]:
        assert "env" not in container
        assert "envFrom" not in container, "secrets are files"


def test_probes_ask_for_what_there_is_and_a_restart_never_waits_for_the_exchange() -> None:
    (container,) = base_object("statefulset.yaml")["spec"]["template"]["spec"]["containers"]
    paths = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    settings = tomllib.loads((BASE / "robson.toml").read_text("utf-8"))
    assert settings["http"]["listen"].endswith(f":{ports['metrics']}")


def test_labels_meet() -> None:
    label = base_object("statefulset.yaml")["spec"]["template"]["metadata"]["labels"]
    assert base_object("service.yaml")["spec"]["selector"] == label
    assert base_object("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"] == label
    assert base_object("poddisruptionbudget.yaml")["spec"]["selector"]["matchLabels"] == label
    assert base_object("statefulset.yaml")["spec"]["selector"]["matchLabels"] == label
    assert label.items() <= base_object("service.yaml")["metadata"]["labels"].items()
    monitor = yaml.safe_load((PACKAGING / "kubernetes/components/monitoring/servicemonitor.yaml").read_text("utf-8"))
    assert monitor["spec"]["selector"]["matchLabels"] == label
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in base_object("service.yaml")["spec"]["ports"]}


def test_the_service_monitor_is_one_and_a_typo_is_refused() -> None:
    monitor = yaml.safe_load((PACKAGING / "kubernetes/components/monitoring/servicemonitor.yaml").read_text("utf-8"))
    jsonschema.validate(monitor, SERVICE_MONITOR)
    monitor["spec"]["endpoints"][0]["intervall"] = "15s"
    with pytest.raises(jsonschema.ValidationError, match="intervall"):
        jsonschema.validate(monitor, SERVICE_MONITOR)


def test_nothing_leaves_for_the_clusters_own_networks() -> None:
    rules = base_object("networkpolicy.yaml")["spec"]["egress"]
    (world,) = [to["ipBlock"] for rule in rules for to in rule["to"] if "ipBlock" in to]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(world["except"])
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    addresses = (Settings().binance.rest_url, Settings().binance.stream_url, Settings().binance.ws_api_url)
    for address in addresses:
        found = re.search(r":(\d+)", address.partition("//")[2])
        assert int(found[1] if found else 443) in ports, address


@pytest.mark.skipif(not ARGO_CRD.is_file(), reason="the schema of Argo CD's Application is not at hand")
def test_the_application_of_argo_cd_is_one_and_a_typo_is_refused() -> None:
    crd = yaml.safe_load(ARGO_CRD.read_text("utf-8"))
    (version,) = crd["spec"]["versions"]
    schema = closed(version["schema"]["openAPIV3Schema"])
    # Its schema leaves the metadata of every object to Kubernetes.
    schema["properties"]["metadata"] = {"type": "object"}
    application = yaml.safe_load(APPLICATION.read_text("utf-8"))
    jsonschema.validate(application, schema)
    for place, typo in (("syncPolicy", "automatted"), ("destination", "servr"), ("source", "pathh")):
        broken = copy.deepcopy(application)
        broken["spec"][place][typo] = {}
        with pytest.raises(jsonschema.ValidationError, match=typo):
            jsonschema.validate(broken, schema)
    del application["spec"]["destination"]
    with pytest.raises(jsonschema.ValidationError, match="destination"):
        jsonschema.validate(application, schema)


def test_argo_cd_neither_prunes_nor_heals_nor_starts_anything_anew_by_itself() -> None:
    application = yaml.safe_load(APPLICATION.read_text("utf-8"))
    assert "automated" not in application["spec"]["syncPolicy"]
    assert "finalizers" not in application["metadata"], "deleting the Application must leave the daemon"
    assert (ROOT / application["spec"]["source"]["path"] / "kustomization.yaml").is_file()
    options = base_object("statefulset.yaml")["metadata"]["annotations"]["argocd.argoproj.io/sync-options"]
    assert set(options.split(",")) == {"Prune=false", "Delete=false"}
