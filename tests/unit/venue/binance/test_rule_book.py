"""The rules of many pairs in one request; a pair in trouble keeps its trouble to itself."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from robson.domain.errors import Rejected, Unreachable, VenueError
from robson.venue.binance.venue import BinanceVenue
from tests.unit.venue.binance.exchange import Asked, Exchange, Say
from tests.unit.venue.binance.test_venue import RULES, rules

PAIRS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def listing(**instead: dict[str, Any]) -> Callable[[Asked], Say]:
    """An exchange that lists the three pairs, and refuses a request that names another one."""

    def answer(asked: Asked) -> Say:
        named = asked.parameters.get("symbols")
        symbols = msgspec.json.decode(named) if named else [asked.parameters["symbol"]]
        if set(symbols) - set(PAIRS):
            return Say({"code": -1121, "msg": "Invalid symbol."}, status=400)
        return Say(
            {"symbols": [rules(symbol=name, **instead.get(name, {})).document["symbols"][0] for name in symbols]}
        )

    return answer


async def ask_all(venue: BinanceVenue, symbols: tuple[str, ...]) -> dict[str, str]:
    """What each of many who ask at once is told."""
    told: dict[str, str] = {}

    async def ask(symbol: str) -> None:
        try:
            told[symbol] = (await venue.pair_rules(symbol)).instrument.symbol
        except VenueError as error:
            told[symbol] = getattr(error, "code", type(error).__name__)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            for symbol in symbols:
                nursery.start_soon(ask, symbol)
    return told


async def test_all_pairs_of_a_start_are_asked_for_at_once(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.always("GET", RULES, listing())
    assert await ask_all(venue, PAIRS) == {symbol: symbol for symbol in PAIRS}
    assert len(exchange.asked) == 1
    assert (await venue.pair_rules("ETHUSDT")).instrument.symbol == "ETHUSDT"
    assert exchange.asked[1].parameters == {"symbol": "ETHUSDT"}


async def test_a_pair_that_is_not_listed_or_not_readable_hides_no_other(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.always("GET", RULES, listing(SOLUSDT={"filters": "none"}))
    assert await ask_all(venue, PAIRS) == {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT", "SOLUSDT": "Unreachable"}
    told = await ask_all(venue, ("BTCUSDT", "GONEUSDT"))
    assert told == {"BTCUSDT": "BTCUSDT", "GONEUSDT": "unknown_symbol"}
    with pytest.raises(Rejected, match="unknown_symbol"):
        await venue.pair_rules("GONEUSDT")


async def test_an_exchange_that_does_not_answer_is_told_to_all_and_asked_once(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.always("GET", RULES, Say(status=502))
    assert set((await ask_all(venue, PAIRS)).values()) == {Unreachable.__name__}
    assert len(exchange.asked) == 1


async def test_who_is_cancelled_while_asking_for_all_takes_nobody_along(
    exchange: Exchange, venue: BinanceVenue, virtual_time: MockClock
) -> None:
    exchange.then("GET", RULES, Say(after="stall", raw=b""))
    exchange.always("GET", RULES, listing())
    told: list[str] = []

    async def ask(symbol: str, patience: float) -> None:
        with trio.move_on_after(patience):
            told.append((await venue.pair_rules(symbol)).instrument.symbol)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "BTCUSDT", 1.0)
        await trio.sleep(0.001)
        nursery.start_soon(ask, "ETHUSDT", 60.0)
        nursery.start_soon(ask, "SOLUSDT", 60.0)
    assert sorted(told) == ["ETHUSDT", "SOLUSDT"]
