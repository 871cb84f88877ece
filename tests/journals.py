"""Journals of made-up lives, closed and open, with their prices: what a report is read from."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    Notice,
    PositionArmed,
    PositionClosed,
    PositionEvent,
)
from robson.domain.samples import Sample, Strip, to_ms
from robson.domain.values import ClientOrderId, ExitReason, Fence, OrderSide, PositionId, Side
from robson.ports.journal import Commit, Journal, PriceRow
from robson.protocol.charting import ChartResult
from tests.contract.journal.lives import write
from tests.pictures import BEGAN, walked

DAYS_BETWEEN = timedelta(hours=7)


def live(
    journal: Journal,
    number: int,
    *,
    symbol: str = "BTCUSDT",
    params: dict[str, str] | None = None,
    is_open: bool = False,
) -> PositionId:
    """One seeded life, some hours after the one of the number before."""
    rng = random.Random(number)
    side = "short" if number % 3 == 2 else "long"
    chart = walked(
        number,
        side=side,
        seconds=rng.choice((40, 900, 6000, 86_400)),
        distance=rng.choice((400.0, 900.0)),
        gap=(0.3, 0.5) if number % 7 == 3 else None,
        steps=800,
        is_open=is_open,
    )
    position_id = PositionId(f"0199d2c0-{number:04x}-7000-8000-{number:012x}")
    shift = number * DAYS_BETWEEN
    facts = _facts(chart, position_id, symbol, params or {"fast": "9"}, shift)
    for at, event in facts:
        write(journal, Fact(position_id=position_id, at=at, event=event))
    if number % 5 == 1:
        told = Notice(
            type="unprotected",
            at=facts[-1][0],
            position_id=position_id,
            data={"seconds": str(rng.randrange(1, 90)), "causes": ["feed"]},
        )
        journal.commit(Commit(notices=(told,)))
    samples = tuple(
        Sample(to_ms(point.at + shift), point.low, point.high, point.last, point.stop) for point in chart.points
    )
    strip = Strip(round(chart.width_seconds * 1000), samples)
    journal.keep_samples([PriceRow(position_id=position_id, number=1, strip=strip, final=not is_open)])
    return position_id


def _facts(
    chart: ChartResult, position_id: str, symbol: str, params: dict[str, str], shift: timedelta
) -> list[tuple[datetime, PositionEvent]]:
    is_long = chart.side == "long"
    bought, sold = (OrderSide.BUY, OrderSide.SELL) if is_long else (OrderSide.SELL, OrderSide.BUY)
    entered = BEGAN + shift
    assert chart.entry_price is not None
    assert chart.technical_stop is not None
    assert chart.stop_distance is not None
    assert chart.quantity is not None
    wanted = chart.entry_price - Decimal("1.35") * (1 if is_long else -1)
    entry, out = ClientOrderId(f"e-{position_id}"), ClientOrderId(f"x-{position_id}")
    armed = PositionArmed(
        symbol=symbol,
        side=Side(chart.side),
        strategy="sma_cross",
        capital=Decimal(10000),
        risk_percent=Decimal(1),
        params=params,
    )
    signal = EntrySignalReceived(
        signal_id="s-1",
        entry_price=wanted,
        technical_stop=chart.technical_stop,
        stop_distance=chart.stop_distance,
        quantity=chart.quantity,
        evidence={},
    )
    placed = EntryOrderPlaced(client_order_id=entry, order_side=bought, quantity=chart.quantity)
    filled = EntryFilled(
        client_order_id=entry,
        venue_order_id="77",
        fill_price=chart.entry_price,
        quantity=chart.quantity,
        fees_by_asset={"USDT": Decimal("6.34")},
        trailing_stop=chart.technical_stop,
        borrowed={},
        trade_id=1000,
        filled_at=entered,
    )
    first = entered - timedelta(minutes=20)
    facts: list[tuple[datetime, PositionEvent]] = [
        (first, armed),
        (entered, signal),
        (entered, placed),
        (entered, filled),
    ]
    if chart.closed_at is None:
        return facts
    assert chart.exit_price is not None
    closed = chart.closed_at + shift
    gross = (chart.exit_price - chart.entry_price) * chart.quantity * (1 if is_long else -1)
    crossed = chart.exit_price + Decimal("2.10") * (1 if is_long else -1)
    reason = ExitReason(chart.exit_reason or "operator_close")
    triggered = ExitTriggered(reason=reason, price=crossed, trade_id=1100)
    ordered = ExitOrderPlaced(
        client_order_id=out, attempt=1, fence=Fence.CLOCK, order_side=sold, quantity=chart.quantity
    )
    left = ExitFilled(
        client_order_id=out,
        venue_order_id="78",
        fill_price=chart.exit_price,
        quantity=chart.quantity,
        fees_by_asset={"USDT": Decimal("6.31")},
    )
    over = PositionClosed(
        exit_reason=reason,
        entry_price=chart.entry_price,
        exit_price=chart.exit_price,
        quantity=chart.quantity,
        realized_pnl=gross,
        fees=Decimal("12.65"),
        interest=Decimal("0.02"),
        net_pnl=gross - Decimal("12.67"),
        dust=Decimal(0),
    )
    return [*facts, (closed, triggered), (closed, ordered), (closed, left), (closed, over)]
