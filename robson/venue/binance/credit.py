"""What the exchange would lend now, and the index price: two questions, either of which may go unanswered."""

from decimal import Decimal
from typing import Protocol

import structlog
import trio

from robson.domain.account import Credit
from robson.domain.errors import VenueError
from robson.domain.values import Side
from robson.venue.binance.filters import PairRules
from robson.venue.binance.lending import Borrowable

_log = structlog.get_logger("robson.binance")


class Lender(Protocol):
    """The exchange, as far as it is asked here."""

    async def known_rules(self, symbol: str) -> PairRules:
        """The pair's rules, as last read."""

    async def max_borrowable(self, symbol: str, asset: str) -> Borrowable:
        """What may be borrowed of an asset on the pair now."""

    async def index_price(self, symbol: str) -> Decimal:
        """The index price (quote per base)."""


async def read_credit(lender: Lender, symbol: str, side: Side) -> Credit:
    """Both answers; an endpoint that is missing or refuses leaves its own one None.

    Raises as the venue does when neither is answered, or the pair's rules cannot be read.
    """
    instrument = (await lender.known_rules(symbol)).instrument
    asset = instrument.quote if side is Side.LONG else instrument.base
    borrowable: Decimal | None = None
    index_price: Decimal | None = None
    failures: list[VenueError] = []

    async def ask_loan() -> None:
        nonlocal borrowable
        try:
            borrowable = (await lender.max_borrowable(symbol, asset)).amount
        except VenueError as error:
            failures.append(error)
            _log.warning("borrowable_not_read", symbol=symbol, asset=asset, error=str(error))

    async def ask_index() -> None:
        nonlocal index_price
        try:
            index_price = await lender.index_price(symbol)
        except VenueError as error:
            failures.append(error)
            _log.warning("index_price_not_read", symbol=symbol, error=str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_loan)
        nursery.start_soon(ask_index)
    if borrowable is None and index_price is None:
        raise failures[-1]
    return Credit(borrowable=borrowable, index_price=index_price)
