"""Each bad line gets one precise error: code, value, limit, hint."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.domain.errors import RuleError
from robson.protocol import reading
from robson.protocol.codes import CODES
from robson.protocol.reading import CONTAINERS_MAX, DEPTH_MAX, read_request
from robson.protocol.replies import address, error_body, failure
from robson.protocol.requests import ArmRequest, PingRequest, Request, SignalRequest
from robson.protocol.table import COMMANDS


def refused(line: str | bytes) -> RuleError:
    _, outcome = read_request(line.encode() if isinstance(line, str) else line)
    assert isinstance(outcome, RuleError), outcome
    return outcome


def arm(**changes: object) -> bytes:
    fields = {"id": 7, "cmd": "arm", "symbol": "BTCUSDT", "side": "long", "strategy": "signal", **changes}
    return msgspec.json.encode(fields)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_each_example_is_a_request_of_its_command(command) -> None:
    _, request = read_request(command.example.encode())
    assert type(request) is command.request


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"side": "up"}, "unknown_side", 'side was "up", which must be one of long, short'),
        ({"side": None}, "unknown_side", "side was null, which must be one of long, short"),
        ({"capital": 10000}, "bad_request", "capital was 10000, which must be a decimal string"),
        ({"capital": "NaN"}, "bad_number", "capital was 'NaN', which is not a plain decimal number"),
        ({"capital": "Infinity"}, "bad_number", "capital was 'Infinity', which is not a plain decimal number"),
        ({"capital": "-1"}, "bad_number", "capital was '-1', which is not a plain decimal number"),
        ({"capital": "1e4"}, "bad_number", "capital was '1e4', which is not a plain decimal number"),
        ({"capital": "1e400"}, "bad_number", "capital was '1e400', which is not a plain decimal number"),
        ({"capital": "0"}, "out_of_range", "capital was 0, which must be above 0 and at most 1000000000000"),
        (
            {"capital": "1000000000000.01"},
            "out_of_range",
            "capital was 1000000000000.01, which must be above 0 and at most 1000000000000",
        ),
        ({"risk_percent": "5.01"}, "out_of_range", "risk_percent was 5.01, which must be above 0 and at most 5"),
        ({"risk_percent": "0.00"}, "out_of_range", "risk_percent was 0, which must be above 0 and at most 5"),
        ({"symbol": "BTC/USDT"}, "unknown_symbol", "symbol was 'BTC/USDT', which must be 5 to 20 letters and digits"),
        ({"symbol": "btcuſdt"}, "unknown_symbol", "symbol was 'btcuſdt', which must be 5 to 20 letters and digits"),
        ({"symbol": ["x"]}, "bad_request", 'symbol was ["x"], which must be a symbol, 5 to 20 letters and digits'),
        ({"strategy": ""}, "bad_request", 'strategy was "", which must be a string of 1 to 64 characters'),
        (
            {"params": {"seconds": 5}},
            "bad_request",
            'params was {"seconds":5}, which must be an object of strings of 0 to 128 characters',
        ),
        (
            {"idempotency_key": "k" * 65},
            "bad_request",
            f'idempotency_key was "{"k" * 36}..., which must be a string of 1 to 64 characters',
        ),
        ({"captial": "1"}, "bad_request", '"captial" is not a field of arm'),
        ({"id": True}, "bad_request", "id was true, which must be an integer of 64 bits or string"),
        ({"cmd": 5}, "bad_request", "cmd was 5, which must be a string"),
        ({"cmd": "amr"}, "unknown_command", 'cmd was "amr", which is not a command'),
    ],
)
def test_the_message_names_field_value_and_limit(changes: dict[str, object], code: str, message: str) -> None:
    error = refused(arm(**changes))
    assert (error.code, error.message) == (code, message)
    assert error.hint
    assert not error.retryable
    assert code in CODES


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('{"cmd":"stauts"}', "did you mean status?"),
        ('{"cmd":"plan","symbol":"BTCUSDT","side":"long","entry_prise":"1"}', "did you mean entry_price?"),
        ('{"cmd":"status","idempotency_key":"k"}', "only commands that change something take an idempotency_key"),
        ('{"cmd":"ping","zzz":1}', "ping takes cmd, id"),
        ('{"cmd":"qqqqqqq"}', "commands: hello, ping, schema"),
        ('{"cmd":"disarm"}', 'for example {"cmd":"disarm"'),
        (arm(capital=0.5).decode(), 'strings in plain digits, such as "0.5"'),
    ],
)
def test_the_hint_says_what_would_do(line: str, hint: str) -> None:
    assert hint in refused(line).hint


def test_a_missing_field_is_named() -> None:
    assert refused('{"cmd":"disarm"}').message == "position_id was missing"
    assert refused("{}").message == "cmd was missing"


def test_the_place_of_a_foreign_byte_is_named() -> None:
    assert refused(b'{"cmd":"\xe9"}').message == "byte 8 of the line was 0xe9, which is not UTF-8"


@pytest.mark.parametrize("line", ['{"id":1,"cmd":"ping","id":2}', '{"cmd":"arm","params":{"a":"1","\\u0061":"2"}}'])
def test_a_key_given_twice_is_refused_at_any_depth(line: str) -> None:
    assert refused(line).code == "duplicate_key"


def test_the_depth_limit_is_exact_and_brackets_in_strings_do_not_count() -> None:
    assert refused("[" * DEPTH_MAX + "]" * DEPTH_MAX).code == "bad_request"
    assert refused("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)).code == "too_deep"
    assert refused(msgspec.json.encode({"cmd": 'x"\\' + "[" * 100})).code == "unknown_command"


def test_a_string_without_an_end_hides_every_bracket_after_it() -> None:
    # Were the rest searched once more from each quote in it, 64 KiB would hold the loop for 18 seconds.
    assert refused("{}" * 40 + '"' + '\\"' * 9000 + "[" * 40).code == "bad_json"
    assert refused("[" * 33 + '"' + '\\"' * 9000).code == "too_deep"


def test_more_objects_and_lists_than_any_command_takes_are_not_even_made() -> None:
    most = '{"id":1,"cmd":"ping","x":[' + ",".join(["[]"] * (CONTAINERS_MAX - 2)) + "]}"
    assert refused(most).message == '"x" is not a field of ping'
    told = refused(most.replace("[[]", "[[],{}"))
    assert (told.code, told.message) == ("bad_request", "the line had 257 objects and lists, at most 256 are read")
    assert refused(msgspec.json.encode({"cmd": "[{" * 5000})).code == "unknown_command"
    assert refused("]" * 2000 + "[" * 100).code == "bad_json"


@pytest.mark.parametrize("line", ['{"a":1e400}', '{"a":' + "9" * 5000 + "}"])
def test_numbers_that_nobody_can_hold_are_refused(line: str) -> None:
    assert refused(line).code == "bad_number"


def test_the_id_comes_back_with_an_error_whenever_it_can_be_read() -> None:
    assert read_request(b'{"id":"x","cmd":"nope"}')[0] == "x"
    assert read_request(arm(capital="NaN"))[0] == 7
    assert read_request(b'{"id":true,"cmd":"ping"}')[0] is None
    assert read_request(b'{"id":99999999999999999999,"cmd":"ping"}')[0] is None
    assert read_request(b'{"id":1,"cmd":')[0] is None


def test_a_request_is_read_with_its_amounts_as_decimals() -> None:
    request_id, request = read_request(arm(symbol="btcusdt", capital="0.10", params={"seconds": "5"}))
    assert request_id == 7
    assert isinstance(request, ArmRequest)
    assert (request.symbol, str(request.capital_decimal), request.risk_percent_decimal) == ("BTCUSDT", "0.10", None)
    assert request.params == {"seconds": "5"}
    _, request = read_request(
        b'{"cmd":"signal","position_id":"p","entry_price":"95000.5","stop_price":"93500","signal_id":null}'
    )
    assert isinstance(request, SignalRequest)
    assert (str(request.entry_price_decimal), str(request.stop_price_decimal)) == ("95000.5", "93500")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
NAMES = st.sampled_from([name for command in COMMANDS.values() for name in command.request.__struct_fields__])
REQUESTS = st.builds(
    lambda fields, cmd: msgspec.json.encode({**fields, "cmd": cmd}),
    st.dictionaries(NAMES | st.text(max_size=8), JSON, max_size=5),
    st.sampled_from(list(COMMANDS)),
)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode) | JSON.map(msgspec.json.encode) | REQUESTS)
def test_any_line_is_a_request_or_an_error_that_can_be_sent(line: bytes) -> None:
    request_id, outcome = read_request(line)
    if isinstance(outcome, RuleError):
        assert outcome.code in CODES
        reply = msgspec.json.decode(address(request_id, failure(error_body(outcome))))
        assert reply["id"] == request_id
    else:
        assert isinstance(outcome, Request)


def test_a_blank_id_and_no_id_are_the_same() -> None:
    assert read_request(b'{"cmd":"ping","id":null}') == (None, PingRequest())


def test_a_question_that_is_asked_again_is_the_same_and_a_mutation_is_read_anew() -> None:
    reading._known.clear()
    for line in (b'{"cmd":"ping","id":7}', b'{"cmd":"status"}'):
        assert read_request(line) is read_request(line)
    assert read_request(b'{"cmd":"ping","id":8}')[0] == 8
    for line in (b'{"cmd":"arm","symbol":"BTCUSDT","params":{"a":"1"}}', b'{"cmd":"pause"}', b'{"cmd":"ping","id":}'):
        assert len(line) <= reading._KNOWN_BYTES
        assert read_request(line) is not read_request(line)


def test_no_more_is_remembered_than_was_meant() -> None:
    reading._known.clear()
    for number in range(10 * reading._LINES_KNOWN):
        assert read_request(b'{"cmd":"ping","id":%d}' % number)[0] == number
        assert len(reading._known) <= reading._LINES_KNOWN
    long = b'{"cmd":"ping","id":"' + b"x" * reading._KNOWN_BYTES + b'"}'
    assert read_request(long) is not read_request(long)
