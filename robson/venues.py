"""The venue of each mode, opened for the composition root: the paper account with its file, or the exchange."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

import msgspec

from robson.config import Settings
from robson.daemon.listening import UserEvents
from robson.domain.errors import ConfigurationError
from robson.domain.market import Tick
from robson.feed.fanout import FanOut
from robson.feed.opening import OpenedFeed
from robson.ports import Hand, Market, SlippageEstimate, Venue
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings


@dataclass(frozen=True)
class OpenedVenue:
    """A venue, where the feed has to deliver its ticks for it, and how to ask whether it would take our orders.

    `user_events`, where the venue has any, makes a stream of them that tells of orders by client order id. `slippage`
    tells what a market order would lose now. `hand`, where there is a wire, sends an exit without a turn of the loop.
    """

    venue: Venue
    market: Market
    slippage: SlippageEstimate
    admit: Callable[[], Awaitable[None]] | None = None
    user_events: Callable[[Callable[[str], None]], UserEvents] | None = None
    hand: Hand | None = None


class PaperMarket:
    """Ticks on their way to the fan-out, seen by the paper venue first: it liquidates on them."""

    def __init__(self, market: FanOut, venue: PaperVenue) -> None:
        self._market = market
        self._venue = venue

    def observe(self, tick: Tick) -> bool:
        """Take one tick."""
        self._venue.observe(tick.symbol, tick.price)
        return self._market.observe(tick)

    def interrupted(self, symbol: str, reason: str) -> None:
        """Ticks of the symbol are late or lost."""
        self._market.interrupted(symbol, reason)


@contextmanager
def open_venue(settings: Settings, opened: OpenedFeed, market: FanOut, *, state: Path) -> Iterator[OpenedVenue]:
    """The venue of the mode until the block ends; the exchange itself is not waited for.

    Raises ConfigurationError when the settings cannot be obeyed, StorageError when the paper account cannot be used.
    """
    if settings.mode == "live":
        yield _live(settings, opened, market)
        return
    paper = PaperVenue.open(
        state / "paper-account.db",
        clock=opened.clock,
        prices=market.prices,
        settings=paper_settings(settings),
        seed=seed_number(settings.feed.seed),
    )
    try:
        yield OpenedVenue(paper, PaperMarket(market, paper), paper)
    finally:
        paper.close()


def _live(settings: Settings, opened: OpenedFeed, market: FanOut) -> OpenedVenue:
    # A daemon on paper need not pay for the libraries of a network.
    from robson.feed.binance.user import UserStream  # noqa: PLC0415
    from robson.feed.binance.wire import open_socket  # noqa: PLC0415
    from robson.venue.binance.listen_token import ListenTokens  # noqa: PLC0415
    from robson.venue.binance.venue import BinanceVenue  # noqa: PLC0415

    if opened.exchange is None:
        raise ConfigurationError(
            f"mode was live with feed.source {opened.feed.source}: orders on the exchange need its own prices, binance"
        )
    tokens = ListenTokens(opened.exchange)

    def user_events(hint: Callable[[str], None]) -> UserEvents:
        url = settings.binance.ws_api_url
        return UserStream(url, tokens, hint, connect=open_socket, random=SystemRandom().random)

    venue = BinanceVenue(opened.exchange, opened.clock)
    return OpenedVenue(venue, market, venue, venue.admit, user_events, venue.hand)


def paper_settings(settings: Settings) -> PaperSettings:
    """Section `[paper]`, checked; ConfigurationError names the key, its value and what is allowed."""
    try:
        return msgspec.convert(settings.paper, type=PaperSettings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"section [paper]: {error}") from error


def seed_number(seed: str) -> int:
    """A seed as a number."""
    return int.from_bytes(seed.encode()[:16].ljust(1, b"\0"), "big")
