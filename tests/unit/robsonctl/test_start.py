"""What a one-shot command imports: everything here costs every script that calls robsonctl."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from robson.protocol.replies import address, success
from robson.protocol.results import PingResult
from tests.unit.robsonctl.conftest import NOON, position, status

ROOT = Path(__file__).resolve().parents[3]
OURS = {
    "robson",
    "robson.domain",
    "robson.domain.errors",
    "robsonctl",
    "robsonctl.cli",
    "robsonctl.connection",
    "robsonctl.exits",
    "robsonctl.grid",
    "robsonctl.interrupting",
    "robsonctl.obeying",
    "robsonctl.options",
    "robsonctl.ranges",
    "robsonctl.output",
    "robsonctl.paint",
    "robsonctl.queries",
    "robsonctl.session",
    "robsonctl.tables",
    "robsonctl.usage",
    "robsonctl.wire",
}
HEAVY = {
    *("asyncio", "trio", "prompt_toolkit", "sqlite_utils", "sqlite3", "structlog", "msgspec", "tabulate", "httpx"),
    *("prometheus_client", "inspect", "dataclasses", "logging", "pathlib", "subprocess", "tempfile", "shutil", "uuid"),
}
# The replies wait in a socket pair: what is measured is robsonctl alone.
SCRIPT = """
import json, socket, sys
before = set(sys.modules)
from robsonctl.cli import run
from robsonctl.connection import Daemon
near, far = socket.socketpair()
far.sendall(bytes.fromhex(sys.argv[1]))
Daemon.connected = lambda self: near
code = run(sys.argv[2:])
sys.stderr.write(json.dumps(sorted(set(sys.modules) - before)))
sys.exit(code)
"""


def imported(*arguments: str) -> set[str]:
    replies = [status(position("p-1"), position("p-2")), PingResult(at=NOON)]
    sent = b"".join(address(None, success(reply)) for reply in replies)
    done = subprocess.run(
        # Without site: what this environment's own .pth files import is no matter of Robson's.
        [sys.executable, "-S", "-c", SCRIPT, sent.hex(), *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "p-1" in done.stdout
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_what_status_imports(form: str) -> None:
    names = imported("status", "-o", form)
    assert {name for name in names if name.split(".")[0] in {"robson", "robsonctl"}} == OURS
    assert not names & HEAVY
    # Nothing of the environment either: without site there is none.
    assert all(name.split(".")[0] in {*sys.stdlib_module_names, "robson", "robsonctl"} for name in names)
    if form != "table":
        assert not names & {"decimal", "datetime", "unicodedata", "csv"}
