"""Panic without a daemon: `robson panic`, run next to this program."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from robson.protocol.requests import HelloRequest
from robsonctl.connection import Daemon
from robsonctl.exits import Ended, Exit

_HELLO_SECONDS = 5.0
# What `robson panic` is told as it was told here.
_PASSED_ON = ("config", "state_dir", "credentials_dir", "mode", "timeout")


def refuse_alive(daemon: Daemon, options: argparse.Namespace) -> None:
    """Raise Ended (1) when a daemon answers; one that does not is kept out by the journal's lock.

    With a state directory it is that one's daemon that is asked: another one's life says nothing.
    """
    if options.state_dir and not options.socket:
        daemon = Daemon(lambda: Path(options.state_dir) / "robson.sock")
    try:
        daemon.ask(HelloRequest(), seconds=_HELLO_SECONDS)
    except Ended as end:
        if end.exit_code is Exit.UNREACHABLE and end.code != "too_many_clients":
            return
    finally:
        daemon.close()
    raise Ended(
        Exit.REFUSED,
        "a daemon answers: it closes its own positions",
        code="daemon_alive",
        hint="`robsonctl panic` without --direct",
    )


def run_robson(options: argparse.Namespace) -> int:
    """Run `robson panic` in the foreground, on this terminal; its exit code."""
    command = [sys.executable, "-P", "-m", "robson", "panic", f"--output={_form(options.form)}"]
    given = {name: getattr(options, name) for name in _PASSED_ON}
    # In one word each, so that a value may begin with a dash.
    command += [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    if options.yes:
        command.append("--yes")
    # The Robson that this program belongs to, wherever it is run and whatever lies there.
    home = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            # The terminal has told the other one, too, and it knows what to do.
            continue
        return code if code >= 0 else 128 - code


def _form(form: str) -> str:
    return form if form in {"table", "json"} else "json"
