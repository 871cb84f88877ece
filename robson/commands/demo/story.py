"""Events told in words, and what a position's life has come to so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from robson.commands.demo.sparkline import Chart
from robson.domain.codec import encode
from robson.domain.events import (
    EVENT_TYPES,
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    PositionArmed,
    PositionClosed,
    PositionDisarmed,
    PositionError,
    PositionEvent,
    SignalRejected,
    TrailingStopUpdated,
    read_event,
)
from robson.domain.instrument import Instrument
from robson.domain.values import HUNDRED, Side, plain
from robson.protocol.results import EventLine
from robson.venue.instruments import builtin_instrument

_RAW_QUANTITY = Decimal("1E-8")
_TIME_WIDTH = len("00:00:00  ")


@dataclass(slots=True)
class Tale:
    """One position, as far as its events have told it."""

    position_id: str
    armed: PositionArmed
    instrument: Instrument
    chart: Chart = field(default_factory=Chart)
    signal: EntrySignalReceived | None = None
    entry: EntryFilled | None = None
    price_seen: Decimal | None = None
    stop: Decimal | None = None
    moves: int = 0
    closed: PositionClosed | None = None
    is_over: bool = False

    @property
    def name(self) -> str:
        """Symbol and side, as wide as those of any other."""
        return f"{self.armed.symbol:<9}{self.armed.side.value:<6}"

    def see(self, price: Decimal, stop: Decimal) -> None:
        """A point of the chart: the present price and stop (quote per base)."""
        self.price_seen, self.stop = price, stop
        self.chart.add(price, stop)

    def price(self, price: Decimal) -> str:
        """A price on the instrument's grid: averages have more digits than anybody reads."""
        return plain(price.quantize(self.instrument.tick_size))


class Story:
    """The tales of all positions, fed with event lines in order."""

    def __init__(self) -> None:
        self.tales: dict[str, Tale] = {}

    @property
    def open(self) -> Sequence[Tale]:
        """Those that are not over."""
        return [tale for tale in self.tales.values() if not tale.is_over]

    def take(self, line: EventLine) -> tuple[Tale | None, Sequence[str]]:
        """Take the next event; gives its tale and the lines that tell it, none for what only the chart shows."""
        if line.event not in EVENT_TYPES:
            told = " ".join(f"{name}={value}" for name, value in line.data.items())
            return None, (f"{clock(line.at)}  {line.event} {told}",)
        assert line.position_id is not None, line
        event = read_event(line.event, encode(line.data))
        if isinstance(event, PositionArmed):
            self.tales[line.position_id] = Tale(line.position_id, event, builtin_instrument(event.symbol))
        tale = self.tales[line.position_id]
        words = _take(tale, event)
        margin = " " * (_TIME_WIDTH + len(tale.name))
        return tale, [
            f"{clock(line.at)}  {tale.name}{text}" if row == 0 else f"{margin}{text}" for row, text in enumerate(words)
        ]


def clock(at: datetime) -> str:
    """The time of day (UTC)."""
    return f"{at:%H:%M:%S}"


def money(amount: Decimal) -> str:
    """Quote, to the cent, with its sign."""
    return f"{amount:+.2f}"


def _take(tale: Tale, event: PositionEvent) -> Sequence[str]:
    match event:
        case PositionArmed():
            capital, risk = plain(event.capital), plain(event.risk_percent)
            return (f"armed: capital {capital} {tale.instrument.quote}, {risk} % of it at risk, {event.strategy}",)
        case EntrySignalReceived():
            tale.signal = event
            return _signal(tale, event)
        case SignalRejected():
            return (f"signal refused ({event.stage}, {event.code}): {event.message}",)
        case EntryOrderPlaced():
            return (f"{event.order_side.value} {plain(event.quantity)} {tale.instrument.base} at market",)
        case EntryFilled():
            return _entered(tale, event)
        case TrailingStopUpdated():
            tale.stop, tale.moves = event.trailing_stop, tale.moves + 1
            return ()
        case ExitTriggered():
            return _triggered(tale, event)
        case ExitOrderPlaced():
            return (_leaving(tale, event),)
        case ExitFilled():
            done = "bought" if tale.armed.side is Side.SHORT else "sold"
            return (f"{done} {plain(event.quantity)} at {tale.price(event.fill_price)}, fee {_fees(event)}",)
        case PositionClosed():
            return _closed(tale, event)
        case PositionDisarmed():
            tale.is_over = True
            return ("disarmed: it was never in the market",)
        case PositionError():
            return (f"ERROR {event.code}: {event.message}",)
        case _ as never:
            assert_never(never)


def _signal(tale: Tale, event: EntrySignalReceived) -> Sequence[str]:
    armed, base, quote = tale.armed, tale.instrument.base, tale.instrument.quote
    entry, stop = plain(event.entry_price), plain(event.technical_stop)
    at_risk = armed.capital * armed.risk_percent / HUNDRED
    raw = (at_risk / event.stop_distance).quantize(_RAW_QUANTITY)
    floored = tale.instrument.floor(raw)
    size = f"floored to {plain(floored)}"
    if event.quantity < floored:
        size = f"{size} and CUT to {plain(event.quantity)} by {event.cut_by}"
    return (
        f"signal: entry {entry}, technical stop {stop} ({_found(event)})",
        f"Golden Rule: {plain(armed.capital)} x {plain(armed.risk_percent)} % = {plain(at_risk)} {quote} at risk",
        f"             {plain(at_risk)} / |{entry} - {stop}| = {plain(raw)} {base}, {size}",
    )


def _found(event: EntrySignalReceived) -> str:
    """How the technical stop was found, from the evidence that is stored with the signal."""
    evidence = event.evidence.get("technical_stop", {})
    away = f"{event.stop_distance * HUNDRED / event.entry_price:.2f} % away"
    match evidence.get("method"):
        case "swing":
            return f"{evidence.get('reason')}, {away}"
        case "true_range":
            return f"1.5 x the mean true range, {away}"
        case _:
            return away


def _entered(tale: Tale, event: EntryFilled) -> Sequence[str]:
    tale.entry, tale.stop = event, event.trailing_stop
    tale.see(event.fill_price, event.trailing_stop)
    distance = plain(tale.signal.stop_distance) if tale.signal is not None else "?"
    done = "sold" if tale.armed.side is Side.SHORT else "bought"
    lent = "".join(f", {plain(amount)} {asset} borrowed" for asset, amount in event.borrowed.items() if amount)
    return (
        f"{done} {plain(event.quantity)} at {tale.price(event.fill_price)}, fee {_fees(event)}{lent}",
        f"the stop follows the best price at {distance}: it begins at {tale.price(event.trailing_stop)}",
    )


def _triggered(tale: Tale, event: ExitTriggered) -> Sequence[str]:
    if event.price is None or event.trailing_stop is None:
        return (f"leaving the market: {event.reason.value}",)
    tale.see(event.price, event.trailing_stop)
    began = tale.price(tale.entry.trailing_stop) if tale.entry is not None else "?"
    price, stop = tale.price(event.price), tale.price(event.trailing_stop)
    return (f"the price {price} hit the stop {stop} ({tale.moves} updates, from {began})",)


def _leaving(tale: Tale, event: ExitOrderPlaced) -> str:
    words = f"{event.order_side.value} {plain(event.quantity)} {tale.instrument.base} at market"
    if tale.entry is None or event.attempt > 1:
        return f"{words} (attempt {event.attempt})"
    if tale.armed.side is Side.SHORT:
        return f"{words}: the {plain(tale.entry.quantity)} it sold, the interest and the fee"
    if event.quantity < tale.entry.quantity:
        return f"{words}: the {plain(tale.entry.quantity)} it bought, less the fee"
    return words


def _closed(tale: Tale, event: PositionClosed) -> Sequence[str]:
    tale.closed, tale.is_over = event, True
    reason = event.exit_reason.value.replace("_", " ")
    costs = f"fees {event.fees:.2f}, interest {event.interest:.2f}"
    return (
        f"closed ({reason}): gross {money(event.realized_pnl)}, {costs}",
        f"NET {money(event.net_pnl)} {tale.instrument.quote}",
    )


def _fees(event: EntryFilled | ExitFilled) -> str:
    return " + ".join(f"{plain(amount)} {asset}" for asset, amount in event.fees_by_asset.items()) or "none"
