"""Frames of the WebSocket API that carry a user's own events; nothing here waits."""

from datetime import datetime

import msgspec

from robson.domain.values import Value
from robson.feed.binance.codec import MalformedFrame, OtherFrame, RequestRefused, ServerShutdown, exchange_time


class OrderNews(Value):
    """Something has happened to an order. `execution` tells one report from the next."""

    symbol: str
    client_order_id: str
    order_id: int
    execution: int


class Subscribed(Value):
    """A subscription stands until `expires_at` by the exchange's clock, where it says so."""

    request_id: int | str | None
    subscription_id: int | None = None
    expires_at: datetime | None = None


class Terminated(Value):
    """A subscription is over."""

    subscription_id: int | None


UserFrame = OrderNews | Subscribed | Terminated | ServerShutdown | RequestRefused | OtherFrame


class _Frame(msgspec.Struct):
    e: str | None = None
    event: msgspec.Raw = msgspec.Raw()
    # An account's own frames are called so, and orders have an "i" of their own.
    subscription_id: int | None = msgspec.field(default=None, name="subscriptionId")
    id: int | str | None = None
    status: int | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Report(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    order_id: int = msgspec.field(name="i")
    client_order_id: str = msgspec.field(name="c")
    # On a cancellation "c" is the cancellation's own id.
    original_id: str | None = msgspec.field(default=None, name="C")
    execution: int | None = msgspec.field(default=None, name="I")
    trade_id: int | None = msgspec.field(default=None, name="t")
    at: int = msgspec.field(default=0, name="E")


class _Result(msgspec.Struct):
    subscription_id: int | None = msgspec.field(default=None, name="subscriptionId")
    expires_at: int | None = msgspec.field(default=None, name="expirationTime")


class _Refusal(msgspec.Struct):
    code: int
    msg: str = ""


_frame = msgspec.json.Decoder(_Frame, strict=False)
_report = msgspec.json.Decoder(_Report, strict=False)
_result = msgspec.json.Decoder(_Result, strict=False)
_refusal = msgspec.json.Decoder(_Refusal, strict=False)


def decode(frame: str | bytes) -> UserFrame:
    """Read one frame, an event wrapped or bare, or an answer; raises MalformedFrame."""
    raw = frame.encode() if isinstance(frame, str) else frame
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        # Without its text: it may hold what is nobody's business.
        raise MalformedFrame(f"a frame of {len(raw)} bytes could not be read: {error}") from error


def _decode(raw: bytes | msgspec.Raw) -> UserFrame:
    frame = _frame.decode(raw)
    subscription = frame.subscription_id
    if frame.event:
        raw = frame.event
        frame = _frame.decode(raw)
    match frame.e:
        case "executionReport":
            return _news(_report.decode(raw))
        case "eventStreamTerminated":
            return Terminated(subscription_id=subscription)
        case "serverShutdown":
            return ServerShutdown()
        case None:
            return _answer(frame)
        case kind:
            return OtherFrame(kind=kind)


def _answer(frame: _Frame) -> UserFrame:
    if frame.error:
        refusal = _refusal.decode(frame.error)
        return RequestRefused(request_id=frame.id, code=refusal.code, message=refusal.msg)
    if frame.result and frame.id is not None:
        result = _result.decode(frame.result)
        expires_at = exchange_time(result.expires_at) if result.expires_at is not None else None
        return Subscribed(request_id=frame.id, subscription_id=result.subscription_id, expires_at=expires_at)
    return OtherFrame(kind="untitled")


def _news(report: _Report) -> OrderNews:
    # Where the report has no number, its trade or its time tells it from the others.
    fallback = report.trade_id if report.trade_id not in {None, -1} else report.at
    return OrderNews(
        symbol=report.symbol,
        client_order_id=report.original_id or report.client_order_id,
        order_id=report.order_id,
        execution=report.execution if report.execution is not None else fallback or 0,
    )


def subscribe(token: str, request_id: str) -> str:
    """The request that subscribes to an account's events by a listenToken."""
    message = {
        "id": request_id,
        "method": "userDataStream.subscribe.listenToken",
        "params": {"listenToken": token},
    }
    return msgspec.json.encode(message).decode()
