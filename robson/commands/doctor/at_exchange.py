"""What is asked of the exchange: reach and clock first, then everything that needs both, side by side."""

from collections.abc import Sequence
from functools import partial

import httpx
import trio

from robson.clock import RunClock
from robson.commands.doctor.check import Check, doubtful
from robson.commands.doctor.judging import exchange, keys, pair, streams
from robson.commands.doctor.probing.streams import hear_account, hear_prices
from robson.commands.doctor.side_by_side import Ward, guarded
from robson.config import Settings
from robson.domain.errors import VenueError
from robson.ports.clock import Clock
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.listen_token import ListenTokens
from robson.venue.binance.opening import open_binance
from robson.venue.binance.survey import Survey
from robson.venue.binance.venue import BinanceVenue

REACH_SECONDS = 15.0
READ_SECONDS = 12.0
LISTEN_SECONDS = 10.0
ROUND_TRIPS = 5
# Somebody trades it at any hour.
BUSY_PAIR = "BTCUSDT"


async def examine(settings: Settings, credentials: Credentials | None, symbols: Sequence[str]) -> list[Check]:
    """Every check of the exchange that applies; without credentials the public ones."""
    clock = RunClock()
    async with open_binance(settings.binance, credentials, clock) as venue:
        return await _Visit(settings, venue, clock, symbols, has_keys=credentials is not None).checks()


class _Visit:
    """One round of questions."""

    def __init__(
        self, settings: Settings, venue: BinanceVenue, clock: Clock, symbols: Sequence[str], *, has_keys: bool
    ) -> None:
        self._settings = settings
        self._venue = venue
        self._survey = Survey(venue.client)
        self._clock = clock
        self._symbols = symbols
        self._has_keys = has_keys

    async def checks(self) -> list[Check]:
        reach = await guarded("rest", self._reach, seconds=REACH_SECONDS)
        async with trio.open_nursery() as nursery:
            ward = Ward(nursery)
            if self._venue.client.server_clock.uncertainty_ms is None:
                ward.leave_out("clock", "the exchange was not reached")
            else:
                ward.look("clock", self._clock_check, seconds=READ_SECONDS)
                self._at_desk(ward)
            ward.look("market_stream", self._market_stream, seconds=2 * LISTEN_SECONDS)
            if self._settings.mode == "live" and self._has_keys:
                ward.look("user_stream", self._user_stream, seconds=2 * LISTEN_SECONDS, is_optional=True)
        return [reach, *ward.checks, *self._pairs_unnamed()]

    def _at_desk(self, ward: Ward) -> None:
        is_live = self._settings.mode == "live" and self._has_keys
        if is_live:
            ward.look("key", self._key, seconds=READ_SECONDS, is_optional=True)
            ward.look("bnb", self._bnb, seconds=READ_SECONDS, is_optional=True)
        for symbol in self._symbols:
            ward.look(f"{symbol} rules", partial(self._rules, symbol), seconds=READ_SECONDS)
            if is_live:
                ward.look(f"{symbol} margin", partial(self._margin, symbol), seconds=READ_SECONDS)
                ward.look(f"{symbol} terms", partial(self._terms, symbol), seconds=2 * READ_SECONDS)
                ward.look(f"{symbol} collateral", partial(self._collateral, symbol), seconds=READ_SECONDS)
                ward.look(f"{symbol} borrowable", partial(self._loans, symbol), seconds=READ_SECONDS, is_optional=True)

    def _pairs_unnamed(self) -> list[Check]:
        if self._symbols or self._settings.mode != "live":
            return []
        return [doubtful("pairs", "no pair was looked at: none was named and no position is open", "--symbol BTCUSDT")]

    async def _reach(self) -> Check:
        # The first one opens the connection.
        await self._venue.server_time_ms()
        took = []
        for _ in range(ROUND_TRIPS):
            began = trio.current_time()
            await self._venue.server_time_ms()
            took.append(trio.current_time() - began)
        return exchange.judge_reach(httpx.URL(self._settings.binance.rest_url).host, took)

    async def _clock_check(self) -> Check:
        known = self._venue.client.server_clock
        offset = known.wall_offset_ms(self._clock.monotonic(), self._clock.now())
        return exchange.judge_clock(offset, known.uncertainty_ms)

    async def _key(self) -> Check:
        return keys.judge_permissions(await self._venue.key_permissions())

    async def _bnb(self) -> Check:
        fees, interest = await self._survey.burns_bnb()
        return exchange.judge_burn(exchange.Burn(fees=fees, interest=interest))

    async def _rules(self, symbol: str) -> Check:
        return pair.judge_rules(await self._venue.pair_rules(symbol))

    async def _margin(self, symbol: str) -> Check:
        listed = (await self._venue.pairs()).get(symbol)
        return pair.judge_margin(symbol, listed, await self._survey.standing(symbol))

    async def _terms(self, symbol: str) -> Check:
        tiers = await self._venue.tiers(symbol)
        return pair.judge_terms(symbol, tiers[0], await self._venue.terms(symbol))

    async def _collateral(self, symbol: str) -> Check:
        account, price = await self._venue.account(symbol), await self._venue.price(symbol)
        return pair.judge_collateral(account, price, self._settings.account.amounts[0])

    async def _loans(self, symbol: str) -> Check:
        instrument = (await self._venue.pair_rules(symbol)).instrument
        base = await self._venue.max_borrowable(symbol, instrument.base)
        quote = await self._venue.max_borrowable(symbol, instrument.quote)
        return pair.judge_loans(symbol, pair.Loans(base=base.amount, quote=quote.amount))

    async def _market_stream(self) -> Check:
        kind = "bookTicker" if self._settings.feed.price_source == "book" else "aggTrade"
        wanted = [f"{symbol.lower()}@{kind}" for symbol in self._symbols or (BUSY_PAIR,)]
        heard = await hear_prices(self._settings.binance.stream_url, wanted, LISTEN_SECONDS)
        return streams.judge_market(heard, ", ".join(wanted), LISTEN_SECONDS)

    async def _user_stream(self) -> Check:
        symbol = (self._symbols or (BUSY_PAIR,))[0]
        address = self._settings.binance.ws_api_url
        try:
            token = await ListenTokens(self._venue.client).listen_token(symbol)
        except VenueError as error:
            refused = streams.Listening(address=address, fault=f"no listenToken: {error}")
            return streams.judge_user(refused, symbol, LISTEN_SECONDS)
        return streams.judge_user(await hear_account(address, token, LISTEN_SECONDS), symbol, LISTEN_SECONDS)
