"""What happened to one position, as tables: its orders, and the chain from a price to a fill."""

from typing import Any

from robsonctl.grid import grid
from robsonctl.paint import local, number, seconds
from robsonctl.wire import view

_CHAIN = ("left", "left", "left", "right", "decimal", "decimal", "left")


def orders_text(orders: Any, width: int | None = None) -> str:
    """One row an order."""
    head = ("ROLE", "ATTEMPT", "SIDE", "QUANTITY", "EXECUTED", "PRICE", "STATUS", "SENT", "FILLED", "ID")
    aligned = ("left", "right", "left", "decimal", "decimal", "decimal", "left", "left", "left", "left")
    rows = [
        (
            order.role,
            str(order.attempt),
            order.order_side,
            number(order.quantity),
            number(order.executed),
            number(order.average_price),
            order.status,
            local(order.sent_at),
            local(order.filled_at),
            order.client_order_id,
        )
        for order in view(orders)
    ]
    return grid(head, rows, aligned, width=width, spare=("ATTEMPT", "SENT", "ID", "FILLED", "EXECUTED"))


def why_text(why: Any, width: int | None = None) -> str:
    """The chain, one row a link, then the way in and out in numbers."""
    why = view(why)
    head = ("STEP", "AT", "CLOCK", "AFTER", "PRICE", "QUANTITY", "")
    rows = [
        (
            step.step,
            local(step.at),
            step.clock or "",
            _milliseconds(step.after_ms),
            number(step.price),
            number(step.quantity),
            step.words,
        )
        for step in why.chain
    ]
    parts = [f"{why.position_id}  {why.symbol} {why.side}  {why.state}"]
    if not why.complete:
        parts.append("its first events are in the archive: the chain begins later")
    parts.append(grid(head, rows, _CHAIN, width=width, spare=("CLOCK", "QUANTITY", "AFTER")))
    parts += [_leg_text(name, leg) for name, leg in (("entry", why.entry), ("exit", why.exit)) if leg is not None]
    moved = f"the stop moved {why.stop_moves} times"
    parts.append(moved + (f", {why.adjustments} by the operator" if why.adjustments else ""))
    return "\n".join(parts)


def _leg_text(name: str, leg: Any) -> str:
    words = [
        (label, _milliseconds(length))
        for label, length in (
            ("tick to decision", leg.tick_to_decision_ms),
            ("decision to order", leg.decision_to_sent_ms),
            ("order to fill", leg.sent_to_fill_ms),
            ("fill to journal", leg.fill_to_known_ms),
        )
    ]
    if name == "entry":
        # No tick leads to a signal that a person or a script gave.
        del words[0]
    slippage = [("slippage", leg.slippage_bps), ("against the stop", leg.stop_slippage_bps)]
    words += [(label, f"{number(bps)} bps") for label, bps in slippage if bps is not None]
    text = f"{name}: " + ", ".join(f"{label} {value or 'unknown'}" for label, value in words)
    if leg.stages_us:
        stages = ", ".join(f"{stage} {length:,} us" for stage, length in leg.stages_us.items())
        text += f"\nfrom the frame to the first byte: {stages}"
    return text


def _milliseconds(length: int | None) -> str:
    if length is None:
        return ""
    return seconds(length / 1000) if abs(length) >= 10_000 else f"{length} ms"
