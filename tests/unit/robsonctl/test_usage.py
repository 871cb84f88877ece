"""What the help says of each command: in step with the protocol, with examples that the parser takes."""

import shlex

import pytest

from robson.protocol.table import COMMANDS as PROTOCOL
from robsonctl import usage
from robsonctl.options import build_parser
from tests.unit.robsonctl.conftest import Robsonctl

# About robsonctl itself, or about more than the daemon's command of that name.
ITS_OWN = {"watch", "help", "version", "notify"}


def verbs() -> set[str]:
    return set(build_parser().get_default("verbs"))


def test_every_command_has_its_usage_and_the_other_way_round() -> None:
    assert verbs() == set(usage.COMMANDS)


@pytest.mark.parametrize("name", sorted(usage.COMMANDS.keys() - ITS_OWN))
def test_summaries_are_the_protocols(name: str) -> None:
    assert usage.COMMANDS[name].summary == PROTOCOL[name].summary


@pytest.mark.parametrize("name", sorted(usage.COMMANDS))
def test_help_shows_the_examples_and_the_parser_takes_them(name: str, robsonctl: Robsonctl) -> None:
    examples = usage.COMMANDS[name].examples
    assert examples
    assert robsonctl(name, "--help") == 0
    for example in examples:
        assert example.line in robsonctl.out
        assert example.words in robsonctl.out
        words = shlex.split(example.line.split(" > ")[0].split(" | ")[0].split(" || ")[0])
        assert words[0] == "robsonctl"
        assert build_parser().parse_args(words[1:]).command == name
