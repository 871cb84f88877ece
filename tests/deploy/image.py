"""The container image, built and run where nothing but a kernel is given: no registry, no daemon, no systemd."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import robson
from tests.deploy.manifests import PACKAGING, ROOT

BUILD = ROOT / "build" / "deploy"
BASE = BUILD / "base.tar"
BASE_IMAGE = "localhost/python-base"
IMAGE = f"localhost/robson:{robson.__version__}"
TOOLS = ("buildah", "podman", "crun", "mmdebstrap", "unshare")
SUITE = "bookworm"
BUILD_SECONDS, RUN_SECONDS = 900, 120

# On a machine whose first control groups are of the old kind, a container needs a place in the new ones' tree.
_IN_A_FRESH_TREE = """
mkdir -p /sys/fs/cgroup/unified/robson 2>/dev/null && echo $$ > /sys/fs/cgroup/unified/robson/cgroup.procs
exec unshare --mount --cgroup bash -c '
    mount --make-rprivate /
    umount -R /sys/fs/cgroup 2>/dev/null || umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    exec "$@"' podman "$@"
"""


def missing() -> str | None:
    """Why no image can be built here; None if it can."""
    if "ROBSON_TEST_DEPLOY" not in os.environ:
        return "it is built by `make deploy`"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"{', '.join(absent)} is not installed"
    return None if os.geteuid() == 0 else "only root may build it so"


def obey(command: Sequence[str], *, seconds: float = RUN_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, whatever that is."""
    settings = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    return subprocess.run(
        command,
        env={**os.environ, **settings},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def must(command: Sequence[str], *, seconds: float = RUN_SECONDS) -> str:
    """What a tool said, which must have succeeded."""
    done = obey(command, seconds=seconds)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout.strip()


class Containers:
    """Images and containers in a store of their own."""

    def __init__(self, place: Path) -> None:
        self._place = ["--root", str(place / "store"), "--runroot", str(place / "run")]

    def build(self) -> None:
        """Build Robson's image upon a Debian with its own python3, which stands in for the official Python image."""
        BUILD.mkdir(parents=True, exist_ok=True)
        if not BASE.exists():
            partial = BASE.with_suffix(".part.tar")
            wanted = "--include=python3,python3-venv,ca-certificates"
            must(["mmdebstrap", "--quiet", "--variant=minbase", wanted, SUITE, str(partial)], seconds=BUILD_SECONDS)
            partial.rename(BASE)
        buildah = ["buildah", *self._place]
        container = must([*buildah, "from", "scratch"])
        must([*buildah, "add", "--quiet", container, str(BASE), "/"], seconds=BUILD_SECONDS)
        must([*buildah, "commit", "--quiet", "--rm", container, BASE_IMAGE], seconds=BUILD_SECONDS)
        must([*buildah, "bud", "--format", "docker", *self._arguments(), str(ROOT)], seconds=BUILD_SECONDS)

    def _arguments(self) -> list[str]:
        file = PACKAGING / "container" / "Containerfile"
        # How this machine reaches a package registry is its own business: it is lent to the build, not written into it.
        lent = [path for path in (Path("/etc/pip.conf"), Path("/etc/ssl/certs")) if path.exists()]
        volumes = [part for path in lent for part in ("--volume", f"{path}:{path}:ro")]
        base = ["--build-arg", f"PYTHON_IMAGE={BASE_IMAGE}"]
        return ["--network", "host", *base, *volumes, "-f", str(file), "-t", IMAGE]

    def podman(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One podman command."""
        runtime = ["--cgroup-manager=cgroupfs", "--runtime", shutil.which("crun") or "crun"]
        return obey(["bash", "-c", _IN_A_FRESH_TREE, "podman", "podman", *self._place, *runtime, *arguments])

    def must(self, *arguments: str) -> str:
        """What podman said, which must have succeeded."""
        done = self.podman(*arguments)
        if done.returncode != 0:
            pytest.fail(f"podman {' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout.strip()

    def run(self, name: str, state: Path, *arguments: str) -> None:
        """Start a daemon as a cluster would: no privileges, nothing to write to but its state, no network."""
        limits = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024"]
        bounds = ["--cgroups=disabled", "--network=none", "--no-healthcheck", *limits]
        rights = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
        volume = ["--volume", f"{state}:/var/lib/robson"]
        self.must("run", "--detach", "--name", name, *bounds, *rights, *volume, IMAGE, *arguments)
