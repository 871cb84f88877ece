"""Binance's market stream frames: what they say, and the requests that choose them; nothing here waits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

from robson.domain.market import Candle, Tick
from robson.domain.values import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times beyond this are microseconds; as milliseconds it is the year 5138.
_MICROSECONDS_FROM = 10**14
_TRADE_MARK = '"e":"aggTrade"'
_TOP_MARK = '@bookTicker","data":{"u":'
_SHUTDOWN = "!serverShutdown"


class MalformedFrame(ValueError):
    """A frame that is not JSON, or lacks what its kind must have; the message quotes its beginning."""


class BookTop(Value):
    """Best bid and ask of a symbol (quote per base); `update_id` grows with every change of the book."""

    symbol: str
    update_id: int
    bid: Decimal
    ask: Decimal


class SingleTrade(Value):
    """A trade of the unaggregated stream: its ids are not those of the aggregate trades that prices come from."""

    tick: Tick


class CandleFrame(Value):
    """A candle as it stands; only a closed one never changes again."""

    candle: Candle
    is_closed: bool


class ServerShutdown(Value):
    """The server is about to go: a new connection is due at once."""


class Acknowledged(Value):
    """A request was carried out; `streams` are the answer to a question about subscriptions."""

    request_id: int | str | None
    streams: tuple[str, ...] = ()


class RequestRefused(Value):
    """A request was not carried out."""

    request_id: int | str | None
    code: int
    message: str


class OtherFrame(Value):
    """Well-formed, and of a kind that nothing here needs."""

    kind: str


# An aggregate trade is a tick.
Frame = Tick | SingleTrade | BookTop | CandleFrame | ServerShutdown | Acknowledged | RequestRefused | OtherFrame


class _Body(msgspec.Struct):
    """What tells the kinds apart. The spot bookTicker has no event type."""

    e: str | None = None
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw()
    code: int | None = None
    msg: str = ""
    error: msgspec.Raw = msgspec.Raw()
    u: Any = None
    b: Any = None


class _AggregateTrade(msgspec.Struct, kw_only=True):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="a")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    at: int = msgspec.field(name="T")


class _TitledTrade(_AggregateTrade):
    e: Literal["aggTrade"]


class _StreamedTrade(msgspec.Struct):
    stream: str
    data: _TitledTrade


class _SingleTrade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="t")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    at: int = msgspec.field(name="T")


class _Top(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    update_id: int = msgspec.field(name="u")
    bid: Decimal = msgspec.field(name="b")
    ask: Decimal = msgspec.field(name="a")


class _UntitledTop(_Top):
    e: None = None
    # Of answers to requests, which are judged elsewhere.
    code: None = None
    error: None = None
    result: None = None


class _StreamedTop(msgspec.Struct):
    stream: str
    data: _UntitledTop


class _Kline(msgspec.Struct):
    opened_at: int = msgspec.field(name="t")
    closes_at: int = msgspec.field(name="T")
    symbol: str = msgspec.field(name="s")
    open: Decimal = msgspec.field(name="o")
    high: Decimal = msgspec.field(name="h")
    low: Decimal = msgspec.field(name="l")
    close: Decimal = msgspec.field(name="c")
    is_closed: bool = msgspec.field(name="x")


class _KlineFrame(msgspec.Struct):
    k: _Kline


class _Refusal(msgspec.Struct):
    code: int
    msg: str = ""


# Lax: a number may come as a string, and the reverse; a Decimal takes both without losing a digit.
_streamed_trade = msgspec.json.Decoder(_StreamedTrade, strict=False)
_streamed_top = msgspec.json.Decoder(_StreamedTop, strict=False)
_body = msgspec.json.Decoder(_Body, strict=False)
_aggregate_trade = msgspec.json.Decoder(_AggregateTrade, strict=False)
_single_trade = msgspec.json.Decoder(_SingleTrade, strict=False)
_top = msgspec.json.Decoder(_Top, strict=False)
_kline = msgspec.json.Decoder(_KlineFrame, strict=False)
_refusal = msgspec.json.Decoder(_Refusal, strict=False)


def decode(frame: str | bytes) -> Frame:
    """Read one frame, wrapped as on a combined stream or bare; raises MalformedFrame.

    Numbers may come as strings and the reverse, and unknown keys are ignored.
    """
    try:
        if isinstance(frame, str):
            return _at_once(frame) or _decode(frame.encode())
        return _decode(frame)
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raw = frame.encode(errors="replace") if isinstance(frame, str) else frame
        raise MalformedFrame(f"the frame {raw[:80]!r} could not be read: {error}") from error


def _at_once(frame: str) -> Frame | None:
    """What nearly every frame of a combined stream is; None for whatever else, to be judged step by step."""
    try:
        if _TRADE_MARK in frame:
            trade = _streamed_trade.decode(frame)
            return _tick(trade.data) if trade.stream != _SHUTDOWN else None
        if _TOP_MARK in frame:
            return _book(_streamed_top.decode(frame).data)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        pass
    return None


def _decode(raw: bytes | msgspec.Raw) -> Frame:
    body = _body.decode(raw)
    if body.stream is not None and body.data:
        if body.stream == _SHUTDOWN:
            return ServerShutdown()
        raw = body.data
        body = _body.decode(raw)
    match body.e:
        case "aggTrade":
            return _tick(_aggregate_trade.decode(raw))
        case "trade":
            return SingleTrade(tick=_tick(_single_trade.decode(raw)))
        case "bookTicker":
            return _book(_top.decode(raw))
        case "kline":
            return _candle(_kline.decode(raw).k)
        case "serverShutdown":
            return ServerShutdown()
        case None:
            return _untitled(raw, body)
        case kind:
            return OtherFrame(kind=kind)


def _untitled(raw: bytes | msgspec.Raw, body: _Body) -> Frame:
    if body.error:
        refusal = _refusal.decode(body.error)
        return RequestRefused(request_id=body.id, code=refusal.code, message=refusal.msg)
    if body.code is not None:
        return RequestRefused(request_id=body.id, code=body.code, message=body.msg)
    if body.result:
        result = msgspec.json.decode(body.result)
        names = tuple(one for one in result if isinstance(one, str)) if isinstance(result, list) else ()
        return Acknowledged(request_id=body.id, streams=names)
    if body.u is not None and body.b is not None and not isinstance(body.b, list):
        return _book(_top.decode(raw))
    return OtherFrame(kind="untitled")


def _tick(trade: _AggregateTrade | _SingleTrade) -> Tick:
    return Tick(
        symbol=trade.symbol,
        price=positive("price", trade.price),
        quantity=trade.quantity,
        trade_id=trade.trade_id,
        at=exchange_time(trade.at),
    )


def _book(top: _Top) -> Frame:
    if not (top.bid.is_finite() and top.ask.is_finite()):
        raise ValueError(f"bid was {top.bid} and ask {top.ask}, which must be numbers")
    # An empty side of the book is shown as zero: there is no price to compare a stop with.
    if not (top.bid > 0 and top.ask > 0):
        return OtherFrame(kind="empty book")
    return BookTop(symbol=top.symbol, update_id=top.update_id, bid=top.bid, ask=top.ask)


def _candle(kline: _Kline) -> CandleFrame:
    candle = Candle(
        symbol=kline.symbol,
        opened_at=exchange_time(kline.opened_at),
        # The exchange names the last moment that is still in it, in its own unit.
        interval_seconds=round((exchange_time(kline.closes_at) - exchange_time(kline.opened_at)).total_seconds()),
        open=positive("open", kline.open),
        high=positive("high", kline.high),
        low=positive("low", kline.low),
        close=positive("close", kline.close),
    )
    return CandleFrame(candle=candle, is_closed=kline.is_closed)


def positive(name: str, price: Decimal) -> Decimal:
    """The price, if it is one; raises ValueError."""
    if not (price.is_finite() and price > 0):
        raise ValueError(f"{name} was {price}, which must be above 0")
    return price


# Trades that one order has made share their stamp.
@lru_cache(maxsize=64)
def exchange_time(stamp: int) -> datetime:
    """The moment of a stamp in milliseconds or microseconds since 1970 (UTC); raises OverflowError."""
    return _EPOCH + timedelta(0, 0, stamp if abs(stamp) >= _MICROSECONDS_FROM else stamp * 1000)


def to_stamp(at: datetime) -> int:
    """The moment in milliseconds since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def request(method: str, streams: Sequence[str], request_id: int) -> str:
    """A SUBSCRIBE or UNSUBSCRIBE message."""
    return msgspec.json.encode({"method": method, "params": streams, "id": request_id}).decode()
