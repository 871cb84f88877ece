"""The paper venue: the isolated-margin ledger on live prices, with its own account file and a network's delays."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import ClassVar, TypeVar

import msgspec
import trio

from robson.domain.account import Credit, InterestCharge, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.errors import Rejected, RuleError, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import OrderSide, Role, Side
from robson.ports.clock import Clock
from robson.ports.slippage import Slippage
from robson.ports.venue import OrderReport, OrderRequest
from robson.venue.account_file import AccountFile
from robson.venue.accounts import Accounts, Prices, rules_of
from robson.venue.answers import known_instrument, report_of
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import (
    Change,
    OrderTicket,
    Pair,
    PairRules,
    SideEffect,
    check_window,
    max_borrowable,
    place,
    repay,
)
from robson.venue.ledger.units import to_ms
from robson.venue.liquidity import book, draw, most_basis_points
from robson.venue.settings import PaperSettings

T = TypeVar("T")
_SIDE_EFFECTS = {Role.ENTRY: SideEffect.MARGIN_BUY, Role.EXIT: SideEffect.AUTO_REPAY}


class PaperVenue:
    """A venue that trades on paper (ports.Venue).

    Each request travels half its delay, happens in one durable transaction, and its answer travels the other half: who
    stops waiting before that moment has asked for nothing, who stops after it has traded. An account is brought up to
    date (interest, index price, liquidation) whenever it is touched, and by `observe` when a price liquidates it.
    """

    name: ClassVar[str] = "paper"

    def __init__(self, file: AccountFile, *, clock: Clock, prices: Prices, settings: PaperSettings, seed: int) -> None:
        self._file = file
        self._clock = clock
        self._prices = prices
        self._settings = settings
        self._seed = seed
        self._delays = Random(seed)  # noqa: S311  repeatable, not secret
        self._accounts = Accounts(file, clock=clock, prices=prices, rules=self._rules, collateral=settings.collateral)

    @classmethod
    def open(cls, path: Path, *, clock: Clock, prices: Prices, settings: PaperSettings, seed: int) -> "PaperVenue":
        """Open or create the account file at `path`; StorageError when it cannot be used.

        `prices` gives the last price of a symbol (quote per base), None when there was none yet; then the last price
        that the account was touched with stands in. `seed` decides delays, slippage and depth.
        """
        return cls(AccountFile.open(path), clock=clock, prices=prices, settings=settings, seed=seed)

    def close(self) -> None:
        """Close the account file."""
        self._file.close()

    def observe(self, symbol: str, price: Decimal) -> None:
        """Take one tick: one comparison, unless the price liquidates the account."""
        self._accounts.observe(symbol, price)

    def timestamp_ms(self) -> int:
        """The venue's clock for signing: here it is the run's own."""
        return self._now_ms()

    async def server_time_ms(self) -> int:
        """The venue's own clock, milliseconds since the epoch."""
        return await self._exchange(self._now_ms)

    async def instrument(self, symbol: str) -> Instrument:
        """The pair's filters; Rejected `unknown_symbol` when the table does not have it."""
        return await self._exchange(lambda: _named_instrument(symbol))

    async def terms(self, symbol: str) -> PairTerms:
        """Tier, fee and interest rates as configured; Rejected `unknown_symbol` when the table does not have it."""
        return await self._exchange(lambda: self._rules(_named_instrument(symbol)).terms)

    async def account(self, symbol: str) -> PairAccount:
        """The pair's account, brought up to date; granted its collateral when it is touched for the first time."""
        return await self._exchange(lambda: self._accounts.read(symbol).account)

    async def credit(self, symbol: str, side: Side) -> Credit:
        """What the ledger would lend now; the index price is the last price. Both None while there was none."""

        def look_up() -> Credit:
            pair, instrument = self._accounts.read(symbol), known_instrument(symbol)
            asset = instrument.quote if side is Side.LONG else instrument.base
            try:
                return Credit(
                    borrowable=max_borrowable(pair, self._rules(instrument), asset), index_price=pair.priced()
                )
            except Rejected:
                return Credit()

        return await self._exchange(look_up)

    async def price(self, symbol: str) -> Decimal:
        """The last price (quote per base); Rejected -3042 when there was none yet."""

        def look_up() -> Decimal:
            price = self._prices(known_instrument(symbol).symbol)
            return self._accounts.read(symbol).priced() if price is None else price

        return await self._exchange(look_up)

    async def slippage(self, symbol: str, order_side: OrderSide, quantity: Decimal) -> Slippage:
        """The most that an order of any size loses here; Rejected -3042 when there was no price yet."""
        await trio.lowlevel.checkpoint()
        price = self._prices(known_instrument(symbol).symbol) or self._accounts.read(symbol).priced()
        return Slippage(price=price, basis_points=most_basis_points(self._settings), source="paper_rule")

    async def place(self, request: OrderRequest) -> OrderReport:
        """Trade at once around the last price: an entry borrows its shortfall, an exit repays with what it received."""
        return await self._exchange(lambda: self._place(request))

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """The newest order with this id, without its trades, as the real venue answers; None when there is none."""

        def look_up() -> OrderReport | None:
            order = self._file.newest_order(known_instrument(symbol).symbol, client_order_id)
            return None if order is None else report_of(symbol, order)

        return await self._exchange(look_up)

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        """All orders on the pair that were placed since a time, oldest first."""
        symbol = known_instrument(symbol).symbol
        found = await self._exchange(lambda: self._file.orders(symbol, since_ms=to_ms(since)))
        return tuple(report_of(symbol, order) for order in found)

    async def order_of(self, symbol: str, venue_order_id: str) -> OrderReport | None:
        """The order with the venue's own id, whoever placed it; None when there is none."""

        def look_up() -> OrderReport | None:
            if not venue_order_id.isdecimal():
                return None
            order = self._file.order(known_instrument(symbol).symbol, int(venue_order_id))
            return None if order is None else report_of(symbol, order)

        return await self._exchange(look_up)

    async def trades(
        self,
        symbol: str,
        *,
        venue_order_id: str | None = None,
        from_id: int | None = None,
        since: datetime | None = None,
    ) -> Sequence[Trade]:
        """Our executions on the pair, oldest first, that meet every given condition."""

        def look_up() -> Sequence[Trade]:
            if venue_order_id is not None and not venue_order_id.isdecimal():
                return ()
            executions = self._file.executions(
                known_instrument(symbol).symbol,
                order_id=None if venue_order_id is None else int(venue_order_id),
                from_id=from_id,
                since_ms=None if since is None else to_ms(since),
            )
            return tuple(execution.trade() for execution in executions)

        return await self._exchange(look_up)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Orders that may still execute: none, for a market order ends at once."""
        return await self._exchange(
            lambda: tuple(report_of(symbol, order) for order in self._accounts.read(symbol).open_orders)
        )

    async def repay(self, symbol: str, asset: str, amount: Decimal) -> None:
        """Repay exactly `amount` of the asset's debt, interest first, from what is free."""

        def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
            return repay(pair, rules, asset, amount, now_ms)

        await self._exchange(lambda: self._accounts.update(symbol, step))

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        """The interest charged on the pair since a time, up to this moment, oldest first."""

        def look_up() -> Sequence[InterestCharge]:
            self._accounts.read(symbol)
            return tuple(record.charge() for record in self._file.interest(symbol, since_ms=to_ms(since)))

        return await self._exchange(look_up)

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        """The forced liquidations of the pair since a time, up to this moment, oldest first."""

        def look_up() -> Sequence[Liquidation]:
            self._accounts.read(symbol)
            return tuple(record.liquidation() for record in self._file.liquidations(symbol, since_ms=to_ms(since)))

        return await self._exchange(look_up)

    async def _exchange(self, action: Callable[[], T]) -> T:
        """Travel, act, travel back; a refusal travels back as well."""
        delay = self._settings.latency_ms + self._settings.latency_jitter_ms * draw(self._delays)
        one_way_seconds = float(delay) / 2000
        await trio.sleep(one_way_seconds)
        try:
            answer = action()
        except VenueError as error:
            refusal = error
        else:
            await trio.sleep(one_way_seconds)
            return answer
        await trio.sleep(one_way_seconds)
        raise refusal

    def _place(self, request: OrderRequest) -> OrderReport:
        check_window(request.timestamp_ms, request.receive_window_ms, self._now_ms())
        ticket = OrderTicket(
            client_order_id=request.client_order_id,
            side=request.order_side,
            quantity=request.quantity,
            side_effect=_SIDE_EFFECTS[request.role],
        )

        def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
            # Drawn from the order's own id, so that a venue that was restarted goes on with the same book.
            source = Random(f"{self._seed}/{pair.symbol}/{pair.next_order_id}")  # noqa: S311  repeatable, not secret
            levels = book(self._settings, rules.instrument, ticket.side, ticket.quantity, pair.priced(), source)
            return place(pair, rules, ticket, levels, now_ms)

        change = self._accounts.update(request.symbol, step)
        order = change.orders[-1]
        trades = tuple(trade.trade() for trade in change.executions if trade.order_id == order.order_id)
        borrowed = {order.borrowed_asset: order.borrowed} if order.borrowed_asset else {}
        return msgspec.structs.replace(report_of(request.symbol, order), trades=trades, borrowed=borrowed)

    def _rules(self, instrument: Instrument) -> PairRules:
        return rules_of(self._settings, instrument, self._prices)

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


def _named_instrument(symbol: str) -> Instrument:
    try:
        return builtin_instrument(symbol)
    except RuleError as error:
        raise Rejected(error.code, f"{error.message}; {error.hint}") from error
