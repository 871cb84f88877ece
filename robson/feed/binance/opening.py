"""Open the feed over Binance's own prices; apart from the others, because it alone needs a network's libraries."""

from random import SystemRandom

from robson.config import Binance, Feed
from robson.feed.binance.feed import BinanceFeed
from robson.feed.binance.history import History
from robson.feed.binance.off_market import Doubt
from robson.feed.binance.wire import open_socket
from robson.venue.binance.client import Client


def open_prices(feed: Feed, places: Binance, client: Client) -> BinanceFeed:
    """Binance's public prices; what REST tells of them is asked through the process's one client."""
    return BinanceFeed(
        History(client),
        stream_url=places.stream_url,
        connect=open_socket,
        random=SystemRandom().random,
        price_source=feed.price_source,
        stale_after_seconds=feed.stale_after_seconds,
        poll_seconds=feed.poll_seconds,
        doubt=Doubt(percent=feed.off_market, ticks=feed.off_market_ticks, seconds=feed.off_market_seconds),
    )
