"""What is promised to scripts: names, fields, envelopes, digests, the document."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from robson.domain.events import EVENT_TYPES, NOTICE_TYPES
from robson.domain.values import Side
from robson.protocol.codes import CODES, RULE_CODES
from robson.protocol.document import document
from robson.protocol.operations import Ticket, body_digest
from robson.protocol.replies import address, success
from robson.protocol.requests import ArmRequest, CloseRequest, DisarmRequest, Mutation
from robson.protocol.results import ArmResult, PlanResult, PositionView
from robson.protocol.schema import help_result, request_schema
from robson.protocol.table import COMMANDS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "PROTOCOL.md"
COMMAND_NAMES = (
    "hello ping schema help version health status show why chart plan arm signal disarm close adjust adopt release "
    "panic panic_preview resume pause unpause journal notify_test notify_status events subscribe"
)
MUTATION_NAMES = "arm signal disarm close adjust adopt release panic resume pause unpause notify_test"
POSITION_FIELDS = """
position_id symbol side state strategy capital risk_percent quantity entry_price technical_stop stop_distance
trailing_stop extreme last_price unrealized_pnl realized_pnl fees fees_by_asset interest net_pnl exit_price exit_reason
detail armed_at entered_at closed_at unprotected_seconds order_in_doubt tick_size step_size
"""
PLAN_FIELDS = """
quantity raw_quantity notional risk_amount stop_distance stop_distance_percent margin_required leverage
liquidation_price fees_estimate worst_case_loss cut_by borrowable index_price notes
"""
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def arm(**changes: object) -> ArmRequest:
    fields = {"symbol": "BTCUSDT", "side": Side.LONG, "strategy": "signal", **changes}
    return ArmRequest(**fields)  # type: ignore[arg-type]


def test_the_commands_are_those_of_the_contract() -> None:
    assert list(COMMANDS) == COMMAND_NAMES.split()
    assert [name for name, command in COMMANDS.items() if command.mutating] == MUTATION_NAMES.split()


def test_a_position_has_the_fields_of_the_contract_in_their_order() -> None:
    assert list(PositionView.__struct_fields__) == POSITION_FIELDS.split()


def test_a_plan_has_the_fields_of_the_contract_in_their_order() -> None:
    assert list(PlanResult.__struct_fields__) == PLAN_FIELDS.split()


def test_every_field_of_a_result_is_always_there() -> None:
    view = PositionView(
        position_id="p",
        symbol="BTCUSDT",
        side="long",
        state="Armed",
        strategy="signal",
        capital=Decimal("1E+4"),
        risk_percent=Decimal(1),
        armed_at=NOON,
    )
    line = address(3, success(view))
    assert line.endswith(b"\n")
    reply = msgspec.json.decode(line)
    assert list(reply) == ["id", "ok", "result"]
    assert tuple(reply["result"]) == PositionView.__struct_fields__
    assert reply["result"]["capital"] == "10000"
    assert reply["result"]["armed_at"] == "2026-11-22T12:00:00Z"
    assert reply["result"]["fees"] is None


@pytest.mark.parametrize("request_id", [None, 0, -(2**63), "", 'quote " and \u20ac'])
def test_a_body_can_be_addressed_to_anyone(request_id: int | str | None) -> None:
    reply = msgspec.json.decode(address(request_id, success(ArmResult(position_id="p"))))
    assert reply == {"id": request_id, "ok": True, "result": {"position_id": "p"}}


def test_the_digest_knows_the_meaning_and_not_the_id_or_the_key() -> None:
    digest = body_digest(arm())
    assert digest == body_digest(arm(id=1, idempotency_key="k", symbol="btcusdt", capital=None, params={}))
    others = [arm(capital="1"), arm(side=Side.SHORT), arm(strategy="delay"), arm(params={"seconds": "1"})]
    assert len({digest, *map(body_digest, others)}) == 5
    assert body_digest(arm(params={"a": "1", "b": "2"})) == body_digest(arm(params={"b": "2", "a": "1"}))
    assert body_digest(DisarmRequest(position_id="p")) != body_digest(CloseRequest(position_id="p"))


def test_a_ticket_is_sealed_once_with_what_will_be_sent() -> None:
    ticket = Ticket("k", "d", NOON)
    stored = ticket.seal(ArmResult(position_id="p"))
    assert ticket.sealed is stored
    assert (stored.key, stored.body_digest, stored.at) == ("k", "d", NOON)
    assert stored.reply == success(ArmResult(position_id="p"))
    with pytest.raises(AssertionError):
        ticket.seal(ArmResult(position_id="p"))


def test_the_schema_knows_every_command_and_allows_nothing_else() -> None:
    schema = request_schema()
    for name, command in COMMANDS.items():
        definition = schema["$defs"][command.request.__name__]
        assert definition["properties"]["cmd"] == {"enum": [name]}
        assert definition["additionalProperties"] is False
        assert ("idempotency_key" in definition["properties"]) is issubclass(command.request, Mutation)
    assert schema["$defs"]["ArmRequest"]["required"] == ["cmd", "symbol", "side", "strategy"]


def test_help_says_what_each_command_takes() -> None:
    by_name = {row.cmd: row for row in help_result().commands}
    assert [field.name for field in by_name["arm"].takes if field.required] == ["symbol", "side", "strategy"]
    assert all(row.summary for row in by_name.values())


def test_the_document_is_in_step_with_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "write it again with: python -m robson.protocol.document docs/PROTOCOL.md"
    )


def test_the_document_begins_with_a_line_to_copy_and_names_everything() -> None:
    text = document()
    assert """echo '{"cmd":"status"}' | socat""" in "\n".join(text.splitlines()[:5])
    for name in (*COMMANDS, *EVENT_TYPES):
        assert f"### {name}\n" in text
    for name in (*NOTICE_TYPES, *CODES, *RULE_CODES, *PositionView.__struct_fields__):
        assert f"`{name}`" in text


def test_the_codes_of_the_commands_are_explained() -> None:
    assert {code for command in COMMANDS.values() for code in command.codes} <= set(CODES)
