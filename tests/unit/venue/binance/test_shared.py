"""Questions that many ask at once go out once."""

import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Unreachable
from robson.venue.binance.shared import Shared
from robson.venue.binance.venue import BinanceVenue
from tests.unit.venue.binance.exchange import Exchange
from tests.unit.venue.binance.test_venue import lend


async def test_fifty_positions_of_a_pair_ask_for_its_filters_and_terms_once(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    lend(exchange)

    async def start() -> None:
        assert (await venue.instrument("BTCUSDT")).symbol == "BTCUSDT"
        assert (await venue.terms("BTCUSDT")).multiple == 10

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(start)
    asked = [request.path for request in exchange.asked]
    assert len(asked) == len(set(asked)), asked


async def test_a_failure_is_shared_and_the_next_one_asks_again(autojump_clock: MockClock) -> None:
    shared, asked, failures = Shared(), [], []

    async def question() -> int:
        asked.append(trio.current_time())
        await trio.sleep(1)
        if len(asked) == 1:
            raise Unreachable("nobody is there")
        return 7

    async def fail() -> None:
        with pytest.raises(Unreachable):
            await shared.ask("it", question)
        failures.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(fail)
    assert len(asked) == 1
    assert len(failures) == 3
    assert await shared.ask("it", question) == 7


async def test_who_is_cancelled_takes_nobody_along(autojump_clock: MockClock) -> None:
    shared, asked, answers = Shared(), [], []

    async def question() -> int:
        asked.append(trio.current_time())
        await trio.sleep(10)
        return len(asked)

    async def ask(patience: float) -> None:
        with trio.move_on_after(patience):
            answers.append(await shared.ask("it", question))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, 1)
        await trio.sleep(0.5)
        nursery.start_soon(ask, 60)
        nursery.start_soon(ask, 60)
    assert answers == [2, 2]
