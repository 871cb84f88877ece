"""When the account alone keeps a second exit from executing, to the last digit."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from robson.domain.account import Leg, PairAccount
from robson.domain.actions import PlaceOrder
from robson.domain.position import Position
from robson.domain.values import ClientOrderId, Fence, OrderSide, PositionId, Role, Side
from robson.executor.self_fence import decide, exceeded_by, funds_one_only, in_doubt_alone, quantity_beside
from robson.ports import Intent
from tests.unit.engine.samples import BTCUSDT, ID, STATES

PRICE = Decimal(50_000)
LEAST = BTCUSDT.smallest_sellable(PRICE)
EXITING = STATES["Exiting, order out"]


def account(base: object = 0, quote: object = 0, *, locked: object = 0, owed: object = 0) -> PairAccount:
    return PairAccount(
        symbol="BTCUSDT",
        base=Leg(free=Decimal(str(base)), locked=Decimal(str(locked)), borrowed=Decimal(str(owed))),
        quote=Leg(free=Decimal(str(quote))),
    )


@pytest.mark.parametrize(
    ("beyond", "one_only"), [(Decimal(0), True), (LEAST - Decimal("0.00000001"), True), (LEAST, False), (1, False)]
)
def test_a_long_could_sell_less_than_the_venue_accepts_beside_its_exit(beyond: Decimal, one_only: bool) -> None:
    assert funds_one_only(Side.LONG, Decimal(1), account(1 + beyond), BTCUSDT, PRICE) is one_only
    # What is locked may be free again when the second order arrives.
    assert funds_one_only(Side.LONG, Decimal(1), account(1, locked=beyond), BTCUSDT, PRICE) is one_only


@pytest.mark.parametrize(("quote", "one_only"), [(50_000, True), ("95238.09", True), ("95238.10", False)])
def test_a_short_could_not_pay_for_two_even_if_the_price_fell_a_little(quote: object, one_only: bool) -> None:
    assert funds_one_only(Side.SHORT, Decimal(1), account(quote=quote), BTCUSDT, PRICE) is one_only


def fence(side: Side, quantity: str, read: PairAccount, expected: str) -> Fence:
    position = msgspec.structs.replace(EXITING, side=side)
    return decide(position, Decimal(quantity), read, BTCUSDT, PRICE, expected_net_base=Decimal(expected))


def test_the_account_must_show_the_fill() -> None:
    assert fence(Side.LONG, "1", account(1), "1") is Fence.SELF
    assert fence(Side.LONG, "1", account(1), "0.5") is Fence.CLOCK
    # The traders own base, read before the fill: it would look like the position's.
    assert fence(Side.LONG, "1", account(1), "2") is Fence.CLOCK
    assert fence(Side.SHORT, "1", account(0, 80_000, owed=1), "-1") is Fence.SELF
    assert fence(Side.SHORT, "1", account(0, 80_000), "-1") is Fence.CLOCK
    owing = msgspec.structs.replace(account(0, 80_000), base=Leg(borrowed=Decimal(1), interest=Decimal("0.01")))
    assert fence(Side.SHORT, "1", owing, "-1") is Fence.SELF


def test_an_exit_in_several_orders_keeps_the_clock_fence() -> None:
    small = msgspec.structs.replace(BTCUSDT, maximum_quantity=Decimal("0.5"))
    for instrument, expected in ((BTCUSDT, Fence.SELF), (small, Fence.CLOCK)):
        decided = decide(EXITING, Decimal(1), account(1), instrument, PRICE, expected_net_base=Decimal(1))
        assert decided is expected


def intent(status: str = "in_doubt", **more: object) -> Intent:
    order = PlaceOrder(
        position_id=PositionId(ID),
        client_order_id=ClientOrderId("rbn1"),
        symbol="BTCUSDT",
        role=Role.EXIT,
        order_side=OrderSide.SELL,
        quantity=Decimal("0.03"),
        attempt=1,
        fence=Fence.SELF,
    )
    order = msgspec.structs.replace(order, **more)
    return Intent(order=order, status=status, epoch=1, created_at=datetime(2026, 1, 1, tzinfo=UTC), timestamp_ms=1)


def test_another_attempt_goes_out_beside_one_that_is_in_doubt_under_the_self_fence_only() -> None:
    doubtful = intent()
    assert in_doubt_alone(EXITING, [doubtful]) is doubtful
    assert in_doubt_alone(EXITING, []) is None
    assert in_doubt_alone(EXITING, [doubtful, intent()]) is None
    assert in_doubt_alone(STATES["Active"], [doubtful]) is None
    for other in (
        intent("sent"),
        intent("pending"),
        intent(fence=Fence.CLOCK),
        intent(role=Role.ENTRY),
        intent(order_side=OrderSide.BUY),
    ):
        assert in_doubt_alone(EXITING, [other]) is None


def exiting(first: str, executed: str, returned: str = "0") -> Position:
    state = EXITING.state
    progress = state.exit  # type: ignore[union-attr]
    assert progress is not None
    order = msgspec.structs.replace(progress.orders[0], quantity=Decimal(first), fence=Fence.SELF)
    progress = msgspec.structs.replace(
        progress, orders=(order,), quantity=Decimal(executed), returned=Decimal(returned)
    )
    return msgspec.structs.replace(EXITING, state=msgspec.structs.replace(state, exit=progress))


@pytest.mark.parametrize(
    ("executed", "beside"), [("0", "0.03"), ("0.01", "0.03"), ("0.02", "0.02"), ("0.04", "0"), ("0.05", "0")]
)
def test_the_next_attempt_is_as_large_or_what_the_fills_leave(executed: str, beside: str) -> None:
    assert quantity_beside(exiting("0.04", executed), intent(), BTCUSDT) == Decimal(beside)


@pytest.mark.parametrize(
    ("executed", "returned", "excess"), [("0.04", "0", "0"), ("0.05", "0", "0.01"), ("0.05", "0.01", "0")]
)
def test_what_the_exits_executed_too_much(executed: str, returned: str, excess: str) -> None:
    assert exceeded_by(exiting("0.04", executed, returned), BTCUSDT) == Decimal(excess)


def test_a_fence_is_never_better_than_that_of_any_order_before() -> None:
    progress = exiting("0.04", "0").exit
    assert progress is not None
    assert progress.fence is Fence.SELF
    worse = msgspec.structs.replace(progress.orders[0], fence=Fence.CLOCK)
    assert msgspec.structs.replace(progress, orders=(*progress.orders, worse)).fence is Fence.CLOCK
    assert msgspec.structs.replace(progress, orders=()).fence is None
