"""docs/STATES.md is what the code does."""

import re
from pathlib import Path

from robson.domain.position import STATE_NAMES
from tests.unit.engine import diagram

PAGE = Path(__file__).parents[3] / "docs" / "STATES.md"


def test_the_page_is_in_step_with_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == diagram.document(), f"write it again: {diagram.COMMAND}"


def test_the_diagram_has_every_state_and_no_way_out_of_closed() -> None:
    edges = re.findall(r"^ {4}(\S+) --> (\S+?)(?::|$)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for edge in edges for name in edge} == {*STATE_NAMES, "[*]"}
    assert [after for before, after in edges if before == "Closed"] == ["[*]"]
    assert [before for before, after in edges if after == "Active"] == ["Armed", "Entering", "Active"]
