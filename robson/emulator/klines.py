"""Candles as REST and streams give them, the forming one included."""

from decimal import Decimal

import msgspec

from robson.domain.market import Candle
from robson.domain.values import ZERO
from robson.emulator.market import Market, MarketTrade, Tape
from robson.emulator.wire import JsonObject, amount
from robson.venue.ledger.units import to_ms

# Weeks and months are left out: nothing that lasts so long is invented here.
INTERVAL_SECONDS = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
}
_MINUTE = 60


class Kline(msgspec.Struct, frozen=True, kw_only=True):
    """One candle with what was traded in it; volumes of what happened before this run are zero."""

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    taker_buy: Decimal = ZERO
    taker_buy_quote: Decimal = ZERO
    trades: int = 0
    first_id: int = -1
    last_id: int = -1

    def row(self) -> list[object]:
        """As a row of /api/v3/klines."""
        prices = [amount(price) for price in (self.open, self.high, self.low, self.close)]
        return [
            self.open_ms,
            *prices,
            amount(self.volume),
            self.close_ms,
            amount(self.quote_volume),
            self.trades,
            amount(self.taker_buy),
            amount(self.taker_buy_quote),
            "0",
        ]

    def event(self, symbol: str, interval: str, now_ms: int) -> JsonObject:
        """As a frame of a kline stream; closed once its end has passed."""
        return {
            "e": "kline",
            "E": now_ms,
            "s": symbol,
            "k": {
                "t": self.open_ms,
                "T": self.close_ms,
                "s": symbol,
                "i": interval,
                "f": self.first_id,
                "L": self.last_id,
                "o": amount(self.open),
                "c": amount(self.close),
                "h": amount(self.high),
                "l": amount(self.low),
                "v": amount(self.volume),
                "n": self.trades,
                "x": now_ms > self.close_ms,
                "q": amount(self.quote_volume),
                "V": amount(self.taker_buy),
                "Q": amount(self.taker_buy_quote),
                "B": "0",
            },
        }


def from_trades(tape: Tape, open_ms: int, seconds: int) -> Kline | None:
    """The candle of the trades that are kept of an interval; flat at the last price before it, None without any."""
    close_ms = open_ms + seconds * 1000 - 1
    inside: list[MarketTrade] = []
    before: MarketTrade | None = None
    for trade in reversed(tape.trades):
        if trade.at_ms > close_ms:
            continue
        if trade.at_ms < open_ms:
            before = trade
            break
        inside.append(trade)
    if not inside:
        if before is None:
            return None
        price = before.price
        return Kline(open_ms=open_ms, close_ms=close_ms, open=price, high=price, low=price, close=price)
    inside.reverse()
    bought = [trade for trade in inside if not trade.buyer_is_maker]
    return Kline(
        open_ms=open_ms,
        close_ms=close_ms,
        open=inside[0].price,
        high=max(trade.price for trade in inside),
        low=min(trade.price for trade in inside),
        close=inside[-1].price,
        volume=sum((trade.quantity for trade in inside), ZERO),
        quote_volume=sum((trade.quantity * trade.price for trade in inside), ZERO),
        taker_buy=sum((trade.quantity for trade in bought), ZERO),
        taker_buy_quote=sum((trade.quantity * trade.price for trade in bought), ZERO),
        trades=len(inside),
        first_id=inside[0].trade_id,
        last_id=inside[-1].trade_id,
    )


def joined(parts: list[Kline], open_ms: int, seconds: int) -> Kline:
    """One candle of several that follow each other."""
    ids = [part for part in parts if part.trades]
    return Kline(
        open_ms=open_ms,
        close_ms=open_ms + seconds * 1000 - 1,
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum((part.volume for part in parts), ZERO),
        quote_volume=sum((part.quote_volume for part in parts), ZERO),
        taker_buy=sum((part.taker_buy for part in parts), ZERO),
        taker_buy_quote=sum((part.taker_buy_quote for part in parts), ZERO),
        trades=sum(part.trades for part in parts),
        first_id=ids[0].first_id if ids else -1,
        last_id=ids[-1].last_id if ids else -1,
    )


async def forming(market: Market, tape: Tape, interval: str, now_ms: int) -> Kline | None:
    """The candle of the present interval, joined from its closed minutes and the trades of this one."""
    seconds = INTERVAL_SECONDS[interval]
    open_ms = now_ms - now_ms % (seconds * 1000)
    if seconds <= _MINUTE:
        return from_trades(tape, open_ms, seconds)
    minute_ms = now_ms - now_ms % (_MINUTE * 1000)
    earlier = (minute_ms - open_ms) // (_MINUTE * 1000)
    closed = await market.candles(tape.instrument.symbol, _MINUTE, earlier) if earlier else ()
    parts = [from_candle(tape, candle) for candle in closed if to_ms(candle.opened_at) >= open_ms]
    now = from_trades(tape, minute_ms, _MINUTE)
    if now is not None:
        parts.append(now)
    return joined(parts, open_ms, seconds) if parts else None


async def closed(market: Market, tape: Tape, interval: str, now_ms: int, count: int) -> list[Kline]:
    """The last closed candles, oldest first."""
    seconds = INTERVAL_SECONDS[interval]
    if seconds < _MINUTE:
        open_ms = now_ms - now_ms % (seconds * 1000)
        starts = range(open_ms - count * seconds * 1000, open_ms, seconds * 1000)
        return [kline for start in starts if (kline := from_trades(tape, start, seconds)) is not None]
    return [from_candle(tape, candle) for candle in await market.candles(tape.instrument.symbol, seconds, count)]


def from_candle(tape: Tape, candle: Candle) -> Kline:
    """A closed candle of the feed; volumes are known only for the trades that are kept."""
    open_ms, seconds = to_ms(candle.opened_at), candle.interval_seconds
    known = None
    if tape.trades and tape.trades[0].at_ms < open_ms + seconds * 1000:
        known = from_trades(tape, open_ms, seconds)
    kline = Kline(
        open_ms=open_ms,
        close_ms=open_ms + seconds * 1000 - 1,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
    )
    if known is None or not known.trades:
        return kline
    return msgspec.structs.replace(
        kline,
        volume=known.volume,
        quote_volume=known.quote_volume,
        taker_buy=known.taker_buy,
        taker_buy_quote=known.taker_buy_quote,
        trades=known.trades,
        first_id=known.first_id,
        last_id=known.last_id,
    )
