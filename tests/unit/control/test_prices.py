"""Live prices on request: the newest of each symbol, out of the sequence, holding nobody up."""

import trio
import trio.testing

from robson.control.prices import LOOK_SECONDS
from tests.unit.control.conftest import Client, Served

PRICED = '{"id":1,"cmd":"subscribe","prices":true,"types":[]}'


async def test_prices_come_only_when_they_are_asked_for(
    autojump_clock: trio.abc.Clock, served: Served, client: Client
) -> None:
    assert (await client.ask('{"cmd":"subscribe"}'))["ok"]
    priced = await served.connect()
    assert (await priced.ask(PRICED))["ok"]
    assert await priced.reply() == {
        "event": "price",
        "at": "2026-11-22T12:00:00Z",
        "data": {"symbol": "BTCUSDT", "price": "95010.1", "stale": False},
        "seq": None,
        "position_id": None,
    }
    await trio.sleep(10 * LOOK_SECONDS)
    served.operations.commit("feed_stale")
    assert (await client.reply())["seq"] == 1


async def test_only_what_has_changed_is_told_and_what_lies_between_is_left_out(
    autojump_clock: trio.abc.Clock, served: Served, client: Client
) -> None:
    prices = served.operations.prices
    prices["ETHUSDT"] = "3300"
    assert (await client.ask(PRICED))["ok"]
    assert [(await client.reply())["data"]["symbol"] for _ in range(2)] == ["BTCUSDT", "ETHUSDT"]
    await trio.testing.wait_all_tasks_blocked()
    for price in ("3301", "3302", "3303"):
        prices["ETHUSDT"] = price
    assert (await client.reply())["data"] == {"symbol": "ETHUSDT", "price": "3303", "stale": False}
    await trio.sleep(10 * LOOK_SECONDS)
    prices["BTCUSDT"] = "95011"
    assert (await client.reply())["data"]["price"] == "95011"


async def test_prices_and_events_share_a_connection(
    autojump_clock: trio.abc.Clock, served: Served, client: Client
) -> None:
    assert (await client.ask('{"cmd":"subscribe","prices":true}'))["ok"]
    assert (await client.reply())["event"] == "price"
    served.operations.commit("feed_stale")
    line = await client.reply()
    assert (line["event"], line["seq"]) == ("feed_stale", 1)
    assert (await client.ask('{"id":3,"cmd":"ping"}'))["id"] == 3


async def test_a_reader_of_prices_that_does_not_read_gets_few_old_ones_and_the_newest(
    autojump_clock: trio.abc.Clock, served: Served, client: Client
) -> None:
    prices = served.operations.prices
    prices |= {f"COIN{number:04}USDT": "1" for number in range(500)}
    other = await served.connect()
    assert (await client.ask(PRICED))["ok"]
    for round_ in range(50):
        for symbol in prices:
            prices[symbol] = str(round_)
        await trio.sleep(LOOK_SECONDS)
        assert (await other.ask('{"cmd":"ping"}'))["ok"]
    lines = 0
    newest: dict[str, str] = {}
    while len(newest) < len(prices) or set(newest.values()) != {"49"}:
        line = await client.reply()
        newest[line["data"]["symbol"]] = line["data"]["price"]
        lines += 1
    assert lines < 10 * len(prices)
