"""Lists of orders lag like all that the simulated venue shows; lives meet that too seldom to count on it."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from trio.testing import MockClock

from robson.domain.values import ClientOrderId, OrderSide, Role
from robson.ports import OrderRequest
from tests.simulation.disk import Wire
from tests.simulation.world import World


async def test_orders_that_are_younger_than_the_lag_are_missing_in_the_list(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World(1, tmp_path, autojump_clock)
    rig, venue, _ = world.rig(Wire())
    world.weather._until.clear()
    async with rig.running():
        rig.tick("95000")
        await venue.inner.place(
            OrderRequest(
                symbol="BTCUSDT",
                client_order_id=ClientOrderId("order-1"),
                role=Role.ENTRY,
                order_side=OrderSide.BUY,
                quantity=Decimal("0.001"),
                timestamp_ms=venue.inner.timestamp_ms(),
                receive_window_ms=5000,
            )
        )
        since = world.clock.now() - timedelta(hours=1)
        missing = "reading: orders missing in the list"
        world.weather._lags["orders"] = 30.0
        assert await venue.orders("BTCUSDT", since) == []
        assert world.weather.counts[missing] == 1
        world.weather._lags["orders"] = 0.0
        assert [report.client_order_id for report in await venue.orders("BTCUSDT", since)] == ["order-1"]
        assert world.weather.counts[missing] == 1
