"""Frames as Binance sends them, recorded ones and odd ones."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.domain.market import Tick
from robson.feed.binance import codec
from tests.recorded import recorded

TRADE = (
    '{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.00100","q":"100","f":100,"l":105,'
    '"T":1672515782136,"m":true,"M":true}'
)
KLINE = (
    '{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m",'
    '"f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":%s,"q":"1.0000",'
    '"V":"500","Q":"0.500","B":"123456"}}'
)


def frames(path: Path) -> Iterator[str]:
    """The frames of a capture: `time frame` or `time: frame` a line, with an address or a snapshot first."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            stamp, _, frame = line.partition(" ")
            if stamp.rstrip(":").replace(".", "").isdecimal() and frame.startswith("{"):
                yield frame


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (
            "cryptofeed_BINANCE.ws.1.0.gz",
            {"BookTop": 84, "OtherFrame": 177, "Tick": 2, "CandleFrame": 2},
        ),
        (
            "cryptofeed_BINANCE_FUTURES.ws.1.0.gz",
            {"BookTop": 613, "OtherFrame": 764, "Tick": 91, "CandleFrame": 67},
        ),
        (
            "hftbacktest_spot_btcusdt_20240808.gz",
            {"BookTop": 28040, "OtherFrame": 3452, "SingleTrade": 9757},
        ),
    ],
)
def test_every_recorded_frame_is_understood(name: str, counts: dict[str, int]) -> None:
    found: Counter[str] = Counter()
    for text in frames(recorded(f"raw_ws/{name}")):
        frame = codec.decode(text)
        found[type(frame).__name__] += 1
        told = json.loads(text)
        told = told.get("data", told)
        match frame:
            case Tick():
                assert (frame.symbol, str(frame.price), frame.trade_id) == (told["s"], told["p"], told["a"])
            case codec.SingleTrade():
                assert (str(frame.tick.price), frame.tick.trade_id) == (told["p"], told["t"])
            case codec.BookTop():
                assert (str(frame.bid), str(frame.ask), frame.update_id) == (told["b"], told["a"], told["u"])
            case codec.CandleFrame():
                assert (str(frame.candle.close), frame.is_closed) == (told["k"]["c"], told["k"]["x"])
                assert frame.candle.interval_seconds == 60
            case _:
                # The depth of the book, and the snapshot of it with which a recording begins.
                assert told.get("e") == "depthUpdate" or "lastUpdateId" in told
    assert found == counts


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_aggregate_trade(wrapped: bool) -> None:
    text = f'{{"stream":"bnbbtc@aggTrade","data":{TRADE}}}' if wrapped else TRADE
    assert codec.decode(text) == Tick(
        symbol="BNBBTC",
        price=Decimal("0.00100"),
        quantity=Decimal(100),
        trade_id=12345,
        at=datetime(2022, 12, 31, 19, 43, 2, 136000, tzinfo=UTC),
    )


def test_numbers_may_come_as_strings_and_the_reverse() -> None:
    odd = (
        TRADE.replace('"0.00100"', "0.00100")
        .replace("12345", '"12345"')
        .replace('"T":1672515782136', '"T":"1672515782136"')
    )
    assert codec.decode(odd) == codec.decode(TRADE)


def test_times_in_microseconds_are_the_same_moments() -> None:
    assert codec.decode(TRADE.replace("1672515782136", "1672515782136000")) == codec.decode(TRADE)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"result":null,"id":1}', codec.Acknowledged(request_id=1)),
        ('{"result":null,"id":"a-1"}', codec.Acknowledged(request_id="a-1")),
        ('{"result":["btcusdt@aggTrade"],"id":3}', codec.Acknowledged(request_id=3, streams=("btcusdt@aggTrade",))),
        ('{"result":true,"id":3}', codec.Acknowledged(request_id=3)),
        (
            '{"code":2,"msg":"Invalid request: unknown variant","id":7}',
            codec.RequestRefused(request_id=7, code=2, message="Invalid request: unknown variant"),
        ),
        (
            '{"error":{"code":3,"msg":"Invalid JSON: expected value"},"id":null}',
            codec.RequestRefused(request_id=None, code=3, message="Invalid JSON: expected value"),
        ),
        ('{"e":"serverShutdown","E":1770123456789}', codec.ServerShutdown()),
        ('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}', codec.ServerShutdown()),
        (
            '{"u":400900217,"s":"BNBUSDT","b":"25.3519","B":"31.2","a":"25.3652","A":"40.6"}',
            codec.BookTop(symbol="BNBUSDT", update_id=400900217, bid=Decimal("25.3519"), ask=Decimal("25.3652")),
        ),
        ('{"u":1,"s":"BNBUSDT","b":"0.00000000","B":"0","a":"25.3","A":"1"}', codec.OtherFrame(kind="empty book")),
        ('{"e":"blockTrade","s":"BNBUSDT"}', codec.OtherFrame(kind="blockTrade")),
        ('{"lastUpdateId":160,"bids":[],"asks":[]}', codec.OtherFrame(kind="untitled")),
    ],
)
def test_other_frames(text: str, frame: codec.Frame) -> None:
    assert codec.decode(text) == frame
    assert codec.decode(text.encode()) == frame


def test_a_candle_is_closed_or_not() -> None:
    for word, is_closed in (("true", True), ("false", False)):
        frame = codec.decode(KLINE % word)
        assert isinstance(frame, codec.CandleFrame)
        assert frame.is_closed is is_closed
        assert frame.candle.interval_seconds == 60
        assert (frame.candle.open, frame.candle.high) == (Decimal("0.0010"), Decimal("0.0025"))
        assert (frame.candle.low, frame.candle.close) == (Decimal("0.0015"), Decimal("0.0020"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"e":"aggTrade"}',
        TRADE.replace("0.00100", "0"),
        TRADE.replace("0.00100", "NaN"),
        TRADE.replace("0.00100", "-1"),
        TRADE.replace("1672515782136", "9" * 18),
        TRADE.replace("12345", "1.5"),
        b"\xff\xfe",
    ],
)
def test_a_frame_that_is_none_is_named(text: str | bytes) -> None:
    with pytest.raises(codec.MalformedFrame, match="could not be read"):
        codec.decode(text)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_whatever_comes_is_a_frame_or_malformed(text: str | bytes) -> None:
    with suppress(codec.MalformedFrame):
        codec.decode(text)


def test_requests_are_what_the_exchange_reads() -> None:
    text = codec.request("SUBSCRIBE", ["btcusdt@aggTrade"], 1)
    assert json.loads(text) == {"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 1}


def both_ways(frame: str) -> list[object]:
    """What a frame is, read at once where that is possible, and read step by step."""
    found: list[object] = []
    for given_as in (frame, frame.encode()):
        try:
            found.append(codec.decode(given_as))
        except codec.MalformedFrame as error:
            found.append(str(error))
    return found


_VALID = {**json.loads(TRADE), "u": 400900217, "b": "25.35190000", "t": 5}
_ODD_NUMBERS = ("x", "-1", -1, 0, "NaN", 10**17, 10**30, "7", None, True, [])
_ODD: dict[str, list[object]] = {
    "e": ["trade", "bookTicker", "kline", None, 1],
    "s": ["", 5],
    **{key: list(_ODD_NUMBERS) for key in ("a", "p", "q", "T", "u", "b", "t")},
    "x": [{"e": "aggTrade"}, '"e":"aggTrade"'],
}


@given(
    st.dictionaries(st.sampled_from(sorted(_ODD)), st.integers(0, 10), max_size=3),
    st.sets(st.sampled_from(sorted(_VALID)), max_size=2),
    st.sampled_from(["btcusdt@aggTrade", "btcusdt@bookTicker", "!serverShutdown", "", None, 7]),
)
def test_a_frame_read_at_once_is_what_it_is_step_by_step(
    odd: dict[str, int], left_out: set[str], stream: object
) -> None:
    body = {key: value for key, value in _VALID.items() if key not in left_out}
    # The book's frames begin with this one.
    body = {"u": body.pop("u"), **body} if "u" in body and "e" in left_out else body
    body |= {key: _ODD[key][number % len(_ODD[key])] for key, number in odd.items()}
    at_once, by_steps = both_ways(json.dumps({"stream": stream, "data": body}, separators=(",", ":")))
    # Not a number is not equal to itself.
    assert repr(at_once) == repr(by_steps)


@pytest.mark.parametrize(
    ("stream", "body"),
    [
        ("bnbbtc@aggTrade", TRADE),
        (
            "bnbbtc@bookTicker",
            '{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21","a":"25.36520000","A":"40.66"}',
        ),
    ],
)
def test_the_frames_that_come_all_the_time_are_read_at_once(stream: str, body: str) -> None:
    frame = f'{{"stream":"{stream}","data":{body}}}'
    at_once = codec._at_once(frame)
    assert at_once is not None
    assert [at_once, at_once] == both_ways(frame)


@pytest.mark.parametrize("bid", ["NaN", "sNaN", "Infinity"])
def test_a_book_with_a_price_that_is_no_number_is_malformed(bid: str) -> None:
    with pytest.raises(codec.MalformedFrame, match=bid):
        codec.decode(f'{{"u":1,"s":"BNBUSDT","b":"{bid}","B":"1","a":"25.3","A":"1"}}')
