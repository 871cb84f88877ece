"""The paper venue's own ways: delays and lost replies, its memory, fees in a third asset, and liquidation by a tick."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Rejected, StorageError, Unreachable
from robson.domain.values import ClientOrderId, OrderSide, Role
from robson.ports.venue import OrderRequest, Venue
from robson.venue.account_file import AccountFile
from robson.venue.ledger.units import to_ms
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings
from tests.unit.venue.clocks import START, VirtualClock

BUY, SELL, ENTRY, EXIT = OrderSide.BUY, OrderSide.SELL, Role.ENTRY, Role.EXIT
SYMBOL = "BTCUSDT"
ZERO = Decimal(0)

Open = Callable[..., PaperVenue]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper-account.db"


@pytest.fixture
def prices() -> dict[str, Decimal]:
    return {SYMBOL: Decimal(60000)}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def open_venue(path: Path, prices: dict[str, Decimal], clock: VirtualClock) -> Iterator[Open]:
    """Open a venue on the test's file; without latency, spread and slippage unless given."""
    with ExitStack() as stack:

        def open_one(*, seed: int = 1, **settings: Any) -> PaperVenue:
            quiet = {"spread_bps": ZERO, "slippage_bps": ZERO, "latency_ms": ZERO, "latency_jitter_ms": ZERO}
            venue = PaperVenue.open(
                path,
                clock=clock,
                prices=prices.get,
                settings=PaperSettings(**{"collateral": Decimal(1000), "fills_max": 1, **quiet, **settings}),
                seed=seed,
            )
            return stack.enter_context(closing(venue))

        yield open_one


def request(
    clock: VirtualClock, side: OrderSide = BUY, role: Role = ENTRY, quantity: str = "0.1", **rest: Any
) -> OrderRequest:
    return OrderRequest(
        symbol=rest.get("symbol", SYMBOL),
        client_order_id=ClientOrderId(rest.get("client_order_id", "order-1")),
        role=role,
        order_side=side,
        quantity=Decimal(quantity),
        timestamp_ms=to_ms(clock.now()),
        receive_window_ms=rest.get("receive_window_ms", 5000),
    )


async def test_it_implements_the_port(open_venue: Open, autojump_clock: MockClock) -> None:
    venue: Venue = open_venue()
    assert venue.name == "paper"


async def test_a_request_and_its_answer_travel_half_the_delay_each(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue(latency_ms=Decimal(300))
    started = trio.current_time()
    report = await venue.place(request(clock))
    assert trio.current_time() - started == pytest.approx(0.3)
    assert (report.at - START).total_seconds() == pytest.approx(0.15)


async def test_a_refusal_travels_back_as_well(open_venue: Open, clock: VirtualClock, autojump_clock: MockClock) -> None:
    venue = open_venue(latency_ms=Decimal(300))
    started = trio.current_time()
    with pytest.raises(Rejected):
        await venue.place(request(clock, SELL, EXIT))
    assert trio.current_time() - started == pytest.approx(0.3)


async def test_who_stops_waiting_before_the_request_arrives_has_asked_for_nothing(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue(latency_ms=Decimal(300))
    with trio.move_on_after(0.1) as scope:
        await venue.place(request(clock))
    assert scope.cancelled_caught
    assert await venue.order(SYMBOL, "order-1") is None
    assert (await venue.account(SYMBOL)).quote.borrowed == 0


async def test_who_stops_waiting_after_that_has_traded(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue(latency_ms=Decimal(300))
    with trio.move_on_after(0.2) as scope:
        await venue.place(request(clock))
    assert scope.cancelled_caught
    found = await venue.order(SYMBOL, "order-1")
    assert found is not None
    assert found.executed == Decimal("0.1")


async def test_a_request_that_travels_longer_than_its_window_is_refused(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue(latency_ms=Decimal(4200))
    with pytest.raises(Rejected, match="^-1021: "):
        await venue.place(request(clock, receive_window_ms=2000))
    assert await venue.order(SYMBOL, "order-1") is None


async def test_delays_and_fills_are_decided_by_the_seed(
    tmp_path: Path, clock: VirtualClock, prices: dict[str, Decimal], autojump_clock: MockClock
) -> None:
    async def life(name: str, seed: int) -> tuple[float, list[Decimal]]:
        path = tmp_path / name
        with closing(
            PaperVenue.open(path, clock=clock, prices=prices.get, settings=PaperSettings(), seed=seed)
        ) as venue:
            started = trio.current_time()
            reports = [await venue.place(request(clock, quantity="0.01")) for _ in range(5)]
            lasted = round(trio.current_time() - started, 6)
            return lasted, [trade.price for report in reports for trade in report.trades]

    first, again, other = await life("a", 1), await life("b", 1), await life("c", 2)
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert min(first[1]) > 60000


async def test_an_order_needs_a_price_but_an_old_one_will_do(
    open_venue: Open, clock: VirtualClock, prices: dict[str, Decimal], autojump_clock: MockClock
) -> None:
    del prices[SYMBOL]
    venue = open_venue()
    for ask in (lambda: venue.place(request(clock)), lambda: venue.price(SYMBOL)):
        with pytest.raises(Rejected, match="^-3042: PriceIndex not available for this margin pair"):
            await ask()
    prices[SYMBOL] = Decimal(60000)
    await venue.place(request(clock))
    prices[SYMBOL] = Decimal(61000)
    await venue.account(SYMBOL)
    venue.close()

    del prices[SYMBOL]
    restarted = open_venue()
    assert await restarted.price(SYMBOL) == 61000
    leaving = await restarted.place(request(clock, SELL, EXIT, "0.0999", client_order_id="exit-1"))
    assert leaving.trades[0].price == 61000


async def test_collateral_is_granted_once_to_each_pair(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue()
    assert (await venue.account(SYMBOL)).quote.free == 1000
    assert (await venue.account("ETHBTC")).quote.free == 1000
    venue.close()
    assert (await open_venue(collateral=Decimal(7)).account(SYMBOL)).quote.free == 1000


async def test_interest_accrues_while_nobody_looks_and_across_a_restart(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    settings = {"quote_hourly_interest_rate": Decimal("0.0001")}
    venue = open_venue(**settings)
    await venue.place(request(clock))
    venue.close()
    await trio.sleep(10 * 3600)
    restarted = open_venue(**settings)
    # One hour at the loan and ten full hours, on 5000.
    assert (await restarted.account(SYMBOL)).quote.interest == 11 * Decimal("0.5")
    assert len(await restarted.interest(SYMBOL, START)) == 11


async def test_fees_can_be_paid_in_a_third_asset(
    open_venue: Open, clock: VirtualClock, prices: dict[str, Decimal], autojump_clock: MockClock
) -> None:
    venue = open_venue(fee_asset="BNB", fee_asset_price=Decimal(500))
    first = await venue.place(request(clock, quantity="0.01"))
    assert [(trade.fee, trade.fee_asset) for trade in first.trades] == [(Decimal("0.0012"), "BNB")]
    assert (await venue.account(SYMBOL)).base.free == Decimal("0.01")
    prices["BNBUSDT"] = Decimal(600)
    second = await venue.place(request(clock, SELL, EXIT, "0.01"))
    assert second.trades[0].fee == Decimal("0.001")


async def test_a_partial_fill_expires_and_keeps_the_loan(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue(partial_fill_probability=Decimal(1))
    report = await venue.place(request(clock))
    assert (report.status, report.is_final) == ("EXPIRED", True)
    assert 0 < report.executed < report.quantity
    assert report.executed == sum(trade.quantity for trade in report.trades)
    assert report.borrowed == {"USDT": Decimal(5000)}


async def test_an_entry_may_be_lent_more_than_it_lacks(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue(borrow_excess_bps=Decimal(10))
    report = await venue.place(request(clock, SELL))
    assert report.borrowed == {"BTC": Decimal("0.1001")}


async def test_less_than_a_step_of_base_is_never_lent(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue()
    await venue.place(request(clock, quantity="0.01534"))
    short = await venue.place(request(clock, SELL, quantity="0.01533"))
    # 0.01532466 were held, so 0.00000534 were lacking.
    assert short.borrowed == {"BTC": Decimal("0.00001")}


@pytest.mark.parametrize(("side", "near", "beyond"), [(BUY, 52600, 52500), (SELL, 66500, 66700)])
async def test_a_tick_liquidates_at_the_moment_it_comes(
    open_venue: Open,
    clock: VirtualClock,
    path: Path,
    side: OrderSide,
    near: int,
    beyond: int,
    autojump_clock: MockClock,
) -> None:
    venue = open_venue(fee_rate=ZERO)
    venue.observe(SYMBOL, Decimal(1))
    await venue.place(request(clock, side))
    venue.observe(SYMBOL, Decimal(near))
    assert len(await venue.trades(SYMBOL)) == 1

    venue.observe(SYMBOL, Decimal(beyond))
    venue.observe(SYMBOL, Decimal(60000))

    assert [trade.price for trade in await venue.trades(SYMBOL)] == [60000, beyond]
    account = await venue.account(SYMBOL)
    assert account.base.debt == account.quote.debt == 0
    with closing(AccountFile.open(path)) as file:
        (record,) = file.liquidations(SYMBOL)
        assert file.orders(SYMBOL)[-1].ticket.client_order_id == f"autoclose-{record.order_id}"


async def test_a_tick_liquidates_after_a_restart_before_anything_was_asked(
    open_venue: Open, clock: VirtualClock, prices: dict[str, Decimal], autojump_clock: MockClock
) -> None:
    venue = open_venue()
    await venue.place(request(clock))
    venue.close()
    restarted = open_venue()
    restarted.observe(SYMBOL, Decimal(50000))
    assert (await restarted.trades(SYMBOL))[-1].price == 50000


async def test_a_liquidation_before_a_refused_order_stays(
    open_venue: Open, clock: VirtualClock, prices: dict[str, Decimal], autojump_clock: MockClock
) -> None:
    venue = open_venue()
    await venue.place(request(clock))
    prices[SYMBOL] = Decimal(40000)
    with pytest.raises(Rejected, match="^-2010: "):
        await venue.place(request(clock, SELL, EXIT, "0.0999", client_order_id="exit-1"))
    prices[SYMBOL] = Decimal(60000)
    assert (await venue.account(SYMBOL)).base.total == 0
    assert await venue.order(SYMBOL, "exit-1") is None


async def test_a_file_that_is_gone_makes_the_venue_unreachable_and_does_not_fail_the_feed(
    open_venue: Open, clock: VirtualClock, autojump_clock: MockClock
) -> None:
    venue = open_venue()
    await venue.place(request(clock))
    venue.close()
    with pytest.raises(Unreachable):
        await venue.account(SYMBOL)
    with pytest.raises(Unreachable):
        await venue.place(request(clock))
    venue.observe(SYMBOL, Decimal(1))


def test_a_file_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be opened"):
        PaperVenue.open(
            tmp_path / "missing" / "paper-account.db",
            clock=VirtualClock(),
            prices=lambda symbol: None,
            settings=PaperSettings(),
            seed=1,
        )


KILLED_AFTER_THE_ORDER = """
import os, signal, sys
from decimal import Decimal
from pathlib import Path
import trio
from robson.clock import RunClock
from robson.domain.values import ClientOrderId, OrderSide, Role
from robson.ports.venue import OrderRequest
from robson.venue.ledger.units import to_ms
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings

async def main():
    clock = RunClock()
    settings = PaperSettings(latency_ms=Decimal(0), latency_jitter_ms=Decimal(0))
    venue = PaperVenue.open(
        Path(sys.argv[1]), clock=clock, prices={"BTCUSDT": Decimal(60000)}.get, settings=settings, seed=1
    )
    await venue.place(OrderRequest(
        symbol="BTCUSDT", client_order_id=ClientOrderId("killed"), role=Role.ENTRY, order_side=OrderSide.BUY,
        quantity=Decimal("0.01"), timestamp_ms=to_ms(clock.now()), receive_window_ms=5000,
    ))
    os.kill(os.getpid(), signal.SIGKILL)

trio.run(main)
"""


async def test_an_order_survives_a_kill_that_comes_before_anyone_wrote_its_reply(open_venue: Open, path: Path) -> None:
    killed = await trio.run_process([sys.executable, "-c", KILLED_AFTER_THE_ORDER, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL

    venue = open_venue()

    found = await venue.order(SYMBOL, "killed")
    assert found is not None
    assert found.executed == Decimal("0.01")
    assert (await venue.account(SYMBOL)).base.free == Decimal("0.00999")
