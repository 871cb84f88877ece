"""The dashboard's HTML: what the daemon says of itself, escaped, readable without script, style or colour."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from robson.domain.sequence import Recorded
from robson.domain.values import brief, plain
from robson.drawing.svg import escaped
from robson.protocol.results import FeedView, HealthResult, PositionView, StatusResult

# What is beyond is counted and left to `robsonctl status`.
ROWS_MAX = 200
CHARTS_MAX = 24
EVENTS_SHOWN = 30
LINE_MAX = 300
# Names of orders, and what only a program compares.
_UNTOLD = frozenset(
    {
        "client_order_id",
        "venue_order_id",
        "signal_id",
        "trade_id",
        "seen_at",
        "filled_at",
        "crossed_at",
        "part",
        "adjusted",
        "fence",
    }
)
_CENT = Decimal("0.01")

_COLUMNS = ("Position", "Side", "State", "Quantity", "Entry", "Price", "Stop", "To the stop", "PnL", "Since")
_NUMBERS = frozenset({"Quantity", "Entry", "Price", "Stop", "To the stop", "PnL", "Since"})


def page(now: str, events: Sequence[Recorded], mode: str, *, next_seq: int) -> bytes:
    """The whole document around the part that changes; its stream begins with `next_seq`."""
    lines = "".join(event_item(row) for row in reversed(events))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Robson {escaped(mode)}</title>
<link rel="stylesheet" href="/dashboard.css">
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<script src="/dashboard.js" defer></script>
</head>
<body>
<a class="skip" href="#positions">To the positions</a>
<div id="lost" role="status" aria-live="polite"></div>
<div id="now">
{now}</div>
<section aria-labelledby="events">
<h2 id="events">Events</h2>
<ol id="lines" data-next="{next_seq}">
{lines}</ol>
</section>
<footer><p>Read-only. Operate with <code>robsonctl</code>.</p></footer>
</body>
</html>
""".encode()


def part(status: StatusResult, health: HealthResult, at: datetime, *, stamp: int, ticks: Mapping[str, Decimal]) -> str:
    """What changes: header, positions with their charts, prices, checks.

    `stamp` makes a chart's address a new one; `ticks` are the tick sizes of the symbols of which they are known.
    """
    return "".join(
        (
            _header(status, at),
            _warnings(status, health),
            "<main>\n",
            _positions(status, at, ticks),
            _charts(status.positions, stamp),
            "</main>\n",
            _prices(status, ticks),
            _checks(health),
        )
    )


def event_item(row: Recorded) -> str:
    """One event as an item of the list."""
    return f"<li>{escaped(event_text(row))}</li>\n"


def event_text(row: Recorded) -> str:
    """One event in a line of text: what happened and with which figures; the whole is in `robsonctl events`."""
    told = (
        f"{name.replace('_', ' ')} {brief(value)}"
        for name, value in row.data.items()
        if name not in _UNTOLD and value not in ("", None) and not isinstance(value, (dict, list, tuple))
    )
    whose = f" {row.position_id[:8]}" if row.position_id else ""
    line = f"{row.at:%Y-%m-%d %H:%M:%S} UTC{whose} {row.type.replace('_', ' ')}: {', '.join(told)}".rstrip(": ")
    return line if len(line) <= LINE_MAX else line[:LINE_MAX] + "…"


def pnl_text(amount: Decimal | None) -> str:
    """Profit or loss with sign and arrow: colour alone would tell too few."""
    if amount is None:
        return ""
    cents = amount.quantize(_CENT, ROUND_HALF_EVEN)
    shown = format(cents or amount.normalize(), "f")
    return f"▲ +{shown}" if amount > 0 else f"▼ {shown}" if amount < 0 else shown


def length_text(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def pnl_of(view: PositionView) -> Decimal | None:
    """What a position is worth now: net once it is over, unrealized before."""
    return view.net_pnl if view.net_pnl is not None else view.unrealized_pnl


def _header(status: StatusResult, at: datetime) -> str:
    open_ = sum(view.state != "Armed" for view in status.positions)
    total = sum((pnl for view in status.positions if (pnl := pnl_of(view)) is not None), Decimal(0))
    money = "real money" if status.mode == "live" else "play money"
    return (
        f'<header class="{escaped(status.mode)}">\n<h1>Robson <span class="mode">{escaped(status.mode.upper())}</span>'
        f'</h1>\n<p><span class="state {escaped(status.state)}">{escaped(status.state)}</span>, {money}: '
        f"{len(status.positions) - open_} armed, {open_} in the market, "
        f'<span class="{_sign(total)}">{pnl_text(total)}</span> unrealized. '
        f'<time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M:%S} UTC</time></p>\n</header>\n'
    )


def _warnings(status: StatusResult, health: HealthResult) -> str:
    told = []
    if status.panic_latched:
        told.append("PANIC is latched: everything is closed or closing, and nothing enters before resume.")
    if status.paused:
        told.append("Paused: no signal enters; exits go on.")
    if status.state == "recovering":
        told.append("Recovering: stops are being rebuilt after a start.")
    stale = [symbol for symbol, feed in status.feed.items() if feed.stale]
    if stale:
        told.append(f"Stale prices: {', '.join(stale)}. Stops are polled; nothing enters.")
    said = {"feed"} if stale else set()
    told += [f"{name}: {check.detail}" for name, check in health.checks.items() if not check.ok and name not in said]
    unprotected = [view for view in status.positions if view.state == "Error"]
    told += [f"{view.symbol} {view.position_id[:8]} is in Error: {view.detail or 'no reason'}" for view in unprotected]
    items = "".join(f"<li>{escaped(text)}</li>\n" for text in told[:ROWS_MAX])
    return f'<div class="warnings" role="alert">\n<ul>\n{items}</ul>\n</div>\n' if told else ""


def _positions(status: StatusResult, at: datetime, ticks: Mapping[str, Decimal]) -> str:
    head = "".join(f'<th scope="col"{_class("n" if name in _NUMBERS else "")}>{name}</th>' for name in _COLUMNS)
    shown = status.positions[:ROWS_MAX]
    rows = "".join(
        _row(view, at, ticks.get(view.symbol), has_chart=n < CHARTS_MAX) for n, view in enumerate(_entered_first(shown))
    )
    left = len(status.positions) - len(shown)
    more = f"<p>{left} more: <code>robsonctl status</code></p>\n" if left else ""
    table = (
        f'<div class="wide" tabindex="0" role="group" aria-labelledby="positions"><table>\n<thead><tr>{head}</tr>'
        f"</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
        if rows
        else "<p>No position is open.</p>\n"
    )
    return f'<section aria-labelledby="positions">\n<h2 id="positions">Positions</h2>\n{table}{more}</section>\n'


def _entered_first(views: Iterable[PositionView]) -> list[PositionView]:
    """Those in the market before those that wait."""
    return sorted(views, key=lambda view: view.state == "Armed")


def _row(view: PositionView, at: datetime, tick: Decimal | None, *, has_chart: bool) -> str:
    name = f"{escaped(view.symbol)} <code>{escaped(view.position_id[:8])}</code>"
    if has_chart and view.entered_at is not None:
        name = f'<a href="#chart-{escaped(view.position_id)}">{name}</a>'
    pnl = pnl_of(view)
    doubt = ' <strong class="doubt">order in doubt</strong>' if view.order_in_doubt else ""
    since = view.entered_at or view.armed_at
    cells = (
        ("", escaped(view.side)),
        ("", f'<div><span class="state {escaped(view.state)}">{escaped(view.state)}</span>{doubt}</div>'),
        ("n", _amount(view.quantity)),
        ("n", _price(view.entry_price, tick)),
        ("n", _price(view.last_price, tick)),
        ("n", _price(view.trailing_stop, tick)),
        ("n", _to_stop(view)),
        (f"n {_sign(pnl)}".rstrip(), pnl_text(pnl)),
        ("n", length_text((at - since).total_seconds())),
    )
    rest = "".join(
        f'<td data-label="{label}"{_class(kind)}>{text}</td>'
        for label, (kind, text) in zip(_COLUMNS[1:], cells, strict=True)
    )
    return f'<tr><th scope="row" data-label="{_COLUMNS[0]}">{name}</th>{rest}</tr>\n'


def _to_stop(view: PositionView) -> str:
    """How far the price is from the stop, in percent of the price."""
    if view.last_price is None or view.trailing_stop is None or not view.last_price:
        return ""
    percent = abs(view.last_price - view.trailing_stop) / view.last_price * 100
    return f"{percent.quantize(_CENT, ROUND_HALF_EVEN):f} %"


def _charts(views: Sequence[PositionView], stamp: int) -> str:
    entered = [view for view in _entered_first(views)[:CHARTS_MAX] if view.entered_at is not None]
    if not entered:
        return ""
    figures = "".join(
        f'<figure id="chart-{name}"><a href="/chart/{name}.svg"><picture>'
        f'<source media="(max-width: 36rem)" srcset="/chart/{name}.svg?narrow&amp;at={stamp}" width="400" height="320">'
        f'<img src="/chart/{name}.svg?at={stamp}" width="960" height="480" alt="{escaped(_described(view))}">'
        "</picture></a></figure>\n"
        for name, view in ((escaped(view.position_id), view) for view in entered)
    )
    return f'<section aria-labelledby="charts">\n<h2 id="charts">Charts</h2>\n{figures}</section>\n'


def _described(view: PositionView) -> str:
    known = (("entered at", view.entry_price), ("price", view.last_price), ("stop", view.trailing_stop))
    words = ", ".join(f"{name} {plain(value)}" for name, value in known if value is not None)
    return f"Price and stop of the {view.side} in {view.symbol} since its entry: {words}"


def _prices(status: StatusResult, ticks: Mapping[str, Decimal]) -> str:
    rows = "".join(_feed_row(symbol, feed, ticks.get(symbol)) for symbol, feed in sorted(status.feed.items()))
    if not rows:
        return ""
    head = '<th scope="col">Symbol</th><th scope="col" class="n">Price</th><th scope="col" class="n">Age</th>'
    return (
        '<section aria-labelledby="prices">\n<h2 id="prices">Prices</h2>\n<div class="wide" tabindex="0" role="group" '
        f'aria-labelledby="prices"><table class="narrow">\n<thead><tr>{head}<th scope="col">Feed</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )


def _feed_row(symbol: str, feed: FeedView, tick: Decimal | None) -> str:
    age = "" if feed.age_seconds is None else f"{feed.age_seconds:.1f} s"
    word = "<strong>stale</strong>" if feed.stale else "fresh"
    numbers = f'<td class="n">{_price(feed.last_price, tick)}</td><td class="n">{age}</td>'
    return f'<tr><th scope="row">{escaped(symbol)}</th>{numbers}<td>{word}</td></tr>\n'


def _checks(health: HealthResult) -> str:
    rows = "".join(
        f'<li class="{"ok" if check.ok else "bad"}"><strong>{"✓" if check.ok else "✗"} {escaped(name)}</strong> '
        f"{escaped(check.detail)}</li>\n"
        for name, check in health.checks.items()
    )
    return f'<section aria-labelledby="checks">\n<h2 id="checks">Checks</h2>\n<ul>\n{rows}</ul>\n</section>\n'


def _amount(value: Decimal | None) -> str:
    return "" if value is None else escaped(plain(value))


def _price(value: Decimal | None, tick: Decimal | None) -> str:
    """A price to the pair's tick, so that points stand below points; in full where the tick is not known."""
    if value is None or tick is None:
        return _amount(value)
    # An exchange may write its tick with zeros at the end.
    return f"{value.quantize(tick.normalize(), ROUND_HALF_EVEN):f}"


def _sign(amount: Decimal | None) -> str:
    return "" if not amount else "profit" if amount > 0 else "loss"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
