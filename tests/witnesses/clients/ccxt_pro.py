"""ccxt and ccxt.pro: unified calls on isolated margin, watch_trades, and the isolated balance by listenToken.

Pointed at the emulator by rewriting the hosts in `exchange.urls['api']`, as its documents say for a proxy or mirror.
"""

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import ccxt.pro

PAIR = "ETH/USDT"


def redirected(urls, rest, streams, ws_api):
    """The same tree of addresses on the emulator."""
    if isinstance(urls, dict):
        return {name: redirected(below, rest, streams, ws_api) for name, below in urls.items()}
    if not isinstance(urls, str):
        return urls
    if "ws-api" in urls:
        return ws_api
    if urls.startswith("wss://"):
        return streams + "/ws"
    return rest + urlsplit(urls).path


async def main() -> None:
    keys = Path(os.environ["WITNESS_KEYS"])
    exchange = ccxt.pro.binance(
        {
            "apiKey": (keys / "binance-api-key").read_text().strip(),
            "secret": (keys / "binance-api-secret").read_text().strip(),
            "options": {
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": True,
                "fetchMargins": True,
                # Its positions are those of the futures, of which there are none here.
                "watchPositions": {"fetchPositionsSnapshot": False},
            },
        }
    )
    exchange.urls["api"] = redirected(
        exchange.urls["api"], os.environ["WITNESS_REST"], os.environ["WITNESS_WS"], os.environ["WITNESS_WS_API"]
    )
    try:
        await exchange.load_markets()
        assert exchange.markets[PAIR]["margin"], exchange.markets[PAIR]
        assert exchange.markets[PAIR]["marginModes"]["isolated"], exchange.markets[PAIR]["marginModes"]
        await trade(exchange)
    finally:
        await exchange.close()


async def trade(exchange) -> None:
    """A short and its way back, with the balance that the user stream tells."""
    balance = asyncio.ensure_future(
        exchange.watch_balance({"type": "margin", "marginMode": "isolated", "symbol": PAIR, "isIsolated": True})
    )
    while not exchange.options.get("margin", {}).get("listenToken"):
        assert not balance.done(), balance.result()
        await asyncio.sleep(0.05)
    entry = await exchange.create_order(
        PAIR,
        "market",
        "sell",
        0.5,
        params={"marginMode": "isolated", "sideEffectType": "MARGIN_BUY", "newClientOrderId": "ccxt-entry"},
    )
    assert entry["status"] == "closed", entry
    assert entry["filled"] == 0.5
    told = await asyncio.wait_for(balance, 30)
    assert told["USDT"]["free"] > 100_000, told["USDT"]

    order = await exchange.fetch_order(None, PAIR, {"marginMode": "isolated", "origClientOrderId": "ccxt-entry"})
    assert order["id"] == entry["id"]
    trades = await exchange.fetch_my_trades(PAIR, params={"marginMode": "isolated", "orderId": entry["id"]})
    assert sum(trade["amount"] for trade in trades) == 0.5
    account = await exchange.fetch_balance({"type": "margin", "marginMode": "isolated", "symbols": ["ETHUSDT"]})
    assert account["ETH"]["debt"] >= 0.5, account["ETH"]

    await exchange.create_order(
        PAIR, "market", "buy", 0.5006, params={"marginMode": "isolated", "sideEffectType": "AUTO_REPAY"}
    )
    account = await exchange.fetch_balance({"type": "margin", "marginMode": "isolated", "symbols": ["ETHUSDT"]})
    assert account["ETH"]["debt"] == 0, account["ETH"]
    await exchange.borrow_isolated_margin(PAIR, "USDT", 20)
    await exchange.repay_isolated_margin(PAIR, "USDT", 20)

    seen = []
    while len(seen) < 5:
        seen += [int(trade["info"].get("a", trade["info"].get("t"))) for trade in await exchange.watch_trades(PAIR)]
    fresh = sorted(set(seen))
    assert fresh == list(range(fresh[0], fresh[0] + len(fresh))), fresh
    candles = await exchange.fetch_ohlcv(PAIR, "1m", limit=5)
    assert len(candles) == 5


if __name__ == "__main__":
    asyncio.run(main())
