"""The manifests under packaging/ as objects, and what judges them without a cluster."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
BASE = PACKAGING / "kubernetes" / "base"
OVERLAYS = sorted((PACKAGING / "kubernetes" / "overlays").iterdir())
# The oldest release with everything that the overlays use (a sidecar that starts first), and the newest one known.
RELEASES = ("1.29", kubernetes_validate.latest_version())
# Of kinds that are no part of Kubernetes its schemas know nothing.
FOREIGN = {"Kustomization", "Component", "ServiceMonitor", "Application"}

Object = dict[str, Any]


def objects(text: str) -> list[Object]:
    """The objects of one file or of kustomize's output."""
    return [found for found in yaml.safe_load_all(text) if found]


def files() -> list[Path]:
    """Every manifest: what lies in an overlay is only a patch, and judged when it has been applied."""
    return sorted([*BASE.glob("*.yaml"), *(PACKAGING / "kubernetes" / "components").rglob("*.yaml")])


def refusal(found: Object, release: str) -> str | None:
    """What is wrong with an object of Kubernetes itself, in that release's own strict schema."""
    if found["kind"] in FOREIGN:
        return None
    try:
        kubernetes_validate.validate(found, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return None


def kustomized(overlay: Path) -> list[Object]:
    """What would be applied; needs kubectl, but no cluster."""
    kubectl = shutil.which("kubectl")
    assert kubectl is not None
    done = subprocess.run([kubectl, "kustomize", str(overlay)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


def one(found: list[Object], kind: str) -> Object:
    """The only object of a kind."""
    (only,) = [each for each in found if each["kind"] == kind]
    return only


def closed(schema: Any) -> Any:
    """A CRD's schema that refuses fields it does not name, except where it says that anything may stand."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made
