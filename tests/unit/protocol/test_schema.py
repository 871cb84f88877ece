"""The schemas as a validator by others reads them: the examples pass, what the daemon refuses does not."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from jsonschema import Draft202012Validator

from robson.domain.events import EVENT_TYPES, PositionDisarmed, event_data
from robson.domain.values import Side
from robson.protocol.replies import ErrorBody, address, failure, success
from robson.protocol.results import ArmResult, EventLine, PriceLine, StatusResult
from robson.protocol.schema import event_schema, reply_schema, request_schema, schema_of
from robson.protocol.table import COMMANDS
from tests.unit.engine.samples import EVENTS

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUESTS = Draft202012Validator(request_schema())
REPLIES = Draft202012Validator(reply_schema())
EVENT_LINES = Draft202012Validator(event_schema())


@pytest.mark.parametrize("subject", ["requests", "replies", "events"])
def test_it_is_a_schema_of_2020_12(subject: str) -> None:
    schema = schema_of(subject)  # type: ignore[arg-type]  # a name from the parameters
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_satisfies_it(name: str) -> None:
    request = msgspec.json.decode(COMMANDS[name].example)
    REQUESTS.validate(request)
    assert not REQUESTS.is_valid({**request, "surplus": 1})
    assert not REQUESTS.is_valid({**request, "cmd": name + "x"})


@pytest.mark.parametrize(
    "line",
    [
        '{"cmd":"arm","symbol":"BTCUSDT","side":"up","strategy":"signal"}',
        '{"cmd":"arm","symbol":"BTCUSDT","side":"long"}',
        '{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","capital":1}',
        '{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","capital":"1e3"}',
        '{"cmd":"adjust","position_id":"p","stop_price":"-1"}',
        '{"cmd":"status","idempotency_key":"k"}',
        '{"cmd":"events","limit":10001}',
        "[]",
    ],
)
def test_what_the_daemon_refuses_does_not_satisfy_it(line: str) -> None:
    assert not REQUESTS.is_valid(msgspec.json.decode(line))


def test_replies_satisfy_theirs_and_each_result_its_own() -> None:
    status = StatusResult(
        mode="paper", state="live", panic_latched=False, feed={}, unprotected_seconds=0.0, positions=()
    )
    for result in (ArmResult(position_id="p"), status):
        REPLIES.validate(msgspec.json.decode(address(1, success(result))))
    REPLIES.validate(msgspec.json.decode(address(None, failure(ErrorBody(code="c", message="m")))))
    assert not REPLIES.is_valid({"id": 1, "ok": True})
    assert not REPLIES.is_valid({"id": 1, "ok": False, "error": {"code": 1}})
    schema = reply_schema()
    armed = Draft202012Validator({**schema, "oneOf": [{"$ref": schema["results"]["arm"]}]})
    armed.validate({"position_id": "p"})
    assert not armed.is_valid({"position_id": 1})
    typed = {name for name, command in COMMANDS.items() if command.result is not dict}
    assert set(schema["results"]) == typed


def test_event_lines_satisfy_theirs_and_each_event_its_own() -> None:
    schema = event_schema()
    assert set(schema["events"]) == set(EVENT_TYPES)
    for event in EVENTS:
        data = event_data(event)
        name = str(event.__struct_config__.tag)
        line = EventLine(event=name, seq=1, at=NOON, position_id="p", data=data)
        EVENT_LINES.validate(msgspec.json.decode(msgspec.json.encode(line)))
        own = Draft202012Validator({**schema, "anyOf": [{"$ref": schema["events"][name]}]})
        own.validate(data)
        if not isinstance(event, PositionDisarmed):
            assert not own.is_valid({})
            assert not own.is_valid({**data, next(iter(data)): []})
    price = PriceLine(event="price", at=NOON, data={"symbol": "BTCUSDT", "price": str(Decimal(1))})
    EVENT_LINES.validate(msgspec.json.decode(msgspec.json.encode(price)))
    assert not EVENT_LINES.is_valid({"event": "price", "data": {}})


def test_sides_are_told() -> None:
    assert request_schema()["$defs"]["Side"]["enum"] == sorted(Side)
