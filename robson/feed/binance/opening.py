"""Open the feed over Binance's own prices; apart from the others, because it alone needs a network's libraries."""

from random import SystemRandom

import httpx

from robson.clock import RunClock
from robson.config import Binance, Feed
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.history import History
from robson.feed.binance.off_market import Doubt
from robson.feed.binance.rest import Rest, Spend
from robson.feed.binance.wire import open_socket
from robson.feed.opening import OpenedFeed


def open_binance(feed: Feed, places: Binance, *, spend: Spend | None = None) -> OpenedFeed:
    """Binance's public prices, on the machine's own clock.

    `spend` takes the weight of each REST request before it goes out, where others spend from the same budget.
    """
    clock = RunClock()
    # The environment's proxies are for browsers: a stop does not go through them unasked.
    client = httpx.AsyncClient(base_url=places.rest_url, trust_env=False)
    source = BinanceFeed(
        History(Rest(client, clock, spend=spend), clock),
        stream_url=places.stream_url,
        connect=open_socket,
        random=SystemRandom().random,
        price_source=feed.price_source,
        stale_after_seconds=feed.stale_after_seconds,
        poll_seconds=feed.poll_seconds,
        doubt=Doubt(percent=feed.off_market, ticks=feed.off_market_ticks, seconds=feed.off_market_seconds),
    )
    return OpenedFeed(source, clock, None)
