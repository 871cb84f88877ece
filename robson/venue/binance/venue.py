"""Binance isolated margin as the daemon's venue."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import structlog

from robson.domain.account import Credit, InterestCharge, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.errors import Fatal, Rejected, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import OrderSide, Role, Side
from robson.ports.clock import Clock
from robson.ports.slippage import Slippage
from robson.ports.venue import OrderReport, OrderRequest, Reply
from robson.venue.binance import codec, depth, endpoints, errors, lending
from robson.venue.binance.client import Client
from robson.venue.binance.credit import read_credit
from robson.venue.binance.filters import PairRules
from robson.venue.binance.history import History
from robson.venue.binance.lending import Borrowable, KeyPermissions, ListedPair, LoanRecord
from robson.venue.binance.rule_book import RuleBook
from robson.venue.binance.shared import Shared
from robson.venue.binance.signing import Parameter, text_of
from robson.venue.binance.terms import Terms
from robson.venue.binance.weights import Priority

PAIRS_KEPT_SECONDS = 3600.0
NO_ACCOUNT = ("-11001", "Isolated margin account does not exist.")

_SIDE_EFFECTS = {Role.ENTRY: "MARGIN_BUY", Role.EXIT: "AUTO_REPAY"}
_log = structlog.get_logger("robson.binance")


class BinanceVenue:
    """The exchange (ports.Venue); beside the port, what a doctor and a plan want to know.

    Reads raise Rejected (RateLimited, Banned, Fatal) or Unreachable; `place` and `repay` InDoubt as well.
    """

    name: ClassVar[str] = "binance"

    def __init__(self, client: Client, clock: Clock) -> None:
        self.client = client
        self._clock = clock
        self._history = History(client)
        self._rule_book = RuleBook(client)
        self._rules: dict[str, PairRules] = {}
        self._pairs: tuple[float, dict[str, ListedPair]] | None = None
        # After a start every position asks at once, and the answers are their pair's.
        self._shared = Shared()
        self._terms = Terms(client, clock, self._shared, self.known_rules)

    def timestamp_ms(self) -> int:
        """The venue's clock as last known, never ahead of it; milliseconds since the epoch."""
        return self.client.timestamp_ms()

    async def server_time_ms(self) -> int:
        """The venue's own clock, freshly read; milliseconds since the epoch."""
        return await self.client.read_clock()

    async def instrument(self, symbol: str) -> Instrument:
        """The pair's filters for market orders; Rejected `unknown_symbol` when the exchange does not list it."""
        return await self._shared.ask(("instrument", symbol), lambda: self._instrument(symbol))

    async def _instrument(self, symbol: str) -> Instrument:
        rules = await self.pair_rules(symbol)
        instrument = rules.instrument
        if rules.maximum_notional > 0:
            largest = rules.largest_quantity_at(await self.price(symbol))
            instrument = msgspec.structs.replace(instrument, maximum_quantity=largest)
        listed = await self._listed(symbol)
        if listed is not None and not listed.tradable:
            instrument = msgspec.structs.replace(instrument, tradable=False)
        return instrument

    async def pair_rules(self, symbol: str) -> PairRules:
        """All that exchangeInfo says of a pair; Rejected `unknown_symbol` when it does not list it."""
        rules = await self._rule_book.read(symbol)
        if rules.unknown_filters and symbol not in self._rules:
            _log.warning("unknown_filters", symbol=symbol, filters=rules.unknown_filters)
        self._rules[symbol] = rules
        return rules

    async def known_rules(self, symbol: str) -> PairRules:
        """The same as last read: what does not change with the market."""
        return self._rules.get(symbol) or await self.pair_rules(symbol)

    async def terms(self, symbol: str) -> PairTerms:
        """Tier, fee and interest rates of the pair for this account; at most five minutes old while that can be."""
        return await self._terms.of(symbol)

    async def account(self, symbol: str) -> PairAccount:
        """The pair's isolated account, freshly read; Rejected -11001 when there is none."""
        account = await self.client.call(
            endpoints.ACCOUNT, [("symbols", symbol)], lambda document: codec.account(document, symbol)
        )
        if account is None:
            raise Rejected(*NO_ACCOUNT)
        return account

    async def price(self, symbol: str) -> Decimal:
        """The last price (quote per base)."""
        return await self.client.call(endpoints.LAST_PRICE, [("symbol", symbol)], codec.price)

    async def credit(self, symbol: str, side: Side) -> Credit:
        """What an entry of this side may borrow now, and the index price, asked side by side."""
        return await read_credit(self, symbol, side)

    async def place(self, request: OrderRequest) -> OrderReport:
        """Send a market order once: an entry borrows what it lacks, an exit repays with what it receives."""
        is_entry = request.role is Role.ENTRY
        asked = _asked(request)
        return await self.client.call(
            endpoints.PLACE_ORDER,
            list(asked.items()),
            _placed(request, asked),
            priority=Priority.ENTRY if is_entry else Priority.EXIT,
            weight=endpoints.BORROWING_ORDER_WEIGHT if is_entry else None,
            timestamp_ms=request.timestamp_ms,
            receive_window_ms=request.receive_window_ms,
            sent_at=request.first_bytes,
        )

    def hand(self, request: OrderRequest) -> Reply | None:
        """Send an exit at once where that is possible (ports.venue.Hand)."""
        assert request.role is Role.EXIT, request
        asked = _asked(request)
        return self.client.begin(
            endpoints.PLACE_ORDER,
            list(asked.items()),
            _placed(request, asked),
            priority=Priority.EXIT,
            timestamp_ms=request.timestamp_ms,
            receive_window_ms=request.receive_window_ms,
            sent_at=request.first_bytes,
        )

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """The newest order with this id; None when the exchange says that it does not exist (which may be lag)."""
        return await self._order(symbol, ("origClientOrderId", client_order_id))

    async def order_of(self, symbol: str, venue_order_id: str) -> OrderReport | None:
        """The order with the exchange's own id, whoever placed it; None when it says that it does not exist."""
        if not (venue_order_id.isascii() and venue_order_id.isdecimal()):
            return None
        return await self._order(symbol, ("orderId", venue_order_id))

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        """All orders on the pair that were placed since a time, oldest first, whatever became of them."""
        return await self._history.orders(symbol, since)

    async def trades(
        self,
        symbol: str,
        *,
        venue_order_id: str | None = None,
        from_id: int | None = None,
        since: datetime | None = None,
    ) -> Sequence[Trade]:
        """Our executions on the pair, oldest first, that meet every given condition; the latest ones without any."""
        if venue_order_id is not None and not (venue_order_id.isascii() and venue_order_id.isdecimal()):
            return ()
        return await self._history.trades(symbol, venue_order_id=venue_order_id, from_id=from_id, since=since)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Our orders on the pair that may still execute."""
        return await self.client.call(
            endpoints.OPEN_ORDERS,
            [("symbol", symbol), ("isIsolated", "TRUE")],
            lambda document: codec.orders(document, symbol),
        )

    async def repay(self, symbol: str, asset: str, amount: Decimal) -> None:
        """Repay exactly `amount` of the asset's debt, interest first, from what is free."""
        parameters: list[tuple[str, Parameter]] = [
            ("asset", asset),
            ("isIsolated", "TRUE"),
            ("symbol", symbol),
            ("amount", amount),
            ("type", "REPAY"),
        ]
        await self.client.call(endpoints.REPAY, parameters, _taken, priority=Priority.EXIT)

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        """The interest charged on the pair since a time, oldest first."""
        return await self._history.interest(symbol, since)

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        """The forced liquidations of the pair's account since a time, oldest first."""
        return await self._history.liquidations(symbol, since)

    # --- beyond the port ---------------------------------------------------------------------------------------------

    async def loan_records(self, symbol: str, asset: str, since: datetime) -> Sequence[LoanRecord]:
        """What was borrowed and repaid of an asset on the pair since a time, oldest first."""
        return await self._history.loans(symbol, asset, since)

    async def slippage(self, symbol: str, order_side: OrderSide, quantity: Decimal) -> Slippage:
        """What a market order of `quantity` (base) would lose to the book now; it never takes weight that others need.

        Raises Rejected or Unreachable.
        """
        return await self.client.call(
            endpoints.ORDER_BOOK,
            [("symbol", symbol), ("limit", depth.LEVELS)],
            lambda document: depth.slippage(document, order_side, quantity),
            priority=Priority.BOOKKEEPING,
        )

    async def index_price(self, symbol: str) -> Decimal:
        """The index price (quote per base): it, not the last price, decides on liquidation."""
        return await self.client.call(endpoints.INDEX_PRICE, [("symbol", symbol)], codec.price)

    async def max_borrowable(self, symbol: str, asset: str) -> Borrowable:
        """What may be borrowed of an asset on the pair now; dear (750 of 180,000 weight a minute)."""
        return await self.client.call(
            endpoints.MAX_BORROWABLE,
            [("asset", asset), ("isolatedSymbol", symbol)],
            lending.borrowable,
            priority=Priority.BOOKKEEPING,
        )

    async def tiers(self, symbol: str) -> Sequence[lending.Tier]:
        """The pair's tiers, lowest debts first."""
        return await self._terms.tiers(symbol)

    async def pairs(self) -> dict[str, ListedPair]:
        """The pairs of isolated margin by symbol; at most an hour old."""
        now = self._clock.monotonic()
        if self._pairs is None or now - self._pairs[0] >= PAIRS_KEPT_SECONDS:
            listed = await self._shared.ask(
                "pairs", lambda: self.client.call(endpoints.PAIRS, [], lending.listed_pairs)
            )
            self._pairs = (now, listed)
        return self._pairs[1]

    async def key_permissions(self) -> KeyPermissions:
        """What the API key may do."""
        return await self.client.call(
            endpoints.KEY_PERMISSIONS, [], lending.key_permissions, priority=Priority.BOOKKEEPING
        )

    async def admit(self) -> None:
        """Return if the exchange would take our orders; Fatal when the key is not accepted or may not trade margin."""
        allowed = await self.key_permissions()
        if allowed.reads is False or allowed.trades_margin is False or allowed.trades_spot_and_margin is False:
            raise Fatal("permissions", "the API key may not read, borrow or trade on margin: allow all three")

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _order(self, symbol: str, by: tuple[str, Parameter]) -> OrderReport | None:
        try:
            return await self.client.call(
                endpoints.ORDER,
                [("symbol", symbol), ("isIsolated", "TRUE"), by],
                lambda document: codec.order(document, symbol),
            )
        except Rejected as error:
            if error.code in errors.ABSENT_CODES:
                return None
            raise

    async def _listed(self, symbol: str) -> ListedPair | None:
        """What the list of pairs says; None when it cannot be read: then exchangeInfo alone decides."""
        try:
            pairs = await self.pairs()
        except VenueError as error:
            _log.warning("pairs_not_read", error=str(error))
            return None
        unlisted = ListedPair(symbol=symbol, base="", quote="", tradable=False)
        return pairs.get(symbol, unlisted)


def _taken(document: Any) -> None:
    """Any success will do: what was repaid is read from the account."""


def _asked(request: OrderRequest) -> dict[str, str]:
    asked = {
        "symbol": request.symbol,
        "side": request.order_side.value.upper(),
        "type": "MARKET",
        "isIsolated": "TRUE",
        "quantity": text_of(request.quantity),
        "newClientOrderId": request.client_order_id,
        "newOrderRespType": "FULL",
        "sideEffectType": _SIDE_EFFECTS[request.role],
    }
    if request.role is Role.ENTRY:
        # A market order may expire in part: the loan for the rest goes back with it.
        asked["autoRepayAtCancel"] = "TRUE"
    return asked


def _placed(request: OrderRequest, asked: dict[str, str]) -> Callable[[Any], OrderReport]:
    signed_at = {"timestamp": str(request.timestamp_ms)}
    return lambda document: codec.placed_order(document, asked | signed_at)
