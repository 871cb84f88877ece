"""Installs each foreign client in its own environment, runs it against a fresh emulator, prints one row for each.

python -m tests.witnesses [NAME …]; the environments are kept under build/witnesses/ and made anew when a version
changes. Exit code 1 when a client fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).resolve().parent / "clients"
BUILD = ROOT / "build" / "witnesses"
PATIENCE_SECONDS = 180.0


class Witness(NamedTuple):
    """One client: the package of its registry, the version that is pinned, and the script that uses it."""

    package: str
    version: str
    script: str

    @property
    def is_node(self) -> bool:
        return self.script.endswith(".cjs")

    @property
    def home(self) -> Path:
        return BUILD / f"{self.package}-{self.version}"


WITNESSES = (
    Witness("binance-sdk-margin-trading", "8.8.0", "sdk_margin.py"),
    Witness("binance-sdk-spot", "13.2.0", "sdk_spot.py"),
    Witness("python-binance", "1.0.37", "python_binance.py"),
    Witness("ccxt", "4.5.90", "ccxt_pro.py"),
    Witness("binance", "3.6.5", "npm_binance.cjs"),
)


def install(witness: Witness) -> None:
    """Make the client's environment, unless it is there; half an environment is thrown away."""
    done = witness.home / ".installed"
    if done.exists():
        return
    shutil.rmtree(witness.home, ignore_errors=True)
    wanted = f"{witness.package}@{witness.version}" if witness.is_node else f"{witness.package}=={witness.version}"
    if witness.is_node:
        witness.home.mkdir(parents=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(witness.home), wanted]
    else:
        venv.create(witness.home, with_pip=True)
        command = [str(witness.home / "bin" / "python"), "-m", "pip", "install", "-q", wanted]
    subprocess.run(command, check=True, cwd=witness.home, stdin=subprocess.DEVNULL)
    done.touch()


def installed_version(witness: Witness) -> str:
    """The version as the client's own package states it."""
    if witness.is_node:
        script = "console.log(require(process.argv[1]).version)"
        package = witness.home / "node_modules" / witness.package / "package.json"
        command = ["node", "-e", script, str(package)]
    else:
        script = f"from importlib.metadata import version; print(version({witness.package!r}))"
        command = [str(witness.home / "bin" / "python"), "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def emulator(directory: Path) -> Iterator[dict[str, str]]:
    """A fresh emulator, and the environment that tells a client where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "robson", "emulator", "--listen", "127.0.0.1:0", "--state-dir", str(directory)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("ROBSON_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:2] == ["listening", "on"], words
        rest = words[2]
        streams = rest.replace("http", "ws", 1)
        yield {
            "WITNESS_REST": rest,
            "WITNESS_WS": streams,
            "WITNESS_WS_API": f"{streams}/ws-api/v3",
            "WITNESS_KEYS": str(directory / "credentials"),
        }
    finally:
        process.terminate()
        ended = process.wait(PATIENCE_SECONDS)
        assert ended == 0, f"the emulator ended with {ended}"


def run(witness: Witness) -> tuple[bool, str]:
    """Whether the client is content, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="robson-witness-") as name, emulator(Path(name)) as where:
        program = "node" if witness.is_node else str(witness.home / "bin" / "python")
        environment = {**os.environ, **where, "NODE_PATH": str(witness.home / "node_modules")}
        try:
            done = subprocess.run(
                [program, str(CLIENTS / witness.script)],
                cwd=name,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return False, f"{error.output}\nno end after {PATIENCE_SECONDS:g} s"
        return done.returncode == 0, done.stdout


def main(names: list[str]) -> int:
    """Run the named witnesses, or all."""
    failures = 0
    for witness in WITNESSES:
        if names and witness.package not in names:
            continue
        try:
            install(witness)
            version = installed_version(witness)
            content, output = run(witness)
        except (OSError, subprocess.CalledProcessError) as error:
            content, version, output = False, witness.version, str(error)
        print(f"{witness.package} {version} {'PASS' if content else 'FAIL'}", flush=True)
        if not content:
            failures += 1
            print("\n".join(f"    {line}" for line in output.splitlines()[-40:]), file=sys.stderr, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
