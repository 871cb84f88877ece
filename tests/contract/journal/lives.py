"""Facts of a position's life, from armed to closed, as tests write them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from robson.domain.account import Trade
from robson.domain.actions import PlaceOrder
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
    read_event,
)
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import ClientOrderId, ExitReason, Fence, OrderSide, PositionId, Role, Side
from robson.engine.evolve import evolve, fold
from robson.ports.journal import Commit, Fill, Intent, Journal

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
ONE = PositionId("one")
TWO = PositionId("two")
ENTRY = ClientOrderId("rbn-entry")
EXIT = ClientOrderId("rbn-exit")


def fact(position_id: PositionId, event: PositionEvent, second: int = 0) -> Fact:
    return Fact(position_id=position_id, at=NOON + timedelta(seconds=second), event=event)


def armed(position_id: PositionId, *, capital: Decimal = Decimal(10000)) -> Fact:
    event = PositionArmed(
        symbol="BTCUSDT",
        side=Side.LONG,
        strategy="sma_cross",
        capital=capital,
        risk_percent=Decimal(1),
        params={"fast": "9"},
    )
    return fact(position_id, event)


def entry_facts(position_id: PositionId) -> tuple[Fact, ...]:
    return (
        fact(
            position_id,
            EntrySignalReceived(
                signal_id="s-1",
                entry_price=Decimal(95000),
                technical_stop=Decimal(93500),
                stop_distance=Decimal(1500),
                quantity=Decimal("0.06666"),
                evidence={"levels": [{"price": "93500", "touches": 2}], "method": "swing"},
            ),
            1,
        ),
        fact(
            position_id,
            EntryOrderPlaced(client_order_id=ENTRY, order_side=OrderSide.BUY, quantity=Decimal("0.06666")),
            1,
        ),
    )


def filled(position_id: PositionId) -> Fact:
    event = EntryFilled(
        client_order_id=ENTRY,
        venue_order_id="77",
        fill_price=Decimal(95100),
        quantity=Decimal("0.06666"),
        fees_by_asset={"BTC": Decimal("0.00006666")},
        trailing_stop=Decimal(93600),
        borrowed={"USDT": Decimal("5339.37")},
        trade_id=1000,
        filled_at=NOON + timedelta(seconds=2),
    )
    return fact(position_id, event, 2)


def ratchet(position_id: PositionId, step: int, *, trade_id: int | None = None) -> Fact:
    """The step-th move of the stop, ten quote each."""
    event = TrailingStopUpdated(
        previous_stop=Decimal(93600 + 10 * (step - 1)),
        trailing_stop=Decimal(93600 + 10 * step),
        extreme=Decimal(95100 + 10 * step),
        trade_id=trade_id,
    )
    return fact(position_id, event, 2 + step)


def exit_facts(position_id: PositionId) -> tuple[Fact, ...]:
    sold = Decimal("0.06659")
    return (
        fact(position_id, ExitTriggered(reason=ExitReason.TRAILING_STOP, price=Decimal(93600), trade_id=1100), 60),
        fact(
            position_id,
            ExitOrderPlaced(
                client_order_id=EXIT, attempt=1, fence=Fence.CLOCK, order_side=OrderSide.SELL, quantity=sold
            ),
            60,
        ),
        fact(
            position_id,
            ExitFilled(
                client_order_id=EXIT,
                venue_order_id="78",
                fill_price=Decimal(93590),
                quantity=sold,
                fees_by_asset={"USDT": Decimal("6.2321581")},
            ),
            61,
        ),
        fact(
            position_id,
            PositionClosed(
                exit_reason=ExitReason.TRAILING_STOP,
                entry_price=Decimal(95100),
                exit_price=Decimal(93590),
                quantity=sold,
                realized_pnl=Decimal("-100.5509"),
                fees=Decimal("12.571524"),
                interest=Decimal("0.01"),
                net_pnl=Decimal("-113.132424"),
                dust=Decimal("0.00000334"),
            ),
            62,
        ),
    )


def life(position_id: PositionId) -> tuple[Fact, ...]:
    return (armed(position_id), *entry_facts(position_id), filled(position_id), *exit_facts(position_id))


def states_after(journal: Journal, facts: tuple[Fact, ...]) -> tuple[Position, ...]:
    states: dict[PositionId, Position] = {}
    for one in facts:
        before = states.get(one.position_id) or journal.position(one.position_id)
        states[one.position_id] = evolve(before, one)
    return tuple(states.values())


def write(journal: Journal, *facts: Fact) -> tuple[Recorded, ...]:
    return journal.commit(Commit(facts=facts, positions=states_after(journal, facts)))


def fold_events(journal: Journal, position_id: PositionId) -> Position:
    """The plain fold over what `events` shows, one by one."""
    return fold(
        Fact(position_id=position_id, at=row.at, event=read_event(row.type, msgspec.json.encode(row.data)))
        for row in journal.events(position_id=position_id, limit=10**6)
    )


def intent(
    client_order_id: ClientOrderId, position_id: PositionId = ONE, *, status: str = "pending", epoch: int = 1
) -> Intent:
    order = PlaceOrder(
        position_id=position_id,
        client_order_id=client_order_id,
        symbol="BTCUSDT",
        role=Role.EXIT,
        order_side=OrderSide.SELL,
        quantity=Decimal("0.06659"),
        attempt=2,
        part=1,
        fence=Fence.SELF,
    )
    return Intent(order=order, status=status, epoch=epoch, created_at=NOON)


def fill(trade_id: int, *, price: str = "95100", second: int = 0, order_side: OrderSide = OrderSide.BUY) -> Fill:
    return Fill(
        position_id=ONE,
        client_order_id=ENTRY,
        symbol="BTCUSDT",
        order_side=order_side,
        role=Role.ENTRY,
        trade=Trade(
            trade_id=trade_id,
            venue_order_id="77",
            price=Decimal(price),
            quantity=Decimal("0.01"),
            fee=Decimal("0.00001"),
            fee_asset="BTC",
            at=NOON + timedelta(seconds=second),
        ),
    )
