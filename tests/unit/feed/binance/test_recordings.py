"""Recorded frames, played to the feed through a WebSocket as they came: each is read, and each price arrives."""

from collections import defaultdict
from decimal import Decimal

import pytest
import trio
from structlog.testing import capture_logs

from robson.domain.market import Tick
from robson.feed.binance import codec
from tests.exchange import Exchange, feed_of
from tests.recorded import recorded
from tests.rig import SimulatedClock
from tests.unit.feed.binance.test_codec import frames
from tests.unit.feed.markets import Recorder

BINANCE, FUTURES, SPOT = (
    "cryptofeed_BINANCE.ws.1.0.gz",
    "cryptofeed_BINANCE_FUTURES.ws.1.0.gz",
    "hftbacktest_spot_btcusdt_20240808.gz",
)


@pytest.mark.parametrize("price_source", ["trade", "book"])
@pytest.mark.parametrize("name", [BINANCE, FUTURES, SPOT])
async def test_every_recorded_frame_goes_through_the_feed(
    autojump_clock: object, nursery: trio.Nursery, name: str, price_source: str
) -> None:
    texts = list(frames(recorded(f"raw_ws/{name}")))
    told = [codec.decode(text) for text in texts]
    kind = codec.BookTop if price_source == "book" else Tick
    expected: dict[str, list[Decimal]] = defaultdict(list)
    for frame in told:
        if isinstance(frame, kind):
            match frame:
                case codec.BookTop():
                    expected[frame.symbol].append(frame.bid)
                case Tick():
                    expected[frame.symbol].append(frame.price)
    symbols = sorted(expected) or ["BTCUSDT"]
    clock, market = SimulatedClock(), Recorder()
    exchange = Exchange(nursery, clock, *symbols)
    feed = feed_of(exchange, clock, price_source=price_source)
    with capture_logs() as logs:
        nursery.start_soon(feed.run, market)
        for symbol in symbols:
            await feed.subscribe(symbol)
        await trio.sleep(1)
        for text in texts:
            exchange.lines[0].outgoing.send_nowait(text)
        await trio.sleep(60)
    assert not [line for line in logs if line["event"] == "frame_not_understood"]
    assert len(exchange.lines) == 1
    delivered: dict[str, list[Decimal]] = defaultdict(list)
    for tick in market.ticks:
        if not tick.polled:
            delivered[tick.symbol].append(tick.price)
    assert delivered == expected
