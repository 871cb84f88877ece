"""Which events are told, how loudly, and which are gathered."""

from collections.abc import Mapping

from robson.domain.sequence import Recorded
from robson.notify.message import Priority
from robson.notify.settings import BY_REASON, Treatment

_DEFAULTS: dict[str, Treatment] = {
    "position_armed": "silent",
    "entry_signal_received": "off",
    "signal_rejected": "silent",
    "entry_order_placed": "off",
    "entry_filled": "on",
    "trailing_stop_updated": "off",
    "exit_triggered": "silent",
    "exit_order_placed": "off",
    "exit_filled": "off",
    "position_closed": "on",
    "position_disarmed": "silent",
    "position_error": "on",
    "entries_paused": "silent",
    "entries_unpaused": "silent",
}
URGENT = frozenset(
    {
        "position_error",
        "panic_latched",
        "order_in_doubt",
        "exit_refused",
        "exit_failing",
        "journal_degraded",
        "journal_copied",
        "drift_found",
        "unprotected",
        "gap_unfilled",
    }
)


def treatment(row: Recorded, chosen: Mapping[str, Treatment]) -> Treatment:
    """What becomes of a row; the operator's word on its reason goes before that on its type. Notices are on."""
    reason = row.data.get("reason" if row.type == "exit_triggered" else "exit_reason")
    if row.type in BY_REASON and (found := chosen.get(f"{row.type}:{reason}")) is not None:
        return found
    given = chosen.get(row.type, _DEFAULTS.get(row.type, "on"))
    # It was told at once, when the journal could not take it; the row came when it could again.
    return "silent" if row.type == "journal_degraded" and given == "on" else given


def priority(row: Recorded) -> Priority:
    """How loudly a row that is on is told."""
    if row.type == "position_closed" and row.data.get("exit_reason") == "liquidated":
        return "urgent"
    return "urgent" if row.type in URGENT else "normal"
