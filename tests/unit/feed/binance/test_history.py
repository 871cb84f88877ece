"""What REST knows: pages, candles, the exchange's clock, and what each failure means."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import trio

from robson.clock import RunClock
from robson.domain.errors import RateLimited, Rejected, Unreachable
from robson.domain.market import Tick
from robson.feed.binance.history import History
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.weights import Priority
from tests.exchange import HOST, Answering, Exchange
from tests.rig import SimulatedClock

MINUTE = timedelta(minutes=1)


def history_of(exchange: Exchange) -> History:
    return History(exchange.client())


@pytest.fixture
def exchange(nursery: trio.Nursery) -> Exchange:
    return Exchange(nursery, SimulatedClock(), "BTCUSDT", "ETHUSDT")


async def test_pages_of_trades_follow_each_other(autojump_clock: object, exchange: Exchange) -> None:
    for price in range(1, 1501):
        exchange.trade(price)
    history = history_of(exchange)
    first = await history.trades_from("BTCUSDT", 1)
    rest = await history.trades_from("BTCUSDT", 1001)
    assert [*first, *rest] == exchange.trades["BTCUSDT"]
    assert await history.trades_from("BTCUSDT", 1501) == []
    assert await history.newest_trade("BTCUSDT") == exchange.trades["BTCUSDT"][-1]
    assert await history.newest_trade("ETHUSDT") is None


async def test_too_many_trades_without_ids_are_left_to_candles(autojump_clock: object, exchange: Exchange) -> None:
    for _ in range(12_000):
        exchange.trade(1)
    history = history_of(exchange)
    given = await history.all_trades("BTCUSDT", await history.trades_from("BTCUSDT", 1))
    assert not given.is_whole
    assert list(given.ticks) == exchange.trades["BTCUSDT"][-1000:]


async def test_closed_candles_are_read_and_joined_and_the_forming_one_never(
    autojump_clock: object, exchange: Exchange
) -> None:
    for second in range(0, 1200, 20):
        exchange.trade(100 + second // 20)
        await trio.sleep(20)
    exchange.trade(500)
    history = history_of(exchange)
    minutes = await history.candles("BTCUSDT", 60, 3)
    assert [(one.open, one.close) for one in minutes] == [(151, 153), (154, 156), (157, 159)]
    assert minutes[-1].ends_at == exchange.now()
    # Ten minutes are made of two of five, for the exchange has none.
    (tens,) = await history.candles("BTCUSDT", 600, 1)
    assert (tens.open, tens.high, tens.low, tens.close) == (130, 159, 130, 159)
    assert await history.candles("BTCUSDT", 90, 5) == []


async def test_many_candles_come_in_pages_side_by_side(autojump_clock: object, exchange: Exchange) -> None:
    exchange.trade(100)
    began = exchange.now()
    await trio.sleep(2500 * 60)
    exchange.trade(101)
    history = history_of(exchange)
    found = await history.candles_since("BTCUSDT", 60, began)
    assert [one.opened_at for one in found] == [began + n * MINUTE for n in range(2501)]
    assert found[-1].close == Decimal(101)
    assert len(exchange.requests("klines")) == 3


async def test_candles_are_told_although_trades_are_refused(
    autojump_clock: object, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.trade(100)
    began = exchange.now()
    await trio.sleep(90)
    exchange.trade(101)
    history = history_of(exchange)

    async def refuse(*_: object) -> list[Tick]:
        raise Rejected("404", "HTTP 404")

    monkeypatch.setattr(history, "_trades", refuse)
    found = await history.candles_since("BTCUSDT", 60, began)
    assert [one.close for one in found] == [100, 101]


async def test_a_clock_that_is_wrong_does_not_show_a_forming_candle_as_closed(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    clock = SimulatedClock()
    exchange = Exchange(nursery, clock)
    exchange.ahead = timedelta(seconds=-45)
    for _ in range(13):
        exchange.trade(100)
        await trio.sleep(10)
    history = history_of(exchange)
    found = await history.candles("BTCUSDT", 60, 10)
    assert found[-1].ends_at <= exchange.now() < found[-1].ends_at + MINUTE
    assert abs(history.known_now() - exchange.now()) < timedelta(seconds=0.01)
    assert len(exchange.requests("time")) == 1
    # The machine's clock is set: what was known of the exchange's is asked for again.
    clock.ahead += timedelta(hours=1)
    await history.exchange_now()
    assert len(exchange.requests("time")) == 2


async def test_prices_of_many_symbols_cost_one_request(autojump_clock: object, exchange: Exchange) -> None:
    exchange.trade("100.5")
    exchange.trade("7", "ETHUSDT")
    exchange.top("100.4", "100.6")
    history = history_of(exchange)
    assert await history.prices(["ETHUSDT", "BTCUSDT"]) == {"BTCUSDT": Decimal("100.5"), "ETHUSDT": Decimal(7)}
    assert len(exchange.asked) == 1
    assert {name: (top.bid, top.ask) for name, top in (await history.tops(["BTCUSDT"])).items()} == {
        "BTCUSDT": (Decimal("100.4"), Decimal("100.6"))
    }


async def test_a_symbol_that_is_gone_does_not_hide_the_others(autojump_clock: object, exchange: Exchange) -> None:
    exchange.trade("100.5")
    assert await history_of(exchange).prices(["BTCUSDT", "GONEUSDT"]) == {"BTCUSDT": Decimal("100.5")}


Ask = Callable[[History], Awaitable[object]]


@pytest.mark.parametrize(
    ("ask", "weight"),
    [
        (lambda history: history.newest_trade("BTCUSDT"), 4),
        (lambda history: history.prices(["BTCUSDT"]), 4),
        (lambda history: history.tops(["BTCUSDT"]), 4),
        (lambda history: history.candles("BTCUSDT", 60, 2000), 1 + 3 * 2),
    ],
    ids=["trade", "prices", "tops", "candles"],
)
async def test_the_weight_of_prices_is_spent_from_the_clients_budget(
    autojump_clock: object, exchange: Exchange, ask: Ask, weight: int
) -> None:
    exchange.trade(100)
    client = exchange.client()
    await ask(History(client))
    assert client._budgets.used(endpoints.PAST_TRADES, client.timestamp_ms()) == weight


async def test_prices_leave_what_questions_about_orders_need_and_candles_leave_what_prices_need(
    autojump_clock: object, exchange: Exchange
) -> None:
    exchange.trade(100)
    client = exchange.client()
    history = History(client)
    await history.exchange_now()

    async def ask_out(ask: Ask) -> int:
        for count in range(10_000):
            try:
                await ask(history)
            except RateLimited:
                return count
        raise AssertionError("no end")

    # Entries may use 60 % of 6000, past prices 70 %, present ones 78 %.
    assert await ask_out(lambda history: history.candles("BTCUSDT", 60, 3)) == (3600 - 1) // 2
    assert await ask_out(lambda history: history.newest_trade("BTCUSDT")) == (4200 - 3599) // 4
    assert await ask_out(lambda history: history.prices(["BTCUSDT"])) == (4680 - 4199) // 4
    for _ in range(400):
        await client.read_clock()
    client._budgets.spend(endpoints.PLACE_ORDER, 6, Priority.EXIT, client.timestamp_ms())


@pytest.mark.parametrize("status", [429, 418])
async def test_silence_that_prices_were_told_to_keep_is_kept_for_orders_too_and_the_reverse(
    autojump_clock: object, exchange: Exchange, status: int
) -> None:
    exchange.trade(100)
    client = exchange.client()
    exchange.status, exchange.headers = status, {"Retry-After": "30"}
    with pytest.raises(RateLimited):
        await History(client).newest_trade("BTCUSDT")
    with pytest.raises(RateLimited):
        client._budgets.spend(endpoints.PLACE_ORDER, 6, Priority.EXIT, client.timestamp_ms())
    await trio.sleep(31)
    with pytest.raises(RateLimited):
        await client.read_clock()
    asked = len(exchange.asked)
    with pytest.raises(RateLimited):
        await History(client).newest_trade("BTCUSDT")
    assert len(exchange.asked) == asked


@pytest.mark.parametrize(("status", "told", "pause"), [(429, "7", 7), (418, "120", 120)])
async def test_after_too_much_nothing_is_sent_until_the_exchange_wants_it(
    autojump_clock: object, exchange: Exchange, status: int, told: str, pause: float
) -> None:
    exchange.trade(100)
    exchange.status = status
    exchange.headers = {"Retry-After": told} if told else {}
    history = history_of(exchange)
    with pytest.raises(RateLimited) as limited:
        await history.newest_trade("BTCUSDT")
    assert limited.value.retry_after_seconds == pause
    exchange.status = None
    await trio.sleep(pause - 1)
    with pytest.raises(RateLimited) as limited:
        await history.newest_trade("BTCUSDT")
    assert limited.value.retry_after_seconds == 1
    assert len(exchange.asked) == 1
    await trio.sleep(1.5)
    assert await history.newest_trade("BTCUSDT") is not None


async def test_a_firewall_is_asked_for_prices_again_but_not_each_second(
    autojump_clock: object, exchange: Exchange
) -> None:
    exchange.trade(100)
    exchange.firewall = True
    history = history_of(exchange)
    for _ in range(60):
        with pytest.raises(RateLimited):
            await history.prices(["BTCUSDT"])
        await trio.sleep(1)
    assert len(exchange.asked) == 4
    exchange.firewall = False
    await trio.sleep(15)
    assert await history.prices(["BTCUSDT"])


Answer = Callable[[httpx.Request], httpx.Response]


def answering(answer: Answer) -> History:
    async def respond(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        return answer(request)

    return History(Client(HOST, None, SimulatedClock(), transport=Answering(respond)))


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (refused, Unreachable, "connection refused"),
        (lambda _: httpx.Response(503, text="<html>"), Unreachable, "503"),
        (lambda _: httpx.Response(500, json={"code": -1000, "msg": "unknown"}), Unreachable, "-1000: unknown"),
        (lambda _: httpx.Response(200, text="<html>"), Unreachable, "<html>"),
        (lambda _: httpx.Response(200, json=[{"a": 1, "q": "1", "T": 1}]), Unreachable, "could not be read"),
        (lambda _: httpx.Response(200, json=[{"a": 1, "p": "0", "q": "1", "T": 1}]), Unreachable, "must be above 0"),
        (lambda _: httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."}), Rejected, "-1121: Invalid"),
        (lambda _: httpx.Response(400, json={"code": "-1100", "msg": "Illegal"}), Rejected, "-1100: Illegal"),
        (lambda _: httpx.Response(400, json={"code": -1003, "msg": "Too much"}), RateLimited, "-1003: Too much"),
    ],
)
async def test_each_failure_says_what_it_means(
    autojump_clock: object, answer: Answer, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        await answering(answer).newest_trade("BTCUSDT")


async def test_an_answer_that_never_comes_is_not_waited_for(autojump_clock: object, exchange: Exchange) -> None:
    exchange.gate = trio.Event()
    with pytest.raises(Unreachable, match="not answered within 4 s"), trio.fail_after(4.1):
        await history_of(exchange).newest_trade("BTCUSDT")


async def test_a_real_connection_carries_it(nursery: trio.Nursery) -> None:
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive_some()
            asked.append(request.splitlines()[0])
            body = b'[{"symbol":"BTCUSDT","price":"95000.10"},{"symbol":"ETHUSDT","price":"2600"}]'
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            await stream.send_all(head + body)

    listeners = await nursery.start(trio.serve_tcp, serve, 0)
    clock = RunClock()
    place = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    with trio.fail_after(20):
        async with aclosing(Client(place, None, clock)) as client:
            found = await History(client).prices(["ETHUSDT", "BTCUSDT"])
    assert found == {"BTCUSDT": Decimal("95000.10"), "ETHUSDT": Decimal(2600)}
    assert asked == [b"GET /api/v3/ticker/price?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D HTTP/1.1"]
