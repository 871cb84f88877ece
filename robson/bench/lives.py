"""Positions as benchmarks need them: their facts from armed to closed, and a journal that holds many of them."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from robson.clock import RunClock
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionArmed,
    PositionClosed,
    PositionEvent,
    TrailingStopUpdated,
    event_data,
    event_type,
)
from robson.domain.ids import entry_order_id, exit_order_id
from robson.domain.position import Position
from robson.domain.values import ExitReason, Fence, OrderSide, PositionId, Side
from robson.engine.evolve import evolve, fold
from robson.store import SqliteJournal, projection, rows

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SYMBOL = "BTCUSDT"
ENTRY_PRICE = Decimal(95_000)
# The last trade that every position in the market has taken into account.
LAST_TRADE = 1_000


def open_journal(path: Path) -> SqliteJournal:
    """The journal as the daemon opens it."""
    return SqliteJournal.open(path, mode="paper", clock=RunClock(), machine_id="bench", version="0")


def named(number: int) -> PositionId:
    """An id of the usual length."""
    return PositionId(f"{number:032x}")


def fact(position_id: PositionId, event: PositionEvent, second: int = 0) -> Fact:
    """Something that happened so many seconds after noon."""
    return Fact(position_id=position_id, at=NOON + timedelta(seconds=second), event=event)


def entered(
    position_id: PositionId, *, distance: Decimal = Decimal(1_500), quantity: Decimal = Decimal("0.06666")
) -> Iterator[Fact]:
    """A long in the market, four facts."""
    order_id = entry_order_id(position_id, "s-1")
    yield fact(
        position_id,
        PositionArmed(
            symbol=SYMBOL,
            side=Side.LONG,
            strategy="signal",
            capital=Decimal(10_000),
            risk_percent=Decimal(1),
            params={},
        ),
    )
    yield fact(
        position_id,
        EntrySignalReceived(
            signal_id="s-1",
            entry_price=ENTRY_PRICE,
            technical_stop=ENTRY_PRICE - distance,
            stop_distance=distance,
            quantity=quantity,
            evidence={"levels": [{"price": "93500", "touches": 2}], "method": "swing"},
        ),
        1,
    )
    yield fact(position_id, EntryOrderPlaced(client_order_id=order_id, order_side=OrderSide.BUY, quantity=quantity), 1)
    yield fact(
        position_id,
        EntryFilled(
            client_order_id=order_id,
            venue_order_id="77",
            fill_price=ENTRY_PRICE,
            quantity=quantity,
            fees_by_asset={"BTC": Decimal("0.00006666")},
            trailing_stop=ENTRY_PRICE - distance,
            borrowed={"USDT": Decimal("5339.37")},
            trade_id=LAST_TRADE,
            filled_at=NOON + timedelta(seconds=2),
        ),
        2,
    )


def ratchets(position_id: PositionId, count: int, *, step: Decimal = Decimal("0.01")) -> Iterator[Fact]:
    """So many moves of the stop of an entered position."""
    stop = ENTRY_PRICE - 1_500
    for number in range(1, count + 1):
        moved = stop + step
        event = TrailingStopUpdated(
            previous_stop=stop, trailing_stop=moved, extreme=moved + 1_500, trade_id=LAST_TRADE + 7 * number
        )
        stop = moved
        yield fact(position_id, event, 2 + number)


def left(position_id: PositionId) -> Iterator[Fact]:
    """The way out of an entered position, four facts."""
    order_id, sold = exit_order_id(position_id, 1, 0), Decimal("0.06659")
    yield fact(position_id, ExitTriggered(reason=ExitReason.TRAILING_STOP, price=Decimal(93_500), trade_id=1100), 60)
    yield fact(
        position_id,
        ExitOrderPlaced(
            client_order_id=order_id, attempt=1, fence=Fence.CLOCK, order_side=OrderSide.SELL, quantity=sold
        ),
        60,
    )
    yield fact(
        position_id,
        ExitFilled(
            client_order_id=order_id,
            venue_order_id="78",
            fill_price=Decimal(93_490),
            quantity=sold,
            fees_by_asset={"USDT": Decimal("6.2255")},
        ),
        61,
    )
    yield fact(
        position_id,
        PositionClosed(
            exit_reason=ExitReason.TRAILING_STOP,
            entry_price=ENTRY_PRICE,
            exit_price=Decimal(93_490),
            quantity=sold,
            realized_pnl=Decimal("-100.5509"),
            fees=Decimal("12.571524"),
            interest=Decimal("0.01"),
            net_pnl=Decimal("-113.132424"),
            dust=Decimal("0.00000334"),
        ),
        62,
    )


def event_row(one: Fact, seq: int) -> rows.Row:
    """A fact as a row of the journal."""
    return seq, rows.time_text(one.at), one.position_id, event_type(one.event), rows.json_text(event_data(one.event))


def active(number: int, count: int) -> tuple[Fact, ...]:
    """A position in the market that differs from `count` others by its distance and by what it has at risk."""
    distance = Decimal(1_000 + number * 1_000 // count)
    # Neither rises nor falls with the number: the order of the journal is not the order of the risk.
    quantity = Decimal(1_000 + number * 7_919 % count) / 100_000
    return tuple(entered(named(number), distance=distance, quantity=quantity))


def fill_journal(path: Path, lives: Iterable[tuple[Fact, ...]]) -> list[Position]:
    """A new journal that holds these lives, one after the other; the positions that they make."""
    open_journal(path).close()
    positions, seq = [], 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for life in lives:
            connection.executemany(rows.INSERT_EVENT, [event_row(one, seq + n) for n, one in enumerate(life, 1)])
            seq += len(life)
            positions.append(fold(life))
            connection.execute(projection.UPSERT_POSITION, projection.position_row(positions[-1], seq))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return positions


def advanced(position: Position, facts: Iterable[Fact]) -> Position:
    """A position after more facts."""
    for one in facts:
        position = evolve(position, one)
    return position
