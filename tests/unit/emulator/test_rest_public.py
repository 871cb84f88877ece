"""Market data: prices, trades by id, candles with the forming one."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio

from robson.domain.errors import ConfigurationError, RuleError, Unreachable
from robson.domain.market import Tick
from robson.emulator.market import offered
from robson.emulator.process import parse_address
from robson.emulator.router import ENDPOINTS, PATHS
from tests.unit.emulator.bench import KEY, PAIR, opened


async def test_prices_of_one_of_several_and_of_all(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        price = {"symbol": PAIR, "price": "95000.00000000"}
        assert (await bench.get("/api/v3/ticker/price", symbol=PAIR)).json == price
        assert (await bench.get("/api/v3/ticker/price")).json == [price]
        assert (await bench.get("/api/v3/ticker/price", symbols='["BTCUSDT"]')).json == [price]
        book = (await bench.get("/api/v3/ticker/bookTicker", symbol=PAIR)).json
        assert float(book["bidPrice"]) < float(book["askPrice"])
        assert (await bench.get("/api/v3/ticker/price", symbol="NOPE")).error == (-1121, "Invalid symbol.")


async def test_trades_are_numbered_without_gaps_and_found_by_id(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path) as bench:
        for number in range(1, 8):
            await trio.sleep(1)
            bench.tick(str(95_000 + number))
        rows = (await bench.get("/api/v3/aggTrades", symbol=PAIR)).json
        first = rows[0]["a"]
        assert [row["a"] for row in rows] == list(range(first, first + 8))
        assert (await bench.get("/api/v3/aggTrades", symbol=PAIR, fromId=first + 6)).json == rows[6:]
        assert (await bench.get("/api/v3/aggTrades", symbol=PAIR, fromId=0, limit=2)).json == rows[:2]
        assert (await bench.get("/api/v3/aggTrades", symbol=PAIR, fromId=first + 8)).json == []
        span = {"startTime": rows[2]["T"], "endTime": rows[4]["T"]}
        assert (await bench.get("/api/v3/aggTrades", symbol=PAIR, **span)).json == rows[2:5]
        assert (await bench.get("/api/v3/trades", symbol=PAIR, limit=1)).json[0]["id"] == first + 7
        average = (await bench.get("/api/v3/avgPrice", symbol=PAIR)).json
        assert (average["mins"], average["price"]) == (5, "95003.50000000")


async def test_candles_end_with_the_forming_one(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path) as bench:
        bench.tick("95100", quantity="1")
        await trio.sleep(0.5)
        bench.tick("94900", quantity="2")
        (row,) = (await bench.get("/api/v3/klines", symbol=PAIR, interval="1m", limit=5)).json
        assert row[1:6] == ["95000.00000000", "95100.00000000", "94900.00000000", "94900.00000000", "3.10000000"]
        assert row[6] - row[0] == 59_999
        assert row[8] == 3
        await trio.sleep(2)
        seconds = (await bench.get("/api/v3/klines", symbol=PAIR, interval="1s", limit=5)).json
        assert seconds[-1][1:5] == ["94900.00000000"] * 4, "a second without trades is flat"
        assert (await bench.get("/api/v3/klines", symbol=PAIR, interval="7m")).error == (-1120, "Invalid interval.")


async def test_a_market_without_a_price_says_so(tmp_path: Path, autojump_clock: object) -> None:
    with opened(tmp_path, price=None) as bench:
        reply = await bench.get("/api/v3/ticker/price", symbol=PAIR)
        assert (reply.status, reply.error[0]) == (500, -1000)
        assert PAIR in bench.feed.subscribed


async def test_the_fee_that_is_told_is_the_fee_that_is_taken(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        told = (await bench.ask("GET", "/api/v3/account/commission", symbol=PAIR)).json
        (fill,) = (await bench.order("BUY", "1")).json["fills"]
        rates = [told[part]["taker"] for part in ("standardCommission", "specialCommission", "taxCommission")]
        assert sum(map(float, rates)) == float(fill["commission"]) == 0.001
        assert (await bench.ask("GET", "/api/v3/account/commission", symbol="NOPE")).error[0] == -1121


async def test_wrong_methods_and_paths(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        reply = await bench.send("DELETE", "/api/v3/time")
        assert (reply.status, reply.headers["Allow"]) == (405, "GET")
        assert (await bench.send("GET", "/api/v3/nothing")).status == 404


async def test_every_endpoint_refuses_a_stranger_and_survives_having_no_parameters(tmp_path: Path) -> None:
    assert {path.split("/")[1] for path in PATHS} == {"api", "sapi"}
    with opened(tmp_path) as bench:
        for method, path in ENDPOINTS:
            stranger = await bench.send(method, path, key="stranger")
            if path.startswith("/sapi") and path != "/sapi/v1/system/status":
                assert stranger.status == 401, path
            for reply in (stranger, await bench.send(method, path, key=KEY), await bench.ask(method, path)):
                assert reply.status in {200, 400, 401}, (method, path, reply.content)
                assert isinstance(reply.json, dict | list)


@pytest.mark.parametrize(
    "text", ["0.0.0.0:9000", "192.168.1.5:9000", "[::]:9000", "example.org:80", "9000", "127.0.0.1:x"]
)
def test_other_addresses_than_loopback_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--listen was"):
        parse_address(text)


def test_loopback_in_its_spellings() -> None:
    assert parse_address("127.0.0.1:9000") == ("127.0.0.1", 9000)
    assert parse_address("localhost:0") == ("127.0.0.1", 0)
    assert parse_address("[::1]:9000") == ("::1", 9000)


async def test_a_polled_price_is_no_trade_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        polled = Tick(
            symbol=PAIR, price=Decimal(1), quantity=Decimal(1), trade_id=None, at=bench.clock.now(), polled=True
        )
        assert not bench.market.observe(polled)
        assert bench.market.price(PAIR) == 95_000


async def test_without_the_source_of_its_prices_there_are_only_the_candles_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as bench:

        async def fail(*_asked: object) -> None:
            raise Unreachable("no network")

        monkeypatch.setattr(bench.feed, "candles", fail)
        rows = (await bench.get("/api/v3/klines", symbol=PAIR, interval="1m")).json
        assert [row[4] for row in rows] == ["95000.00000000"]


async def test_a_source_over_a_network_is_not_asked_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(symbol: str, _trade_id: int) -> None:
        raise RuleError("unknown_symbol", symbol)

    with opened(tmp_path) as bench:
        monkeypatch.setattr(bench.feed, "trades_from", refuse)
        assert await offered(bench.feed, [PAIR]) == []
        monkeypatch.setattr(bench.feed, "source", "binance")
        assert await offered(bench.feed, [PAIR]) == [PAIR]
