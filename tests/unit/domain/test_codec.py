"""Records on the wire and in the journal: plain decimals, RFC 3339 times, and back again."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from robson.domain.codec import decode, encode, to_wire
from robson.domain.events import (
    EVENT_TYPES,
    NOTICE_TYPES,
    EntryFilled,
    Fact,
    Notice,
    PositionEvent,
    event_data,
    event_type,
    read_event,
)
from robson.domain.position import Position
from robson.domain.values import PositionId
from tests.unit.engine.samples import EVENTS, ID, NOON, STATES


@pytest.mark.parametrize("event", EVENTS, ids=event_type)
def test_an_event_is_read_back_from_its_name_and_fields(event: PositionEvent) -> None:
    data = event_data(event)
    assert "type" not in data
    assert read_event(event_type(event), json.dumps(data)) == event


@pytest.mark.parametrize("event", EVENTS, ids=event_type)
def test_a_fact_names_its_event(event: PositionEvent) -> None:
    fact = Fact(position_id=ID, at=NOON, event=event)
    line = encode(fact)
    assert json.loads(line)["event"]["type"] == event_type(event)
    assert json.loads(line)["at"] == "2026-03-01T12:00:00Z"
    assert decode(line, Fact) == fact


@pytest.mark.parametrize("state", STATES)
def test_a_position_is_read_back_in_its_state(state: str) -> None:
    line = encode(STATES[state])
    assert b"\n" not in line
    assert json.loads(line)["state"]["name"] == state.partition(",")[0]
    assert decode(line, Position) == STATES[state]


def test_decimals_are_plain_strings_wherever_they_stand() -> None:
    record = {"a": Decimal("1E-8"), "b": [Decimal("1E+3"), {"c": Decimal("-0.00")}], "d": (Decimal("2.50"),)}
    assert to_wire(record) == {"a": "0.00000001", "b": ["1000", {"c": "0"}], "d": ["2.5"]}


def test_what_a_later_version_adds_is_ignored() -> None:
    data = {**event_data(EVENTS[4]), "added_later": {"x": 1}}
    assert read_event("entry_filled", json.dumps(data)) == EVENTS[4]


def test_what_is_missing_or_wrong_is_named() -> None:
    data = event_data(EVENTS[4])
    without = {name: field for name, field in data.items() if name != "fill_price"}
    with pytest.raises(msgspec.ValidationError, match="fill_price"):
        read_event("entry_filled", json.dumps(without))
    with pytest.raises(msgspec.ValidationError, match=r"\$\.fill_price"):
        read_event("entry_filled", json.dumps({**data, "fill_price": "cheap"}))
    with pytest.raises(msgspec.DecodeError):
        decode(b"{", Fact)


def test_the_twelve_events_are_in_the_table() -> None:
    assert len(EVENT_TYPES) == 12
    assert set(EVENT_TYPES.values()) == set(PositionEvent.__args__)
    assert EVENT_TYPES["entry_filled"] is EntryFilled


def test_a_notice_has_a_known_name() -> None:
    for name in NOTICE_TYPES:
        assert name not in EVENT_TYPES
        assert Notice(type=name, at=NOON).position_id is None
    with pytest.raises(ValueError, match="notice type was 'feed_dead'"):
        Notice(type="feed_dead", at=NOON, position_id=PositionId("p"))


def test_times_keep_their_microseconds() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert decode(encode(Notice(type="feed_stale", at=at)), Notice).at == at
