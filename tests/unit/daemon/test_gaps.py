"""A daemon that was down, or deaf, while prices moved: what it makes of them when it is back."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Unreachable
from robson.domain.position import Active
from robson.domain.values import Side
from robson.ports import Venue
from robson.protocol import requests as ask
from robson.store.memory import MemoryJournal
from robson.venue.settings import PaperSettings
from tests.faults import FaultyVenue
from tests.rig import NOBODY, START, Rig, ScriptedFeed

EXACT = PaperSettings(spread_bps=Decimal(0), slippage_bps=Decimal(0), fills_max=1)


class Outage:
    """One life of a long at 95000 with a distance of 1500, a crash, and what the market does meanwhile."""

    def __init__(self, directory: Path, *, side: Side = Side.LONG) -> None:
        self.directory = directory
        self.side = side
        self.journal = MemoryJournal()
        self.feed = ScriptedFeed()
        self.position_id = ""

    async def live(self, *prices: str) -> None:
        """Enter, see these prices a second apart, and crash."""
        async with Rig(self.directory, journal=self.journal, settings=EXACT, feed=self.feed).running() as rig:
            self.position_id = await rig.active(self.side, stop="93500" if self.side is Side.LONG else "96500")
            for price in prices:
                rig.tick(price)
                await trio.sleep(1)
        self.journal = self.journal.reopened()

    async def miss(self, *prices: str, seconds: float = 20) -> None:
        """Prices that nobody sees, so many seconds apart."""
        elsewhere = self.directory / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        down = Rig(elsewhere, settings=EXACT, feed=self.feed)
        for price in prices:
            down.tick(price)
            await trio.sleep(seconds)

    def again(self, **more: str) -> Rig:
        return Rig(self.directory, journal=self.journal, settings=EXACT, feed=self.feed, **more)  # type: ignore[arg-type]

    def rows(self, *types: str) -> list[dict[str, object]]:
        return [row.data for row in self.journal.events(limit=100_000) if row.type in types]


def wire(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


async def test_nothing_crossed_the_stop_is_that_of_a_run_without_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    await outage.miss("96500", "95700", "97200", "96100")
    async with outage.again().running() as rig:
        view = await rig.view(outage.position_id)
        assert (view.state, view.extreme, view.trailing_stop) == ("Active", Decimal(97200), Decimal(95700))
        assert rig.supervisor.lives[outage.position_id].is_watched
        await trio.sleep(1)
    # It is written with the trade that it is up to, so that a second crash begins there.
    *_, moved = outage.rows("trailing_stop_updated")
    assert moved["trailing_stop"] == "95700"
    assert moved["trade_id"] == outage.feed.kept["BTCUSDT"][-1].trade_id
    assert moved["seen_at"] == wire(outage.feed.kept["BTCUSDT"][-1].at)


async def test_a_long_gap_comes_from_candles_and_ratchets(tmp_path: Path, autojump_clock: MockClock) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    # More than a minute apart: each in a candle of its own.
    await trio.sleep(70)
    await outage.miss("96500", "95700", "97200", "96100", seconds=70)
    outage.feed.window = 1
    async with outage.again().running() as rig:
        view = await rig.view(outage.position_id)
        assert (view.state, view.extreme, view.trailing_stop) == ("Active", Decimal(97200), Decimal(95700))
        rig.tick("95700")
        await rig.until(outage.position_id, "Closed")
    (triggered,) = outage.rows("exit_triggered")
    assert (triggered["price"], triggered["candle_seconds"]) == ("95700", None)


@pytest.mark.parametrize("side", list(Side))
async def test_a_crossing_found_in_a_candle_says_when_and_where(
    tmp_path: Path, autojump_clock: MockClock, side: Side
) -> None:
    outage = Outage(tmp_path, side=side)
    better, worse, recovered = ("97200", "95600", "99000") if side is Side.LONG else ("92800", "94400", "91000")
    await outage.live()
    await trio.sleep(60)
    # In one candle: whichever came first, the better extreme is taken first.
    await outage.miss(worse, better, seconds=20)
    await trio.sleep(60)
    await outage.miss(recovered)
    outage.feed.window = 1
    async with outage.again().running() as rig:
        rig.tick(recovered)
        await rig.until(outage.position_id, "Closed")
    (triggered,) = outage.rows("exit_triggered")
    assert (triggered["price"], triggered["candle_seconds"], triggered["trade_id"]) == (worse, 60, None)
    assert triggered["trailing_stop"] == ("95700" if side is Side.LONG else "94300")
    minute = outage.feed.kept["BTCUSDT"][-3].at
    assert triggered["crossed_at"] == wire(minute - (minute - START) % timedelta(minutes=1))


async def test_the_candle_in_which_the_daemon_died_is_taken_whole_where_its_trades_are_gone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Which of its prices had been seen nobody knows: it may exit where the trades would not."""
    for window, state in ((None, "Active"), (1, "Closed")):
        outage = Outage(tmp_path / str(window))
        outage.directory.mkdir()
        await outage.live("95000")
        await outage.miss("97000", "96500")
        outage.feed.window = window
        async with outage.again().running() as rig:
            await trio.sleep(5)
            assert rig.position(outage.position_id).state_name == state


@pytest.mark.parametrize("window", [None, 1])
async def test_forgiven_it_goes_on_behind_the_stop_as_it_stands_now(
    tmp_path: Path, autojump_clock: MockClock, window: int | None
) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    await outage.miss("94400", "95900", "96200", seconds=70)
    outage.feed.window = window
    async with outage.again(on_gap="forgive").running() as rig:
        view = await rig.view(outage.position_id)
        assert (view.state, view.extreme, view.trailing_stop) == ("Active", Decimal(96200), Decimal(94700))
        await trio.sleep(1)
        rig.tick("94700")
        await rig.until(outage.position_id, "Closed")
    (forgiven,) = outage.rows("gap_forgiven")
    assert (forgiven["price"], forgiven["crossed_stop"], forgiven["trailing_stop"]) == ("94400", "94500", "94700")
    assert (forgiven["price_now"], forgiven["candle_seconds"]) == ("96200", None if window is None else 60)
    assert outage.rows("exit_triggered")[0]["price"] == "94700"


async def test_not_recovered_nothing_is_forgiven(tmp_path: Path, autojump_clock: MockClock) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    await outage.miss("94400", "98000", "96400")
    async with outage.again(on_gap="forgive").running() as rig:
        await rig.until(outage.position_id, "Closed")
    assert outage.rows("gap_forgiven") == []
    (triggered,) = outage.rows("exit_triggered")
    assert (triggered["price"], triggered["trailing_stop"]) == ("94400", "94500")
    assert triggered["crossed_at"] == wire(outage.feed.kept["BTCUSDT"][-3].at)


async def test_crashed_again_after_candles_older_prices_are_not_held_against_the_newer_stop(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    outage = Outage(tmp_path)
    await outage.live()
    await outage.miss("93600", seconds=70)
    await outage.miss("97000", "96000", seconds=70)
    outage.feed.window = 0
    async with outage.again().running() as rig:
        assert (await rig.view(outage.position_id)).trailing_stop == Decimal(95500)
        await trio.sleep(1)
    outage.journal = outage.journal.reopened()
    # Now the source has its trades again: the one of 93600 lies before everything that the stop has seen.
    outage.feed.window = None
    async with outage.again().running() as rig:
        await trio.sleep(5)
        view = await rig.view(outage.position_id)
        assert (view.state, view.trailing_stop) == ("Active", Decimal(95500))


async def test_a_fill_that_is_learnt_after_a_restart_sees_every_price_since_it_happened(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    outage = Outage(tmp_path)
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> FaultyVenue:
        made.append(FaultyVenue(venue))
        return made[0]

    first = Rig(tmp_path, journal=outage.journal, settings=EXACT, feed=outage.feed, wrap=wrap)
    made[0].faults.append("reply_lost")
    async with first.running() as rig:
        outage.position_id = await rig.arm()
        rig.tick("95000")
        assert (await rig.signal(outage.position_id, "95000", "93500")).accepted
        await trio.sleep(1)
    outage.journal = outage.journal.reopened()
    await outage.miss("97000", "96000")
    async with outage.again().running() as rig:
        # A first price comes before the fill is known: the fill is older than all that is kept.
        rig.tick("96100")
        outage.feed.gate["BTCUSDT"] = gate = trio.Event()
        await rig.until(outage.position_id, "Active")
        await trio.sleep(1)
        monitors = (await rig.desk.health(ask.HealthRequest(), NOBODY)).checks["monitors"]
        assert (monitors.ok, monitors.detail) == (False, f"not watched: {outage.position_id}")
        gate.set()
        await trio.sleep(1)
        view = await rig.view(outage.position_id)
        assert (view.state, view.extreme, view.trailing_stop) == ("Active", Decimal(97000), Decimal(95500))
        assert view.unprotected_seconds == 1


async def test_a_stop_that_waits_for_its_missed_prices_is_hit_by_a_live_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    outage.feed.broken = Unreachable("connection refused")
    async with outage.again().running(recovered=False) as rig:
        rig.tick("96100")
        await trio.sleep(3)
        view = await rig.view(outage.position_id)
        assert view.detail == "prices that its stop has missed were not read yet: connection refused"
        assert view.unprotected_seconds > 2
        assert rig.desk.state() == "recovering"
        rig.tick("94500")
        await rig.until(outage.position_id, "Closed")
        assert rig.desk.state() == "live"
    assert outage.rows("exit_triggered")[0]["trailing_stop"] == "94500"


async def test_a_slow_answer_for_one_position_delays_no_other(tmp_path: Path, autojump_clock: MockClock) -> None:
    outage = Outage(tmp_path)
    async with Rig(tmp_path, journal=outage.journal, settings=EXACT, feed=outage.feed).running() as rig:
        slow = await rig.active(Side.LONG, "ETHUSDT", "3300", "3250")
        outage.position_id = await rig.active()
        armed = await rig.arm("SOLUSDT", strategy="immediate", params={"stop_percent": "1"})
    outage.journal = outage.journal.reopened()
    await outage.miss("93400")
    outage.feed.gate["ETHUSDT"] = trio.Event()
    async with outage.again().running(recovered=False) as rig:
        # While the first one waits, the second one is out, and the third one has its detector again.
        rig.tick("93400")
        await rig.until(outage.position_id, "Closed")
        rig.tick("190", "SOLUSDT")
        await rig.until(armed, "Active")
        assert not rig.supervisor.recovered.is_set()
        assert not rig.supervisor.lives[slow].is_watched
        outage.feed.gate.pop("ETHUSDT").set()
        with trio.fail_after(30):
            await rig.supervisor.recovered.wait()
        assert rig.supervisor.lives[slow].is_watched


async def test_an_armed_position_has_its_feed_before_its_detector(tmp_path: Path, autojump_clock: MockClock) -> None:
    outage = Outage(tmp_path)
    async with Rig(tmp_path, journal=outage.journal, settings=EXACT, feed=outage.feed).running() as rig:
        armed = await rig.arm(strategy="immediate", params={"stop_percent": "1"})
    outage.journal = outage.journal.reopened()
    gate, subscribe = trio.Event(), outage.feed.subscribe

    async def slow(symbol: str) -> None:
        await gate.wait()
        await subscribe(symbol)

    outage.feed.subscribe = slow  # type: ignore[method-assign]
    again = outage.again()
    created: list[bool] = []
    create = again.around.strategies.create

    def watched(*arguments: object) -> object:
        created.append(again.market.has("BTCUSDT") and gate.is_set())
        return create(*arguments)  # type: ignore[arg-type]

    again.around.strategies.create = watched  # type: ignore[assignment,method-assign]
    async with again.running(recovered=False) as rig:
        await trio.sleep(1)
        assert (created, rig.desk.state()) == ([], "recovering")
        gate.set()
        await trio.sleep(1)
        assert created == [True]
        rig.tick("95000")
        await rig.until(armed, "Active")


async def test_a_jump_in_the_running_stream_is_filled_in_order(tmp_path: Path, autojump_clock: MockClock) -> None:
    feed = ScriptedFeed()
    async with Rig(tmp_path, settings=EXACT, feed=feed).running() as rig:
        position_id = await rig.active()
        rig.market.interrupted("BTCUSDT", "the connection was lost")
        rig.lose("97000")
        rig.lose("96000")
        rig.tick("96200")
        await trio.sleep(1)
        view = await rig.view(position_id)
        assert (view.state, view.extreme, view.trailing_stop) == ("Active", Decimal(97000), Decimal(95500))
        rig.market.interrupted("BTCUSDT", "the connection was lost")
        rig.lose("95400")
        feed.gate["BTCUSDT"] = gate = trio.Event()
        rig.tick("97100")
        await trio.sleep(2)
        # Behind, though neither stale nor without a monitor: that counts.
        view = await rig.view(position_id)
        assert (view.state, view.trailing_stop, view.unprotected_seconds) == ("Active", Decimal(95500), 2)
        gate.set()
        await rig.until(position_id, "Closed")
    (triggered,) = [row.data for row in rig.journal.events() if row.type == "exit_triggered"]
    assert (triggered["price"], triggered["trailing_stop"]) == ("95400", "95500")


async def test_time_to_protected_is_measured_told_and_shown(tmp_path: Path, autojump_clock: MockClock) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    outage.feed.gate["BTCUSDT"] = trio.Event()
    rig = outage.again()
    started = trio.current_time()
    rig.around.process_age = lambda: trio.current_time() - started
    async with rig.running(recovered=False):
        await trio.sleep(2.5)
        health = await rig.desk.health(ask.HealthRequest(), NOBODY)
        assert (health.ready, health.checks["recovery"].detail) == (False, "stops are being rebuilt")
        assert (await rig.desk.status(ask.StatusRequest(), NOBODY)).time_to_protected_seconds is None
        outage.feed.gate.pop("BTCUSDT").set()
        await rig.supervisor.recovered.wait()
        assert isinstance(rig.position(outage.position_id).state, Active)
        health = await rig.desk.health(ask.HealthRequest(), NOBODY)
        assert health.checks["recovery"].detail == "every stop is rebuilt, 2.500 s after the start"
        assert health.checks["monitors"].ok
        assert (await rig.desk.status(ask.StatusRequest(), NOBODY)).time_to_protected_seconds == 2.5
    assert outage.rows("recovered") == [{"seconds": "2.500", "positions": 1}]


async def test_prices_that_nobody_has_are_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    outage = Outage(tmp_path)
    await outage.live("96000")
    at = outage.feed.kept["BTCUSDT"][-1].at
    await outage.miss("99000", "96300", seconds=70)
    # The source itself was deaf: it has neither trades nor candles of what it missed.
    del outage.feed.kept["BTCUSDT"][:-1]
    outage.feed.window = 0
    await trio.sleep(120)
    async with outage.again().running() as rig:
        rig.tick("96300")
        await trio.sleep(1)
    (missing,) = outage.rows("gap_unfilled")
    assert missing["since"] == wire(at)
