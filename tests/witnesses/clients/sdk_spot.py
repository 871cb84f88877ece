"""The official binance-sdk-spot: market data, the aggTrade stream, and the user stream's subscription by signature.

Pointed at the emulator by `ConfigurationRestAPI(base_path=…)`, `ConfigurationWebSocketStreams(stream_url=…)` and
`ConfigurationWebSocketAPI(stream_url=…)`.
"""

import asyncio
import logging
import os
from pathlib import Path

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_spot.rest_api import models
from binance_sdk_spot.spot import Spot

PAIR = "BTCUSDT"
WANTED = 5
complaints: list[str] = []


class Complaints(logging.Handler):
    """Keeps what the client could not parse."""

    def emit(self, record: logging.LogRecord) -> None:
        if "parse" in record.getMessage().lower():
            complaints.append(record.getMessage())


async def main() -> None:
    logging.getLogger().addHandler(Complaints())
    keys = Path(os.environ["WITNESS_KEYS"])
    key = (keys / "binance-api-key").read_text().strip()
    secret = (keys / "binance-api-secret").read_text().strip()
    client = Spot(
        config_rest_api=ConfigurationRestAPI(
            api_key=key, api_secret=secret, base_path=os.environ["WITNESS_REST"], timeout=15_000, retries=0
        ),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=os.environ["WITNESS_WS"]),
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=key, api_secret=secret, stream_url=os.environ["WITNESS_WS_API"], timeout=15_000
        ),
    )
    api = client.rest_api
    assert isinstance(api.time().data(), models.TimeResponse)
    information = api.exchange_info(symbol=PAIR).data()
    assert isinstance(information, models.ExchangeInfoResponse), information
    assert [symbol.symbol for symbol in information.symbols] == [PAIR]
    assert len(information.symbols[0].filters) >= 5
    assert len(api.klines(PAIR, "1m", limit=3).data()) == 3

    connection = await client.websocket_streams.create_connection()
    heard: asyncio.Queue = asyncio.Queue()
    stream = await connection.agg_trade(symbol=PAIR.lower())
    stream.on("message", heard.put_nowait)
    trades = [await asyncio.wait_for(heard.get(), 30) for _ in range(WANTED)]
    ids = [trade.a for trade in trades]
    assert ids == list(range(ids[0], ids[0] + WANTED)), ids
    backfilled = api.agg_trades(PAIR, from_id=ids[0], limit=WANTED).data()
    assert [trade.a for trade in backfilled] == ids
    await stream.unsubscribe()
    await connection.close_connection(close_session=True)

    session = await client.websocket_api.create_connection()
    subscribed = await session.user_data_stream_subscribe_signature()
    assert subscribed.response.data().result.subscription_id is not None
    await session.close_connection(close_session=True)
    assert not complaints, complaints


if __name__ == "__main__":
    asyncio.run(main())
