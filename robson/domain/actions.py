"""What a decision asks for: orders, each with an id that is known before it is sent."""

from decimal import Decimal

from robson.domain.values import ClientOrderId, Fence, OrderSide, PositionId, Role, Value


class PlaceOrder(Value):
    """A market order that Robson means to place; `quantity` in base.

    `attempt` counts an exit's orders from 1 and is 0 for an entry; `part` numbers the slices of one attempt from 0.
    """

    position_id: PositionId
    client_order_id: ClientOrderId
    symbol: str
    role: Role
    order_side: OrderSide
    quantity: Decimal
    attempt: int = 0
    part: int = 0
    fence: Fence = Fence.CLOCK


Action = PlaceOrder
