"""The whole daemon on Binance's streams: a stop is left in time, whatever becomes of the stream."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.domain.events import EVENT_TYPES
from robson.domain.position import Active
from robson.domain.values import Side
from robson.venues import PaperMarket
from tests.exchange import Exchange, feed_of
from tests.rig import Rig, ScriptedFeed, SimulatedClock

STALE, POLL = 10.0, 1.0


class Streamed:
    """A running daemon, and the exchange whose prices it sees."""

    def __init__(self, nursery: trio.Nursery, directory: Path, **more: Any) -> None:
        self.clock = SimulatedClock()
        self.exchange = Exchange(nursery, self.clock)
        feed = feed_of(self.exchange, self.clock, stale_after_seconds=STALE, poll_seconds=POLL, **more)
        feed.kept = {}  # type: ignore[attr-defined]
        self.rig = Rig(directory, feed=cast("ScriptedFeed", feed))
        nursery.start_soon(feed.run, PaperMarket(self.rig.market, self.rig.paper))

    async def active(self, side: Side = Side.LONG, stop: str = "93500") -> str:
        """A position in the market at 95000, with its stop 1500 away."""
        position_id = await self.rig.arm("BTCUSDT", side)
        await trio.sleep(1)
        self.price("95000")
        await trio.sleep(0.1)
        result = await self.rig.signal(position_id, "95000", stop)
        assert result.accepted, result
        await self.rig.until(position_id, "Active")
        await trio.sleep(0.5)
        return position_id

    def price(self, price: str, *, streamed: bool = True) -> None:
        """A trade, and a book one unit around it."""
        self.exchange.trade(price, streamed=streamed)
        bid, ask = str(Decimal(price) - 1), str(Decimal(price) + 1)
        self.exchange.top(bid, ask, streamed=streamed)

    def stop(self, position_id: str) -> Decimal:
        trail = self.rig.supervisor.lives[position_id].trail
        assert trail is not None
        return trail.stop

    def trigger(self, position_id: str) -> dict[str, Any]:
        return next(row.data for row in self.rig.journal.events() if row.type == "exit_triggered")


Begin = Callable[..., Streamed]


@pytest.fixture
def begin(nursery: trio.Nursery, tmp_path: Path) -> Begin:
    return lambda **more: Streamed(nursery, tmp_path, **more)


@pytest.mark.parametrize("price_source", ["trade", "book"])
@pytest.mark.parametrize(("side", "stop", "beyond"), [(Side.LONG, "93500", "93400"), (Side.SHORT, "96500", "96600")])
async def test_a_stop_is_left_within_a_poll_while_the_stream_is_mute(
    autojump_clock: object, begin: Begin, price_source: str, side: Side, stop: str, beyond: str
) -> None:
    here = begin(price_source=price_source)
    async with here.rig.running():
        position_id = await here.active(side, stop)
        here.exchange.open_lines[0].is_mute = here.exchange.greets_mute = True
        await trio.sleep(STALE + 5)
        assert here.rig.market.is_stale("BTCUSDT")
        here.price(beyond)
        crossed = trio.current_time()
        await here.rig.until(position_id, "Closed")
        assert trio.current_time() - crossed <= POLL + 0.5
        assert here.trigger(position_id)["reason"] == "trailing_stop"
        names = here.rig.events()
        assert "feed_stale" in names
        assert "unprotected" in names


async def test_polled_prices_move_no_stop_and_the_trades_themselves_do_once_they_are_read(
    autojump_clock: object, begin: Begin
) -> None:
    here = begin()
    async with here.rig.running():
        position_id = await here.active()
        here.exchange.is_closed = True
        here.exchange.open_lines[0].cut()
        here.price("97000")
        here.price("96000")
        await trio.sleep(STALE + 20)
        assert here.rig.market.prices("BTCUSDT") == Decimal(96000)
        assert here.stop(position_id) == Decimal(93500)
        here.exchange.is_closed = False
        await trio.sleep(60)
        # Read by their ids as soon as there was a stream: nothing was traded since.
        assert here.stop(position_id) == Decimal(95500)
        assert isinstance(here.rig.position(position_id).state, Active)


@pytest.mark.parametrize("price_source", ["trade", "book"])
async def test_a_crossing_that_a_cut_has_hidden_is_found(
    autojump_clock: object, begin: Begin, price_source: str
) -> None:
    here = begin(price_source=price_source)
    async with here.rig.running():
        position_id = await here.active()
        here.exchange.open_lines[0].cut()
        await trio.sleep(0.1)
        here.price("93000", streamed=False)
        lost = here.exchange.trades["BTCUSDT"][-1]
        here.price("95500", streamed=False)
        await trio.sleep(2)
        here.price("95600")
        await here.rig.until(position_id, "Closed")
        told = here.trigger(position_id)
        assert told["price"] == "93000"
        assert told["trade_id"] == (lost.trade_id if price_source == "trade" else None)


async def test_a_gap_that_rest_cannot_tell_keeps_the_stop_where_it_was(autojump_clock: object, begin: Begin) -> None:
    here = begin()
    async with here.rig.running():
        position_id = await here.active()
        here.exchange.status = 503
        here.price("97000", streamed=False)
        here.price("96000")
        await trio.sleep(5)
        here.price("96500")
        await trio.sleep(1)
        # It cannot know how far the stop should be: prices may hit it and do not move it.
        assert here.stop(position_id) == Decimal(93500)
        here.exchange.status = None
        await trio.sleep(10)
        assert here.stop(position_id) == Decimal(95500)
        here.price("95500")
        await here.rig.until(position_id, "Closed")


async def test_nothing_is_entered_on_a_stale_price(autojump_clock: object, begin: Begin) -> None:
    here = begin()
    async with here.rig.running():
        position_id = await here.rig.arm()
        await trio.sleep(1)
        here.price("95000")
        await wait_all_tasks_blocked()
        here.exchange.open_lines[0].is_mute = here.exchange.greets_mute = True
        await trio.sleep(STALE + 3)
        result = await here.rig.signal(position_id, "95000", "93500")
        assert not result.accepted
        assert result.reason is not None
        assert "stale" in f"{result.reason.code} {result.reason.message}"


async def test_what_rest_tells_does_not_make_a_mute_stream_fresh(autojump_clock: object, begin: Begin) -> None:
    here = begin()
    async with here.rig.running():
        position_id = await here.active()
        here.exchange.open_lines[0].is_mute = here.exchange.greets_mute = True
        age = here.rig.market.states()["BTCUSDT"].age_seconds
        assert age is not None
        for second in range(60):
            here.price(str(95001 + second))
            await trio.sleep(1)
            silent = age + second + 1
            # Within a tenth of the limit either is right.
            if abs(silent - STALE) > 0.1:
                assert here.rig.market.is_stale("BTCUSDT") is (silent > STALE)
        # Connection after connection is mute; the trades are read all the same, and the stop has followed them.
        assert len(here.exchange.lines) > 2
        assert here.stop(position_id) > Decimal(93500)
        assert here.rig.events().count("feed_stale") == 1
        assert "feed_recovered" not in here.rig.events()
        here.exchange.greets_mute = here.exchange.open_lines[0].is_mute = False
        here.price("95100")
        await trio.sleep(1)
        assert here.rig.events().count("feed_recovered") == 1
        assert not here.rig.market.is_stale("BTCUSDT")


async def test_moves_of_a_stop_on_the_book_are_written(autojump_clock: object, begin: Begin) -> None:
    here = begin(price_source="book")
    async with here.rig.running():
        position_id = await here.active()
        here.price("97000")
        await trio.sleep(1)
        row = next(row for row in here.rig.journal.events() if row.type == "trailing_stop_updated")
        assert row.type in EVENT_TYPES
        # The bid is one below the last trade, and the fill was at the ask.
        assert (row.data["extreme"], row.data["trade_id"]) == ("96999", None)
        assert here.stop(position_id) == Decimal(96999) - here.rig.supervisor.lives[position_id].trail.distance
