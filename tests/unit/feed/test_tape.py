"""Recordings: every format that is read, and what is said of those that cannot be."""

import gzip
import zipfile
from decimal import Decimal

import pytest

from robson.domain.errors import ConfigurationError
from robson.feed.tape import CorruptTape, Tape
from robson.feed.tape_row import symbol_in_name, to_datetime
from tests.recorded import recorded

TRADES = "10,61837.63,0.02,1236.75,1723161255342,True,True\n11,61837.64,0.01,618.37,1723161255342,False,True\n"
EXPECTED = [
    (1723161255342000, 10, "61837.63", "0.02"),
    (1723161255342000, 11, "61837.64", "0.01"),
]


def read(tape):
    return [(row.at_us, row.tick.trade_id, str(row.tick.price), str(row.tick.quantity)) for row in tape]


def written(tmp_path, text, name="BTCUSDT-trades-2024-08-08.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TRADES, id="trades"),
        pytest.param("id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n" + TRADES, id="trades with header"),
        pytest.param(TRADES.replace("\n", "\r\n") + "\r\n\n", id="other line ends and blank lines"),
        pytest.param("\ufeffid,price,qty,quoteQty,time,isBuyerMaker,isBestMatch\n" + TRADES, id="byte order mark"),
        pytest.param(TRADES.replace("1723161255342", "1723161255342000"), id="microseconds"),
        pytest.param(
            "10,61837.63,0.02,7,7,1723161255342,True,True\n11,61837.64,0.01,8,9,1723161255342,False,True\n",
            id="aggTrades",
        ),
        pytest.param(
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
            "10,61837.63,0.02,7,7,1723161255342,true\n11,61837.64,0.01,8,9,1723161255342,false\n",
            id="futures aggTrades with header",
        ),
        pytest.param(
            "10,61837.63,0.02,7,7,1723161255342,true\n11,61837.64,0.01,8,9,1723161255342,false\n",
            id="futures aggTrades",
        ),
        pytest.param(
            "10,61837.63,0.02,1236.75,1723161255342,true\n11,61837.64,0.01,618.37,1723161255342,false\n",
            id="futures trades",
        ),
        pytest.param(
            "trade_id,ts_ms,price,qty,buyer_maker,exec_type\n"
            "10,1723161255342,61837.63,0.02,1,MARKET\n11,1723161255342,61837.64,0.01,0,MARKET\n",
            id="header csv",
        ),
    ],
)
def test_every_csv_gives_the_same_trades(tmp_path, text):
    tape = Tape(written(tmp_path, text))
    assert read(tape) == EXPECTED
    assert tape.symbols == ("BTCUSDT",)
    assert tape.starts_at_us == EXPECTED[0][0]
    assert next(iter(tape)).tick.at == to_datetime(EXPECTED[0][0])


@pytest.mark.parametrize("name", ["BTCUSDT-trades.csv.gz", "whatever"])
def test_gzip_is_recognised_by_its_content(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(TRADES.encode()))
    assert read(Tape(path, "BTCUSDT")) == EXPECTED


def test_a_zip_with_one_member_is_read_and_one_with_two_is_refused(tmp_path):
    path = tmp_path / "BTCUSDT-trades-2024-08-08.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-trades-2024-08-08.csv", TRADES)
    assert read(Tape(path)) == EXPECTED
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README", "x")
    with pytest.raises(ConfigurationError, match="holds 2 files, which must be exactly one"):
        Tape(path)


def frame(kind, symbol, number, price, *, received=None):
    id_field = "t" if kind == "trade" else "a"
    body = (
        f'{{"e":"{kind}","E":1723161255343,"s":"{symbol}","{id_field}":{number},"p":"{price}","q":"0.02",'
        f'"T":1723161255342,"m":true,"M":true}}'
    )
    combined = f'{{"stream":"{symbol.lower()}@{kind}","data":{body}}}'
    return f'{{"recv_ns":{received},"frame":{combined}}}' if received is not None else (combined, body)


def test_frames_are_read_recorded_combined_or_bare_and_other_frames_are_skipped(tmp_path):
    combined, _ = frame("trade", "BTCUSDT", 1, "61837.63")
    _, bare = frame("trade", "BTCUSDT", 2, "61837.64")
    enveloped = frame("trade", "BTCUSDT", 3, "61837.65", received=1723161256000123456)
    book = (
        '{"recv_ns":1,"frame":{"stream":"x@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}}'
    )
    depth = '{"e":"depthUpdate","s":"BTCUSDT","a":[["1","2"]]}'
    text = "\n".join([book, combined, depth, '{"result":null,"id":1}', bare, enveloped])
    tape = Tape(written(tmp_path, text, "day.ws.jsonl"))
    assert read(tape) == [
        (1723161255342000, 1, "61837.63", "0.02"),
        (1723161255342000, 2, "61837.64", "0.02"),
        (1723161256000123, 3, "61837.65", "0.02"),
    ]


def test_of_two_streams_of_one_symbol_the_first_one_counts(tmp_path):
    lines = [
        frame("aggTrade", "BTCUSDT", 1, "10", received=1723161256000000000),
        frame("trade", "BTCUSDT", 700, "10", received=1723161256000000000),
        frame("trade", "ETHUSDT", 900, "3", received=1723161256000000000),
        frame("aggTrade", "BTCUSDT", 2, "11", received=1723161256000000000),
    ]
    tape = Tape(written(tmp_path, "\n".join(lines), "day.ws.jsonl"))
    assert [row.tick.trade_id for row in tape] == [1, 900, 2]
    assert tape.symbols == ("BTCUSDT", "ETHUSDT")
    assert [row.tick.trade_id for row in Tape(tape.path, "ETHUSDT")] == [900]


def test_times_never_go_back(tmp_path):
    tape = Tape(written(tmp_path, TRADES + TRADES.replace("1723161255342", "1723161255000")))
    assert [row.at_us for row in tape] == [1723161255342000] * 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("12,NaN,0.01,1,1723161255342,True,True", "price was 'NaN'"),
        ("12,-1,0.01,1,1723161255342,True,True", "price was '-1'"),
        ("12,0,0.01,1,1723161255342,True,True", "price was '0', which must be above 0"),
        ("12,1e400,0.01,1,1723161255342,True,True", "price was '1e400'"),
        ("12,Infinity,0.01,1,1723161255342,True,True", "price was 'Infinity'"),
        ("12,1,-0.01,1,1723161255342,True,True", "quantity was '-0.01'"),
        ("12,1,0.01,1,17231612,True,True", "time was 17231612"),
        ("12,1,0.01,1,now,True,True", "time was 'now'"),
        ("x,1,0.01,1,1723161255342,True,True", "trade id was 'x'"),
        ("99999999999999999999,1,0.01,1,1723161255342,True,True", "trade id was"),
        ("12,1,0.01", "the row had 3 columns, which must be 7"),
        ("12,1,0.01,1,1723161255342,Tru\xe9,True", "ascii"),
        ("9" * (1 << 20) + "9", "more than 1048576 bytes"),
    ],
)
def test_a_corrupt_row_is_named_by_file_line_and_reason(tmp_path, line, reason):
    path = written(tmp_path, TRADES + line + "\n")
    tape = Tape(path)
    with pytest.raises(CorruptTape) as corrupt:
        list(tape)
    assert (corrupt.value.path, corrupt.value.line) == (path, 3)
    assert f"{path}, line 3: " in str(corrupt.value)
    assert reason in str(corrupt.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"e":"trade","s":"BTCUSDT","t":1,"p":"1","q":"1"}', "missing required field `T`"),
        ('{"e":"trade","s":"BTCUSDT","t":1,"p":"NaN","q":"1","T":1723161255342}', "price was 'NaN'"),
        ('{"e":"trade","s":"BTCUSDT","t":-1,"p":"1","q":"1","T":1723161255342}', "trade id was -1"),
        ('{"e":"trade","s":"../etc","t":1,"p":"1","q":"1","T":1723161255342}', "symbol was '../etc'"),
        ('{"e":"trade","s":"BTCUSDT"', "truncated"),
        ("[" * 5000, "the frame cannot be read"),
        ('{"frame":{"data":null}}', "the frame cannot be read"),
    ],
)
def test_a_corrupt_frame_is_named_as_well(tmp_path, line, reason):
    combined, _ = frame("trade", "BTCUSDT", 1, "61837.63")
    path = written(tmp_path, f"{combined}\n{line}\n", "day.ws.jsonl")
    with pytest.raises(CorruptTape, match="line 2: ") as corrupt:
        Tape(path)
    assert reason in str(corrupt.value)


def test_who_wants_to_go_on_is_told_of_each_corrupt_line(tmp_path):
    told = []
    text = TRADES.replace("\n", "\nbroken\n", 1)
    tape = Tape(written(tmp_path, text), on_corrupt=told.append)
    assert read(tape) == EXPECTED
    assert [(corrupt.line, corrupt.reason) for corrupt in told] == [(2, "the row had 1 columns, which must be 7")]


def test_a_file_that_breaks_off_is_corrupt_where_it_does(tmp_path):
    path = tmp_path / "BTCUSDT.csv.gz"
    whole = gzip.compress("".join(f"{n},1,1,1,1723161255342,True,True\n" for n in range(50_000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptTape, match="the file cannot be read further"):
        list(Tape(path))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("BTCUSDT.csv", b"", "holds no trades"),
        ("BTCUSDT.csv", b"\n\n", "holds no trades"),
        ("BTCUSDT.csv", b"trade_id,ts_ms,price,qty\n", "holds no trades"),
        ("day.ws.jsonl", b'{"result":null,"id":1}\n', "holds no trades"),
        ("BTCUSDT.csv", b"open_ms,open,high,low,close,volume\n1,2,3,4,5,6\n", "is not a recording that can be read"),
        ("BTCUSDT.csv", b"hello\n", "is not a recording that can be read"),
        ("BTCUSDT.csv", b"\x00\xff\xfe\n", "is not a recording that can be read"),
        ("day.csv", TRADES.encode(), "its name has none"),
        ("BTCUSDT.zip", b"PK\x03\x04broken", "cannot be read"),
    ],
)
def test_a_file_that_is_no_tape_is_refused_at_once(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        Tape(path)
    assert str(path) in str(refused.value)
    assert reason in str(refused.value)


def test_an_absent_file_a_folder_and_a_bad_symbol_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        Tape(tmp_path / "BTCUSDT.csv")
    with pytest.raises(ConfigurationError, match="directory"):
        Tape(tmp_path)
    with pytest.raises(ConfigurationError, match="symbol was 'btcusdt'"):
        Tape(written(tmp_path, TRADES), "btcusdt")


def test_a_symbol_that_the_recording_lacks_is_refused(tmp_path):
    line = frame("trade", "BTCUSDT", 1, "10", received=1723161256000000000)
    with pytest.raises(ConfigurationError, match="holds no trades of ETHUSDT"):
        Tape(written(tmp_path, line, "day.ws.jsonl"), "ETHUSDT")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT-trades-2024-08-08.csv", "BTCUSDT"),
        ("binance_spot_ETHUSDT_trades_20240808T2354.csv.gz", "ETHUSDT"),
        ("1000SATSUSDT-aggTrades-2025-01.zip", "1000SATSUSDT"),
        ("20240808T2354.csv", None),
        ("trades.csv", None),
    ],
)
def test_a_csv_file_says_its_pair_in_its_name(name, symbol):
    assert symbol_in_name(name) == symbol


def test_the_recorded_frames_and_the_recorded_csv_of_the_same_minutes_agree():
    frames = Tape(recorded("demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_11min.ws.jsonl.gz"))
    rows = Tape(recorded("ticks/binance_spot_BTCUSDT_trades_20240808T2354.csv.gz"))
    assert frames.symbols == ("BTCUSDT", "ETHUSDT")
    one = [(tick.trade_id, tick.price) for _, tick in frames if tick.symbol == "BTCUSDT"]
    other = [(tick.trade_id, tick.price) for _, tick in rows]
    assert one == other
    assert len(one) == 19_904
    assert one[0] == (3735683259, Decimal("61837.63"))
