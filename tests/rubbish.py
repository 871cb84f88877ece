"""Lines that no client should send: random, malformed, too long, too deep, and each field of each command wrong."""

import json
import random
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from robson.control.lines import LINE_BYTES_MAX
from robson.protocol.reading import read_request
from robson.protocol.requests import Mutation
from robson.protocol.table import COMMANDS

VALID = (
    '{"cmd":"ping"}',
    '{"id":1,"cmd":"status","all":true}',
    '{"id":"x","cmd":"plan","symbol":"BTCUSDT","side":"long","entry_price":"95000","stop_price":"93500"}',
    '{"cmd":"close","position_id":"nobody"}',
    '{"cmd":"adjust","position_id":"nobody","stop_price":"1"}',
    '{"cmd":"events","limit":1}',
)
# Written as JSON, so that what Python's own encoder would not say can be said.
_WRONG_WORDS = """
null true false 0 -1 1.5 1e999999 -0 NaN Infinity 99999999999999999999999999 9223372036854775808
{} [] [[]] "" "1e999999" "-1" "NaN" "\\u0000" "\\ud800" "0x1" "١٠٠" "𝟙" {"a":{"b":[]}} ["x",1] "../../etc/passwd"
"""
WRONG = (
    *_WRONG_WORDS.split(),
    *('"' + "9" * 5000 + '"', '"' + "x" * 65 + '"', "9" * 4000),
    *('" "', '"\x00"', '"\x7f"', '"\\', "", '{"a":1,"a":2}'),
)
IDS = (
    '"a"',
    "0",
    "-9223372036854775808",
    "9223372036854775808",
    "1.0",
    "null",
    "true",
    "[]",
    "{}",
    '"\\u0000"',
    '"💩"',
)
WORDS = st.sampled_from(['"cmd"', '"arm"', '"id"', "{", "}", "[", "]", ":", ",", "1e999", "NaN", "-0", '"', "\\", "é"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
RUBBISH = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(str.encode),
    st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode()),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.sampled_from(VALID), st.integers(0, 80)).map(lambda cut: cut[0].encode()[: cut[1]]),
    st.tuples(st.sampled_from(VALID), st.integers(0, 60), st.integers(0, 255)).map(
        lambda bent: bent[0].encode()[: bent[1]] + bytes([bent[2]]) + bent[0].encode()[bent[1] :]
    ),
    st.sampled_from(VALID).map(str.encode),
)


def _full(head: bytes, piece: bytes, tail: bytes) -> bytes:
    """As many pieces as a line has room for."""
    return head + piece * ((LINE_BYTES_MAX - len(head) - len(tail)) // len(piece)) + tail


# What costs most to read of all that fits into a line.
HEAVY = (
    _full(b'{"cmd":"ping","x":[', b"[],", b"1]}"),
    _full(b'{"cmd":"ping","x":[', b"{},", b"1]}"),
    _full(b'{"cmd":"ping","x":[', b'{"a":[]},', b"1]}"),
    _full(b'{"cmd":"subscribe","types":[', b'"position_closed",', b'"x"]}'),
    _full(b'{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","params":{', b'"a":"",', b'"b":""}}'),
    b'{"cmd":"ping",' + ",".join(f'"{number}":1' for number in range(7000)).encode() + b"}",
    _full(b'{"cmd":"', b'\\"', b'"}'),
    _full(b"", b"[]", b""),
    _full(b"", b"[", b""),
    _full(b"", b'{"a":', b""),
    _full(b"[" * 33, b'"', b""),
    _full(b"{}" * 33 + b'"', b'\\"', b""),
    _full(b'{"id":0.', b"9", b"}"),
    _full(b'{"id":"', b"\xf0\x9f\x92\xa9", b'"}'),
    _full(b'{"cmd":"arm","side":"long","strategy":"signal","symbol":"', b"A", b'"}'),
    b'{"id":"' + b"x" * 70_000 + b'"}',
)


def rubbish(count: int, number: int) -> list[bytes]:
    """The same lines for the same number, none with a line feed, blank, or of any effect; some very long or deep."""
    dice = random.Random(number)
    found = [*_wrong_fields(), *_from_hypothesis(number, count // 3)]
    while len(found) < count:
        found.append(dice.randbytes(dice.randrange(1, 300)).replace(b"\n", b" "))
    dice.shuffle(found)
    found = [line for line in found if line.strip() and _harmless(line)][: count - count // 100]
    found += [HEAVY[place % len(HEAVY)] for place in range(count - len(found))]
    dice.shuffle(found)
    return found


def _wrong_fields() -> Iterator[bytes]:
    """Each field of each command with each wrong value, and each kind of id."""
    for name, command in COMMANDS.items():
        example = json.loads(command.example)
        for field in ("cmd", *command.request.__struct_encode_fields__):
            others = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in example.items() if key != field]
            for value in WRONG:
                yield ("{" + ",".join([*others, f'"{field}":{value}']) + "}").encode("utf-8", "surrogatepass")
        yield from (f'{{"id":{kind},"cmd":"{name}","no_such_field":1}}'.encode() for kind in IDS)


def _from_hypothesis(number: int, count: int) -> list[bytes]:
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count // 20,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(RUBBISH, min_size=20, max_size=40))
    def collect(lines: list[bytes]) -> None:
        found.extend(line.replace(b"\n", b" ") for line in lines)

    collect()
    return found[:count]


def _harmless(line: bytes) -> bool:
    _, request = read_request(line)
    # An optional field may well be null; such a line would be obeyed.
    return not isinstance(request, Mutation) or getattr(request, "position_id", None) is not None
