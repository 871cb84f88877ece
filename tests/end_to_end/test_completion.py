"""Completion in the shells themselves, with a live daemon: commands, options, choices, files and positions' ids."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon

COMPLETION = Path(__file__).resolve().parents[2] / "packaging" / "completion"
# Loads the script, then asks its function as readline does.
BASH = """
source {script}
words=({words})
COMP_WORDS=("${{words[@]}}"); COMP_CWORD=$((${{#words[@]}} - 1)); COMPREPLY=()
spec=($(complete -p {program}))
for ((n = 0; n < ${{#spec[@]}}; n++)); do [[ ${{spec[n]}} == -F ]] && function=${{spec[n+1]}}; done
$function {program} "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def needs(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("tab") / "state", "--feed", "synthetic") as started:
        yield started


@pytest.fixture(scope="module")
def armed(running: Daemon) -> str:
    return running.arm("SOLUSDT")


def surroundings(running: Daemon) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {**running.env, "ROBSON_SOCKET": str(running.socket), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def completed(shell: str, env: Mapping[str, str], *words: str) -> list[str]:
    """What the shell offers for the last word."""
    program = words[0]
    if shell == "bash":
        script = COMPLETION / "bash" / f"{program}.bash"
        quoted = " ".join(shlex.quote(word) for word in words)
        asked = BASH.format(script=shlex.quote(str(script)), words=quoted, program=program)
        command = [needs("bash"), "--norc", "-c", asked]
    else:
        script = COMPLETION / "fish" / f"{program}.fish"
        line = " ".join(words)
        command = [needs("fish"), "--no-config", "-c", f"source {script}; complete -C {shlex.quote(line)}"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False)
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_words_are_offered(running: Daemon, armed: str, shell: str) -> None:
    env = surroundings(running)
    assert set(completed(shell, env, "robsonctl", "a")) == {"adjust", "adopt", "arm"}
    assert set(completed(shell, env, "robsonctl", "arm", "BTCUSDT", "")) >= {"long", "short"}
    assert completed(shell, env, "robsonctl", "status", "-o", "") == ["table", "json", "jsonl", "csv"]
    assert completed(shell, env, "robsonctl", "status", "--wa") == ["--watch"]
    assert armed in completed(shell, env, "robsonctl", "close", "")
    assert completed(shell, env, "robsonctl", "events", "--position", armed[:4]) == [armed]
    assert completed(shell, env, "robson", "em") == ["emulator"]
    assert f"{running.state}/" in {
        f"{path.rstrip('/')}/" for path in completed(shell, env, "robson", "run", "--state-dir", str(running.state))
    }


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_without_a_daemon_no_ids_are_offered_and_nothing_is_said(running: Daemon, shell: str) -> None:
    env = {**surroundings(running), "ROBSON_SOCKET": str(running.state / "nobody.sock")}
    assert completed(shell, env, "robsonctl", "close", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program", ["robson", "robsonctl"])
def test_the_scripts_are_well_formed(shell: str, program: str) -> None:
    script = next(path for path in (COMPLETION / shell).iterdir() if path.stem.lstrip("_") == program)
    done = subprocess.run(
        [needs(shell), "-n", str(script)], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def typed(ours: int, keys: str, until: str) -> None:
    """Type into a terminal and wait until it shows something."""
    os.write(ours, keys.encode())
    seen, deadline = "", time.monotonic() + 4 * PATIENCE_SECONDS
    while until not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([ours], [], [], 1)[0]:
            seen += os.read(ours, 65_536).decode("utf-8", "replace")


def test_zsh_completes_on_its_own_terminal(running: Daemon, armed: str, tmp_path: Path) -> None:
    zsh = needs("zsh")
    ours, theirs = pty.openpty()
    env = {**surroundings(running), "TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}
    with subprocess.Popen(
        [zsh, "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    ) as shell:
        try:
            os.close(theirs)
            # The marks are put together by the shell, so that the echo of what is typed is not one.
            load = f"fpath=({shlex.quote(str(COMPLETION / 'zsh'))} $fpath); autoload -Uz compinit; compinit -u -D"
            typed(ours, f"unsetopt zle; {load}; setopt zle; print loa''ded\n", "loaded")
            # Each is one of its kind: the rest of the word appears.
            typed(ours, "robsonctl dis\t", "disarm ")
            typed(ours, f"{armed[:6]}\t", armed[6:])
            typed(ours, "\x15robsonctl arm BTCUSDT sh\t", "short")
            typed(ours, "\x15robson emul\t", "emulator ")
        finally:
            shell.kill()
            os.close(ours)
