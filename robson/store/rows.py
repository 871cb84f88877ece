"""Records to rows and back: money as plain decimal text, times as RFC 3339 UTC of fixed width."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from robson.domain.account import Trade
from robson.domain.actions import PlaceOrder
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import ClientOrderId, Fence, OrderSide, PositionId, Role, plain
from robson.ports.journal import Fill, Intent, PairRecord

Row = tuple[Any, ...]

_json = msgspec.json.Encoder()
_QUOTED_TIME = len('"2025-03-01T12:00:00.000000Z"')
_objects = msgspec.json.Decoder(dict[str, Any])

INSERT_EVENT = "INSERT INTO events (seq, at, position_id, type, data) VALUES (?, ?, ?, ?, ?)"

_INTENT_COLUMNS = (
    "client_order_id",
    "position_id",
    "symbol",
    "role",
    "order_side",
    "quantity",
    "attempt",
    "part",
    "fence",
    "status",
    "epoch",
    "created_at",
    "timestamp_ms",
    "receive_window_ms",
    "venue_order_id",
    "executed",
    "detail",
)
SELECT_INTENT = f"SELECT {', '.join(_INTENT_COLUMNS)} FROM intents"
UPSERT_INTENT = (
    f"INSERT INTO intents ({', '.join(_INTENT_COLUMNS)}) VALUES ({', '.join('?' * len(_INTENT_COLUMNS))}) "
    "ON CONFLICT (client_order_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _INTENT_COLUMNS[1:])
)

_FILL_COLUMNS = (
    "position_id",
    "client_order_id",
    "symbol",
    "order_side",
    "role",
    "trade_id",
    "venue_order_id",
    "price",
    "quantity",
    "fee",
    "fee_asset",
    "at",
)
SELECT_FILL = f"SELECT {', '.join(_FILL_COLUMNS)} FROM fills"
INSERT_FILL = (
    f"INSERT INTO fills ({', '.join(_FILL_COLUMNS)}) VALUES ({', '.join('?' * len(_FILL_COLUMNS))}) "
    "ON CONFLICT (symbol, trade_id, order_side) DO NOTHING"
)

_PAIR_AMOUNTS = (
    "baseline_base",
    "baseline_quote",
    "dust_base",
    "surplus_base",
    "carried_base",
    "carried_quote",
    "handed_base",
    "handed_quote",
)
_PAIR_COLUMNS = ("symbol", *_PAIR_AMOUNTS, "judged_trade_id")
SELECT_PAIR = f"SELECT {', '.join(_PAIR_COLUMNS)} FROM pairs ORDER BY symbol"
UPSERT_PAIR = (
    f"INSERT INTO pairs ({', '.join(_PAIR_COLUMNS)}) VALUES ({', '.join('?' * len(_PAIR_COLUMNS))}) "
    f"ON CONFLICT (symbol) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _PAIR_COLUMNS[1:])}"
)

SELECT_REPLY = "SELECT key, body_digest, reply, at FROM replies WHERE key = ?"
INSERT_REPLY = "INSERT INTO replies (key, body_digest, reply, at) VALUES (?, ?, ?, ?)"


def time_text(at: datetime) -> str:
    """The time as text that sorts like the time; a time without a zone is a bug."""
    assert at.tzinfo is not None, at
    if at.tzinfo is UTC:
        # In quotes, and without a fraction where there is none; the text of `isoformat` takes eight times as long.
        text = _json.encode(at).decode()
        return text[1:-1] if len(text) == _QUOTED_TIME else f"{text[1:20]}.000000Z"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_time(text: str) -> datetime:
    """Read `time_text` back, UTC."""
    return datetime.fromisoformat(text)


def json_text(node: Any) -> str:
    """Plain JSON types as text."""
    return _json.encode(node).decode()


def event_row(recorded: Recorded) -> Row:
    """The row of one recorded fact or notice."""
    return recorded.seq, time_text(recorded.at), recorded.position_id, recorded.type, json_text(recorded.data)


def read_recorded(row: Row) -> Recorded:
    """One row of `seq, at, position_id, type, data`."""
    seq, at, position_id, kind, data = row
    return Recorded(seq=seq, type=kind, at=read_time(at), position_id=position_id, data=_objects.decode(data))


def intent_row(intent: Intent) -> Row:
    """The row of one intent."""
    order = intent.order
    return (
        order.client_order_id,
        order.position_id,
        order.symbol,
        str(order.role),
        str(order.order_side),
        plain(order.quantity),
        order.attempt,
        order.part,
        str(order.fence),
        intent.status,
        intent.epoch,
        time_text(intent.created_at),
        intent.timestamp_ms,
        intent.receive_window_ms,
        intent.venue_order_id,
        plain(intent.executed),
        intent.detail,
    )


def read_intent(row: Row) -> Intent:
    """One row of SELECT_INTENT."""
    order = PlaceOrder(
        client_order_id=ClientOrderId(row[0]),
        position_id=PositionId(row[1]),
        symbol=row[2],
        role=Role(row[3]),
        order_side=OrderSide(row[4]),
        quantity=Decimal(row[5]),
        attempt=row[6],
        part=row[7],
        fence=Fence(row[8]),
    )
    return Intent(
        order=order,
        status=row[9],
        epoch=row[10],
        created_at=read_time(row[11]),
        timestamp_ms=row[12],
        receive_window_ms=row[13],
        venue_order_id=row[14],
        executed=Decimal(row[15]),
        detail=row[16],
    )


def fill_row(fill: Fill) -> Row:
    """The row of one fill."""
    trade = fill.trade
    return (
        fill.position_id,
        fill.client_order_id,
        fill.symbol,
        fill.order_side.value,
        fill.role.value,
        trade.trade_id,
        trade.venue_order_id,
        plain(trade.price),
        plain(trade.quantity),
        plain(trade.fee),
        trade.fee_asset,
        time_text(trade.at),
    )


def read_fill(row: Row) -> Fill:
    """One row of SELECT_FILL."""
    trade = Trade(
        trade_id=row[5],
        venue_order_id=row[6],
        price=Decimal(row[7]),
        quantity=Decimal(row[8]),
        fee=Decimal(row[9]),
        fee_asset=row[10],
        at=read_time(row[11]),
    )
    return Fill(
        position_id=PositionId(row[0]),
        client_order_id=ClientOrderId(row[1]),
        symbol=row[2],
        order_side=OrderSide(row[3]),
        role=Role(row[4]),
        trade=trade,
    )


def pair_row(pair: PairRecord) -> Row:
    """The row of one pair."""
    return pair.symbol, *(plain(getattr(pair, amount)) for amount in _PAIR_AMOUNTS), pair.judged_trade_id


def read_pair(row: Row) -> PairRecord:
    """One row of SELECT_PAIR."""
    symbol, *amounts, judged = row
    named = dict(zip(_PAIR_AMOUNTS, map(Decimal, amounts), strict=True))
    return PairRecord(symbol=symbol, judged_trade_id=judged, **named)


def reply_row(reply: StoredReply) -> Row:
    """The row of one stored reply."""
    return reply.key, reply.body_digest, reply.reply, time_text(reply.at)


def read_reply(row: Row) -> StoredReply:
    """One row of SELECT_REPLY."""
    return StoredReply(key=row[0], body_digest=row[1], reply=row[2], at=read_time(row[3]))
