"""Every line of what the emulator has to do of the exchange has its place in the code and a test that is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECORD = ROOT / "docs" / "EMULATOR.md"
ROWS = [line for line in RECORD.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
LINES = 37


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_every_line_is_there() -> None:
    assert [int(row.split("|")[1]) for row in ROWS] == list(range(1, LINES + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_line_has_its_place_and_its_tests(row: str) -> None:
    assert re.fullmatch(r" `robson\.[\w.]+` ", row.split("|")[3])
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", row)
    assert named
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert name in functions(ROOT / path), f"{path}::{name}"
