"""Each command sends one request, prints one result and ends with the code that scripts rely on."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.protocol import results as give
from robson.protocol.replies import success
from robsonctl.exits import Exit
from tests.unit.robsonctl.conftest import NOON, Robsonctl, ScriptedDaemon, position, status

PLAN = give.PlanResult(
    quantity=Decimal("0.06666"),
    raw_quantity=Decimal("0.0666666666666666666666666667"),
    notional=Decimal("6332.7"),
    risk_amount=Decimal(100),
    stop_distance=Decimal(1500),
    stop_distance_percent=Decimal("1.5789"),
    margin_required=Decimal("633.27"),
    leverage=Decimal(10),
    liquidation_price=Decimal("90500.1"),
    fees_estimate=Decimal("12.56"),
    worst_case_loss=Decimal("112.55"),
    cut_by="margin",
)


def raw(result: object) -> str:
    return msgspec.json.encode(msgspec.json.decode(success(result))["result"]).decode() + "\n"


def test_arm_takes_and_tells_its_defaults(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(give.ArmResult(position_id="p-1"))
    assert robsonctl("arm", "btcusdt") == Exit.OK
    assert robsonctl.out == ("armed p-1: BTCUSDT long, strategy signal\ndefaults taken: side long, strategy signal\n")
    (asked,) = daemon.asked()
    key = asked.pop("idempotency_key")
    assert len(key) == 32
    assert asked == {"cmd": "arm", "symbol": "BTCUSDT", "side": "long", "strategy": "signal"}


def test_arm_sends_what_it_is_given(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(give.ArmResult(position_id="p-1"))
    line = "arm ETHUSDT SHORT --strategy delay --capital 500 --risk 0.5 --param seconds=5 --param a=b=c --key k --json"
    assert robsonctl(*line.split()) == Exit.OK
    assert (robsonctl.out, robsonctl.err) == ('{"position_id":"p-1"}\n', "")
    assert daemon.asked() == [
        {
            "cmd": "arm",
            "symbol": "ETHUSDT",
            "side": "short",
            "strategy": "delay",
            "capital": "500",
            "risk_percent": "0.5",
            "params": {"seconds": "5", "a": "b=c"},
            "idempotency_key": "k",
        }
    ]


ADOPTED = give.AdoptResult(
    position_id="p-1",
    quantity=Decimal("0.05"),
    entry_price=Decimal(95_000),
    trailing_stop=Decimal(93_500),
    borrowed={"USDT": Decimal("2750.25")},
)


def test_adopt_takes_and_tells_its_defaults(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(ADOPTED)
    assert robsonctl("adopt", "btcusdt", "--quantity", "0.05", "--stop", "93500") == Exit.OK
    assert robsonctl.out == (
        "adopted p-1: BTCUSDT long, 0.05 behind a stop at 93500\n"
        "with its debt: 2750.25 USDT\n"
        "defaults taken: side long, entry price 95000, the present one\n"
    )
    (asked,) = daemon.asked()
    assert len(asked.pop("idempotency_key")) == 32
    assert asked == {"cmd": "adopt", "symbol": "BTCUSDT", "side": "long", "quantity": "0.05", "stop_price": "93500"}


def test_adopt_sends_what_it_is_given(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(ADOPTED)
    line = "adopt BTCUSDT SHORT --quantity 0.05 --stop 96500 --entry-price 95000 --key k --json"
    assert robsonctl(*line.split()) == Exit.OK
    assert robsonctl.err == ""
    (asked,) = daemon.asked()
    assert (asked["side"], asked["entry_price"], asked["idempotency_key"]) == ("short", "95000", "k")
    assert robsonctl("adopt", "BTCUSDT", "--quantity", "0.05") == Exit.USAGE


def test_json_leaves_talk_of_defaults_to_standard_error(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(give.ArmResult(position_id="p-1"))
    assert robsonctl("--json", "arm", "BTCUSDT", "long") == Exit.OK
    assert robsonctl.out == '{"position_id":"p-1"}\n'
    assert robsonctl.err == "robsonctl: defaults taken: strategy signal\n"


@pytest.mark.parametrize(
    ("line", "result", "text", "sent", "code"),
    [
        (
            "plan BTCUSDT long --entry 95000 --stop 93500 --capital 10000 --risk 1",
            PLAN,
            "worst_case_loss        112.55",
            {
                "cmd": "plan",
                "symbol": "BTCUSDT",
                "side": "long",
                "entry_price": "95000",
                "stop_price": "93500",
                "capital": "10000",
                "risk_percent": "1",
            },
            Exit.OK,
        ),
        ("resume", give.ResumeResult(), "the panic latch is released", {"cmd": "resume"}, Exit.OK),
        (
            "hello",
            give.HelloResult(protocol=1, version="0.1", mode="paper", state="live"),
            "version   0.1",
            {"cmd": "hello"},
            Exit.OK,
        ),
        ("ping", give.PingResult(at=NOON), "pong 2026-11-22 ", {"cmd": "ping"}, Exit.OK),
        ("schema", {"type": "object"}, '{"type":"object"}', {"cmd": "schema"}, Exit.OK),
        (
            "health",
            give.HealthResult(live=True, ready=True, checks={"feed": give.Check(ok=True, detail="fresh")}),
            "feed   ok  fresh",
            {"cmd": "health"},
            Exit.OK,
        ),
        (
            "health",
            give.HealthResult(live=True, ready=False, checks={"feed": give.Check(ok=False, detail="12 s old")}),
            "feed   NOT OK  12 s old",
            {"cmd": "health"},
            Exit.REFUSED,
        ),
    ],
)
def test_one_request_one_result(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, line: str, result: object, text: str, sent: dict[str, Any], code: Exit
) -> None:
    daemon.reply(result)
    assert robsonctl(*line.split()) == code
    assert text in robsonctl.out
    daemon.reply(result)
    assert robsonctl(*line.split(), "--json") == code
    assert robsonctl.out == raw(result)
    asked = daemon.asked()
    assert len(asked) == 2
    for request in asked:
        request.pop("idempotency_key", None)
        assert request == sent


@pytest.mark.parametrize(
    ("line", "result", "text", "code"),
    [
        ("disarm p-1", give.DisarmResult(position_id="p-1"), "disarmed p-1\n", Exit.OK),
        (
            "release p-1",
            give.ReleaseResult(
                position_id="p-1",
                symbol="BTCUSDT",
                side="long",
                quantity=Decimal("0.05"),
                owed={"USDT": Decimal("4000.5")},
            ),
            "released p-1: 0.05 of BTCUSDT are yours to hold, without a stop\nand the debt: 4000.5 USDT\n",
            Exit.OK,
        ),
        (
            "release p-1",
            give.ReleaseResult(position_id="p-1", symbol="BTCUSDT", side="short", quantity=Decimal("0.05"), owed={}),
            "released p-1: 0.05 of BTCUSDT are yours to owe, without a stop\n",
            Exit.OK,
        ),
        ("close p-1", give.CloseResult(position_id="p-1", outcome="closed"), "closed p-1\n", Exit.OK),
        (
            "close p-1",
            give.CloseResult(position_id="p-1", outcome="pending", detail="the order is in doubt"),
            "pending p-1: the order is in doubt\n",
            Exit.PARTLY_DONE,
        ),
        (
            "signal p-1 --entry 95000 --stop 93500 --id s-1",
            give.SignalResult(accepted=True, quantity=Decimal("0.06666")),
            "accepted: 0.06666 ordered\n",
            Exit.OK,
        ),
    ],
)
def test_what_is_done_to_one_position(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, line: str, result: object, text: str, code: Exit
) -> None:
    daemon.reply(status(position()))
    daemon.reply(result)
    assert robsonctl(*line.split()) == code
    assert robsonctl.out == text
    looked_up, done = daemon.asked()
    assert looked_up == {"cmd": "status", "position_id": "p-1"}
    assert (done["cmd"], done["position_id"]) == (line.split(maxsplit=1)[0], "p-1")
    assert done["idempotency_key"]


def test_a_refused_signal_is_exit_1_with_its_reason(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    reason = give.Reason(code="stop_too_far", message="the stop distance was 11 %")
    refusal = give.SignalResult(accepted=False, reason=reason)
    line = "signal p-1 --entry 100 --stop 89"
    daemon.reply(status(position()))
    daemon.reply(refusal)
    assert robsonctl(*line.split()) == Exit.REFUSED
    assert (robsonctl.out, robsonctl.err) == ("", "robsonctl: the stop distance was 11 % (stop_too_far)\n")
    daemon.reply(status(position()))
    daemon.reply(refusal)
    assert robsonctl(*line.split(), "--json") == Exit.REFUSED
    assert msgspec.json.decode(robsonctl.out)["reason"]["code"] == "stop_too_far"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("wrong_state", Exit.REFUSED), ("unknown_position", Exit.NOT_FOUND), ("too_many_clients", Exit.UNREACHABLE)],
)
def test_a_refusal_goes_to_standard_error_with_its_code_and_hint(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, code: str, exit_code: Exit
) -> None:
    daemon.refuse(code, "it was not so", "do otherwise")
    assert robsonctl("resume") == exit_code
    assert (robsonctl.out, robsonctl.err) == ("", f"robsonctl: it was not so ({code})\n  do otherwise\n")


@pytest.mark.parametrize(
    "line",
    [
        "arm",
        "arm BTCUSDT up",
        "arm BTCUSDT --param seconds",
        "arm BTCUSDT --param a=1 --param a=2",
        "plan BTCUSDT long --entry 1",
        "events -n 0",
        "status --timeout 0",
        "stat",
        "status --js",
        "status --json -o csv",
    ],
)
def test_usage_is_exit_2_and_nothing_is_sent(robsonctl: Robsonctl, daemon: ScriptedDaemon, line: str) -> None:
    assert robsonctl(*line.split()) == Exit.USAGE
    assert robsonctl.out == ""
    assert daemon.asked() == []


def test_help_needs_no_daemon(robsonctl: Robsonctl) -> None:
    assert robsonctl("help") == Exit.OK
    assert "exit codes: 0 ok" in robsonctl.out
    assert robsonctl("help", "arm") == Exit.OK
    assert "--strategy NAME" in robsonctl.out


def test_version_names_the_daemons_if_it_answers(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(give.HelloResult(protocol=1, version="9.9", mode="live", state="live"))
    assert robsonctl("version") == Exit.OK
    assert "9.9 (live, live)" in robsonctl.out


def test_version_works_without_a_daemon(robsonctl: Robsonctl) -> None:
    assert robsonctl("version", "--socket", "/nowhere/r.sock", "--json") == Exit.OK
    assert msgspec.json.decode(robsonctl.out)["daemon"] is None
