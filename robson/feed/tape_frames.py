"""Trades as Binance's stream frames, one JSON object a line, as they were recorded."""

from typing import Any

import msgspec

from robson.domain.market import Tick
from robson.domain.values import SYMBOL
from robson.feed.tape_row import TapeRow, read_price, read_quantity, to_datetime, to_microseconds

_ABSENT = msgspec.Raw()


class _Line(msgspec.Struct):
    """A recorder's envelope, or a combined frame, or a bare one."""

    recv_ns: int | None = None
    frame: msgspec.Raw = _ABSENT
    data: msgspec.Raw = _ABSENT
    e: str | None = None


class _Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    at: int = msgspec.field(name="T")


class _AggregateTrade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="a")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    at: int = msgspec.field(name="T")


_line = msgspec.json.Decoder(_Line)
_kinds: dict[str, msgspec.json.Decoder[Any]] = {
    "trade": msgspec.json.Decoder(_Trade),
    "aggTrade": msgspec.json.Decoder(_AggregateTrade),
}


class FrameParser:
    """Frames of one recording, with any number of symbols.

    Only trade and aggTrade frames give ticks. Where a symbol has both, the kind that comes first counts: the other one
    tells the same trades again under other ids.
    """

    def __init__(self) -> None:
        self._kind_of: dict[str, str] = {}

    def parse(self, line: bytes) -> TapeRow | None:
        """The trade of one line, None when it is another frame; raises ValueError."""
        try:
            return self._parse(line)
        except msgspec.MsgspecError as error:
            raise ValueError(f"the frame cannot be read: {error}") from error

    def _parse(self, raw: bytes) -> TapeRow | None:
        envelope = line = _line.decode(raw)
        body: bytes | msgspec.Raw = raw
        if line.frame:
            body = line.frame
            line = _line.decode(body)
        if line.data:
            body = line.data
            line = _line.decode(body)
        kind = line.e
        if kind is None or kind not in _kinds:
            return None
        trade = _kinds[kind].decode(body)
        if self._kind_of.setdefault(trade.symbol, kind) != kind:
            return None
        return _row(trade, envelope.recv_ns)


def _row(trade: _Trade | _AggregateTrade, received_ns: int | None) -> TapeRow:
    if not SYMBOL.fullmatch(trade.symbol):
        raise ValueError(f"symbol was {trade.symbol[:40]!r}, which is not the name of a pair")
    if trade.trade_id < 0:
        raise ValueError(f"trade id was {trade.trade_id}, which must not be negative")
    # The recorder's clock is the tape's: the two of a recording may be seconds apart, and the fills of a paper account
    # on this tape must fall between the right ticks.
    at_us = to_microseconds(trade.at if received_ns is None else received_ns // 1000)
    tick = Tick(
        symbol=trade.symbol,
        price=read_price(trade.price),
        quantity=read_quantity(trade.quantity),
        trade_id=trade.trade_id,
        at=to_datetime(at_us),
    )
    return TapeRow(at_us, tick)
