"""What bad input gets over a real socket: one precise error each, and nothing is half done."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.daemon import Daemon, Reply, daemon

QUIET = ("--feed", "synthetic")
PATIENT = {"ROBSON_FEED_STALE_AFTER_SECONDS": "3600"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("bad") / "state", *QUIET, env=PATIENT) as started:
        yield started
        # Whatever was sent, it was never a bug of the daemon's.
        assert not started.logged("command_failed")
        assert not started.logged("client_failed")
        assert started.stop() == 0


@pytest.fixture(scope="module")
def armed(running: Daemon) -> str:
    position_id = running.arm()
    running.price("BTCUSDT")
    return position_id


def picture(running: Daemon) -> tuple[Any, ...]:
    """Everything that a refused request must leave as it was."""
    status = running.ok("status", all=True)
    for view in status["positions"]:
        view.pop("last_price")
    return status["positions"], status["panic_latched"], running.events()


def refused(running: Daemon, cmd: str, **fields: Any) -> Reply:
    before = picture(running)
    error = running.error(cmd, **fields)
    assert picture(running) == before
    assert set(error) == {"code", "message", "hint", "retryable"}
    assert error["code"] not in {"internal_error", ""}
    assert error["message"]
    return error


ARM = {"symbol": "BTCUSDT", "side": "long", "strategy": "signal"}
DELAY = {**ARM, "strategy": "delay"}
PLAN = {"symbol": "BTCUSDT", "side": "long", "entry_price": "95000", "stop_price": "93500"}


@pytest.mark.parametrize(
    ("cmd", "fields", "code", "told"),
    [
        ("arm", {**ARM, "symbol": "NOPEUSDT"}, "unknown_symbol", ("NOPEUSDT",)),
        ("arm", {**ARM, "symbol": "BTC/USDT"}, "unknown_symbol", ("BTC/USDT",)),
        ("arm", {**ARM, "symbol": ""}, "unknown_symbol", ("BTCUSDT",)),
        ("arm", {**ARM, "side": "up"}, "unknown_side", ("up", "long", "short")),
        ("arm", {**ARM, "side": "LONG"}, "unknown_side", ("LONG", "long", "short")),
        ("arm", {**ARM, "strategy": "astrology"}, "unknown_strategy", ("astrology", "delay", "sma_cross")),
        ("arm", {**DELAY, "params": {"second": "1"}}, "unknown_parameter", ("second", "seconds", "86400")),
        ("arm", {**ARM, "params": {"seconds": "1"}}, "unknown_parameter", ("seconds",)),
        ("arm", {**DELAY, "params": {"seconds": "86401"}}, "bad_parameter", ("86401", "86400")),
        ("arm", {**DELAY, "params": {"seconds": "NaN"}}, "bad_parameter", ("NaN", "86400")),
        ("arm", {**DELAY, "params": {"stop_percent": "0.05"}}, "bad_parameter", ("0.05", "0.1", "10")),
        ("arm", {**DELAY, "params": {"seconds": 5}}, "bad_request", ("params",)),
        ("arm", {**ARM, "capital": "0"}, "out_of_range", ("capital", "0", "above 0")),
        ("arm", {**ARM, "capital": "1000000000001"}, "out_of_range", ("1000000000001", "1000000000000")),
        ("arm", {**ARM, "risk_percent": "0"}, "out_of_range", ("risk_percent", "above 0", "5")),
        ("arm", {**ARM, "risk_percent": "5.0001"}, "out_of_range", ("5.0001", "at most 5")),
        ("arm", {**ARM, "capital": "-1"}, "bad_number", ("-1",)),
        ("arm", {**ARM, "capital": "NaN"}, "bad_number", ("NaN",)),
        ("arm", {**ARM, "capital": "Infinity"}, "bad_number", ("Infinity",)),
        ("arm", {**ARM, "capital": "1e400"}, "bad_number", ("1e400",)),
        ("arm", {**ARM, "capital": "1E3"}, "bad_number", ("1E3",)),
        ("arm", {**ARM, "capital": "١٠٠"}, "bad_number", ("capital",)),
        ("arm", {**ARM, "capital": "1" * 5000}, "bad_number", ("capital", "20")),
        ("arm", {**ARM, "capital": 100}, "bad_request", ("capital", "100", "string")),
        ("arm", {**ARM, "capital": None, "risk_percent": "1e-1"}, "bad_number", ("1e-1",)),
        ("arm", {**ARM, "leverage": "3"}, "bad_request", ("leverage",)),
        ("arm", {"symbol": "BTCUSDT", "side": "long"}, "bad_request", ("strategy",)),
        ("arm", {**ARM, "idempotency_key": ""}, "bad_request", ("idempotency_key",)),
        ("status", {"idempotency_key": "k"}, "bad_request", ("idempotency_key",)),
        ("plan", {**PLAN, "stop_price": "95001"}, "stop_on_wrong_side", ("95001", "95000", "below")),
        ("plan", {**PLAN, "side": "short"}, "stop_on_wrong_side", ("93500", "95000", "above")),
        ("plan", {**PLAN, "stop_price": "95000"}, "stop_on_wrong_side", ("95000",)),
        ("plan", {**PLAN, "stop_price": "94905.1"}, "stop_too_near", ("94.9", "0.1 %")),
        ("plan", {**PLAN, "stop_price": "85499.5"}, "stop_too_far", ("9500.5", "10 %")),
        ("plan", {**PLAN, "capital": "1"}, "below_minimum", ("5", "USDT")),
        ("plan", {**PLAN, "entry_price": "0"}, "out_of_range", ("entry_price", "above 0")),
        ("plan", {**PLAN, "entry_price": "9" * 21}, "bad_number", ("entry_price", "20")),
        ("plan", {**PLAN, "symbol": "NOPEUSDT"}, "unknown_symbol", ("NOPEUSDT",)),
        ("disarm", {"position_id": "nobody"}, "unknown_position", ("nobody",)),
        ("close", {"position_id": "nobody"}, "unknown_position", ("nobody",)),
        ("status", {"position_id": "nobody"}, "unknown_position", ("nobody",)),
        ("signal", {"position_id": "x", "entry_price": "1", "stop_price": "2"}, "unknown_position", ("x",)),
        ("signal", {"position_id": "x", "entry_price": "1"}, "bad_request", ("stop_price",)),
        ("close", {"position_id": "x" * 65}, "bad_request", ("position_id", "64")),
        ("events", {"from_seq": -1}, "bad_request", ("from_seq", "-1")),
        ("events", {"limit": 10_001}, "bad_request", ("limit", "10001", "10000")),
        ("subscribe", {"types": ["entry_filed"]}, "unknown_event_type", ("entry_filed", "entry_filled")),
        ("subscribe", {"from_seq": 2**63}, "bad_request", ("from_seq",)),
        ("panicc", {}, "unknown_command", ("panicc", "panic")),
    ],
)
def test_a_request_that_cannot_be_obeyed(
    running: Daemon, armed: str, cmd: str, fields: dict[str, Any], code: str, told: tuple[str, ...]
) -> None:
    error = refused(running, cmd, **fields)
    assert error["code"] == code, error
    for word in told:
        assert word in error["message"] + " " + error["hint"], error
    assert len(error["message"]) < 600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", "bad_json"),
        (b'{"cmd":"ping"', "bad_json"),
        (b'{"cmd":"ping"} {"cmd":"ping"}', "bad_json"),
        (b'{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","capital":NaN}', "bad_json"),
        (b'{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","capital":Infinity}', "bad_json"),
        (b'{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","capital":1e400}', "bad_number"),
        (b'{"cmd":"ping","id":"\xff\xfe"}', "not_utf8"),
        (b"\x00\x01\x02", "bad_json"),
        (b"[]", "bad_request"),
        (b'[{"cmd":"panic"}]', "bad_request"),
        (b'"panic"', "bad_request"),
        (b"null", "bad_request"),
        (b"{}", "bad_request"),
        (b'{"cmd":null}', "bad_request"),
        (b'{"cmd":["panic"]}', "bad_request"),
        (b'{"cmd":"panic","cmd":"ping"}', "duplicate_key"),
        (b"[" * 30_000 + b"]" * 30_000, "too_deep"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep"),
        (b'{"cmd":"ping","id":' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
        (b'{"cmd":"ping","id":{}}', "bad_request"),
        (b'{"cmd":"ping","id":99999999999999999999999999}', "bad_request"),
    ],
)
def test_a_line_that_is_no_request_is_answered_and_the_connection_kept(
    running: Daemon, armed: str, line: bytes, code: str
) -> None:
    before = picture(running)
    with running.connect() as client:
        client.send(line)
        reply = client.reply()
        assert (reply["ok"], reply["id"]) == (False, None)
        assert reply["error"]["code"] == code, reply
        assert client.ok("ping")
    assert picture(running) == before


def test_the_id_comes_back_with_an_error(running: Daemon) -> None:
    with running.connect() as client:
        for given in (7, -1, "seven", "", 2**63 - 1):
            client.send(json.dumps({"id": given, "cmd": "nonsense"}))
            assert client.reply()["id"] == given


@pytest.mark.parametrize(
    ("entry", "stop", "code"),
    [
        ("95000", "95001", "stop_on_wrong_side"),
        ("95000", "94905.1", "stop_too_near"),
        ("95000", "85499.5", "stop_too_far"),
    ],
)
def test_a_rule_refuses_a_signal_and_the_position_stays_armed(
    running: Daemon, armed: str, entry: str, stop: str, code: str
) -> None:
    before, _, events = picture(running)
    signal = {"position_id": armed, "entry_price": entry, "stop_price": stop, "signal_id": "again"}
    result = running.ok("signal", **signal)
    assert (result["accepted"], result["quantity"], result["reason"]["code"]) == (False, None, code)
    after, _, more = picture(running)
    (event,) = more[len(events) :]
    assert (event["event"], event["position_id"]) == ("signal_rejected", armed)
    assert (event["data"]["signal_id"], event["data"]["code"]) == ("again", code)
    assert event["data"]["stage"] == "rule"
    view = running.position(armed)
    assert view["state"] == "Armed"
    assert code in view["detail"] or result["reason"]["message"] in view["detail"]
    assert [row["position_id"] for row in after] == [row["position_id"] for row in before]


def test_too_little_capital_is_refused_with_the_minimum(running: Daemon) -> None:
    position_id = running.arm(capital="1", risk_percent="5")
    result = running.ok("signal", position_id=position_id, entry_price="95000", stop_price="93500")
    assert (result["accepted"], result["reason"]["code"]) == (False, "below_minimum")
    assert running.position(position_id)["state"] == "Armed"
    running.ok("disarm", position_id=position_id)
    for cmd, fields in (
        ("disarm", {}),
        ("close", {}),
        ("signal", {"entry_price": "95000", "stop_price": "93500"}),
    ):
        error = refused(running, cmd, position_id=position_id, **fields)
        assert error["code"] == "wrong_state"
        assert "Closed" in error["message"]


def test_a_signal_id_is_executed_once(running: Daemon) -> None:
    position_id = running.arm("SOLUSDT", "long", capital="1000")
    entry = running.price("SOLUSDT")
    signal = {
        "position_id": position_id,
        "entry_price": entry,
        "stop_price": str(round(float(entry) * 0.95, 2)),
        "signal_id": "once",
    }
    with running.connect() as one, running.connect() as other:
        # At the same moment, from two clients.
        for client in (one, other):
            client.send(json.dumps({"cmd": "signal", **signal}))
        first, second = one.reply(), other.reply()
    assert first["result"]["accepted"], first
    assert first == second
    running.wait_event("entry_filled", position_id=position_id)
    assert running.ok("signal", **signal) == first["result"]
    # Another signal finds it in the market.
    error = refused(running, "signal", **{**signal, "signal_id": "twice"})
    assert error["code"] == "wrong_state"
    assert "Active" in error["message"]
    error = refused(running, "disarm", position_id=position_id)
    assert error["code"] == "wrong_state"
    kinds = [line["event"] for line in running.events() if line["position_id"] == position_id]
    assert kinds.count("entry_order_placed") == kinds.count("entry_filled") == 1
    assert running.ok("close", position_id=position_id)["outcome"] == "closed"


def test_nothing_is_armed_under_panic(running: Daemon) -> None:
    with daemon(running.state.with_name("panic"), *QUIET) as latched:
        assert latched.ok("panic") == {"latched": True, "positions": []}
        assert refused(latched, "arm", **ARM)["code"] == "panic_latched"
        assert "resume" in latched.error("arm", **ARM)["hint"]
        latched.stop()
        latched.start()
        assert refused(latched, "arm", **ARM)["code"] == "panic_latched"
        latched.ok("resume")
        assert latched.arm()
