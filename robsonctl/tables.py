"""Results as tables and sentences for people; each takes a result's view, or the protocol's struct of it."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from robsonctl.grid import grid, shown_width, wrapped
from robsonctl.paint import Paint, age, at_step, local, seconds
from robsonctl.wire import view

if TYPE_CHECKING:
    from datetime import datetime

# On a narrow screen what is least missed goes first.
_SPARE = ("AGE", "ENTRY", "SIDE", "QUANTITY", "LAST", "STOP")
# What `show` gives with a position has tables of its own.
_BESIDE = frozenset({"orders", "events", "oldest_seq", "next_seq"})
_ID_MIN = 8
_STATE_COLOURS = {"Active": "green", "Entering": "yellow", "Exiting": "yellow", "Error": "red"}


def status_text(status: Any, paint: Paint, present: "datetime") -> str:
    """The daemon in a line, its feeds in a line, its positions in a table."""
    status = view(status)
    lines = [_daemon_line(status, paint)]
    if status.feed:
        lines.append("  ".join(_feed_words(symbol, status, paint) for symbol in sorted(status.feed)))
    if paint.width is not None:
        lines = [part for line in lines for part in wrapped(line, paint.width)]
    return "\n".join([*lines, positions_text(status.positions, paint, present)])


def _daemon_line(status: Any, paint: Paint) -> str:
    words = [
        paint("alarm", " LIVE ") if status.mode == "live" else "paper",
        status.state if status.state == "live" else paint("yellow", status.state),
    ]
    if status.panic_latched:
        words.append(paint("alarm", "PANIC LATCHED: nothing enters before `robsonctl resume`"))
    if status.paused:
        words.append(paint("yellow", "paused: no signal enters before `robsonctl unpause`"))
    if status.unprotected_seconds:
        words.append(paint("yellow", f"unprotected {seconds(status.unprotected_seconds)}"))
    return "  ".join(words)


def _feed_words(symbol: str, status: Any, paint: Paint) -> str:
    feed = status.feed[symbol]
    tick = next((each.tick_size for each in status.positions if each.symbol == symbol and each.tick_size), None)
    since = "no tick yet" if feed.age_seconds is None else seconds(feed.age_seconds)
    words = f"{symbol} {at_step(feed.last_price, tick)} ({since})".replace("  ", " ")
    return paint("yellow", f"{words} stale") if feed.stale else words


def positions_text(positions: Any, paint: Paint, present: "datetime") -> str:
    """One row a position."""
    positions = view(positions)
    if not positions:
        return "no positions"
    # What is over has no steps of its own; another position of its pair lends them.
    ticks = {each.symbol: each.tick_size for each in positions if each.tick_size}
    steps = {each.symbol: each.step_size for each in positions if each.step_size}
    head = ("POSITION", "SYMBOL", "SIDE", "STATE", "QUANTITY", "ENTRY", "STOP", "LAST", "PNL", "AGE", "DETAIL")
    aligned = ("left", "left", "left", "left", "decimal", "decimal", "decimal", "decimal", "right", "right", "left")
    rows = [
        (
            position.position_id,
            position.symbol,
            position.side,
            _state_words(position, paint),
            at_step(position.quantity, steps.get(position.symbol)),
            at_step(position.entry_price, ticks.get(position.symbol)),
            at_step(position.trailing_stop, ticks.get(position.symbol)),
            at_step(
                position.exit_price if position.state == "Closed" else position.last_price, ticks.get(position.symbol)
            ),
            _pnl_words(position, paint),
            age(position.closed_at or position.entered_at or position.armed_at, present),
            position.detail or position.exit_reason or "",
        )
        for position in positions
    ]
    whole = grid(head, rows, aligned)
    if paint.width is None or max(map(shown_width, whole.split("\n"))) <= paint.width:
        return whole
    ids = beginnings([row[0] for row in rows])
    short = [(name, *row[1:-1]) for name, row in zip(ids, rows, strict=True)]
    top, *lines = grid(head[:-1], short, aligned, width=paint.width, spare=_SPARE).split("\n")
    for place, row in reversed(list(enumerate(rows, 1))):
        # Why a position is in trouble is worth lines of its own.
        lines[place:place] = [f"  {line}" for line in wrapped(row[-1], paint.width - 2) if line]
    return "\n".join([top, *lines])


def beginnings(ids: Sequence[str]) -> list[str]:
    """The ids cut to beginnings that are unique among them, eight letters at least: commands take those too."""
    length = _ID_MIN
    while len({text[:length] for text in ids}) < len(set(ids)):
        length += 1
    return [text[:length] for text in ids]


def _state_words(position: Any, paint: Paint) -> str:
    colour = _STATE_COLOURS.get(position.state)
    return paint(colour, position.state) if colour else position.state


def _pnl_words(position: Any, paint: Paint) -> str:
    return paint.pnl(position.net_pnl if position.state == "Closed" else position.unrealized_pnl)


def position_text(position: Any, paint: Paint, present: "datetime") -> str:
    """Every field of one position that is known, one a line."""
    rows: list[tuple[str, str]] = []
    for name, value in view(position).items():
        if value is None or value == {} or name in _BESIDE:
            continue
        match name:
            case "unrealized_pnl" | "realized_pnl" | "net_pnl":
                text = paint.pnl(value)
            case "armed_at" | "entered_at" | "closed_at":
                text = f"{local(value)} ({age(value, present)} ago)"
            case "fees_by_asset":
                text = ", ".join(f"{amount} {asset}" for asset, amount in value.items())
            case "unprotected_seconds":
                text = seconds(value)
            case "state":
                text = _state_words(position, paint)
            case _:
                text = _plain_words(value)
        rows.append((name, text))
    return pairs_text(rows)


def plan_text(plan: Any, paint: Paint) -> str:
    """The plan, one number a line."""
    plan = view(plan)
    rows = [(name, _plain_words(value)) for name, value in plan.items() if value is not None and name != "notes"]
    text = pairs_text(rows)
    remarks = [f"cut down by {plan.cut_by}"] if plan.cut_by is not None else []
    return "\n".join([text, *(paint("yellow", remark) for remark in (*remarks, *(plan.notes or ())))])


def health_text(health: Any, paint: Paint) -> str:
    """Live, ready, and each check."""
    health = view(health)
    rows = [("live", health.live, ""), ("ready", health.ready, "")]
    rows += [(name, check.ok, check.detail) for name, check in health.checks.items()]
    return grid(
        (),
        [(name, paint("green", "ok") if ok else paint("red", "NOT OK"), detail) for name, ok, detail in rows],
        width=paint.width,
    )


def panic_text(result: Any, paint: Paint) -> str:
    """What became of each position."""
    result = view(result)
    rows = [
        (
            outcome.position_id,
            _outcome_words(outcome.outcome, paint),
            " ".join(filter(None, (outcome.symbol, outcome.side, paint.pnl(outcome.net_pnl)))),
            outcome.detail,
        )
        for outcome in result.positions
    ]
    latch = "the latch holds: nothing enters before `robsonctl resume`" if result.latched else "the latch does NOT hold"
    return f"{latch}\n{grid((), rows)}" if rows else f"{latch}\nno open positions"


def _outcome_words(outcome: str, paint: Paint) -> str:
    colours = {"failed": "red", "pending": "yellow"}
    return paint(colours[outcome], outcome) if outcome in colours else outcome


def event_text(event: Any) -> str:
    """One event on one line."""
    event = view(event)
    told = {name: value for name, value in event.data.items() if value not in (None, {})}
    if told.get("adjusted") is False:
        # Almost every moved stop followed a price: only the others are worth the word.
        del told["adjusted"]
    words = " ".join(f"{name}={_plain_words(value)}" for name, value in told.items())
    return f"{event.seq:>6}  {local(event.at)}  {event.position_id or '-':<36}  {event.event:<22}  {words}".rstrip()


def price_text(line: Any) -> str:
    """One live price on one line; it has no seq."""
    line = view(line)
    stale = "  stale" if line.data.get("stale") else ""
    return f"{'':>6}  {local(line.at)}  {'-':<36}  {'price':<22}  {line.data['symbol']} {line.data['price']}{stale}"


def journal_text(journal: Any, present: "datetime") -> str:
    """One number a line, and how old the last backup is."""
    journal = view(journal)
    backup = journal.last_backup
    rows = [
        (name, f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _plain_words(value))
        for name, value in journal.items()
        if name != "last_backup"
    ]
    told = "none is remembered: `robson backup FILE`"
    if backup is not None:
        told = f"{local(backup.at)} ({age(backup.at, present)} ago), up to seq {backup.last_seq}: {backup.file}"
    return pairs_text([*rows, ("last_backup", told)])


def events_text(events: Any) -> Iterable[str]:
    """One line an event; of a run of stops that followed the price only the last one."""
    passed, events = 0, view(events)
    for event, after in zip_longest(events, events[1:]):
        if _followed(event) and after is not None and _followed(after):
            passed += 1
            continue
        yield event_text(event) + (f"  (after {passed} like it)" if passed else "")
        passed = 0


def _followed(event: Any) -> bool:
    return event.event == "trailing_stop_updated" and not event.data.get("adjusted")


def pairs_text(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and values in two columns."""
    known = [(name, _plain_words(value)) for name, value in rows]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in known)


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
            return str(value)
