"""What the emulated exchange knows of its market: trades numbered without gaps, the book's top, candles."""

from collections import deque
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec
import trio

from robson.domain.errors import RuleError, VenueError
from robson.domain.instrument import Instrument
from robson.domain.market import Candle, Tick
from robson.domain.values import ZERO
from robson.emulator.refusals import Refused, invalid_symbol
from robson.ports.feed import MarketFeed
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger.units import to_ms

TRADES_KEPT = 20_000
FIRST_PRICE_SECONDS = 10.0

_HALF_BASIS_POINT = Decimal("0.00005")
_FIVE_MINUTES_MS = 300_000


class MarketTrade(msgspec.Struct, frozen=True):
    """One trade of the market; `price` in quote per base, `quantity` in base."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    at_ms: int
    buyer_is_maker: bool


class Book(msgspec.Struct, frozen=True):
    """The best bid and ask with their quantities."""

    update_id: int
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal


class Tape:
    """The recent trades of one symbol."""

    def __init__(self, instrument: Instrument, half_spread: Decimal) -> None:
        """`half_spread` is the distance of bid and ask from the last price, as a fraction of it."""
        self.instrument = instrument
        self.trades: deque[MarketTrade] = deque(maxlen=TRADES_KEPT)
        self.begun = trio.Event()
        self.is_subscribed = False
        self._half_spread = half_spread

    @property
    def last(self) -> MarketTrade | None:
        """The newest trade."""
        return self.trades[-1] if self.trades else None

    def add(self, tick: Tick) -> MarketTrade:
        """Take a tick; ids go on by one, whatever the source numbers."""
        before = self.last
        number = before.trade_id + 1 if before is not None else (tick.trade_id if tick.trade_id is not None else 1)
        trade = MarketTrade(
            trade_id=number,
            price=tick.price,
            quantity=tick.quantity,
            at_ms=to_ms(tick.at),
            buyer_is_maker=before is not None and tick.price < before.price,
        )
        self.trades.append(trade)
        self.begun.set()
        return trade

    def book(self) -> Book:
        """Bid and ask around the last price, at least one price step apart."""
        last = self.last
        assert last is not None, self.instrument.symbol
        tick = self.instrument.tick_size
        bid = (last.price * (1 - self._half_spread) / tick).to_integral_value(ROUND_FLOOR) * tick
        ask = (last.price * (1 + self._half_spread) / tick).to_integral_value(ROUND_CEILING) * tick
        if bid >= ask:
            ask = bid + tick
        bid = max(bid, tick)
        size = self.instrument.step_size * 1000
        return Book(last.trade_id, bid, last.quantity + size, ask, last.quantity + size)

    def average(self, now_ms: int) -> Decimal:
        """The volume-weighted price of the last five minutes; the last price where nothing traded."""
        recent = [trade for trade in self.trades if now_ms - trade.at_ms <= _FIVE_MINUTES_MS]
        quantity = sum((trade.quantity for trade in recent), ZERO)
        if not quantity:
            assert self.last is not None, self.instrument.symbol
            return self.last.price
        return sum((trade.price * trade.quantity for trade in recent), ZERO) / quantity

    def trades_from(self, trade_id: int, limit: int) -> list[MarketTrade]:
        """Trades with ids from this one on, oldest first, as far back as they are kept."""
        if not self.trades:
            return []
        skipped = max(0, trade_id - self.trades[0].trade_id)
        return [self.trades[index] for index in range(skipped, min(skipped + limit, len(self.trades)))]


class Market:
    """Ticks in (ports.Market), and what REST and streams say of them out."""

    def __init__(self, feed: MarketFeed, symbols: Sequence[str], spread_bps: Decimal) -> None:
        """`symbols` are those that the feed has; each is delivered from its first use on."""
        self.feed = feed
        self.symbols = tuple(symbols)
        self._tapes: dict[str, Tape] = {}
        self._half_spread = spread_bps * _HALF_BASIS_POINT
        # Called with each trade, in order, before anybody else can run.
        self.listeners: list[Callable[[str, MarketTrade], None]] = []

    def observe(self, tick: Tick) -> bool:
        """Take one tick, unless it was polled: as a trade it comes again."""
        if tick.polled:
            return False
        trade = self._tape(tick.symbol).add(tick)
        for listener in self.listeners:
            listener(tick.symbol, trade)
        return True

    def interrupted(self, symbol: str, reason: str) -> None:
        """Nothing is known of the symbol until the next tick; the last price stands."""

    def price(self, symbol: str) -> Decimal | None:
        """The last price (quote per base), None before the first trade."""
        tape = self._tapes.get(symbol)
        return tape.last.price if tape is not None and tape.last is not None else None

    async def open(self, symbol: str) -> Tape:
        """The symbol's trades, once there is one; Refused -1121 for a symbol that the feed does not have."""
        tape = await self.subscribe(symbol)
        with trio.move_on_after(FIRST_PRICE_SECONDS):
            await tape.begun.wait()
        if tape.last is None:
            raise Refused(-1000, f"There was no price of {symbol} yet.", status=500)
        return tape

    async def subscribe(self, symbol: str) -> Tape:
        """Have the symbol delivered, without waiting for its first trade."""
        if symbol not in self.symbols:
            raise invalid_symbol()
        tape = self._tape(symbol)
        if not tape.is_subscribed:
            tape.is_subscribed = True
            try:
                await self.feed.subscribe(symbol)
            except RuleError as error:
                tape.is_subscribed = False
                raise invalid_symbol() from error
            except BaseException:
                tape.is_subscribed = False
                raise
        return tape

    def known(self, symbol: str) -> Tape:
        """The trades of a symbol that has been opened before."""
        return self._tapes[symbol]

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> Sequence[Candle]:
        """The last closed candles, oldest first; none while the source of the prices is out of reach."""
        try:
            return await self.feed.candles(symbol, interval_seconds, count)
        except VenueError:
            return ()

    def _tape(self, symbol: str) -> Tape:
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = Tape(builtin_instrument(symbol), self._half_spread)
        return tape


async def offered(feed: MarketFeed, candidates: Sequence[str]) -> list[str]:
    """Which of the symbols the feed has; one that asks a network is believed to have them until they are used."""
    if feed.source == "binance":
        return list(candidates)
    found = []
    for symbol in candidates:
        try:
            await feed.trades_from(symbol, 1 << 62)
        except RuleError:
            continue
        found.append(symbol)
    return found
