"""What the pages claim exists: every file, test, target and command that they name between backticks."""

import ast
import functools
import re
import tomllib
from pathlib import Path

import pytest

from robson.__main__ import build_parser
from robson.protocol.table import COMMANDS
from robsonctl.usage import COMMANDS as USAGE

ROOT = Path(__file__).resolve().parent.parent.parent
DELIVERY = ROOT / "docs" / "DELIVERY-SUMMARY.md"
# They say of each thing which test holds it, so whatever they name must be there. The others name files in passing.
CLAIMING = [page for page in (DELIVERY, ROOT / "docs" / "SECURITY.md") if page.exists()]
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if page.name not in {"PROTOCOL.md", "STATES.md"}
]
FOLDERS = ("robson", "robsonctl", "tests", "packaging", "docs", ".ci")

BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
TARGET = re.compile(r"make ([a-z]+)(?: ARGS=(\S+))?(?: \w+=\S+)*")
COMMAND = re.compile(r"(robson|robsonctl) ([a-z]+)\b")
PATH = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./@*-]+")


@functools.cache
def codes(page: Path) -> list[str]:
    """What stands between backticks in the text of a page, blocks left out."""
    return CODE.findall(BLOCK.sub("", page.read_text("utf-8")))


@functools.cache
def defined_in(path: Path) -> set[str]:
    if not path.exists():
        return set()
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, defined)}


def missing_tests(page: Path) -> list[str]:
    """Tests that a page names and nobody would run."""
    named = [match for code in codes(page) if (match := TEST.fullmatch(code))]
    return [
        match[0] for match in named if not match[2].startswith("test_") or match[2] not in defined_in(ROOT / match[1])
    ]


def missing_paths(codes: list[str]) -> list[str]:
    return [code for code in codes if PATH.fullmatch(code) and not any(ROOT.glob(code.rstrip("/")))]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def missing_targets(codes: list[str]) -> list[str]:
    named = [match for code in codes if (match := TARGET.fullmatch(code))]
    return [
        match[0]
        for match in named
        if match[1] not in targets() or (match[2] and match[2][0] != "-" and not (ROOT / match[2]).exists())
    ]


def known_commands() -> set[tuple[str, str]]:
    daemon = next(action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    return {("robson", name) for name in daemon} | {("robsonctl", name) for name in (*COMMANDS, *USAGE)}


def missing_commands(codes: list[str]) -> list[str]:
    named = [match for code in codes if (match := COMMAND.match(code))]
    return [match[0] for match in named if (match[1], match[2]) not in known_commands()]


def by_name(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    assert missing_tests(page) == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert missing_paths(codes(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_target_and_command_that_a_page_names_exists(page: Path) -> None:
    assert missing_targets(codes(page)) == []
    assert missing_commands(codes(page)) == []


@pytest.mark.parametrize("page", CLAIMING, ids=by_name)
def test_a_page_of_claims_names_enough_to_be_checked(page: Path) -> None:
    assert len({code for code in codes(page) if TEST.fullmatch(code)}) > 40
    assert len({code for code in codes(page) if PATH.fullmatch(code)}) > 20
    # A test's name with an error in it would not be seen otherwise.
    assert [code for code in codes(page) if "::" in code and not TEST.fullmatch(code)] == []


def test_the_delivery_summary_has_every_phase_and_a_proof_for_each_line() -> None:
    phases = re.findall(r"^## Phase (\d+):", DELIVERY.read_text("utf-8"), re.MULTILINE)
    assert phases == [str(number) for number in range(11)]
    rows = [row.split(" | ") for row in DELIVERY.read_text("utf-8").splitlines() if row.startswith("| ")]
    asked = [row for row in rows if len(row) == 4 and row[0] != "| asked for"]
    assert len(asked) > 50
    said = re.compile(r"tests/\S+::test_|the same|not delivered|the targets it calls")
    assert [row[0] for row in asked if not said.search(" ".join(row))] == []


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert [
        version for version in versions[1:] if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version)
    ] == []
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_architecture_has_the_layers_that_are_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = next(one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    enforced = [layer.replace("(", "").replace(")", "") for layer in contract["layers"]]
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    shown = text.split("```text\n", 1)[1].split("```", 1)[0].splitlines()
    assert [re.split(r"\s{2,}", line)[0] for line in shown] == enforced


def test_the_readme_leads_to_every_page() -> None:
    linked = re.findall(r"\]\((docs/[\w-]+\.md)[)#]", (ROOT / "README.md").read_text("utf-8"))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= set(linked)


def test_the_proof_of_a_fresh_clone_calls_targets_that_exist() -> None:
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    called = set(re.findall(r"make --no-print-directory ([a-z]+)", text))
    called |= set(re.search(r"for target in ([a-z ]+);", text)[1].split())  # type: ignore[index]
    assert called >= {"check", "test", "witnesses", "packages", "audit", "systemd"}
    assert called <= targets()


def test_what_does_not_exist_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`tests/unit/test_tidy.py::test_modules_were_found` `tests/unit/test_tidy.py::test_never` "
        "`tests/none.py::test_never` `tests/unit/test_tidy.py::texts`\n```sh\n`tests/none.py::test_in_a_block`\n```\n"
    )
    assert missing_tests(page) == [
        "tests/unit/test_tidy.py::test_never",
        "tests/none.py::test_never",
        "tests/unit/test_tidy.py::texts",
    ]
    assert missing_paths(["robson/app.py", "robson/web/*.py", "robson/none.py", "tests/none/"]) == [
        "robson/none.py",
        "tests/none/",
    ]
    assert missing_targets(["make test", "make none", "make test ARGS=tests/unit", "make test ARGS=tests/none"]) == [
        "make none",
        "make test ARGS=tests/none",
    ]
    assert missing_commands(["robson run", "robsonctl status --all", "robson none", "robsonctl never"]) == [
        "robson none",
        "robsonctl never",
    ]
