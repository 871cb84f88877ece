"""What a position in the market would like to know of its pair, and what it takes instead: no stop waits for them."""

from decimal import Decimal

import structlog
import trio

from robson.daemon.surroundings import Surroundings
from robson.domain.account import PairTerms
from robson.domain.errors import RuleError, VenueError
from robson.domain.instrument import Instrument

# The account alone is waited for longer.
BESIDE_SECONDS = 2.0

_log = structlog.get_logger("robson.position")


async def known_instrument(around: Surroundings, symbol: str) -> Instrument:
    """The pair's filters; where the venue does not tell them in time, those of an earlier run, and it is asked again.

    Raises as the venue does where no run has read them.
    """
    remembered = around.remembered(symbol)
    if symbol in around.instruments or remembered is None:
        return await around.instrument(symbol)
    error: VenueError | RuleError | None = None
    with trio.move_on_after(BESIDE_SECONDS):
        try:
            return await around.instrument(symbol)
        except (VenueError, RuleError) as told:
            error = told
    _log.warning("filters_remembered", symbol=symbol, error=str(error or "no answer"))
    around.instruments[symbol] = remembered
    around.doubt_filters(symbol)
    return remembered


async def known_terms(around: Surroundings, symbol: str) -> PairTerms:
    """The pair's tier, fees and rates; where the venue does not tell them in time, the last known or the usual ones."""
    error: VenueError | None = None
    with trio.move_on_after(BESIDE_SECONDS):
        try:
            return await around.pair_terms(symbol)
        except VenueError as told:
            error = told
    _log.warning("terms_not_read", symbol=symbol, error=str(error or "no answer"))
    return around.terms.get(symbol, PairTerms())


async def known_price(around: Surroundings, symbol: str) -> Decimal:
    """The venue's last price (quote per base); where it does not tell it in time, the feed's.

    Raises as the venue does before the feed's first price.
    """
    known = around.market.prices(symbol)
    if known is None:
        return await around.venue.price(symbol)
    error: VenueError | None = None
    with trio.move_on_after(BESIDE_SECONDS):
        try:
            return await around.venue.price(symbol)
        except VenueError as told:
            error = told
    _log.warning("price_not_read", symbol=symbol, error=str(error or "no answer"))
    return known
