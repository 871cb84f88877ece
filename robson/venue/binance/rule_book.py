"""What exchangeInfo says of pairs: one request weighs the same for one pair and for fifty, so that they share it."""

from collections.abc import Iterable

import msgspec
import trio

from robson.domain.errors import Rejected, VenueError
from robson.venue.binance import endpoints, errors
from robson.venue.binance.client import Client
from robson.venue.binance.filters import PairRules, pair_rules
from robson.venue.binance.reading import Malformed

# After a start every position asks within one turn of the scheduler; an arm does not notice.
GATHER_SECONDS = 0.01

Told = dict[str, PairRules | VenueError]


class _Round:
    """The pairs of one request; nothing was told when it was given up."""

    def __init__(self) -> None:
        self.symbols: dict[str, None] = {}
        self.over = trio.Event()
        self.told: Told | None = None


class RuleBook:
    """Asks for the rules of pairs; who asks at the same moment is answered by the same request."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._gathering: _Round | None = None

    async def read(self, symbol: str) -> PairRules:
        """All that the exchange says of a pair; Rejected `unknown_symbol` when it does not list it."""
        told: Told | None = None
        while told is None:
            round_ = self._gathering
            if round_ is None:
                told = await self._ask_for_all(symbol)
            else:
                round_.symbols[symbol] = None
                await round_.over.wait()
                told = round_.told
        found = told[symbol]
        if isinstance(found, VenueError):
            raise found
        return found

    async def _ask_for_all(self, symbol: str) -> Told:
        """Ask for this pair and all that are asked for meanwhile; whoever is cancelled here leaves it to them."""
        round_ = self._gathering = _Round()
        round_.symbols[symbol] = None
        try:
            await trio.sleep(GATHER_SECONDS)
            self._gathering = None
            round_.told = await self._ask(list(round_.symbols))
        finally:
            if self._gathering is round_:
                self._gathering = None
            round_.over.set()
        return round_.told

    async def _ask(self, symbols: list[str]) -> Told:
        if len(symbols) == 1:
            return {symbols[0]: await self._ask_for_one(symbols[0])}
        names = msgspec.json.encode(symbols).decode()
        told: Told = {}
        try:
            told.update(
                await self._client.call(
                    endpoints.EXCHANGE_RULES, [("symbols", names)], lambda document: _readable(document, symbols)
                )
            )
        except Rejected as error:
            if error.code not in errors.UNKNOWN_SYMBOL_CODES:
                return dict.fromkeys(symbols, error)
        except VenueError as error:
            return dict.fromkeys(symbols, error)
        # One pair that the exchange does not list, or lists in words that cannot be read, must not hide the others.
        for symbol in symbols:
            if symbol not in told:
                told[symbol] = await self._ask_for_one(symbol)
        return told

    async def _ask_for_one(self, symbol: str) -> PairRules | VenueError:
        try:
            rules = await self._client.call(
                endpoints.EXCHANGE_RULES, [("symbol", symbol)], lambda document: pair_rules(document, symbol)
            )
        except Rejected as error:
            if error.code in errors.UNKNOWN_SYMBOL_CODES:
                return Rejected("unknown_symbol", f"{symbol}: {error.text}")
            return error
        except VenueError as error:
            return error
        return rules or Rejected("unknown_symbol", f"{symbol} is not listed")


def _readable(document: object, symbols: Iterable[str]) -> dict[str, PairRules]:
    found = {}
    for symbol in symbols:
        try:
            rules = pair_rules(document, symbol)
        except Malformed:
            continue
        if rules is not None:
            found[symbol] = rules
    return found
