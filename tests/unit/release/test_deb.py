"""The Debian package: what is in it, the same each time, and settings that are the defaults."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from release import deb, source
from release.deb import SUITES, Package, build
from release.sbom import bill
from release.wheels import Wheel, metadata
from robson.config import Settings
from tests.unit.release.test_wheels import TARGET, wheel

EPOCH = 1_790_000_000
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    folder = tmp_path / "wheels"
    for name in ("robson", "side"):
        wheel(folder, name)
    path = folder / "side-1.0-py3-none-any.whl"
    about = metadata(path)
    about["License"] = "MIT"
    wheels = [Wheel("side", "1.0", path, "0" * 64, about, ())]
    text = bill(wheels, TARGET, ["side"], EPOCH)
    return Package(SUITES["bookworm"], "amd64", 1, EPOCH, folder / "robson-1.0-py3-none-any.whl", wheels, text)


def listed(path: Path) -> dict[str, tuple[str, str]]:
    """Mode and owner of each file."""
    lines = subprocess.run(["dpkg-deb", "-c", str(path)], capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=5) for line in lines.splitlines())
    return {row[5].removeprefix("."): (row[0], row[1]) for row in rows}


@needs_dpkg
def test_everything_is_in_its_place_and_root_s(package: Package, tmp_path: Path) -> None:
    found = listed(build(package, tmp_path / "staging", tmp_path))
    for path in (
        "/etc/robson/robson.toml",
        "/usr/lib/systemd/system/robson.service",
        "/usr/lib/systemd/system/robson.socket",
        "/usr/lib/sysusers.d/robson.conf",
        "/usr/lib/robson/lib/python3.11/site-packages/side/__init__.py",
        "/usr/lib/robson/lib/python3.11/site-packages/robson/__init__.py",
        "/usr/share/doc/robson/copyright",
        "/usr/share/doc/robson/changelog.gz",
        "/usr/share/doc/robson/RUNBOOK.md",
        "/usr/share/doc/robson/examples/prometheus/robson.rules.yml",
        "/usr/share/doc/robson/examples/grafana/robson.json",
    ):
        assert found[path] == ("-rw-r--r--", "root/root"), path
    alerting = ("/usr/lib/robson/robson-alert", "/usr/lib/robson/robson-failed")
    for program in ("/usr/bin/robson", "/usr/bin/robsonctl", *alerting):
        assert found[program] == ("-rwxr-xr-x", "root/root")


@needs_dpkg
def test_it_is_the_same_whenever_it_is_made(package: Package, tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        out = tmp_path / str(number)
        out.mkdir()
        made.append(build(package, tmp_path / f"staging-{number}", out).read_bytes())
    assert made[0] == made[1]


@needs_dpkg
def test_it_asks_for_the_python_of_its_suite_and_no_other(package: Package, tmp_path: Path) -> None:
    path = build(package._replace(suite=SUITES["trixie"], revision=3), tmp_path / "staging", tmp_path)
    shown = subprocess.run(["dpkg-deb", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    assert "python3 (>= 3.13), python3 (<< 3.14)" in shown
    assert f"Version: {source.VERSION}+deb13u3\n" in shown


def test_a_newer_debian_brings_an_upgrade(package: Package) -> None:
    newer = package._replace(suite=SUITES["trixie"])
    assert package.version < newer.version
    assert package.version < package._replace(revision=2).version


def test_the_bill_names_what_is_shipped(package: Package) -> None:
    document = json.loads(package.bill)
    assert [(each["name"], each["hashes"][0]["content"]) for each in document["components"]] == [("side", "0" * 64)]
    assert document["dependencies"][0] == {
        "ref": f"pkg:pypi/robson@{source.VERSION}",
        "dependsOn": ["pkg:pypi/side@1.0"],
    }


def test_the_settings_that_are_installed_are_the_defaults() -> None:
    text = (deb.DEBIAN / "robson.toml").read_text()
    assert msgspec.convert(tomllib.loads(text), Settings) == Settings()
    # With every key uncommented it is still so: none is misspelled, and what it says is what holds.
    spelled = tomllib.loads(re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE))
    source_of_prices = spelled["feed"].pop("source")
    assert source_of_prices == "binance"
    assert msgspec.convert(spelled, Settings) == Settings()


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_maintainer_scripts_are_shell(script: str) -> None:
    path = deb.DEBIAN / script
    assert path.read_text().startswith("#!/bin/sh\nset -e\n")
    subprocess.run(["sh", "-n", str(path)], check=True)
