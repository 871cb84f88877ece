"""A machine for each suite of Debian, with the package installed; nothing of it runs unless it is asked for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.deb import SUITES
from tests.boot.machine import CACHE, Machine, Unavailable, archive
from tests.boot.robson import Robson
from tests.end_to_end.daemon import ROOT

# short: the checks of one suite that take a minute; whole: everything.
EXTENT = os.environ.get("ROBSON_TEST_BOOT", "")
CHOSEN = os.environ.get("ROBSON_TEST_SUITES", "bookworm" if EXTENT == "short" else " ".join(SUITES)).split()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole: too long for the short form of the checks")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not EXTENT:
        pytest.skip("machines are booted by make systemd")
    if EXTENT == "short" and item.get_closest_marker("whole"):
        pytest.skip("only make systemd runs it, not its short form")


@pytest.fixture(scope="session", params=CHOSEN)
def suite(request: pytest.FixtureRequest) -> str:
    try:
        archive(str(request.param))
    except Unavailable as missing:
        pytest.skip(str(missing))
    return str(request.param)


@pytest.fixture(scope="session")
def package(suite: str) -> Path:
    """The package that is looked at."""
    return built(suite, 1)


@pytest.fixture(scope="session")
def newer_package(suite: str) -> Path:
    """The same again, as an upgrade."""
    return built(suite, 2)


def built(suite: str, revision: int) -> Path:
    out = CACHE / "packages" / f"{suite}-{revision}"
    command = [sys.executable, "-m", "release", "--once", "--compression", "none", "--suite", suite]
    command += ["--revision", str(revision), "--out", str(out)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "packaging")}
    subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=True)
    (found,) = out.glob("*.deb")
    return found


@pytest.fixture(scope="session")
def fresh(suite: str) -> Iterator[Machine]:
    """A machine as Debian leaves it."""
    machine = Machine(suite)
    try:
        machine.prepare()
        machine.boot()
        yield machine
    finally:
        machine.end()


@pytest.fixture(scope="session")
def installed(fresh: Machine, package: Path) -> Robson:
    """A machine with two people, alice in the group robson and bob not, and the package."""
    robson = Robson(fresh)
    robson.install(package)
    fresh.run("useradd", "--create-home", "--groups", "robson", "alice")
    fresh.run("useradd", "--create-home", "bob")
    return robson


@pytest.fixture
def robson(installed: Robson) -> Robson:
    """The daemon, running on plain paper with nothing in the market and no drop-ins."""
    machine = installed.machine
    machine.sh("systemctl stop robson.socket robson.service")
    machine.sh("rm -rf /etc/systemd/system/robson.service.d && systemctl daemon-reload")
    installed.configure()
    installed.restart()
    installed.ask("panic", "--yes")
    machine.until(lambda: not installed.open_positions(), "everything to be closed")
    installed.ask("resume")
    return installed
