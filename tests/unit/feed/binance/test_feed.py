"""The Binance feed against an exchange that is cut, mute, late and forgetful: ids prove that nothing is lost."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.domain.errors import RuleError
from robson.domain.market import Tick
from robson.feed.binance import connection
from robson.feed.binance.connection import SILENCE_MOST_SECONDS
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.off_market import Doubt
from tests.exchange import DAY_SECONDS, Exchange, feed_of
from tests.rig import SimulatedClock
from tests.unit.feed.markets import Recorder

STALE = 10.0


class Bench:
    """A feed that runs against an exchange, and the market that it delivers to."""

    def __init__(self, nursery: trio.Nursery, *symbols: str, **more: Any) -> None:
        self.nursery = nursery
        self.clock = SimulatedClock()
        self.exchange = Exchange(nursery, self.clock, *symbols)
        self.feed: BinanceFeed = feed_of(self.exchange, self.clock, **more)
        self.market = Recorder()

    async def begin(self) -> "Bench":
        self.nursery.start_soon(self.feed.run, self.market)
        await wait_all_tasks_blocked()
        for symbol in self.exchange.trades:
            await self.feed.subscribe(symbol)
        await wait_all_tasks_blocked()
        return self

    def ids(self, symbol: str = "BTCUSDT") -> list[int | None]:
        return [tick.trade_id for tick in self.market.ticks if not tick.polled and tick.symbol == symbol]

    def polled(self, symbol: str = "BTCUSDT") -> list[str]:
        return [str(tick.price) for tick in self.market.ticks if tick.polled and tick.symbol == symbol]

    def made(self, symbol: str = "BTCUSDT") -> list[int | None]:
        return [tick.trade_id for tick in self.exchange.trades[symbol]]


Begin = Callable[..., Bench]


@pytest.fixture
def bench(nursery: trio.Nursery) -> Begin:
    return lambda *symbols, **more: Bench(nursery, *symbols, **more)


async def test_trades_arrive_as_they_happen(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    for price in ("100", "101.5", "99"):
        here.exchange.trade(price)
    await wait_all_tasks_blocked()
    assert here.market.ticks == here.exchange.trades["BTCUSDT"]


async def test_a_burst_is_delivered_whole_and_in_order(autojump_clock: object, bench: Begin) -> None:
    here = await bench("BTCUSDT", "ETHUSDT").begin()
    for price in range(1, 3001):
        here.exchange.trade(price)
        here.exchange.trade(price, "ETHUSDT")
    await wait_all_tasks_blocked()
    assert here.ids() == here.made()
    assert here.ids("ETHUSDT") == here.made("ETHUSDT")


async def test_a_gap_is_read_before_what_is_newer_and_holds_up_nobody_else(
    autojump_clock: object, bench: Begin
) -> None:
    here = await bench("BTCUSDT", "ETHUSDT").begin()
    here.exchange.trade(100)
    for price in range(101, 110):
        here.exchange.trade(price, streamed=False)
    gate = here.exchange.gate = trio.Event()
    here.exchange.trade(110)
    here.exchange.trade(50, "ETHUSDT")
    await trio.sleep(1)
    assert here.ids() == [1]
    assert here.ids("ETHUSDT") == [1]
    # Meanwhile the newest price may hit a stop.
    assert here.polled() == ["110"]
    assert [symbol for symbol, _ in here.market.interruptions] == ["BTCUSDT"]
    gate.set()
    await trio.sleep(1)
    assert here.ids() == here.made()


async def test_what_comes_out_of_order_is_put_in_order_without_asking(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    first = here.exchange.trade(100)
    late = here.exchange.trade(101, streamed=False)
    here.exchange.trade(102)
    here.exchange.stream(late)
    here.exchange.stream(first)
    here.exchange.trade(103)
    asked = len(here.exchange.asked)
    await trio.sleep(1)
    assert here.ids() == [1, 2, 3, 4]
    assert len(here.exchange.asked) == asked
    assert not here.market.interruptions


async def test_a_gap_that_cannot_be_read_is_told_and_the_rest_goes_on(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    here.exchange.trade(100)
    await trio.sleep(1)
    here.exchange.trade(101, streamed=False)
    here.exchange.status = 503
    here.exchange.trade(102)
    await trio.sleep(1)
    assert here.ids() == [1]
    await trio.sleep(4)
    assert here.ids() == [1, 3]
    assert "could not be read" in here.market.interruptions[-1][1]
    here.exchange.trade(103)
    await wait_all_tasks_blocked()
    assert here.ids() == [1, 3, 4]


async def test_a_gap_that_is_too_long_is_not_waited_for(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    here.exchange.trade(100)
    for _ in range(3001):
        here.exchange.trade(101, streamed=False)
    here.exchange.trade(102)
    await wait_all_tasks_blocked()
    assert here.ids() == [1, 3003]
    assert "3001 trades are missing" in here.market.interruptions[-1][1]


async def test_a_cut_loses_nothing(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    here.exchange.lines[0].cut()
    for price in (101, 102):
        here.exchange.trade(price, streamed=False)
    await trio.sleep(1)
    assert len(here.exchange.open_lines) == 1
    # Nothing is traded any more, and yet the missed trades are there.
    assert here.ids() == [1, 2, 3]
    assert here.market.interruptions[0][0] == "BTCUSDT"
    here.exchange.trade(103)
    await wait_all_tasks_blocked()
    assert here.ids() == here.made()


async def test_reconnections_keep_their_distance_and_stop_when_it_works(autojump_clock: object, bench: Begin) -> None:
    here = await bench(random=lambda: 1.0).begin()
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    tried: list[float] = []
    real = here.exchange.connect

    def counted(url: str):
        tried.append(trio.current_time())
        return real(url)

    here.feed._streams._connect = counted
    here.exchange.is_closed = True
    here.exchange.lines[0].cut()
    await trio.sleep(120)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    # Half of 1, 2, 4 … s, up to 30 s; the line that was cut had not lived long.
    assert pauses[:6] == pytest.approx([0.5, 1, 2, 4, 8, 15])
    assert max(pauses) == pytest.approx(15)
    # All the while prices are asked for.
    assert 110 <= len(here.polled()) <= 121
    here.exchange.is_closed = False
    await trio.sleep(16)
    here.exchange.trade(101)
    await wait_all_tasks_blocked()
    asked = len(here.exchange.requests("ticker/price"))
    await trio.sleep(5)
    assert here.ids() == [1, 2]
    assert len(here.exchange.requests("ticker/price")) == asked


@pytest.mark.parametrize(("wanted", "obeyed"), [(0, 30), (120, 120), (10**8, SILENCE_MOST_SECONDS)])
async def test_a_server_that_wants_silence_is_not_asked_meanwhile(
    autojump_clock: object, bench: Begin, wanted: int, obeyed: int
) -> None:
    here = await bench().begin()
    here.exchange.silence_seconds, here.exchange.is_closed = wanted, True
    here.exchange.open_lines[0].cut()
    await trio.sleep(4000)
    pauses = [later - before for before, later in pairwise(here.exchange.refused_at)]
    assert pauses[-1] == pytest.approx(obeyed)
    assert all(pause >= wanted or pause >= obeyed for pause in pauses if wanted)
    # What it wanted once does not count once it lets us in.
    here.exchange.is_closed = False
    await trio.sleep(obeyed + 1)
    here.exchange.silence_seconds = 0
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    assert here.ids()[-1] == 1


async def test_a_mute_socket_is_found_by_silence_polled_and_replaced(autojump_clock: object, bench: Begin) -> None:
    here = await bench(stale_after_seconds=STALE, poll_seconds=1.0).begin()
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    heard_at = trio.current_time()
    here.exchange.lines[0].is_mute = here.exchange.greets_mute = True
    here.exchange.trade(101)
    here.exchange.trade(97)
    await trio.sleep(STALE - 0.1)
    assert not here.polled()
    await trio.sleep(1.2)
    seen = zip(here.market.times, here.market.ticks, strict=True)
    polls = [at for at, tick in seen if tick.polled and tick.trade_id is None]
    assert polls == pytest.approx([heard_at + STALE, heard_at + STALE + 1])
    assert set(here.polled()) == {"97"}
    assert here.market.interruptions[0] == ("BTCUSDT", "nothing was heard for 10.0 s")
    # The socket was replaced, by another mute one; REST tells what was missed, once and in order.
    assert len(here.exchange.lines) == 2
    assert here.ids() == [1, 2, 3]
    here.exchange.greets_mute = False
    await trio.sleep(200)
    # Nothing was traded, so nothing speaks against the second one until a polled price does.
    assert len(here.exchange.lines) == 2
    here.exchange.trade(98)
    await trio.sleep(3)
    assert len(here.exchange.lines) == 3
    here.exchange.trade(99)
    await wait_all_tasks_blocked()
    assert here.ids() == here.made()
    assert len(here.exchange.open_lines) == 1


async def test_a_quiet_market_is_polled_but_its_stream_is_left_alone(autojump_clock: object, bench: Begin) -> None:
    here = await bench(stale_after_seconds=STALE).begin()
    here.exchange.trade(100)
    await trio.sleep(300)
    assert len(here.exchange.lines) == 1
    assert set(here.polled()) == {"100"}
    assert len(here.polled()) >= 280


async def test_one_silent_symbol_among_others_is_found(autojump_clock: object, bench: Begin) -> None:
    here = await bench("BTCUSDT", "ETHUSDT", stale_after_seconds=STALE).begin()
    here.exchange.lines[0].streams.discard("ethusdt@aggTrade")
    for second in range(30):
        here.exchange.trade(100 + second)
        here.exchange.trade(50 + second, "ETHUSDT")
        await trio.sleep(1)
    assert len(here.exchange.open_lines) == 1
    assert here.exchange.open_lines[0].number == 2
    assert here.ids() == here.made()
    # From its first event on, and that came late: the stream had never told anything of it.
    assert here.ids("ETHUSDT")[-1] == 30
    assert here.polled("ETHUSDT")


async def test_a_late_poll_does_not_hit_a_stop_that_followed_the_stream(autojump_clock: object, bench: Begin) -> None:
    here = await bench(stale_after_seconds=STALE).begin()
    here.exchange.trade(100)
    await trio.sleep(STALE - 0.5)
    gate = here.exchange.gate = trio.Event()
    await trio.sleep(1)
    here.exchange.trade(120)
    await wait_all_tasks_blocked()
    gate.set()
    await wait_all_tasks_blocked()
    assert here.ids() == [1, 2]
    assert not here.polled()


async def test_the_line_is_renewed_before_a_day_is_over_and_nothing_is_lost_or_told_twice(
    autojump_clock: object, bench: Begin
) -> None:
    here = await bench(stale_after_seconds=3600.0).begin()
    here.exchange.life_seconds = DAY_SECONDS
    lives = []
    for hour in range(5 * 24 * 4):
        here.exchange.trade(hour + 1)
        await trio.sleep(900)
        lives.append(len(here.exchange.open_lines))
    assert here.ids() == here.made()
    assert [line.opened_at for line in here.exchange.lines] == pytest.approx(
        [n * connection.ROTATE_SECONDS for n in range(6)], abs=2
    )
    assert set(lives) == {1}
    assert not here.market.interruptions


@pytest.mark.parametrize("bare", [False, True])
async def test_a_server_that_shuts_down_is_left_for_a_new_line_first(
    autojump_clock: object, bench: Begin, bare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await bench().begin()
    here.exchange.trade(100)
    old = here.exchange.lines[0]
    overlaps: list[int] = []
    real = here.exchange.take

    def take(line, message) -> None:
        overlaps.append(len(here.exchange.open_lines))
        here.exchange.trade(100 + len(here.exchange.trades["BTCUSDT"]))
        real(line, message)
        here.exchange.trade(100 + len(here.exchange.trades["BTCUSDT"]))

    monkeypatch.setattr(here.exchange, "take", take)
    if bare:
        old.send({"e": "serverShutdown", "E": 1770123456789})
    else:
        here.exchange.announce_shutdown()
    await trio.sleep(1)
    # Both were open when the new one subscribed, and both delivered the last trade.
    assert overlaps == [2]
    assert [line.number for line in here.exchange.open_lines] == [2]
    here.exchange.trade(200)
    await wait_all_tasks_blocked()
    assert here.ids() == here.made() == [1, 2, 3, 4]
    assert not here.market.interruptions


async def test_a_line_that_is_never_confirmed_is_given_up(autojump_clock: object, bench: Begin) -> None:
    here = bench()
    here.exchange.acknowledges = False
    await here.begin()
    await trio.sleep(15)
    here.exchange.acknowledges = True
    await trio.sleep(10)
    assert len(here.exchange.lines) >= 2
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    assert here.ids() == [1]


async def test_symbols_come_and_go_on_the_same_line(autojump_clock: object, bench: Begin) -> None:
    here = await bench("BTCUSDT", "ETHUSDT").begin()
    await trio.sleep(5)
    await here.feed.unsubscribe("ETHUSDT")
    await trio.sleep(5)
    assert here.exchange.lines[0].streams == {"btcusdt@aggTrade"}
    here.exchange.trade(50, "ETHUSDT")
    await here.feed.subscribe("ETHUSDT")
    await trio.sleep(5)
    here.exchange.trade(51, "ETHUSDT")
    await wait_all_tasks_blocked()
    assert here.ids("ETHUSDT") == [2]
    assert len(here.exchange.lines) == 1


async def test_a_thousand_symbols_are_subscribed_within_the_limits(autojump_clock: object, bench: Begin) -> None:
    names = [f"A{number:04d}USDT" for number in range(1024)]
    here = await bench(*names).begin()
    await trio.sleep(10)
    line = here.exchange.open_lines[-1]
    assert len(line.streams) == 1024
    assert all(later - earlier >= 0.25 for earlier, later in pairwise(line.messages))
    here.exchange.trades["ONEMORE"] = []
    with pytest.raises(RuleError, match="1025 streams were wanted") as refused:
        await here.feed.subscribe("ONEMORE")
    assert refused.value.code == "too_many_symbols"


async def test_a_symbol_that_the_exchange_does_not_have_is_refused(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    with pytest.raises(RuleError) as refused:
        await here.feed.subscribe("NOSUCH")
    assert refused.value.code == "unknown_symbol"
    await trio.sleep(5)
    assert here.exchange.lines[0].streams == {"btcusdt@aggTrade"}


@pytest.mark.parametrize("trouble", ["status", "gate"])
async def test_a_subscription_does_not_wait_for_rest(autojump_clock: object, bench: Begin, trouble: str) -> None:
    here = bench()
    if trouble == "status":
        here.exchange.status = 503
    else:
        here.exchange.gate = trio.Event()
    with trio.fail_after(5):
        await here.begin()
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    assert here.ids() == [1]


async def test_the_first_price_of_a_symbol_is_there_before_its_first_trade(
    autojump_clock: object, bench: Begin
) -> None:
    here = bench()
    here.exchange.trade("95000", streamed=False)
    await here.begin()
    assert here.polled() == ["95000"]


async def test_the_book_is_delivered_with_both_sides_and_the_exchanges_time(
    autojump_clock: object, bench: Begin
) -> None:
    here = bench(price_source="book")
    here.exchange.ahead = here.exchange.now() - here.clock.now()
    await here.begin()
    here.exchange.top("99.9", "100.1")
    here.exchange.top("99.8", "100.2")
    await wait_all_tasks_blocked()
    assert [(tick.price, tick.ask, tick.trade_id) for tick in here.market.ticks] == [
        (Decimal("99.9"), Decimal("100.1"), None),
        (Decimal("99.8"), Decimal("100.2"), None),
    ]


async def test_a_silent_book_is_polled_with_both_sides_and_replaced_when_it_moved(
    autojump_clock: object, bench: Begin
) -> None:
    here = await bench(price_source="book", stale_after_seconds=STALE).begin()
    here.exchange.top("99.9", "100.1")
    await wait_all_tasks_blocked()
    here.exchange.lines[0].is_mute = True
    here.exchange.top("90", "90.2")
    await trio.sleep(STALE + 0.9)
    polled = [tick for tick in here.market.ticks if tick.polled]
    assert [(tick.price, tick.ask) for tick in polled] == [(Decimal(90), Decimal("90.2"))]
    assert len(here.exchange.open_lines) == 1
    assert here.exchange.open_lines[0].number == 2
    here.exchange.top("91", "91.2")
    await wait_all_tasks_blocked()
    assert here.market.ticks[-1].price == Decimal(91)


async def test_past_trades_stand_in_for_the_book_without_ids(autojump_clock: object, bench: Begin) -> None:
    here = await bench(price_source="book").begin()
    since = here.exchange.now()
    for price in range(1, 2501):
        here.exchange.trade(price)
    given = await here.feed.trades_since("BTCUSDT", since)
    assert given.is_whole
    assert [tick.price for tick in given.ticks] == list(range(1, 2501))
    assert {tick.trade_id for tick in given.ticks} == {None}
    assert len((await here.feed.trades_from("BTCUSDT", 2001)).ticks) == 500


async def test_an_off_market_print_is_left_out_when_asked_for(autojump_clock: object, bench: Begin) -> None:
    here = await bench(doubt=Doubt(percent=Decimal(1))).begin()
    for price in ("100", "103", "100.1"):
        here.exchange.trade(price)
    await wait_all_tasks_blocked()
    assert here.market.prices == ["100", "100.1"]


async def test_a_doubted_print_is_believed_when_nothing_contradicts_it_in_time(
    autojump_clock: object, bench: Begin
) -> None:
    here = await bench(doubt=Doubt(percent=Decimal(1), seconds=0.5)).begin()
    here.exchange.trade("100")
    here.exchange.trade("90")
    await trio.sleep(0.4)
    assert here.market.prices == ["100"]
    await trio.sleep(0.2)
    assert here.market.prices == ["100", "90"]


async def test_frames_that_cannot_be_read_change_nothing(autojump_clock: object, bench: Begin) -> None:
    here = await bench().begin()
    line = here.exchange.lines[0]
    for junk in ("{", "[]", '{"stream":"x"}', '{"e":"aggTrade"}', '{"id":99,"result":null}'):
        line.outgoing.send_nowait(junk)
    here.exchange.trade(100)
    await wait_all_tasks_blocked()
    assert here.ids() == [1]


async def test_a_feed_that_is_run_again_goes_on(autojump_clock: object, bench: Begin) -> None:
    here = bench()
    await here.feed.subscribe("BTCUSDT")
    for _ in range(2):
        with trio.move_on_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(here.feed.run, here.market)
                await trio.sleep(1)
                here.exchange.trade(100)
        here.exchange.trade(101)
    with trio.move_on_after(5):
        await here.feed.run(here.market)
    assert here.ids() == here.made()
    assert all(isinstance(tick, Tick) for tick in here.market.ticks)
