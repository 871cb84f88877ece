"""The manual pages and the completion: in step with the code, complete, and without fault to those who set them."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from robson import __main__ as program
from robson.domain.events import EVENT_TYPES
from robson.protocol.codes import CODES
from robson.protocol.table import COMMANDS as PROTOCOL
from robsonctl.exits import Exit
from robsonctl.options import build_parser
from tests.manuals import words
from tests.manuals.pages import keys
from tests.manuals.roff import Page, plain, prose
from tests.manuals.write import PACKAGING, files

MADE = files()
PAGES = sorted(path for path in MADE if path.parent.name == "man")


def bare(page: str) -> str:
    """A page's text without what roff needs."""
    text = (PACKAGING / "man" / page).read_text("utf-8")
    return re.sub(r"\\fB\\%|\\f[BIR]|\\&", "", text).replace("\\-", "-").replace("\\(aq", "'").replace("\\(ti", "~")


@pytest.mark.parametrize("path", sorted(MADE), ids=lambda path: path.name)
def test_what_is_written_is_in_step_with_the_code(path: Path) -> None:
    assert path.read_text("utf-8") == MADE[path], "make manuals"


def test_nothing_else_lies_there() -> None:
    found = {path for folder in ("man", "completion") for path in (PACKAGING / folder).rglob("*") if path.is_file()}
    assert found == set(MADE)


def tags(text: str) -> set[str]:
    return {text.splitlines()[n + 1] for n, line in enumerate(text.splitlines()) if line == ".TP"}


@pytest.mark.parametrize("page", ["robsonctl.1", "robson.8"])
def test_every_command_and_option_is_there(page: str) -> None:
    text = bare(page)
    parser = build_parser() if page == "robsonctl.1" else program.build_parser()
    verbs = next(each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    assert len(verbs) > 5
    common = {flag for action in parser._actions for flag in action.option_strings}
    opening = text.split('.SH "COMMANDS"')[0]
    for flag in common:
        assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", opening), flag
    for name, verb in verbs.items():
        part = re.search(rf'^\.SS "{name}"$(.*?)(?=^\.S[SH] )', text, re.MULTILINE | re.DOTALL)
        assert part, name
        told = "\n".join(tags(part[1]))
        for action in verb._actions:
            for flag in set(action.option_strings) - common:
                assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", told), (name, flag)
            if not action.option_strings:
                assert (action.metavar or action.dest) in told or set(action.choices or ()) <= set(
                    re.findall(r"\w+", told)
                ), (name, action.dest)


def test_every_subcommand_of_robson_has_examples_that_its_parser_takes() -> None:
    assert program.EXAMPLES.keys() == program.COMMANDS.keys()
    for name, examples in program.EXAMPLES.items():
        for line, _ in examples:
            first, *arguments = line.split()
            assert first == "robson"
            assert program.build_parser(only=[name]).parse_args(arguments).command == name


def test_every_key_of_the_configuration_is_there_with_its_variable() -> None:
    text = bare("robson.toml.5")
    found = list(keys())
    assert len(found) > 30
    for section, key in found:
        part = text.split(f'.SS "[{section}]"')[1].split("\n.SS")[0] if section else text
        assert key in tags(part), (section, key)
        assert f"ROBSON_{section}_{key}".upper().replace("__", "_") in part
        assert section == "paper" or words.KEYS.get(f"{section}.{key}" if section else key), f"say what {key} is for"


def test_every_command_event_and_code_of_the_protocol_is_there() -> None:
    text = bare("robson-protocol.7")
    for name in (*PROTOCOL, *EVENT_TYPES):
        assert f'.SS "{name}"' in text
    assert CODES.keys() <= tags(text)
    for code in Exit:
        assert str(code.value) in tags(bare("robsonctl.1"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
@pytest.mark.parametrize(
    "command",
    [
        ["mandoc", "-Tlint", "-W", "warning"],
        ["groff", "-man", "-ww", "-z", "-Tutf8"],
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
    ],
    ids=lambda command: command[0],
)
def test_those_who_set_pages_have_nothing_to_say(command: list[str], page: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([*command, str(page)], capture_output=True, text=True, timeout=120, check=False)
    said = done.stderr + (done.stdout if command[0] == "mandoc" else "")
    assert (done.returncode, said) == (0, "")


def test_text_cannot_be_taken_for_a_request() -> None:
    assert plain(".SH x\\n - 'y'") == "\\&.SH x\\en \\- \\(aqy\\(aq"
    assert prose("a `.b` and **c**") == "a \\fB\\%\\&.b\\fR and \\fB\\%c\\fR"
    page = Page("x", 1, "tries", date="2026-01-01", version="1")
    page.markdown("## One\n\n- first\n  goes on\n- second\n\n| a | b |\n|---|---|\n| `k` | v \\| w |\n")
    assert page.text().splitlines()[4:] == [
        '.SH "ONE"',
        *(".IP \\(bu 2", "first goes on"),
        *(".IP \\(bu 2", "second"),
        *(".TP", "\\fBk\\fR", "v | w"),
    ]
