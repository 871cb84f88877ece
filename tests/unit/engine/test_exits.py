"""How much an exit trades: the venue's exit arithmetic on worked examples (Binance reference, 8.1 to 8.3)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from robson.domain.ids import exit_order_id
from robson.domain.stimuli import ExitTerms
from robson.domain.values import Fence, OrderSide, Role, Side
from robson.engine.exits import exit_orders, fees_in_quote, first_exit_quantity, interest_estimate
from tests.unit.engine.samples import BTCUSDT, ID, armed

LONG, SHORT = Side.LONG, Side.SHORT


def terms(fee_rate: str = "0.001", interest: str = "0", **more: object) -> ExitTerms:
    exit_terms = ExitTerms(instrument=BTCUSDT, fee_rate=Decimal(fee_rate), interest_base=Decimal(interest))
    return msgspec.structs.replace(exit_terms, **more)


@pytest.mark.parametrize(
    ("side", "quantity", "fees", "exit_terms", "first"),
    [
        (LONG, "0.01534", {"BTC": "0.00001534"}, terms(), "0.01532"),
        (LONG, "0.01534", {"BNB": "0.002"}, terms(), "0.01534"),  # the fee was taken elsewhere
        (LONG, "0.01534", {"USDT": "1.5"}, terms(), "0.01534"),
        (LONG, "0.000009", {}, terms(), "0"),
        (SHORT, "0.01534", {"USDT": "1.5"}, terms(interest="0.00000051"), "0.01536"),
        (SHORT, "0.01534", {"USDT": "1.5"}, terms("0"), "0.01534"),
        (SHORT, "0.01534", {"USDT": "1.5"}, terms("0", "0.00000001"), "0.01535"),
    ],
)
def test_the_first_exit(side: Side, quantity: str, fees: dict[str, str], exit_terms: ExitTerms, first: str) -> None:
    paid = {asset: Decimal(amount) for asset, amount in fees.items()}
    assert first_exit_quantity(side, Decimal(quantity), paid, exit_terms) == Decimal(first)


def test_what_a_short_buys_back_pays_its_debt_and_the_fee() -> None:
    debt = Decimal("0.01534051")
    bought = first_exit_quantity(SHORT, Decimal("0.01534"), {}, terms(interest="0.00000051"))
    assert bought * Decimal("0.999") - debt == Decimal("0.00000413")


AT_1355 = datetime(2026, 3, 1, 13, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "hours"),
    [
        (0, 1),
        (2, 1),
        (3, 2),  # 13:58: the full hour counts two minutes ahead
        (5, 2),
        (35, 2),  # 14:30, the venue's own example
        (63, 3),
        (65 + 23 * 60, 25 + 1),
        (-60, 1),  # a clock behind the venue's
    ],
)
def test_an_hour_is_charged_at_once_and_one_at_each_full_hour(minutes: int, hours: int) -> None:
    owed = interest_estimate(Decimal(1000), Decimal("0.00001"), AT_1355, AT_1355 + timedelta(minutes=minutes))
    assert owed == hours * Decimal("0.01")


@pytest.mark.parametrize(("side", "order_side"), [(LONG, OrderSide.SELL), (SHORT, OrderSide.BUY)])
def test_an_exit_is_one_order_with_its_own_id(side: Side, order_side: OrderSide) -> None:
    events, orders = exit_orders(armed(side), Decimal("0.5"), 3, terms(fence=Fence.SELF))
    (event,), (order,) = events, orders
    assert (order.role, order.order_side, order.quantity, order.symbol) == (
        Role.EXIT,
        order_side,
        Decimal("0.5"),
        "BTCUSDT",
    )
    assert (order.attempt, order.part, order.fence) == (3, 0, Fence.SELF)
    assert order.client_order_id == exit_order_id(ID, 3, 0)
    for name in ("client_order_id", "attempt", "part", "fence", "order_side", "quantity"):
        assert getattr(event, name) == getattr(order, name)


def test_an_exit_above_the_maximum_is_several_orders() -> None:
    small = msgspec.structs.replace(BTCUSDT, maximum_quantity=Decimal("0.2"))
    events, orders = exit_orders(armed(), Decimal("0.5"), 1, terms(instrument=small))
    assert [order.part for order in orders] == [0, 1, 2]
    assert sum(order.quantity for order in orders) == Decimal("0.5")
    assert len({order.client_order_id for order in orders}) == 3
    assert [event.client_order_id for event in events] == [order.client_order_id for order in orders]


@pytest.mark.parametrize("quantity", ["0", "-0.001", "0.000009"])
def test_nothing_in_whole_steps_is_no_order(quantity: str) -> None:
    assert exit_orders(armed(), Decimal(quantity), 1, terms()) == ((), ())


def test_fees_are_added_up_in_quote() -> None:
    fees = {"BTC": Decimal("0.0001"), "USDT": Decimal(3), "BNB": Decimal("0.01"), "XYZ": Decimal(7)}
    assert fees_in_quote(fees, BTCUSDT, Decimal(95_000), {"BNB": Decimal(600)}) == Decimal("9.5") + 3 + 6
