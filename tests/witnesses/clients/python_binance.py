"""python-binance: isolated orders signed in bodies, streams, and the isolated user data by listenToken.

Pointed at the emulator by setting `API_URL` and `MARGIN_API_URL` of the client, `STREAM_URL` of the socket manager and
the address of its WebSocket API, after construction.
"""

import asyncio
import os
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException

PAIR = "BTCUSDT"
WANTED = 5


async def main() -> None:
    keys = Path(os.environ["WITNESS_KEYS"])
    client = AsyncClient(
        (keys / "binance-api-key").read_text().strip(), (keys / "binance-api-secret").read_text().strip()
    )
    client.API_URL = os.environ["WITNESS_REST"] + "/api"
    client.MARGIN_API_URL = os.environ["WITNESS_REST"] + "/sapi"
    client.ws_api._url = os.environ["WITNESS_WS_API"]
    await client.ping()
    manager = BinanceSocketManager(client)
    manager.STREAM_URL = os.environ["WITNESS_WS"] + "/"
    try:
        async with manager.isolated_margin_socket(PAIR) as user:
            await trade(client, user)
        await listen(client, manager)
    finally:
        await client.close_connection()


async def trade(client, user) -> None:
    """A long: borrowed, bought, found again, sold, repaid; and what the user stream says of it."""
    entry = await client.create_margin_order(
        symbol=PAIR,
        side="BUY",
        type="MARKET",
        quantity="2",
        isIsolated="TRUE",
        sideEffectType="MARGIN_BUY",
        newClientOrderId="pyb-entry",
        newOrderRespType="FULL",
    )
    assert entry["status"] == "FILLED", entry
    assert entry["marginBuyBorrowAsset"] == "USDT"
    reports = await events(user, "executionReport", until=lambda event: event["X"] == "FILLED")
    assert {event["c"] for event in reports} == {"pyb-entry"}
    assert reports[0]["x"] == "NEW"
    assert [event["t"] for event in reports[1:]] == [fill["tradeId"] for fill in entry["fills"]]
    position = (await events(user, "outboundAccountPosition"))[-1]
    assert {balance["a"] for balance in position["B"]} == {"BTC", "USDT"}

    order = await client.get_margin_order(symbol=PAIR, isIsolated="TRUE", origClientOrderId="pyb-entry")
    assert order["orderId"] == entry["orderId"]
    trades = await client.get_margin_trades(symbol=PAIR, isIsolated="TRUE", orderId=entry["orderId"])
    fee = sum(Decimal(row["commission"]) for row in trades)
    assert {row["commissionAsset"] for row in trades} == {"BTC"}

    held = (Decimal(entry["executedQty"]) - fee).quantize(Decimal("0.00001"), ROUND_DOWN)
    await client.create_margin_order(
        symbol=PAIR, side="SELL", type="MARKET", quantity=str(held), isIsolated="TRUE", sideEffectType="AUTO_REPAY"
    )
    account = await client.get_isolated_margin_account(symbols=PAIR)
    quote = account["assets"][0]["quoteAsset"]
    assert Decimal(quote["borrowed"]) == Decimal(quote["interest"]) == 0, quote

    refused = None
    try:
        await client.get_margin_order(symbol=PAIR, isIsolated="TRUE", origClientOrderId="nobody")
    except BinanceAPIException as error:
        refused = (error.code, error.message)
    assert refused == (-2013, "Order does not exist.")
    await client.margin_borrow_repay(asset="USDT", isIsolated="TRUE", symbol=PAIR, amount="25.5", type="BORROW")
    debt = (await client.get_isolated_margin_account(symbols=PAIR))["assets"][0]["quoteAsset"]
    owed = Decimal(debt["borrowed"]) + Decimal(debt["interest"])
    await client.margin_borrow_repay(asset="USDT", isIsolated="TRUE", symbol=PAIR, amount=str(owed), type="REPAY")


async def listen(client, manager) -> None:
    """Trades of a plain and of a combined stream, without a gap."""
    async with manager.aggtrade_socket(PAIR) as plain:
        ids = [(await asyncio.wait_for(plain.recv(), 30))["a"] for _ in range(WANTED)]
    assert ids == list(range(ids[0], ids[0] + WANTED)), ids
    async with manager.multiplex_socket([f"{PAIR.lower()}@aggTrade", f"{PAIR.lower()}@bookTicker"]) as combined:
        names = {(await asyncio.wait_for(combined.recv(), 30))["stream"] for _ in range(WANTED)}
    assert names == {f"{PAIR.lower()}@aggTrade", f"{PAIR.lower()}@bookTicker"}, names
    assert [row["a"] for row in await client.get_aggregate_trades(symbol=PAIR, fromId=ids[0], limit=WANTED)] == ids


async def events(user, kind, until=lambda event: True):
    """The events of one kind, up to the one that is waited for."""
    found = []
    while not found or not until(found[-1]):
        event = await asyncio.wait_for(user.recv(), 30)
        event = event.get("event", event)
        if event["e"] == kind:
            found.append(event)
    return found


if __name__ == "__main__":
    asyncio.run(main())
