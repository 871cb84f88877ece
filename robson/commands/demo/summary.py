"""What is shown when all is over: the events, the profit and loss, and the journal's own rows."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from tabulate import tabulate

from robson.commands.demo.story import clock, money
from robson.domain.values import HUNDRED, plain
from robson.protocol.results import EventLine, PositionView

_TRAIL = "trailing_stop_updated"
_SHOWN = {
    "position_armed": ("symbol", "side", "strategy"),
    "entry_signal_received": ("entry_price", "technical_stop", "quantity"),
    "signal_rejected": ("stage", "code"),
    "entry_order_placed": ("order_side", "quantity"),
    "entry_filled": ("fill_price", "quantity", "trailing_stop"),
    "exit_triggered": ("reason", "price", "trailing_stop"),
    "exit_order_placed": ("order_side", "quantity", "attempt"),
    "exit_filled": ("fill_price", "quantity"),
    "position_closed": ("exit_reason", "net_pnl"),
}
_NUMBER_LENGTH_MOST = 12

PNL_QUERY = "SELECT symbol, side, exit_reason, entry_price, exit_price, net_pnl FROM pnl"


def events_table(events: Iterable[EventLine]) -> str:
    """Every event on one line, except that stop updates in a row share one."""
    rows: list[Sequence[str]] = []
    for is_trail, group in groupby(events, key=lambda line: line.event == _TRAIL):
        lines = list(group)
        if is_trail:
            rows.append(_trail_row(lines))
        else:
            rows += [(str(line.seq), clock(line.at), _who(line.position_id), line.event, _data(line)) for line in lines]
    return _grid(("SEQ", "TIME", "POSITION", "EVENT", "DATA"), rows)


def pnl_table(positions: Sequence[PositionView]) -> str:
    """Gross, fees, interest and net in quote, and the net in units of what was at risk."""
    head = ("POSITION", "SYMBOL", "SIDE", "QUANTITY", "ENTRY", "EXIT", "GROSS", "FEES", "INTEREST", "NET", "NET/RISK")
    rows: list[Sequence[str]] = [
        (
            _who(position.position_id),
            position.symbol,
            position.side,
            _number(position.quantity),
            _number(position.entry_price),
            _number(position.exit_price),
            _money(position.realized_pnl),
            _cents(position.fees),
            _cents(position.interest),
            _money(position.net_pnl),
            _per_risk(position),
        )
        for position in positions
    ]
    nets = [position.net_pnl for position in positions if position.net_pnl is not None]
    rows.append(("together", *[""] * 8, money(sum(nets, Decimal(0))), ""))
    return _grid(head, rows, ("left", "left", "left", *("right",) * 8))


def journal_rows(path: Path) -> tuple[str, int]:
    """The view `pnl` of a journal that no daemon uses any more, as text, and how many events the journal holds."""
    with closing(sqlite3.connect(path)) as journal:
        cursor = journal.execute(PNL_QUERY)
        head = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        (events,) = journal.execute("SELECT count(*) FROM events").fetchone()
    return _grid(head, rows), int(events)


def _trail_row(lines: Sequence[EventLine]) -> tuple[str, ...]:
    first, last = lines[0], lines[-1]
    newest = {line.position_id: line.data["trailing_stop"] for line in lines}
    seq = str(first.seq) if first is last else f"{first.seq}-{last.seq}"
    told = ", ".join(f"{_who(position)} to {_short(stop)}" for position, stop in newest.items())
    return (seq, clock(first.at), "", f"{_TRAIL} x{len(lines)}", told)


def _who(position_id: str | None) -> str:
    return position_id[:8] if position_id is not None else "-"


def _data(line: EventLine) -> str:
    names = _SHOWN.get(line.event, tuple(line.data))
    return " ".join(f"{name}={_short(line.data[name])}" for name in names if line.data.get(name) is not None)


def _short(value: Any) -> str:
    """A value as it is, an average price without the digits that nobody reads."""
    text = str(value)
    whole, dot, fraction = text.partition(".")
    if len(text) > _NUMBER_LENGTH_MOST and dot and fraction.isdigit():
        return f"{whole}.{fraction[:4]}"
    return text


def _number(number: Decimal | None) -> str:
    return "" if number is None else _short(plain(number))


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else money(amount)


def _cents(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:.2f}"


def _per_risk(position: PositionView) -> str:
    at_risk = position.capital * position.risk_percent / HUNDRED
    return "" if position.net_pnl is None else money(position.net_pnl / at_risk)


def _grid(head: Sequence[str], rows: Sequence[Sequence[Any]], aligned: Sequence[str] = ()) -> str:
    text = tabulate(rows, headers=head, tablefmt="plain", disable_numparse=True, colalign=aligned or None)
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
