"""An event in words for a small screen: mode first, then the position, then what happened."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import brief, plain
from robson.notify.message import TEXT_CHARACTERS, TITLE_CHARACTERS, Message, clean
from robson.notify.policy import URGENT, priority

ID_CHARACTERS = 8
SUMMARY_LINES = 20
_CENT = Decimal("0.01")

_TITLES = {
    "position_armed": "armed",
    "entry_signal_received": "signal taken",
    "signal_rejected": "signal refused",
    "entry_order_placed": "entry order placed",
    "entry_filled": "entered",
    "trailing_stop_updated": "stop moved",
    "exit_triggered": "leaving",
    "exit_order_placed": "exit order placed",
    "exit_filled": "exit order filled",
    "position_closed": "closed",
    "position_disarmed": "disarmed",
    "position_error": "NEEDS A PERSON",
    "panic_latched": "panic: nothing enters, everything leaves",
    "panic_released": "panic released",
    "entries_paused": "entries paused",
    "entries_unpaused": "entries allowed again",
    "feed_stale": "no fresh prices",
    "feed_recovered": "prices are fresh again",
    "order_in_doubt": "order in doubt",
    "order_resolved": "order resolved",
    "exit_refused": "EXIT REFUSED",
    "exit_failing": "EXIT FAILING",
    "journal_degraded": "journal cannot be written: exits only",
    "journal_recovered": "journal can be written again",
    "journal_copied": "the journal was copied",
    "drift_found": "the account differs from the journal",
    "unprotected": "was unprotected",
    "recovered": "back after a start",
    "gap_forgiven": "missed crossing forgiven",
    "gap_unfilled": "prices are missing",
}
# The fields that are told, in this order, each with what stands before and after it.
_FIELDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "position_armed": (("strategy", "strategy ", ""), ("capital", "capital ", ""), ("risk_percent", "risk ", " %")),
    "entry_signal_received": (("quantity", "", ""), ("entry_price", "at ", ""), ("technical_stop", "stop ", "")),
    "signal_rejected": (("code", "", ""), ("message", "", "")),
    "entry_order_placed": (("order_side", "", ""), ("quantity", "", "")),
    "entry_filled": (("quantity", "", ""), ("fill_price", "at ", ""), ("trailing_stop", "stop ", "")),
    "trailing_stop_updated": (("trailing_stop", "stop ", ""), ("previous_stop", "was ", ""), ("extreme", "best ", "")),
    "exit_triggered": (("reason", "", ""), ("price", "price ", ""), ("trailing_stop", "stop ", "")),
    "exit_order_placed": (("order_side", "", ""), ("quantity", "", ""), ("attempt", "attempt ", "")),
    "exit_filled": (("quantity", "", ""), ("fill_price", "at ", "")),
    "position_closed": (("exit_reason", "", ""), ("entry_price", "entry ", ""), ("exit_price", "exit ", "")),
    "position_error": (("code", "", ""), ("message", "", "")),
    "feed_stale": (("symbol", "", ""), ("age_seconds", "", " s")),
    "feed_recovered": (("symbol", "", ""),),
    "order_in_doubt": (("role", "", ""), ("attempt", "attempt ", ""), ("why", "", "")),
    "order_resolved": (("role", "", ""), ("outcome", "", ""), ("detail", "", "")),
    "exit_refused": (("attempt", "attempt ", ""), ("code", "", ""), ("message", "", "")),
    "exit_failing": (("failures", "", " times"), ("detail", "", "")),
    "journal_degraded": (("reason", "", ""),),
    "journal_recovered": (("was", "it was: ", ""),),
    "journal_copied": (("why", "", ""),),
    "drift_found": (("symbol", "", ""), ("kind", "", ""), ("message", "", "")),
    "unprotected": (("seconds", "", " s"), ("causes", "lacked ", "")),
    "recovered": (("positions", "", " positions"), ("seconds", "protected after ", " s")),
    "gap_forgiven": (("price", "price ", ""), ("crossed_stop", "crossed ", ""), ("crossed_at", "at ", "")),
    "gap_unfilled": (("since", "from ", ""), ("until", "to ", "")),
}


def message_of(row: Recorded, position: Position | None, *, mode: str, channel: str) -> Message:
    """One row, whole."""
    return Message(
        message_id=f"{mode}-{channel}-{row.seq}",
        at=row.at,
        title=clean(_title(row, position, mode), TITLE_CHARACTERS),
        text=clean(_details(row) or _TITLES.get(row.type, row.type), TEXT_CHARACTERS),
        priority=priority(row),
        event=row.type,
        seq=row.seq,
        position_id=row.position_id,
        mode=mode,
    )


def line_of(row: Recorded, position: Position | None) -> str:
    """One row in one line, for a summary."""
    details = _details(row)
    words = _TITLES.get(row.type, row.type)
    who = _who(row, position)
    told = " ".join(part for part in (f"{row.at:%H:%M}", who, words) if part)
    return clean(f"{told}: {details}" if details else told, 200)


def summary_title(kind: str, count: int, mode: str) -> str:
    """The title of a digest, or of what is told late."""
    what = "events while messages did not get through" if kind == "late" else "quiet events"
    return f"{shown_mode(mode)} {count} {what}"


def summary_text(rows: Sequence[tuple[Recorded, str]]) -> str:
    """What is urgent first, then in order, with the rest counted by type."""
    ordered = sorted(rows, key=lambda pair: (pair[0].type not in URGENT, pair[0].seq))
    lines = [line for _, line in ordered[:SUMMARY_LINES]]
    rest = Counter(_TITLES.get(row.type, row.type) for row, _ in ordered[SUMMARY_LINES:])
    if rest:
        lines.append("and " + ", ".join(f"{count} x {words}" for words, count in rest.most_common()))
    return clean("\n".join(lines), TEXT_CHARACTERS * 2, lines=True)


def shown_mode(mode: str) -> str:
    """Real money is in capitals."""
    return "LIVE" if mode == "live" else mode


def signed(amount: Any) -> str:
    """An amount of quote with its sign, to the cent where it is more than that."""
    try:
        number = Decimal(str(amount))
    except InvalidOperation:
        return str(amount)
    if not number.is_finite():
        return str(amount)
    shown = number.quantize(_CENT) if abs(number) >= _CENT else number
    return plain(shown) if shown < 0 else f"+{plain(shown)}"


def _title(row: Recorded, position: Position | None, mode: str) -> str:
    words = _TITLES.get(row.type, row.type)
    if row.type == "position_closed":
        words += f" {signed(row.data.get('net_pnl'))}"
    parts = (shown_mode(mode), _who(row, position), words)
    return " ".join(part for part in parts if part)


def _who(row: Recorded, position: Position | None) -> str:
    if row.position_id is None:
        return ""
    short = row.position_id[:ID_CHARACTERS]
    return f"{position.symbol} {position.side} {short}" if position is not None else short


def _details(row: Recorded) -> str:
    told = [
        f"{before}{_shown(row.data[key])}{after}"
        for key, before, after in _FIELDS.get(row.type, ())
        if row.data.get(key) not in (None, "")
    ]
    if row.type == "position_closed":
        told.insert(1, f"net {signed(row.data.get('net_pnl'))} (gross {signed(row.data.get('realized_pnl'))})")
    return ", ".join(told)


def _shown(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, (list, tuple)) else brief(value)
