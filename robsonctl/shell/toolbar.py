"""The line at the bottom: connection, mode, positions, feed, profit and time, as much of it as the window holds."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from prompt_toolkit.formatted_text import StyleAndTextTuples

from robson.protocol.results import StatusResult
from robsonctl.paint import cents, seconds
from robsonctl.shell.harmless import bare
from robsonctl.shell.picture import Picture

Fragments = StyleAndTextTuples

_GAP = "  "
# Older than this a status is told with its age; the link asks once a second.
_FRESH_SECONDS = 5.0


class Part(NamedTuple):
    """A piece of the toolbar; what counts least goes first when the window is narrow."""

    style: str
    text: str
    counts: int


def toolbar(picture: Picture, *, loop_time: float, local_time: datetime, columns: int) -> Fragments:
    """The toolbar's pieces, styled by class, no wider than the window."""
    parts = [*_connection(picture, loop_time), *_state(picture), *_feed(picture, loop_time), *_profit(picture)]
    parts.append(Part("class:bar", f"{local_time:%H:%M:%S}", 1))
    while _width(parts) > columns and len(parts) > 1:
        parts.remove(min(parts, key=lambda part: part.counts))
    fragments: Fragments = [("class:bar", " ")]
    for number, part in enumerate(parts):
        if number:
            fragments.append(("class:bar", _GAP))
        fragments.append((part.style, part.text))
    return _cut(fragments, columns)


def _connection(picture: Picture, loop_time: float) -> list[Part]:
    if not picture.connected:
        wait = max(0, round(picture.next_try_at - loop_time))
        again = f", next try in {wait} s" if wait else ", trying"
        return [Part("class:bar.alarm", f" ○ {bare(picture.trouble) or 'connecting'} ", 99), _again(again)]
    silent = loop_time - picture.seen_at
    if silent > _FRESH_SECONDS:
        return [Part("class:bar.warning", f"◌ no answer for {seconds(int(silent))}", 99)]
    assert picture.status is not None
    word = picture.status.state
    return [Part("class:bar.good" if word == "live" else "class:bar.warning", f"● {_state_word(word)}", 50)]


def _again(words: str) -> Part:
    return Part("class:bar", words.removeprefix(", "), 60)


def _state_word(word: str) -> str:
    # `live` is also a mode: beside PAPER it would be a riddle.
    return "up" if word == "live" else word


def _state(picture: Picture) -> list[Part]:
    status = picture.status
    if status is None:
        return []
    parts = [Part("class:bar.live" if status.mode == "live" else "class:bar.paper", f" {status.mode.upper()} ", 90)]
    if status.panic_latched:
        parts.append(Part("class:bar.alarm", " PANIC LATCHED ", 98))
    if status.paused:
        parts.append(Part("class:bar.warning", "PAUSED", 95))
    if not picture.connected:
        return parts
    return [*parts, *_counts(status)]


def _counts(status: StatusResult) -> list[Part]:
    states = [position.state for position in status.positions]
    armed, active = states.count("Armed"), states.count("Active")
    moving = len(states) - armed - active - states.count("Error")
    parts = [Part("class:bar", f"{armed} armed {active} active", 80)]
    if moving:
        parts.append(Part("class:bar.warning", f"{moving} in motion", 70))
    if "Error" in states:
        parts.append(Part("class:bar.alarm", f" {states.count('Error')} ERROR ", 97))
    if any(position.order_in_doubt for position in status.positions):
        parts.append(Part("class:bar.warning", "order in doubt", 75))
    return parts


def _feed(picture: Picture, loop_time: float) -> list[Part]:
    if not picture.connected or picture.status is None or not picture.status.feed:
        return []
    past = max(0.0, loop_time - picture.seen_at)
    # The one that is worst off: a stop hangs on each of them.
    symbol, worst = max(
        picture.status.feed.items(),
        key=lambda feed: (feed[1].stale, feed[1].age_seconds is None, feed[1].age_seconds or 0.0),
    )
    if worst.age_seconds is None:
        return [Part("class:bar.warning", f"{bare(symbol)} no tick yet", 40)]
    told = seconds(worst.age_seconds + past)
    if worst.stale:
        return [Part("class:bar.warning", f"{bare(symbol)} STALE {told}", 85)]
    return [Part("class:bar", f"feed {told}", 40)]


def _profit(picture: Picture) -> list[Part]:
    if not picture.connected:
        return []
    known = [position.unrealized_pnl for position in picture.positions if position.unrealized_pnl is not None]
    if not known:
        return []
    total = sum(known, Decimal(0))
    if total > 0:
        return [Part("class:bar.good", f"PnL ▲ +{cents(total)}", 60)]
    return [Part("class:bar.bad" if total < 0 else "class:bar", f"PnL {'▼ ' if total < 0 else ''}{cents(total)}", 60)]


def _width(parts: list[Part]) -> int:
    return 1 + sum(len(part.text) for part in parts) + len(_GAP) * (len(parts) - 1)


def _cut(fragments: Fragments, columns: int) -> Fragments:
    """No wider than the window, whatever the daemon's words are."""
    kept: Fragments = []
    for style, text, *_ in fragments:
        kept.append((style, text[: max(0, columns)]))
        columns -= len(text)
    return kept
