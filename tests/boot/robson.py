"""The installed daemon inside a machine: its configuration, its process and its positions."""

import json
import re
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from tests.boot.machine import Machine
from tests.end_to_end.daemon import ROOT

CONFIGURATION = "/etc/robson/robson.toml"
SERVICE = "robson.service"
# Prices that need no network; far stops, so that a synthetic market that begins anew does not reach them.
PLAIN = 'mode = "paper"\n\n[feed]\nsource = "synthetic"\n'
ARM = ("arm", "BTCUSDT", "long", "--strategy", "immediate", "--param", "stop_percent=9", "--risk", "0.1")
# Says when, then kills: the clock is the one that systemd's own times are in.
KILL = "import os, sys, time; print(time.monotonic()); os.kill(int(sys.argv[1]), int(sys.argv[2]))"


def documented(section: str) -> list[list[str]]:
    """The commands of a section of the runbook, block by block, as root types them."""
    text = (ROOT / "docs" / "RUNBOOK.md").read_text("utf-8")
    _, found, rest = text.partition(f"\n### {section}\n")
    assert found, section
    body = re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", body, re.DOTALL | re.MULTILINE)
    return [[line.removeprefix("sudo ") for line in block.splitlines()] for block in blocks]


class Held(NamedTuple):
    """What has to be the same after whatever happened."""

    position_id: str
    state: str
    quantity: str
    entry_price: str
    technical_stop: str


class Robson:
    """`robson.service` in a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def configure(self, text: str = PLAIN) -> None:
        """Write the configuration; it is read at the next start or reload."""
        self.machine.write(CONFIGURATION, text)

    def install(self, package: Path) -> str:
        """Install or upgrade; gives what was printed."""
        place = self.machine.bring(package)
        # A question about a changed configuration would wait for ever.
        keep = "-o Dpkg::Options::=--force-confold"
        return self.machine.sh(f"apt-get install -y --no-install-recommends {keep} {place} 2>&1")

    def restart(self) -> None:
        """Start anew, and wait until systemd has heard that it is ready."""
        self.machine.run("systemctl", "reset-failed", SERVICE, check=False)
        self.machine.run("systemctl", "restart", SERVICE)

    def ask(self, *words: str, user: str = "") -> Any:
        """The result of a robsonctl command."""
        return json.loads(self.machine.run("robsonctl", "--json", *words, user=user).stdout)

    def shown(self, name: str) -> str:
        """One property of the unit."""
        return self.machine.shown(SERVICE, name)[name]

    @property
    def pid(self) -> int:
        """The main process; 0 without one."""
        return int(self.shown("MainPID"))

    def open_positions(self) -> list[Held]:
        """Every open position."""
        found = self.ask("status")["positions"]
        return sorted(Held(*(str(position[name]) for name in Held._fields)) for position in found)

    def enter(self, number: int) -> list[Held]:
        """Arm until so many positions are in the market."""
        for _ in range(number - len(self.open_positions())):
            self.ask(*ARM)

        def entered() -> list[Held]:
            return [held for held in self.open_positions() if held.state == "Active"]

        self.machine.until(lambda: len(entered()) == number, f"{number} positions to enter")
        return entered()

    def kill(self, signal: int = 9) -> float:
        """Send the main process a signal; gives when, in seconds of the monotonic clock."""
        return float(self.machine.run("python3", "-c", KILL, str(self.pid), str(signal)).stdout)

    def ready_after(self, since: float) -> float:
        """Wait until systemd has heard, after that time, that the daemon is ready; gives the seconds in between."""

        def ready() -> float:
            shown = self.machine.shown(SERVICE, "ActiveState", "ActiveEnterTimestampMonotonic")
            at = int(shown["ActiveEnterTimestampMonotonic"]) / 1e6
            return at if shown["ActiveState"] == "active" and at > since else 0.0

        return float(self.machine.until(ready, "the daemon to be ready again")) - since

    def log(self, *options: str) -> list[dict[str, Any]]:
        """The unit's entries of the journal."""
        listed = self.machine.run("journalctl", "--unit", SERVICE, "--output", "json", "--no-pager", *options).stdout
        return [json.loads(line) for line in listed.splitlines()]


def summary(seconds: list[float]) -> str:
    """Median, 99th percentile and the longest, for people."""
    ordered = sorted(seconds)
    ninety_nine = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"median {statistics.median(ordered):.2f} s, p99 {ninety_nine:.2f} s, longest {ordered[-1]:.2f} s"
