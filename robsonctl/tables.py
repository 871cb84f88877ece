"""Results as tables and sentences for people."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from robson.domain.values import plain
from robson.protocol.results import EventLine, HealthResult, PanicResult, PlanResult, PositionView, StatusResult
from robsonctl.paint import Paint, age, local, number, seconds

_STATE_COLOURS = {"Active": "green", "Entering": "yellow", "Exiting": "yellow", "Error": "red"}


def status_text(status: StatusResult, paint: Paint, present: datetime) -> str:
    """The daemon in a line, its feeds in a line, its positions in a table."""
    lines = [_daemon_line(status, paint)]
    if status.feed:
        lines.append("  ".join(_feed_words(symbol, status, paint) for symbol in sorted(status.feed)))
    lines.append(positions_text(status.positions, paint, present))
    return "\n".join(lines)


def _daemon_line(status: StatusResult, paint: Paint) -> str:
    words = [
        paint("alarm", " LIVE ") if status.mode == "live" else "paper",
        status.state if status.state == "live" else paint("yellow", status.state),
    ]
    if status.panic_latched:
        words.append(paint("alarm", "PANIC LATCHED: nothing enters before `robsonctl resume`"))
    if status.unprotected_seconds:
        words.append(paint("yellow", f"unprotected {seconds(status.unprotected_seconds)}"))
    return "  ".join(words)


def _feed_words(symbol: str, status: StatusResult, paint: Paint) -> str:
    feed = status.feed[symbol]
    since = "no tick yet" if feed.age_seconds is None else seconds(feed.age_seconds)
    words = f"{symbol} {number(feed.last_price)} ({since})".replace("  ", " ")
    return paint("yellow", f"{words} stale") if feed.stale else words


def positions_text(positions: Sequence[PositionView], paint: Paint, present: datetime) -> str:
    """One row a position."""
    if not positions:
        return "no positions"
    head = ("POSITION", "SYMBOL", "SIDE", "STATE", "QUANTITY", "ENTRY", "STOP", "LAST", "PNL", "AGE", "DETAIL")
    aligned = ("left", "left", "left", "left", "decimal", "decimal", "decimal", "decimal", "right", "right", "left")
    rows = [
        (
            position.position_id,
            position.symbol,
            position.side,
            _state_words(position, paint),
            number(position.quantity),
            number(position.entry_price),
            number(position.trailing_stop),
            number(position.exit_price if position.state == "Closed" else position.last_price),
            _pnl_words(position, paint),
            age(position.closed_at or position.entered_at or position.armed_at, present),
            position.detail or position.exit_reason or "",
        )
        for position in positions
    ]
    return grid(head, rows, aligned)


def _state_words(position: PositionView, paint: Paint) -> str:
    colour = _STATE_COLOURS.get(position.state)
    return paint(colour, position.state) if colour else position.state


def _pnl_words(position: PositionView, paint: Paint) -> str:
    return paint.pnl(position.net_pnl if position.state == "Closed" else position.unrealized_pnl)


def position_text(position: PositionView, paint: Paint, present: datetime) -> str:
    """Every field of one position that is known, one a line."""
    rows: list[tuple[str, str]] = []
    for name in position.__struct_fields__:
        value = getattr(position, name)
        if value is None or value == {}:
            continue
        match name:
            case "unrealized_pnl" | "realized_pnl" | "net_pnl":
                text = paint.pnl(value)
            case "armed_at" | "entered_at" | "closed_at":
                text = f"{local(value)} ({age(value, present)} ago)"
            case "fees_by_asset":
                text = ", ".join(f"{plain(amount)} {asset}" for asset, amount in value.items())
            case "unprotected_seconds":
                text = seconds(value)
            case "state":
                text = _state_words(position, paint)
            case _:
                text = str(value) if isinstance(value, str) else number(value)
        rows.append((name, text))
    return pairs_text(rows)


def plan_text(plan: PlanResult, paint: Paint) -> str:
    """The plan, one number a line."""
    rows = [
        (name, _plain_words(getattr(plan, name)))
        for name in plan.__struct_fields__
        if getattr(plan, name) is not None and name != "notes"
    ]
    text = pairs_text(rows)
    remarks = [f"cut down by {plan.cut_by}"] if plan.cut_by is not None else []
    return "\n".join([text, *(paint("yellow", remark) for remark in (*remarks, *plan.notes))])


def health_text(health: HealthResult, paint: Paint) -> str:
    """Live, ready, and each check."""
    rows = [("live", health.live, ""), ("ready", health.ready, "")]
    rows += [(name, check.ok, check.detail) for name, check in health.checks.items()]
    return grid(
        (), [(name, paint("green", "ok") if ok else paint("red", "NOT OK"), detail) for name, ok, detail in rows]
    )


def panic_text(result: PanicResult, paint: Paint) -> str:
    """What became of each position."""
    rows = [
        (outcome.position_id, _outcome_words(outcome.outcome, paint), outcome.detail) for outcome in result.positions
    ]
    latch = "the latch holds: nothing enters before `robsonctl resume`" if result.latched else "the latch does NOT hold"
    return f"{latch}\n{grid((), rows)}" if rows else f"{latch}\nno open positions"


def _outcome_words(outcome: str, paint: Paint) -> str:
    colours = {"failed": "red", "pending": "yellow"}
    return paint(colours[outcome], outcome) if outcome in colours else outcome


def event_text(event: EventLine) -> str:
    """One event on one line."""
    words = " ".join(f"{name}={_plain_words(value)}" for name, value in event.data.items() if value not in (None, {}))
    return f"{event.seq:>6}  {local(event.at)}  {event.position_id or '-':<36}  {event.event:<22}  {words}".rstrip()


def pairs_text(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and values in two columns."""
    known = [(name, _plain_words(value)) for name, value in rows]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in known)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], aligned: Sequence[str] = ()) -> str:
    """A plain table; colours do not count for the widths."""
    # Imported here: it costs ten times what the rest does, and most uses are scripts that print JSON.
    from tabulate import tabulate

    text = tabulate(rows, headers=head, tablefmt="plain", disable_numparse=True, colalign=aligned or None)
    return "\n".join(line.rstrip() for line in text.splitlines())


def _plain_words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case dict():
            return ",".join(f"{name}:{_plain_words(part)}" for name, part in value.items())
        case list():
            return ",".join(map(_plain_words, value))
        case _:
            return number(value) if hasattr(value, "as_tuple") else str(value)
