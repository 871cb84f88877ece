"""What a queried order does not tell is found elsewhere: the one loan that was made for it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from robson.domain.account import InterestCharge
from robson.domain.values import OrderSide
from robson.executor.resolution import loan_of
from robson.ports import OrderReport
from tests.unit.engine.samples import BTCUSDT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def report(side: OrderSide) -> OrderReport:
    return OrderReport(
        symbol="BTCUSDT",
        client_order_id="rbn1",
        venue_order_id="1",
        status="FILLED",
        order_side=side,
        quantity=Decimal(1),
        executed=Decimal(1),
        executed_quote=None,
        at=NOON,
    )


def charge(asset: str, principal: int, seconds: float, *, on_borrow: bool = True) -> InterestCharge:
    return InterestCharge(
        asset=asset,
        amount=Decimal("0.01"),
        principal=Decimal(principal),
        at=NOON + timedelta(seconds=seconds),
        on_borrow=on_borrow,
    )


@pytest.mark.parametrize(
    ("side", "charges", "loan"),
    [
        (OrderSide.BUY, [charge("USDT", 700, 0.4), charge("USDT", 500, -0.1)], {"USDT": Decimal(500)}),
        (OrderSide.BUY, [charge("BTC", 3, 0), charge("USDT", 500, 0.9)], {"USDT": Decimal(500)}),
        (OrderSide.SELL, [charge("BTC", 3, 0.2), charge("USDT", 500, 0)], {"BTC": Decimal(3)}),
        (OrderSide.SELL, [charge("BTC", 3, 1.1), charge("BTC", 3, 0, on_borrow=False)], {}),
        (OrderSide.SELL, [], {}),
    ],
)
def test_the_loan_is_the_nearest_one_of_the_asset_that_the_order_pays(
    side: OrderSide, charges: list[InterestCharge], loan: dict[str, Decimal]
) -> None:
    assert loan_of(report(side), BTCUSDT, charges) == loan
