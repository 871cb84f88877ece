"""The documents say what is so: every command in them runs, every name and link in them exists.

Each page is a session of its own, from its top to its end, in a directory that looks like a checkout. `sh` blocks must
succeed, `console` blocks must also print what they show (numbers and ids apart). What a page needs and no reader should
have to read stands in a comment of its own line: <!-- $ robson run --feed synthetic -->. A block that no test can run
has its reason on the line before it: <!-- not run: it needs root -->
"""

import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from robson.protocol.table import COMMANDS
from tests.end_to_end.daemon import PATIENCE_SECONDS, ROOT, Daemon, environment

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "state" / "README.md"])
PROTOCOL = ROOT / "docs" / "PROTOCOL.md"
# Of these the newest part of the history was true once; decisions are dated.
HISTORY = [ROOT / "CHANGELOG.md", *(ROOT / "docs" / "decisions").glob("*.md")]

# What no test can run, and why.
NOT_RUN = {
    "make demo": "it installs; test_demo.py runs the demonstration itself",
    "make install": "it installs, from the network the first time",
    'make test ARGS="tests/model"': "make test runs it",
    'ROBSON_TEST_MODEL=large make test ARGS="tests/model"': "minutes; make test runs the small one",
    "python -m tests.model.mutations": "tests/model/test_mutations.py runs it",
    "make test": "it is running",
    "make soak": "twenty minutes; make test runs a part of it",
    "ROBSON_TEST_SEED=41 ROBSON_TEST_LIVES=1 make test ARGS=tests/simulation/test_lives.py": "make test runs it",
    "make packages": "it downloads wheels the first time; make systemd builds packages, and CI runs both",
    "uv tool install ./dist/robson-0.1.0-py3-none-any.whl": "uv is no dependency, and it asks the network",
    "pipx install ./dist/robson-0.1.0-py3-none-any.whl": "pipx is no dependency, and it asks the network",
    "scp moving.db new-machine:": "there is no other machine; tests/boot copies the file between two of its own",
}
# They want root and systemd: tests/boot takes them from the runbook and runs them in a machine of its own.
BOOTED = "sudo "
# Somebody else may listen there on the machine that runs the tests.
DOCUMENTED_ADDRESSES = ("127.0.0.1:9000", "127.0.0.1:9464")
# In the documents this stands for the position that was armed last.
PLACEHOLDER = re.compile(r"\bID\b")

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- \$ (?P<hidden>[^\n]+) -->$", re.DOTALL | re.MULTILINE)
EXCUSED = re.compile(r"^<!-- not run: .+ -->\n\Z", re.MULTILINE)
KINDS = {"sh", "console", "text", "json", "python", "toml", "ini", "yaml", "mermaid"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAME = re.compile(r"(?<![/\w.-])robson(?:\.[A-Za-z_]\w*)+")
# File names, the entry-point group, and the section of a log.
NOT_NAMES = {
    "robson.db",
    "robson.sock",
    "robson.lock",
    "robson.toml",
    "robson.detectors",
    "robson.socket",
    "robson.sysusers",
}


class Step(NamedTuple):
    """One command of a document, where it stands, and the output that the document shows for it."""

    where: str
    command: str
    shown: tuple[str, ...]


def steps(page: Path) -> Iterator[Step]:
    """The commands of the `sh` blocks, and those of the `console` blocks with what they print."""
    text = page.read_text("utf-8")
    for block in BLOCK.finditer(text):
        line = text[: block.start()].count("\n") + 1
        where = f"{page.relative_to(ROOT)}:{line}"
        if block["hidden"]:
            yield Step(where, block["hidden"], ())
            continue
        if EXCUSED.search(text[: block.start()]):
            continue
        rows = block[2].splitlines()
        if block[1] == "sh":
            commands = (row.split("  #")[0].rstrip() for row in rows)
            yield from (Step(where, command, ()) for command in commands if command and not command.startswith("#"))
        elif block[1] == "console":
            starts = [number for number, row in enumerate(rows) if row.startswith("$ ")]
            assert starts, f"{where}: no line begins with a prompt"
            assert starts[0] == 0, f"{where}: output before the first command"
            for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
                yield Step(where, rows[start].removeprefix("$ "), tuple(rows[start + 1 : end]))


def commanded() -> list[Path]:
    """The pages that have something to run."""
    return [page for page in PAGES if page not in HISTORY and any(True for _ in steps(page))]


def shape(output: str) -> list[str]:
    """Output without what is different each time: ids, numbers, signs of profit, and how wide columns are."""
    output = re.sub(r"\b[0-9a-f]{32}\b", "<id>", output)
    output = re.sub(r"[▲▼] ?[+-]", "± ", output)
    output = re.sub(r"(?<![A-Za-z])\d+(?:\.\d+)?", "<n>", output)
    return [" ".join(line.split()) for line in output.strip().splitlines()]


def free_address() -> str:
    """A port of loopback at which nobody listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


class Terminal:
    """Runs documented commands in a directory that looks like a checkout, with a daemon where they start one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.armed = ""
        self.daemon: Daemon | None = None
        self.daemons: list[Daemon] = []
        self.emulator: subprocess.Popen[str] | None = None
        self.addresses = {documented: free_address() for documented in DOCUMENTED_ADDRESSES}
        shutil.copy(ROOT / "pyproject.toml", directory)
        (directory / "packaging").symlink_to(ROOT / "packaging")
        (directory / "robson").mkdir()
        (directory / "robson" / "__init__.py").touch()
        programs = Path(sys.executable).parent
        assert (programs / "robsonctl").exists(), "Robson is not installed in this environment: make install"
        self.environment = environment({"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})

    def run(self, step: Step) -> str:
        """Run one command; gives what it printed, and fails as it does."""
        command = PLACEHOLDER.sub(self.armed, step.command).removeprefix(".venv/bin/")
        for documented, address in self.addresses.items():
            command = command.replace(documented, address)
        if command.startswith("robson emulator"):
            self.start_emulator(command)
            return ""
        if command.startswith("robson run"):
            self.start(command)
            return ""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{step.where}: {command}\nended with {done.returncode}: {done.stderr}"
        if command.startswith("kill "):
            assert self.daemon is not None
            self.daemon.running.wait(PATIENCE_SECONDS)
        armed = re.match(r'armed ([0-9a-f]{32})|\{"position_id":"([0-9a-f]{32})"', done.stdout)
        if armed:
            self.await_entry(armed[1] or armed[2], command)
        return done.stdout

    def start(self, command: str) -> None:
        """Start the documented daemon and wait until it answers."""
        arguments = command.split()[2:]
        state = arguments[arguments.index("--state-dir") + 1] if "--state-dir" in arguments else "state"
        self.daemon = Daemon(self.directory / state, *arguments)
        self.daemons.append(self.daemon)
        with self.daemon.log.open("ab") as log:
            self.daemon.process = subprocess.Popen(
                ["robson", "run", *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        daemon = self.daemon
        daemon.wait_until(daemon.answers, "the documented daemon to answer")
        daemon.wait_until(lambda: daemon.ok("health")["ready"], "the documented daemon to be ready")

    def start_emulator(self, command: str) -> None:
        """Start the documented emulator and wait until it says where it listens."""
        self.emulator = subprocess.Popen(
            command.split(),
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.emulator.stdout is not None
        assert self.addresses["127.0.0.1:9000"] in self.emulator.stdout.readline()

    def await_entry(self, position_id: str, command: str) -> None:
        """A person reads before typing on; meanwhile a position that enters at once has entered."""
        self.armed = position_id
        assert self.daemon is not None
        if "immediate" in command:
            self.daemon.wait_event("entry_filled", position_id=position_id)

    def end(self) -> None:
        if self.emulator is not None:
            self.emulator.terminate()
            self.emulator.communicate(timeout=PATIENCE_SECONDS)
            assert self.emulator.returncode == 0
        for daemon in self.daemons:
            daemon.end()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    # Short, so that a socket's path fits.
    with tempfile.TemporaryDirectory(prefix="rdoc-") as name:
        terminal = Terminal(Path(name))
        try:
            yield terminal
        finally:
            terminal.end()


@pytest.mark.parametrize("page", commanded(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_documented_command_runs_and_prints_what_the_document_shows(page: Path, terminal: Terminal) -> None:
    for step in steps(page):
        if step.command in NOT_RUN or step.command.startswith(BOOTED):
            continue
        printed = terminal.run(step)
        if step.shown:
            assert shape(printed) == shape("\n".join(step.shown)), f"{step.where}: {step.command}"


def test_what_is_not_run_is_still_documented() -> None:
    documented = {step.command for page in commanded() for step in steps(page)}
    assert NOT_RUN.keys() <= documented


def test_pages_with_commands_are_found() -> None:
    names = {page.name for page in commanded()}
    assert names >= {"README.md", "RUNBOOK.md", "PROTOCOL.md"}
    shown = {page.name for page in commanded() if any(step.shown for step in steps(page))}
    assert shown >= {"README.md", "RUNBOOK.md"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in HISTORY], ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_block_is_either_run_or_plainly_no_command(page: Path) -> None:
    blocks = [block for block in BLOCK.finditer(page.read_text("utf-8")) if not block["hidden"]]
    assert {block[1] for block in blocks} <= KINDS


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in HISTORY], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_command_hides_in_a_block_of_text(page: Path) -> None:
    """What can be typed is run, or says why not."""
    typed = re.compile(
        r"^(?:sudo|(?:[A-Z_]+=\S+ )*(?:robson|robsonctl|systemctl|journalctl|litestream|podman|kubectl)) [a-z-]"
    )
    texts = [block[2] for block in BLOCK.finditer(page.read_text("utf-8")) if block[1] == "text"]
    assert [line for text in texts for line in text.splitlines()[:1] if typed.match(line)] == []


def test_hidden_excused_and_shown_steps_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- $ robson run -->\n```sh\nrobsonctl ping  # now\n# nothing\n```\n<!-- not run: it needs root -->\n"
        "```sh\nreboot\n```\n```console\n$ robsonctl hello\nhello\n```\n```text\n$ no command\n```\n"
    )
    assert [(step.command, step.shown) for step in steps(page)] == [
        ("robson run", ()),
        ("robsonctl ping", ()),
        ("robsonctl hello", ("hello",)),
    ]


def test_every_request_in_the_protocol_is_answered_as_the_document_says(terminal: Terminal) -> None:
    """An example is obeyed, or refused with a code that the document has for the command."""
    terminal.start("robson run --feed synthetic")
    assert terminal.daemon is not None
    text = PROTOCOL.read_text("utf-8")
    answered = []
    for section in text.split("\n### ")[1:]:
        for block in BLOCK.finditer(section):
            if block[1] != "json":
                continue
            with terminal.daemon.connect() as client:
                client.send(block[2].strip())
                reply = client.reply()
            answered.append(reply["ok"])
            assert reply["ok"] or f"`{reply['error']['code']}`" in section, (section.split("\n")[0], reply)
    assert len(answered) == len(COMMANDS)
    assert sum(answered) > len(answered) / 2


def test_the_program_in_the_protocol_runs(terminal: Terminal) -> None:
    terminal.start("robson run --feed synthetic")
    (program,) = (block[2] for block in BLOCK.finditer(PROTOCOL.read_text("utf-8")) if block[1] == "python")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=terminal.directory,
        env=terminal.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert done.stdout.strip() in {"live", "degraded"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_of_the_code_exists(page: Path) -> None:
    names = set(NAME.findall(page.read_text("utf-8"))) - NOT_NAMES
    assert not [name for name in sorted(names) if not exists(name)]


def exists(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_a_name_that_does_not_exist_is_seen() -> None:
    assert exists("robson.engine.decide.decide")
    assert not exists("robson.engine.decide.decree")
    assert not exists("robson.nowhere")


def test_the_architecture_names_enough_to_be_checked() -> None:
    assert len(set(NAME.findall((ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")))) > 50


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    records = {path.name for path in folder.glob("[0-9]*.md")}
    assert records == set(LINK.findall((folder / "README.md").read_text("utf-8")))
    assert all(
        {"## Context", "## Choice", "## Price"} <= set((folder / name).read_text().splitlines()) for name in records
    )
