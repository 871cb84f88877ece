"""A typed line becomes the options of the same parser, and a mistake becomes advice."""

import argparse

import pytest

from robsonctl.exits import Ended, Exit
from robsonctl.options import build_parser
from robsonctl.shell.lines import Grammar, Told
from robsonctl.shell.own import OWN
from robsonctl.shell.words import commands_of, take_apart


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar()


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("", []),
        (" ; \n;", []),
        ("status; health", [["status"], ["health"]]),
        ("arm BTCUSDT\nstatus --all", [["arm", "BTCUSDT"], ["status", "--all"]]),
        ("arm 'a; b' \"c 'd\"", [["arm", "a; b", "c 'd"]]),
        (r"arm a\;b\ c", [["arm", "a;b c"]]),
        (r"\x on", [[r"\x", "on"]]),
        ("arm ''", [["arm", ""]]),
    ],
)
def test_words(text: str, commands: list[list[str]]) -> None:
    assert commands_of(text) == commands


def test_an_open_quote_is_a_mistake_but_can_be_completed() -> None:
    with pytest.raises(Ended) as end:
        commands_of("arm 'BTC")
    assert end.value.exit_code == Exit.USAGE
    found = take_apart("status; close 'abc")
    assert [word.text for word in found.commands[-1]] == ["close", "abc"]
    assert found.unfinished
    assert found.commands[-1][-1].start == len("status; close ")
    assert not take_apart("close ").unfinished


def test_unique_beginnings_will_do(grammar: Grammar) -> None:
    found = grammar.parse(["ar", "BTCUSDT", "--strat", "delay", "--param=seconds=5"])
    assert (found.command, found.strategy, found.param) == ("arm", "delay", ["seconds=5"])
    assert grammar.parse(["help", "ar"]).topic == "arm"
    assert grammar.parse(["robsonctl", "status"]).command == "status"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["stauts"], "no command 'stauts'", "did you mean status"),
        (["re"], "beginning of 2: release, resume", ""),
        (["qqqq"], "no command", ""),
        (["status", "--lal"], "unrecognized", "did you mean --all"),
        (["arm", "BTCUSDT", "lnog"], "invalid choice", "did you mean long"),
        (["arm"], "required: SYMBOL", "usage: arm"),
        (["--json", "status"], "a command was expected", ""),
        (["events", "-n", "0"], "1 to 1000000", "usage: events"),
    ],
)
def test_mistakes_are_ended_with_advice(grammar: Grammar, words: list[str], message: str, hint: str) -> None:
    with pytest.raises(Ended) as end:
        grammar.parse(words)
    assert end.value.exit_code == Exit.USAGE
    assert message in end.value.message
    assert hint in end.value.hint


def test_help_is_told_and_ends_nothing(grammar: Grammar, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Told, match="usage: arm"):
        grammar.parse(["arm", "--help"])
    assert capsys.readouterr() == ("", "")


def test_common_options_hold_for_each_command_until_it_says_otherwise() -> None:
    common = build_parser().parse_args(["--json", "--timeout", "3", "-c", ""])
    grammar = Grammar(common)
    assert (grammar.parse(["ping"]).form, grammar.parse(["ping"]).timeout) == ("json", 3.0)
    assert grammar.parse(["ping", "-o", "csv"]).form == "csv"
    assert (
        Grammar(argparse.Namespace(socket="s", form="csv", timeout=None, color="never")).parse(["ping"]).socket == "s"
    )


def test_every_example_can_be_typed(grammar: Grammar) -> None:
    for name, own in OWN.items():
        for line, _ in own.examples:
            words = commands_of(line)[0]
            assert words[0] == name
            if name == "watch":
                grammar.parse(words[2:] or ["status"])
