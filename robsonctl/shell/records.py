"""Results under the prompt: tables where they fit, one field under the other where they do not."""

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from robsonctl.output import Output
from robsonctl.paint import Paint, cents
from robsonctl.shell.harmless import bare, width

# What of a position is worth a place on a narrow screen, in this order; the rest is for `show`.
_POSITION = (
    *("symbol", "side", "state", "quantity", "entry_price", "trailing_stop", "last_price", "exit_price"),
    *("unrealized_pnl", "net_pnl", "detail", "exit_reason"),
)
_PNL = frozenset({"unrealized_pnl", "realized_pnl", "net_pnl"})
_GAP = "   "


class Records(Output):
    """Output for the shell; `upright` is auto, on or off, `columns` gives the width of the window."""

    def __init__(self, form: str, paint: Paint, upright: str, columns: Callable[[], int]) -> None:
        super().__init__(form)
        self._paint = paint
        self._upright = upright
        self._window = columns

    def show(self, result: bytes, text: Callable[[], str], *, rows: str | None = None) -> None:
        """Write a result as `Output.show` does; a table that is too wide is written record by record."""
        if self.form != "table":
            super().show(result, text, rows=rows)
            return
        shown = text()
        # Points are drawn, however the rest is laid out.
        if rows not in {None, "points"} and self._turned(shown):
            shown = "\n".join([*_before_table(shown), *self._records(result, rows or "")])
        self.line(shown)

    def _turned(self, shown: str) -> bool:
        if self._upright == "auto":
            return any(width(line) > self._window() for line in _table(shown))
        return self._upright == "on"

    def _records(self, result: bytes, name: str) -> Iterator[str]:
        found = msgspec.json.decode(result, type=dict[str, msgspec.Raw])
        for number, record in enumerate(msgspec.json.decode(found[name], type=list[dict[str, object]]), 1):
            title = bare(str(record.get("position_id") or record.get("step") or number))
            yield self._paint("bold", f"─ {title} ".ljust(min(self._window(), 46), "─"))
            known = {name: value for name, value in record.items() if value not in (None, "", {}, [])}
            if self._upright == "on":
                wide = max(map(len, known), default=0)
                yield from (f"{field:<{wide}}  {self._value(field, value)}" for field, value in known.items())
            else:
                shown = [field for field in _POSITION if field in known] if "state" in record else list(known)
                told = [self._field(field, known[field]) for field in shown if field not in {"position_id", "step"}]
                yield from flowing(told, self._window())

    def _field(self, name: str, value: object) -> str:
        if name in {"symbol", "side", "state"}:
            return self._value(name, value)
        short = {"trailing_stop": "stop", "entry_price": "entry", "exit_price": "exit", "last_price": "last"}
        label = "PnL" if name in _PNL else short.get(name, name)
        return f"{label} {self._value(name, value)}"

    def _value(self, name: str, value: object) -> str:
        text = bare(value if isinstance(value, str) else msgspec.json.encode(value).decode())
        if name in _PNL:
            try:
                return self._paint.pnl(Decimal(text))
            except InvalidOperation:
                return text
        if name in {"quantity", "fees", "interest"} and "." in text:
            return text.rstrip("0").rstrip(".")
        return cents(Decimal(text)) if name == "capital" and text.replace(".", "").isdigit() else text


def flowing(fields: list[str], columns: int) -> Iterator[str]:
    """The fields side by side, as many in a line as there is room for."""
    line = ""
    for field in fields:
        if line and width(line) + len(_GAP) + width(field) > columns:
            yield line
            line = ""
        line = f"{line}{_GAP}{field}" if line else field
    if line:
        yield line


def _before_table(shown: str) -> list[str]:
    lines = shown.splitlines()
    return lines[: _head(lines)]


def _table(shown: str) -> list[str]:
    lines = shown.splitlines()
    return lines[_head(lines) :]


def _head(lines: list[str]) -> int:
    """Where the table begins: its head is in capitals."""
    return next(
        (place for place, line in enumerate(lines) if line.startswith(("POSITION ", "STEP ", "ROLE "))), len(lines)
    )
