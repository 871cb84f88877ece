"""Events as they appear above the prompt: one line each, the loud ones coloured, the many small ones left out."""

from decimal import Decimal, InvalidOperation
from typing import Literal

from robson.protocol.results import EventLine
from robsonctl.paint import Paint, number
from robsonctl.shell.harmless import bare

Level = Literal["on", "off", "warn"]
LEVELS: tuple[Level, ...] = ("on", "warn", "off")

# A person should look.
_ALARMS = frozenset(
    {"position_error", "panic_latched", "journal_degraded", "drift_found", "exit_failing", "exit_refused"}
)
_WARNINGS = frozenset(
    {"signal_rejected", "feed_stale", "order_in_doubt", "unprotected", "entries_paused", "gap_unfilled", "gap_forgiven"}
)
_GOOD = frozenset({"entry_filled", "panic_released", "feed_recovered", "journal_recovered", "order_resolved"})

# What of each event's data is worth a place on the line; of others, everything short.
_TOLD = {
    "position_armed": ("side", "strategy", "capital", "risk_percent"),
    "entry_signal_received": ("entry_price", "technical_stop", "quantity", "cut_by"),
    "signal_rejected": ("code", "message"),
    "entry_order_placed": ("order_side", "quantity"),
    "entry_filled": ("quantity", "fill_price", "trailing_stop"),
    "trailing_stop_updated": ("previous_stop", "trailing_stop"),
    "exit_triggered": ("reason", "price", "trailing_stop"),
    "exit_order_placed": ("order_side", "quantity", "attempt"),
    "exit_filled": ("quantity", "fill_price"),
    "position_closed": ("exit_reason",),
    "position_error": ("code", "message"),
}
_VALUE_MAX = 100


def wanted(event: EventLine, level: Level) -> bool:
    """Whether the event is told at this level.

    A stop that followed the price is never told: the toolbar and `watch` show it, and there are thousands.
    """
    if event.event == "trailing_stop_updated" and not event.data.get("adjusted"):
        return False
    match level:
        case "on":
            return True
        case "warn":
            return event.event in _ALARMS or event.event in _WARNINGS
        case "off":
            return False


def news_text(event: EventLine, symbol: str, paint: Paint) -> str:
    """One event on one line, harmless for a terminal: time, position, symbol, what happened, the numbers."""
    words = [f"{event.at.astimezone():%H:%M:%S}"]
    if event.position_id is not None:
        words += [bare(event.position_id)[:8], bare(str(event.data.get("symbol") or symbol))]
    words.append(_painted(event.event, paint))
    if event.event == "position_closed":
        words.append(paint.pnl(_amount(event.data.get("net_pnl"))))
    names = _TOLD.get(event.event, tuple(event.data))
    words += [
        f"{bare(name)}={_value(event.data[name])}" for name in names if event.data.get(name) not in (None, {}, "")
    ]
    return " ".join(filter(None, words))


def _painted(name: str, paint: Paint) -> str:
    shown = bare(name)
    if name in _ALARMS:
        return paint("red", shown)
    if name in _WARNINGS:
        return paint("yellow", shown)
    return paint("green" if name in _GOOD else "bold", shown)


def _amount(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _value(value: object) -> str:
    shown = number(value) if isinstance(value, Decimal) else bare(str(value))
    return shown if len(shown) <= _VALUE_MAX else shown[: _VALUE_MAX - 1] + "…"
