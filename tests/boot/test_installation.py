"""From a fresh root to a paper daemon in three commands, and away again without litter."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.deb import SUITES
from tests.boot.machine import Machine
from tests.boot.robson import SERVICE, Robson, documented

# What time, apt and the machine itself write, whatever is installed.
PASSING = re.compile(
    r"^/(var/(log|cache|tmp)|tmp|run|root|home|dist|packages|var/mail|var/spool/mail)(/|$)"
    r"|^/var/lib/(dpkg|apt|systemd|dbus)(/|$)"
    r"|^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/__pycache__(/|$)|^/etc/\.pwd\.lock$"
)


@pytest.fixture
def bare(suite: str) -> Iterator[Machine]:
    machine = Machine(suite)
    try:
        machine.prepare()
        machine.boot()
        yield machine
    finally:
        machine.end()


def test_three_commands_to_a_first_status(bare: Machine, package: Path, suite: str) -> None:
    lines = documented("From the package")[0]
    assert len(lines) == 3
    before = bare.files()
    bare.bring(package, "dist")
    printed = ""
    for line in lines:
        # Questions and recommended packages need a person and a network.
        quiet = line.replace("apt install", "apt-get install -y --no-install-recommends")
        printed = bare.sh(f"cd /; {quiet.replace('deb12', SUITES[suite].mark)}")
    assert "paper" in printed, printed
    assert bare.shown(SERVICE, "ActiveState")["ActiveState"] == "active"
    settings = {"/etc/robson", *(f"/etc/robson/{name}" for name in ("robson.toml", "alert.d", "credentials"))}
    assert removed(bare, before) == settings | state_of(bare)
    bare.sh("apt-get purge -y robson 2>&1")
    assert {path for path in bare.files() - before if not PASSING.search(path)} == state_of(bare)


def removed(machine: Machine, before: set[str]) -> set[str]:
    """What stays after the package was removed."""
    said = machine.sh("apt-get remove -y robson 2>&1")
    assert "nobody watches their stops" in said
    assert machine.run("systemctl", "is-active", SERVICE, check=False).stdout.strip() == "inactive"
    return {path for path in machine.files() - before if not PASSING.search(path)}


def state_of(machine: Machine) -> set[str]:
    listed = {path for path in machine.files() if path.startswith("/var/lib/robson")}
    assert "/var/lib/robson/robson.db" in listed
    return listed


def test_it_neither_starts_nor_is_enabled_by_itself(bare: Machine, package: Path) -> None:
    """A daemon that trades starts when its operator says so."""
    Robson(bare).install(package)
    assert bare.run("systemctl", "is-enabled", SERVICE, check=False).stdout.strip() == "disabled"
    assert bare.shown(SERVICE, "ActiveState")["ActiveState"] == "inactive"
