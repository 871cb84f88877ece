"""What could stand at a place in a command: names, options, symbols, live positions, parameters."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from robson.protocol.results import PositionView
from robsonctl.paint import cents
from robsonctl.shell.harmless import bare
from robsonctl.shell.lines import Grammar
from robsonctl.shell.own import OWN
from robsonctl.shell.picture import Picture
from robsonctl.shell.strategies import ALIASES, STRATEGIES, SYMBOLS

ID_SHOWN = 8
# In which states a command can do anything with a position; all of them where none is named.
_STATES = {
    "disarm": {"Armed"},
    "signal": {"Armed"},
    "close": {"Entering", "Active", "Exiting", "Error"},
    "adjust": {"Active"},
    "release": {"Active", "Error"},
}
_BACKWARD = frozenset({"show", "why", "status", "events", "chart"})


class Offer(NamedTuple):
    """One thing to put at the cursor: what is inserted, what is shown, and what is said of it."""

    text: str
    shown: str = ""
    meta: str = ""
    # Also found by this, as a position by its symbol.
    alias: str = ""


def offers(grammar: Grammar, picture: Picture, words: Sequence[str], unfinished: str) -> list[Offer]:
    """What may continue a command of which `words` are finished and `unfinished` is not, in the order of sense."""
    if words and words[0] == "robsonctl":
        words = words[1:]
    if not words:
        found: Iterable[Offer] = _commands(grammar)
    else:
        name = _in_full(grammar, words[0])
        found = _of_command(grammar, picture, [name, *words[1:]], unfinished) if name else ()
    wanted = unfinished.lower()
    every = list(found)
    begun = [offer for offer in every if _begins(offer, wanted)]
    if begun or not wanted or wanted.startswith("-"):
        return begun
    return [offer for offer in every if _scattered(wanted, offer.text.lower())]


def _begins(offer: Offer, wanted: str) -> bool:
    return offer.text.lower().startswith(wanted) or bool(offer.alias and offer.alias.lower().startswith(wanted))


def _scattered(wanted: str, text: str) -> bool:
    """Whether the letters appear in this order: `sma` finds sma_cross, `rsm` finds resume."""
    letters = iter(text)
    return all(letter in letters for letter in wanted)


def _in_full(grammar: Grammar, text: str) -> str:
    names = [*grammar.verbs, *OWN]
    if text in names:
        return text
    begun = [name for name in names if name.startswith(text)]
    return begun[0] if len(begun) == 1 else ""


def _commands(grammar: Grammar) -> Iterator[Offer]:
    for name, verb in grammar.verbs.items():
        if name not in OWN:
            yield Offer(name, meta=(verb.description or "").split("; ")[0].split(": ")[0])
    for name, own in OWN.items():
        yield Offer(name, meta=own.summary)


def _of_command(grammar: Grammar, picture: Picture, words: Sequence[str], unfinished: str) -> Iterator[Offer]:
    name, *rest = words
    if name in OWN:
        yield from _of_own(grammar, name, rest)
        if name not in grammar.verbs or name in {"watch", "help"}:
            return
    options = grammar.options(name)
    before = rest[-1] if rest else ""
    if _takes_value(options.get(before)):
        yield from _values(picture, name, options[before], rest)
        return
    if unfinished.startswith("-"):
        yield from _spellings(options, rest)
        return
    place = sum(1 for _ in _plain(rest, options))
    arguments = grammar.arguments(name)
    if place < len(arguments):
        yield from _values(picture, name, arguments[place], rest)
    if not unfinished and place >= sum(1 for action in arguments if action.nargs is None):
        yield from _spellings(options, rest)


def _of_own(grammar: Grammar, name: str, rest: Sequence[str]) -> Iterator[Offer]:
    if name == "help":
        if not rest:
            yield from _commands(grammar)
    elif name == "watch":
        if not rest or (len(rest) == 1 and rest[0].replace(".", "", 1).isdigit()):
            yield from (Offer(command) for command in ("status", "health", "show", "why", "journal", "events"))
    elif not rest:
        yield from (Offer(choice, meta=meaning) for choice, meaning in OWN[name].choices)


def _takes_value(action: argparse.Action | None) -> bool:
    return action is not None and action.nargs != 0


def _plain(words: Sequence[str], options: dict[str, argparse.Action]) -> Iterator[str]:
    """The words that are neither options nor their values."""
    value = False
    for word in words:
        if value:
            value = False
        elif word.startswith("-"):
            value = _takes_value(options.get(word))
        else:
            yield word


def _spellings(options: dict[str, argparse.Action], used: Sequence[str]) -> Iterator[Offer]:
    for spelling, action in options.items():
        again = isinstance(action.default, list)
        if spelling.startswith("--") and (again or spelling not in used):
            yield Offer(spelling, meta=(action.help or "").replace("%%", "%"))


def _values(picture: Picture, name: str, action: argparse.Action, words: Sequence[str]) -> Iterator[Offer]:
    if action.choices:
        yield from (Offer(str(choice)) for choice in action.choices)
        return
    match action.dest:
        case "position":
            yield from _positions(picture, name)
        case "symbol":
            yield from _symbols(picture)
        case "strategy":
            yield from _strategies(picture)
        case "param":
            yield from _parameters(words)
        case _:
            return


def _positions(picture: Picture, name: str) -> Iterator[Offer]:
    states = _STATES.get(name)
    for position in picture.positions:
        if states is None or position.state in states:
            yield _position(position)
    if name in _BACKWARD:
        yield from (_position(position, state="closed") for position in picture.gone)


def _position(position: PositionView, state: str = "") -> Offer:
    words = [bare(position.symbol), position.side, state or position.state]
    pnl = position.unrealized_pnl if not state else None
    if pnl is not None:
        words.append(f"{'▲ +' if pnl > 0 else '▼ ' if pnl < 0 else ''}{cents(pnl)}")
    position_id = bare(position.position_id)
    return Offer(position_id, position_id[:ID_SHOWN], " ".join(words), alias=bare(position.symbol))


def _symbols(picture: Picture) -> Iterator[Offer]:
    feeds = picture.status.feed if picture.status is not None else {}
    own = dict.fromkeys([*(position.symbol for position in picture.positions), *feeds])
    for symbol in own:
        feed = feeds.get(symbol)
        yield Offer(bare(symbol), meta=f"{feed.last_price:f}" if feed is not None and feed.last_price else "")
    yield from (Offer(symbol) for symbol in SYMBOLS if symbol not in own)


def _strategies(picture: Picture) -> Iterator[Offer]:
    for name, (summary, parameters) in STRATEGIES.items():
        taken = ", ".join(parameter.name for parameter in parameters)
        yield Offer(name, meta=f"{summary} ({taken})" if taken else summary)
    # Of other packages those that are in use here.
    others = {position.strategy for position in picture.positions} - STRATEGIES.keys() - ALIASES.keys()
    yield from (Offer(bare(name)) for name in sorted(others) if name != "adopted")


def _parameters(words: Sequence[str]) -> Iterator[Offer]:
    chosen = next((words[place + 1] for place, word in enumerate(words[:-1]) if word == "--strategy"), "")
    chosen = next((word.partition("=")[2] for word in words if word.startswith("--strategy=")), chosen)
    _, parameters = STRATEGIES.get(ALIASES.get(chosen, chosen), ("", ()))
    given = {word.partition("=")[0] for before, word in pairwise(words) if before == "--param"}
    for parameter in parameters:
        if parameter.name not in given:
            told = f"{parameter.meaning} ({parameter.default or 'off'})"
            yield Offer(f"{parameter.name}=", meta=told)
            yield from (Offer(f"{parameter.name}={choice}", meta=parameter.meaning) for choice in parameter.choices)
