"""What completion offers at each place of a command."""

from decimal import Decimal

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from robson.detectors.registry import ALIASES as DAEMON_ALIASES
from robson.detectors.registry import Registry
from robsonctl.shell.completion import Completions
from robsonctl.shell.lines import Grammar
from robsonctl.shell.offers import offers
from robsonctl.shell.own import OWN
from robsonctl.shell.picture import Picture
from robsonctl.shell.strategies import ALIASES, STRATEGIES
from tests.unit.robsonctl.conftest import position, status

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar()


@pytest.fixture
def picture() -> Picture:
    picture = Picture()
    gone = position(C, symbol="SOLUSDT", state="Active")
    armed = position(A, symbol="ETHUSDT")
    active = position(B, state="Active", unrealized_pnl=Decimal("-2.5"), strategy="house_made")
    picture.saw(status(gone, armed, active), 0.0)
    picture.saw(status(armed, active), 1.0)
    return picture


def texts(grammar: Grammar, picture: Picture, line: str) -> list[str]:
    *finished, last = line.split(" ")
    return [offer.text for offer in offers(grammar, picture, finished, last)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("st", ["status"]),
        ("hlth", ["health"]),
        ("disarm ", [A]),
        ("close ", [B]),
        ("close btc", [B]),
        ("close b", [B]),
        ("close sol", []),
        ("show ", [A, B, C]),
        ("why sol", [C]),
        ("events --position eth", [A]),
        ("plan BTCUSDT ", ["long", "short"]),
        ("arm BTCUSDT s", ["short"]),
        ("arm BTCUSDT --strategy sma", ["sma_cross"]),
        ("arm BTCUSDT --strategy hm", ["house_made"]),
        ("rsm", ["resume"]),
        ("arm BTCUSDT --strategy delay --param sec", ["seconds="]),
        ("arm BTCUSDT --strategy test --param sec", ["seconds="]),
        ("arm BTCUSDT --strategy=breakout --param n=20 --param n", []),
        ("arm BTCUSDT --strategy breakout --param interval_minutes=6", ["interval_minutes=60"]),
        ("arm BTCUSDT --strategy signal --param ", []),
        ("arm BTCUSDT --cap", ["--capital"]),
        ("arm BTCUSDT --capital 5 --cap", []),
        ("events o", ["on", "off"]),
        (r"\x a", ["auto"]),
        ("watch 5 he", ["health"]),
        ("help pan", ["panic"]),
        ("robsonctl disarm ", [A]),
        ("qq ", []),
    ],
)
def test_offers(grammar: Grammar, picture: Picture, line: str, expected: list[str]) -> None:
    found = texts(grammar, picture, line)
    if line.startswith("arm BTCUSDT --strategy=breakout"):
        found = [text for text in found if text.startswith("n=")]
    elif line.startswith("events o"):
        found = found[:2]
    assert found == expected


def test_symbols_of_the_daemon_come_first(grammar: Grammar, picture: Picture) -> None:
    assert texts(grammar, picture, "arm ")[:2] == ["ETHUSDT", "BTCUSDT"]
    assert texts(grammar, picture, "arm doge") == ["DOGEUSDT"]


def test_a_position_is_shown_with_what_a_person_knows_it_by(grammar: Grammar, picture: Picture) -> None:
    (offer,) = offers(grammar, picture, ["close"], "")
    assert (offer.shown, offer.meta) == ("bbbbbbbb", "BTCUSDT long Active ▼ -2.50")


def test_every_command_is_offered_with_words(grammar: Grammar, picture: Picture) -> None:
    found = offers(grammar, picture, [], "")
    assert {offer.text for offer in found} == {*grammar.verbs, *OWN}
    assert all(offer.meta for offer in found)


def completed(grammar: Grammar, picture: Picture, line: str, *, tab: bool = True) -> list[str]:
    """The lines that Tab would make."""
    event = CompleteEvent(completion_requested=tab)
    found = Completions(grammar, picture).get_completions(Document(line), event)
    return [line[: len(line) + each.start_position] + each.text for each in found]


def test_completion_puts_the_offer_in_the_place_of_the_word(grammar: Grammar, picture: Picture) -> None:
    assert completed(grammar, picture, "status; close btc") == [f"status; close {B}"]
    assert completed(grammar, picture, "close ") == [f"close {B}"]
    assert completed(grammar, picture, "arm X --strategy=sm") == ["arm X --strategy=sma_cross"]
    assert completed(grammar, picture, "", tab=False) == []
    assert "status" in completed(grammar, picture, "")


def test_strategies_are_those_of_the_daemon() -> None:
    described = {strategy.name: strategy for strategy in Registry().describe()}
    assert STRATEGIES.keys() == described.keys()
    assert dict(DAEMON_ALIASES) == ALIASES
    for name, (_, parameters) in STRATEGIES.items():
        declared = [(known.name, known.default, known.choices) for known in described[name].parameters]
        assert [(known.name, known.default, known.choices) for known in parameters] == declared
