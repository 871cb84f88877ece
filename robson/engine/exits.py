"""How much an exit sells or buys back, and in which orders."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from robson.domain.actions import PlaceOrder
from robson.domain.events import ExitOrderPlaced
from robson.domain.ids import exit_order_id
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.stimuli import ExitTerms, FoundOrder
from robson.domain.values import ZERO, Fence, OrderSide, Role, Side, exit_order_side

NEXT_HOUR_MARGIN = timedelta(minutes=2)


def first_exit_quantity(side: Side, quantity: Decimal, fees_by_asset: dict[str, Decimal], terms: ExitTerms) -> Decimal:
    """The base quantity of the first exit of what an entry executed, in whole steps.

    A long sells what it holds after fees and what is owed in base, floored. A short buys back what it sold, its share
    of the interest and the fee that the venue keeps of the purchase, rounded up (reference: exit arithmetic, 8.3).
    """
    instrument = terms.instrument
    if side is Side.LONG:
        held = quantity - fees_by_asset.get(instrument.base, ZERO)
        return instrument.floor(max(held - terms.interest_base, ZERO))
    return instrument.ceil((quantity + terms.interest_base) / (1 - terms.fee_rate))


def interest_estimate(
    principal: Decimal,
    hourly_rate: Decimal,
    borrowed_at: datetime,
    now: datetime,
    *,
    margin: timedelta = NEXT_HOUR_MARGIN,
) -> Decimal:
    """What a loan has cost so far, in its asset: one hour at once, then one at each full UTC hour.

    The next hour counts as charged two minutes ahead (`margin`), so that an exit sent just before it is not short. An
    exit's later sizes come from the account itself.
    """
    hours = int((now + margin).timestamp() // 3600) - int(borrowed_at.timestamp() // 3600)
    return principal * hourly_rate * (1 + max(hours, 0))


def exit_orders(
    position: Position, quantity: Decimal, attempt: int, terms: ExitTerms, order_side: OrderSide | None = None
) -> tuple[tuple[ExitOrderPlaced, ...], tuple[PlaceOrder, ...]]:
    """The events and orders of one exit attempt; empty when nothing in whole steps is left.

    `order_side` is given where it is not the exit's own.
    """
    if quantity < max(terms.instrument.minimum_quantity, terms.instrument.step_size):
        return (), ()
    order_side = order_side or exit_order_side(position.side)
    return _placed(
        [
            _exit_order(position, order_side, share, attempt, part, terms.fence)
            for part, share in enumerate(terms.instrument.split(quantity))
        ]
    )


def found_orders(
    position: Position, found: Sequence[FoundOrder]
) -> tuple[tuple[ExitOrderPlaced, ...], tuple[PlaceOrder, ...]]:
    """The events and orders of exits that are at the venue already, under the clock fence."""
    return _placed(
        [
            _exit_order(position, order.order_side, order.quantity, order.attempt, order.part, Fence.CLOCK)
            for order in found
        ]
    )


def _exit_order(
    position: Position, order_side: OrderSide, quantity: Decimal, attempt: int, part: int, fence: Fence
) -> PlaceOrder:
    return PlaceOrder(
        position_id=position.position_id,
        client_order_id=exit_order_id(position.position_id, attempt, part),
        symbol=position.symbol,
        role=Role.EXIT,
        order_side=order_side,
        quantity=quantity,
        attempt=attempt,
        part=part,
        fence=fence,
    )


def _placed(orders: Sequence[PlaceOrder]) -> tuple[tuple[ExitOrderPlaced, ...], tuple[PlaceOrder, ...]]:
    events = tuple(
        ExitOrderPlaced(
            client_order_id=order.client_order_id,
            attempt=order.attempt,
            fence=order.fence,
            order_side=order.order_side,
            quantity=order.quantity,
            part=order.part,
        )
        for order in orders
    )
    return events, tuple(orders)


def fees_in_quote(
    fees_by_asset: dict[str, Decimal], instrument: Instrument, base_price: Decimal, prices: dict[str, Decimal]
) -> Decimal:
    """Fees as quote: base at `base_price`, third assets at `prices` (quote per unit), unpriced ones left out."""
    total = ZERO
    for asset, amount in fees_by_asset.items():
        if asset == instrument.quote:
            total += amount
        elif asset == instrument.base:
            total += amount * base_price
        else:
            total += amount * prices.get(asset, ZERO)
    return total
