"""The report as one page: no script, nothing from outside, every text of others escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from robson.domain.values import plain
from robson.drawing.chart import draw_chart
from robson.drawing.scale import length_text
from robson.drawing.svg import escaped, style_sheet, to_svg
from robson.protocol.charting import ChartResult
from robson.report.figures import Account, Row, accounts
from robson.report.graphs import equity_scene, r_scene

_LIGHT = "--paper:#fff;--ink:#1b2129;--muted:#5c6773;--line:#dfe4ea;--plus:#0f766e;--minus:#be123c"
_DARK = "--paper:#14181d;--ink:#e6eaf0;--muted:#9aa6b4;--line:#2a323c;--plus:#2dd4bf;--minus:#fb7185"
_STYLE = (
    f":root{{{_LIGHT};color-scheme:light dark}}@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    "body{margin:2rem auto;max-width:72rem;padding:0 1rem;background:var(--paper);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}p,figcaption{color:var(--muted)}"
    "figure{margin:0 0 1.4rem;break-inside:avoid}svg{width:100%;height:auto;display:block;"
    "border:1px solid var(--line);border-radius:6px}dl{display:flex;flex-wrap:wrap;gap:.5rem 2.2rem;margin:0 0 1rem}"
    "dt{color:var(--muted);font-size:.85rem}dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.82rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}"
    "th{color:var(--muted);font-weight:600}.t{text-align:left}.plus{color:var(--plus)}.minus{color:var(--minus)}"
    "@page{size:A4;margin:12mm}@page wide{size:A4 landscape;margin:10mm}"
    "@media print{body{margin:0;padding:0;max-width:none;font-size:11px}h2,dl{break-after:avoid}"
    ".table{page:wide}table{font-size:6.5pt}th,td{padding:.12rem .3rem}"
    "thead{display:table-header-group}tr{break-inside:avoid}"
    ".scroll{overflow:visible}}"
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a page tells; `until` is the journal's newest event, `since` null for everything."""

    mode: str
    since: datetime | None
    until: datetime | None
    rows: tuple[Row, ...]
    charts: tuple[ChartResult, ...]
    charts_left_out: int
    csv_name: str


def to_html(contents: Contents) -> str:
    """The whole page."""
    rows, every = contents.rows, accounts(contents.rows)
    span = f"up to {_time(contents.until)}" if contents.until else "without an event"
    if contents.since:
        span = f"{_time(contents.since)} to {_time(contents.until)}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>Robson: report of {len(rows)} positions</title><style>{_STYLE}{style_sheet()}</style></head><body>",
        f"<h1>Robson</h1><p>{escaped(contents.mode)} journal, {span}</p>",
        _counts(rows),
    ]
    for account in every:
        parts += [f"<h2>{escaped(account.quote)}</h2>", _sums(account)]
        parts += [_figure(to_svg(equity_scene(account), alone=False))]
    if every:
        parts += ["<h2>R-multiples</h2>", _figure(to_svg(r_scene([r for a in every for r in a.rows]), alone=False))]
        parts += ["<h2>Slippage</h2>", _slippage(rows)]
    if contents.charts:
        parts += ["<h2>Positions</h2>"]
        if contents.charts_left_out:
            parts += [
                f"<p>The newest {len(contents.charts)}; {contents.charts_left_out} more are in the table only.</p>"
            ]
        parts += [_figure(to_svg(draw_chart(chart), alone=False)) for chart in contents.charts]
    parts += ['<section class="table"><h2>Table</h2>', _table(rows, contents.csv_name), "</section></body></html>"]
    return "\n".join(parts) + "\n"


def _counts(rows: Sequence[Row]) -> str:
    unprotected = sum((row.unprotected_seconds for row in rows), Decimal(0))
    longest = max((row.unprotected_seconds for row in rows), default=Decimal(0))
    facts = [
        ("positions", str(len(rows))),
        ("open", str(sum(row.closed_at is None for row in rows))),
        ("never entered", str(sum(row.closed_at is not None and row.entered_at is None for row in rows))),
        ("unprotected, together", length_text(float(unprotected))),
        ("unprotected, the longest", length_text(float(longest))),
    ]
    return _facts(facts)


def _sums(account: Account) -> str:
    multiples = [row.r_multiple for row in account.rows if row.r_multiple is not None]
    worst = min((amount for _, amount in account.drawdown), default=Decimal(0))
    facts = [
        ("closed", str(len(account.rows))),
        ("won", f"{account.wins} ({account.wins / len(account.rows):.0%})"),
        ("net result", f"{account.net:+.2f}"),
        ("fees and interest", f"{account.costs:.2f}"),
        ("largest drawdown", f"{-worst:.2f}"),
        ("best", f"{max(multiples):+.2f} R" if multiples else "-"),
        ("worst", f"{min(multiples):+.2f} R" if multiples else "-"),
    ]
    return _facts(facts)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<div><dt>{escaped(n)}</dt><dd>{escaped(v)}</dd></div>' for n, v in facts)}</dl>"


def _slippage(rows: Sequence[Row]) -> str:
    facts = []
    for name, found in (
        ("entries", [r.entry_slippage_bps for r in rows if r.entry_slippage_bps is not None]),
        ("exits", [r.exit_slippage_bps for r in rows if r.exit_slippage_bps is not None]),
    ):
        if found:
            ordered = sorted(found)
            average = sum(found, Decimal(0)) / len(found)
            facts += [
                (f"{name}, average", f"{average:+.1f} bps"),
                (f"{name}, median", f"{ordered[len(ordered) // 2]:+.1f} bps"),
            ]
            facts += [(f"{name}, worst", f"{ordered[-1]:+.1f} bps")]
    told = (
        "<p>Against the signal's price at entries, against the price that crossed the stop at exits; positive cost.</p>"
    )
    return told + _facts(facts) if facts else "<p>There was nothing to compare.</p>"


def _figure(svg: str) -> str:
    return f"<figure>{svg}</figure>"


_COLUMNS = (
    ("closed", "t"), ("symbol", "t"), ("side", "t"), ("state", "t"), ("strategy", "t"), ("parameters", "t"),
    ("quantity", ""), ("entry", ""), ("exit", ""), ("reason", "t"), ("gross", ""), ("fees", ""), ("interest", ""),
    ("net", ""), ("R", ""), ("slippage in", ""), ("out", ""), ("unprotected", ""), ("position", "t"),
)  # fmt: skip


def _table(rows: Sequence[Row], csv_name: str) -> str:
    head = "".join(f'<th class="{kind}">{name}</th>' for name, kind in _COLUMNS)
    body = "".join(f"<tr>{_cells(row)}</tr>\n" for row in rows)
    told = f"<p>Every digit is in {escaped(csv_name)}. Slippage in basis points, money in the pair's quote asset.</p>"
    return f'{told}<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(row: Row) -> str:
    result = "" if not row.net_pnl else "plus" if row.net_pnl > 0 else "minus"
    values = (
        (_time(row.closed_at), "t"), (row.symbol, "t"), (row.side, "t"), (row.state, "t"), (row.strategy, "t"),
        (row.params, "t"), (_number(row.quantity), ""), (_number(row.entry_price), ""), (_number(row.exit_price), ""),
        ((row.exit_reason or "").replace("_", " "), "t"), (_cents(row.realized_pnl), ""), (_cents(row.fees), ""),
        (_cents(row.interest), ""), (_cents(row.net_pnl, "+"), result), (_cents(row.r_multiple, "+"), result),
        (_number(row.entry_slippage_bps), ""), (_number(row.exit_slippage_bps), ""),
        (length_text(float(row.unprotected_seconds)) if row.unprotected_seconds else "", ""), (row.position_id, "t"),
    )  # fmt: skip
    return "".join(f'<td class="{kind}">{escaped(text)}</td>' for text, kind in values)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _number(amount: Decimal | None) -> str:
    return "" if amount is None else plain(amount)


def _cents(amount: Decimal | None, sign: str = "") -> str:
    return "" if amount is None else f"{amount:{sign}.2f}"
