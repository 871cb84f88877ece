"""`robson emulator` killed amid its orders, and on the prices of another exchange."""

import hashlib
import hmac
import http.client
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS
from tests.end_to_end.emulator import ORDER, PAIR, Emulator, starting


class HastyEmulator(Emulator):
    """An emulator whose client does not wait for answers."""

    def send_order(self, side: str, quantity: str, **more: object) -> None:
        """Send a market order and hear no answer."""
        asked = {"symbol": PAIR, "side": side, "type": "MARKET", "quantity": quantity, "isIsolated": "TRUE", **more}
        query = urlencode({**asked, "timestamp": self.request("GET", "/api/v3/time")[1]["serverTime"]})
        keys = {
            name: (self.state / "credentials" / f"binance-api-{name}").read_text().strip() for name in ("key", "secret")
        }
        signature = hmac.new(keys["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        connection.request("POST", f"{ORDER}?{query}&signature={signature}", headers={"X-MBX-APIKEY": keys["key"]})
        connection.close()


@pytest.fixture
def emulators(tmp_path: Path) -> Iterator[Any]:
    with starting(tmp_path, HastyEmulator) as make:
        yield make


def test_killed_again_and_again_amid_its_orders_its_books_still_add_up(emulators: Any) -> None:
    answered: list[str] = []
    for life in range(4):
        emulator = emulators()
        for number in range(3):
            name = f"n{life}-{number}"
            assert emulator.order("BUY", "0.01", newClientOrderId=name)[1]["status"] == "FILLED"
            answered.append(name)
        emulator.send_order("SELL", "0.005", newClientOrderId=f"cut-{life}", sideEffectType="MARGIN_BUY")
        assert emulator.stop(signal.SIGKILL) == -signal.SIGKILL

    emulator = emulators()
    pair = {"symbol": PAIR, "isIsolated": "TRUE"}
    orders = emulator.ask("GET", "/sapi/v1/margin/allOrders", **pair)[1]
    assert [order["orderId"] for order in orders] == list(range(1, len(orders) + 1))
    names = [order["clientOrderId"] for order in orders]
    assert [name for name in names if not name.startswith("cut-")] == answered
    assert len(set(names)) == len(names)
    held = Decimal(0)
    for trade in emulator.ask("GET", "/sapi/v1/margin/myTrades", **pair)[1]:
        quantity, fee = Decimal(trade["qty"]), Decimal(trade["commission"])
        held += quantity - fee if trade["isBuyer"] else -quantity
    assert Decimal(emulator.account()["baseAsset"]["netAsset"]) == held


def test_live_prices_are_those_of_the_exchange_that_it_is_pointed_at(emulators: Any) -> None:
    source = emulators("--control", "--seed", "source", name="source")
    at = f"127.0.0.1:{source.port}"
    env = {"ROBSON_BINANCE_REST_URL": f"http://{at}", "ROBSON_BINANCE_STREAM_URL": f"ws://{at}"}
    emulator = emulators("--feed", "binance", env=env)
    assert emulator.request("GET", f"/api/v3/ticker/price?symbol={PAIR}")[0] == 200
    price = f"{float(source.request('GET', f'/api/v3/ticker/price?symbol={PAIR}')[1]['price']) + 77:.2f}"
    assert source.request("POST", "/control/price", {"symbol": PAIR, "price": price})[0] == 200
    deadline = time.monotonic() + PATIENCE_SECONDS
    wanted = f"/api/v3/aggTrades?symbol={PAIR}&limit=1000"
    while float(price) not in {float(row["p"]) for row in emulator.request("GET", wanted)[1]}:
        assert time.monotonic() < deadline
    theirs = {row["a"]: row["p"] for row in source.request("GET", wanted)[1]}
    ours = {row["a"]: row["p"] for row in emulator.request("GET", wanted)[1]}
    shared = theirs.keys() & ours.keys()
    assert len(shared) > 1
    assert {number: ours[number] for number in shared} == {number: theirs[number] for number in shared}
    assert emulator.request("GET", f"/api/v3/klines?symbol={PAIR}&interval=1m")[0] == 200
    assert emulator.order("BUY", "0.01", sideEffectType="MARGIN_BUY")[1]["status"] == "FILLED"
    assert source.stop() == 0
    assert emulator.order("SELL", "0.009", sideEffectType="AUTO_REPAY")[1]["status"] == "FILLED"
    assert emulator.request("GET", f"/api/v3/klines?symbol={PAIR}&interval=1m")[0] == 200
