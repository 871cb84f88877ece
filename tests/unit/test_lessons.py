"""Every lesson of the earlier implementation has a test that is there, or a word on why it has none."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "decisions" / "0020-lessons-of-an-earlier-implementation.md"
ROWS = [line for line in RECORD.read_text().splitlines() if re.match(r"\| \d+ \|", line)]


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_every_row_of_the_table_is_there() -> None:
    assert [int(row.split("|")[1]) for row in ROWS] == list(range(1, 39))


def test_the_architecture_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", text)
    assert len(named) > 30
    missing = [f"{path}::{name}" for path, name in named if name not in functions(ROOT / path)]
    assert not missing


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_tests_that_hold_it_exist(row: str) -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", row)
    assert named
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert name in functions(ROOT / path), f"{path}::{name}"
