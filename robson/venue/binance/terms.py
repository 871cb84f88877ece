"""The terms of each pair for this account (tier, rates, fee), kept for a while."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import structlog

from robson.domain.account import PairTerms
from robson.domain.errors import RateLimited, VenueError
from robson.ports.clock import Clock
from robson.venue.binance import endpoints, lending
from robson.venue.binance.client import Client
from robson.venue.binance.filters import PairRules
from robson.venue.binance.shared import Shared

# Tiers, rates and fees change rarely, and an exit that reads them must not wait for that.
TERMS_KEPT_SECONDS = 300.0

_log = structlog.get_logger("robson.binance")


class Terms:
    """What was read of each pair, and when."""

    def __init__(
        self, client: Client, clock: Clock, shared: Shared, known_rules: Callable[[str], Awaitable[PairRules]]
    ) -> None:
        self._client = client
        self._clock = clock
        self._shared = shared
        self._known_rules = known_rules
        self._known: dict[str, tuple[float, PairTerms]] = {}
        self._fees: dict[str, Decimal] = {}
        self._rates: dict[str, list[lending.LendingRate]] = {}

    async def of(self, symbol: str) -> PairTerms:
        """Tier, fee and interest rates of the pair for this account; at most five minutes old while they can be read.

        They are those of the lowest tier: beyond its debts the exchange lends less per collateral. When they cannot be
        read, the last known ones hold; without those the error is raised.
        """
        known = self._known.get(symbol)
        now = self._clock.monotonic()
        if known is not None and now - known[0] < TERMS_KEPT_SECONDS:
            return known[1]
        try:
            terms = await self._shared.ask(("terms", symbol), lambda: self._read(symbol))
        except VenueError as error:
            if known is None:
                raise
            _log.warning("terms_not_read", symbol=symbol, age_seconds=now - known[0], error=str(error))
            return known[1]
        self._known[symbol] = (now, terms)
        return terms

    async def tiers(self, symbol: str) -> Sequence[lending.Tier]:
        """The pair's tiers, lowest debts first."""
        return await self._client.call(endpoints.TIERS, [("symbol", symbol)], lending.tiers)

    async def _read(self, symbol: str) -> PairTerms:
        rules = await self._known_rules(symbol)
        tiers = await self.tiers(symbol)
        rates = await self._lending_rates(symbol)
        instrument = rules.instrument
        return lending.pair_terms(tiers[0], rates, await self._fee_rate(symbol), instrument.base, instrument.quote)

    async def _lending_rates(self, symbol: str) -> list[lending.LendingRate]:
        """The last ones when the endpoint is missing: the account tells what is owed, and maxBorrowable what may be."""
        try:
            self._rates[symbol] = await self._client.call(
                endpoints.RATES, [("symbol", symbol)], lambda document: lending.rates(document, symbol)
            )
        except RateLimited:
            raise
        except VenueError as error:
            _log.warning("lending_rates_not_read", symbol=symbol, error=str(error))
        return self._rates.get(symbol, [])

    async def _fee_rate(self, symbol: str) -> Decimal | None:
        """None when the endpoint is missing: the usual rate is assumed then."""
        try:
            self._fees[symbol] = await self._client.call(
                endpoints.COMMISSION, [("symbol", symbol)], lending.taker_fee_rate
            )
        except RateLimited:
            raise
        except VenueError as error:
            _log.warning("fee_rate_not_read", symbol=symbol, error=str(error))
        return self._fees.get(symbol)
