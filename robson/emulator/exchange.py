"""The emulated exchange itself: its clock, accounts, market, tokens, limits and faults, behind every door."""

import secrets
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog
import trio

from robson.domain.errors import Rejected, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import UNIT
from robson.emulator.credentials import Credentials
from robson.emulator.faults import Faults
from robson.emulator.limits import Limits
from robson.emulator.market import Market, MarketTrade
from robson.emulator.reports import account_event, order_events
from robson.emulator.wire import JsonObject
from robson.ports.clock import Clock
from robson.venue.account_file import AccountFile
from robson.venue.accounts import Accounts, Step, rules_of
from robson.venue.ledger import Change, Level, Pair, PairRules, execute
from robson.venue.ledger.units import to_ms
from robson.venue.settings import PaperSettings

# The one tier that is enforced: so much may be lent of the quote asset; of the base, one largest market order.
QUOTE_BORROW_LIMIT = Decimal(1_000_000)
TOKEN_HOURS = 24

_MS_PER_HOUR = 3_600_000
_log = structlog.get_logger("robson.emulator")

UserEvents = Callable[[str, list[JsonObject]], None]


class Token(msgspec.Struct, frozen=True):
    """A listenToken: whose isolated account it opens and until when."""

    symbol: str
    expires_ms: int


class Exchange:
    """One account at one venue. Everything that changes an account is one synchronous step and one transaction."""

    def __init__(
        self, *, clock: Clock, market: Market, settings: PaperSettings, keys: Credentials, path: Path, seed: int
    ) -> None:
        """Open or create the account file at `path`; StorageError when it cannot be used."""
        self.clock = clock
        self.market = market
        self.settings = settings
        self.keys = keys
        self.seed = seed
        self.faults = Faults()
        self.limits = Limits()
        self.file = AccountFile.open(path)
        self.accounts = Accounts(
            self.file, clock=clock, prices=market.price, rules=self.rules, collateral=settings.collateral
        )
        self._tokens: dict[str, Token] = {}
        self._next_ids = {pair.symbol: pair.next_order_id for pair in self.file.pairs()}
        # Symbols that may have a resting order: only those are looked at with each trade.
        self._resting = {pair.symbol for pair in self.file.pairs() if pair.open_orders}
        # Told of what happens to an account: symbol and events.
        self.user_listeners: list[UserEvents] = []
        self.tokens_ended: list[Callable[[], None]] = []
        self._tasks: trio.Nursery | None = None
        market.listeners.append(self._on_trade)

    def close(self) -> None:
        """Close the account file."""
        self.file.close()

    def now_ms(self) -> int:
        """The exchange's clock, milliseconds since the epoch."""
        ahead = self.faults.switch("clock_ahead")
        return to_ms(self.clock.now()) + (round(1000 * ahead.length_seconds) if ahead is not None else 0)

    def rules(self, instrument: Instrument) -> PairRules:
        """The pair's rules: those of the paper venue, with the lending limits of one tier."""
        rules = rules_of(self.settings, instrument, self.market.price)
        terms = msgspec.structs.replace(
            rules.terms,
            base_borrow_limit=instrument.maximum_quantity or None,
            quote_borrow_limit=quote_borrow_limit(instrument),
        )
        return msgspec.structs.replace(
            rules,
            terms=terms,
            minimum_repay={instrument.base: max(instrument.step_size / 100, UNIT), instrument.quote: 100 * UNIT},
            fills_underfunded_buys=self.faults.switch("underfunded_fill") is not None,
        )

    def read(self, symbol: str) -> Pair:
        """The account of a pair, brought up to date."""
        return self.change(symbol).pair

    def change(self, symbol: str, step: Step | None = None) -> Change:
        """Bring an account up to date, take the step, store both, tell the listeners; Rejected or VenueError."""
        change = self.accounts.update(symbol, step)
        self._tell(symbol, change)
        return change

    # --- tasks of its own ---------------------------------------------------------------------------------------------

    def work_in(self, nursery: trio.Nursery) -> None:
        """Where requests go that are executed after their connection has ended."""
        self._tasks = nursery

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do it after so long, whatever becomes of who asked for it; a refusal is nobody's any more."""
        assert self._tasks is not None

        async def wait_and_act() -> None:
            await trio.sleep(seconds)
            try:
                action()
            except (VenueError, Exception) as error:  # noqa: BLE001  the sender has gone: there is nobody to tell
                _log.info("late_request_refused", reason=str(error))

        self._tasks.start_soon(wait_and_act)

    # --- tokens -------------------------------------------------------------------------------------------------------

    def issue_token(self, symbol: str, validity_ms: int) -> tuple[str, Token]:
        """A token for one isolated account, at most for a day."""
        now_ms = self.now_ms()
        for name in [name for name, token in self._tokens.items() if token.expires_ms <= now_ms]:
            del self._tokens[name]
        name = secrets.token_urlsafe(32)
        token = Token(symbol, now_ms + min(validity_ms, TOKEN_HOURS * _MS_PER_HOUR))
        self._tokens[name] = token
        return name, token

    def token(self, name: str) -> Token | None:
        """What a token opens, None when it has ended or never was."""
        token = self._tokens.get(name)
        return token if token is not None and token.expires_ms > self.now_ms() else None

    def tokens(self) -> list[str]:
        """The names of all tokens that were given out and have not ended."""
        return list(self._tokens)

    def end_tokens(self) -> None:
        """Every token ends now, and the subscriptions that it has opened."""
        self._tokens.clear()
        for listener in self.tokens_ended:
            listener()

    # --- what comes of a change ---------------------------------------------------------------------------------------

    def _tell(self, symbol: str, change: Change) -> None:
        first_new = self._next_ids.get(symbol, 1)
        self._next_ids[symbol] = change.pair.next_order_id
        if change.pair.open_orders:
            self._resting.add(symbol)
        else:
            self._resting.discard(symbol)
        if not change.orders or not self.user_listeners:
            return
        now_ms = self.now_ms()
        events = order_events(symbol, change, first_new, now_ms)
        events.append(account_event(change.pair, now_ms))
        for listener in self.user_listeners:
            listener(symbol, events)

    def _on_trade(self, symbol: str, trade: MarketTrade) -> None:
        liquidated = self.accounts.observe(symbol, trade.price)
        if liquidated is not None:
            self._tell(symbol, liquidated)
        if symbol in self._resting:
            self._cross(symbol, trade.price)

    def _cross(self, symbol: str, price: Decimal) -> None:
        """Execute the resting orders that this price reaches, each at its own limit."""
        pair = self.file.pair(symbol)
        assert pair is not None, symbol
        for order in pair.open_orders:
            limit, is_buy = order.ticket.limit_price, order.ticket.side.value == "buy"
            if limit is None or (price > limit if is_buy else price < limit):
                continue
            level = Level(price=limit, quantity=order.remaining)

            def step(
                pair: Pair, rules: PairRules, now_ms: int, order_id: int = order.order_id, level: Level = level
            ) -> Change:
                return execute(pair, rules, order_id, (level,), now_ms)

            try:
                self.change(symbol, step)
            except (Rejected, VenueError) as error:
                _log.warning("resting_order_failed", symbol=symbol, order_id=order.order_id, error=str(error))


def quote_borrow_limit(instrument: Instrument) -> Decimal:
    """The most that is lent of a quote asset: a round sum of a currency, a hundred of a coin."""
    return Decimal(100) if instrument.quote == "BTC" else QUOTE_BORROW_LIMIT
